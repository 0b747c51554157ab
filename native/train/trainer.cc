#include "train/trainer.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/safetensors.h"

namespace srcode {

// The response tokens of a batch, one after another.
struct Trainer::Responses {
  std::vector<Part> parts;  // one a sequence
  std::vector<int32_t> targets;

  // A list of the batch in the same order.
  std::vector<float> flat(const FloatLists& lists, const char* what) const {
    if (lists.size() != parts.size()) {
      fail("ERR_SHAPE", "expected ", what, " for each of the ", parts.size(), " sequences, received ", lists.size());
    }
    std::vector<float> out;
    for (size_t s = 0; s < parts.size(); s++) {
      if (lists[s].size() != parts[s].rows.size()) {
        fail("ERR_SHAPE", "sequence ", s, ": expected ", parts[s].rows.size(), " ", what,
             ", one for each response token, received ", lists[s].size());
      }
      for (size_t i = 0; i < lists[s].size(); i++) {
        if (!std::isfinite(lists[s][i])) {
          fail("ERR_NON_FINITE", "sequence ", s, ": expected finite ", what, ", received ", lists[s][i], " at [", i,
               "]");
        }
      }
      out.insert(out.end(), lists[s].begin(), lists[s].end());
    }
    return out;
  }
  std::vector<float> flat(const std::optional<FloatLists>& lists, const char* what) const {
    return lists ? flat(*lists, what) : std::vector<float>();
  }
  FloatLists lists(const std::vector<float>& flat) const {
    FloatLists out;
    auto from = flat.begin();
    for (const Part& part : parts) {
      const auto end = from + static_cast<std::ptrdiff_t>(part.rows.size());
      out.emplace_back(from, end);
      from = end;
    }
    return out;
  }
};

namespace {

// -Σ w log p / Σ w.
class WeightedNll final : public Objective {
 public:
  WeightedNll(std::span<const float> weights, double total) : weights_(weights), total_(total) {}
  void rows(int64_t first, int64_t rows, const float*, const float*, float* d_log_prob, float*) override {
    for (int64_t i = 0; i < rows; i++) {
      d_log_prob[i] = static_cast<float>(-static_cast<double>(weights_[static_cast<size_t>(first + i)]) / total_);
    }
  }

 private:
  std::span<const float> weights_;
  double total_;
};

// The loss of a PPO batch over the rows of one pass, entropy and KL included. Values, if any, are taken along: one
// kernel makes both losses.
class PpoObjective final : public Objective {
 public:
  // `args` has the pointers of the pass's first token.
  PpoObjective(Backend& backend, const PpoBatch& batch, const PpoLoss& args, const float* ref_log_probs,
               PpoResult& result)
      : backend_(backend), batch_(batch), pass_(args), ref_log_probs_(ref_log_probs), result_(result) {}
  bool needs_entropy() const override { return batch_.entropy; }
  void rows(int64_t first, int64_t rows, const float* log_prob, const float* entropy, float* d_log_prob,
            float* d_entropy) override {
    PpoLoss args = pass_;
    args.tokens = rows;
    args.log_probs = log_prob;
    args.grad_log_probs = d_log_prob;
    args.old_log_probs += first;
    args.advantages += first;
    if (args.values) {
      args.values += first;
      args.returns += first;
      args.grad_values += first;
      if (args.old_values) args.old_values += first;
    }
    PpoStatistics s;
    backend_.kernels().ppo_loss(args, &s, backend_.queue());
    result_.policy_loss += s.loss;
    result_.value_loss += s.value_loss;
    result_.clip_fraction += s.clip_fraction;
    result_.approx_kl += s.approx_kl;
    for (int64_t i = 0; i < rows; i++) {
      const double log_p = log_prob[i];
      // Within the kernel's bounds.
      result_.log_ratio += std::clamp(log_p - static_cast<double>(args.old_log_probs[i]), -87.0, 88.0) / s.weight;
      if (entropy) {
        result_.entropy += static_cast<double>(entropy[i]) / s.weight;
        d_entropy[i] = static_cast<float>(-batch_.entropy_coef / s.weight);
      }
      if (ref_log_probs_) {
        const double d = log_p - static_cast<double>(ref_log_probs_[first + i]), slope = -std::expm1(-d);
        result_.kl3 += (d - slope) / s.weight;
        if (batch_.kl_coef > 0) d_log_prob[i] += static_cast<float>(batch_.kl_coef * slope / s.weight);
      }
    }
  }

 private:
  Backend& backend_;
  const PpoBatch& batch_;
  PpoLoss pass_;
  const float* ref_log_probs_;
  PpoResult& result_;
};

Trainable& trainable_of(Model& model, const std::shared_ptr<Adapter>& adapter) {
  if (adapter) {
    adapter->enable_backward();
    return *adapter;
  }
  model.weights().enable_training();
  return model.weights();
}

double softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

}  // namespace

Trainer::Trainer(Model& model, const std::string& adapter, const OptimizerConfig& optimizer, int64_t micro_batch_tokens,
                 int64_t max_non_finite)
    : model_(model),
      adapter_(model.adapter(adapter)),
      trainable_(trainable_of(model, adapter_)),
      optimizer_(optimizer),
      micro_batch_tokens_(micro_batch_tokens),
      max_non_finite_(max_non_finite),
      covered_(trainable_.layout().parameters.size()) {
  const size_t bytes = static_cast<size_t>(trainable_.layout().total) * sizeof(float);
  gradients_ = DeviceMemory(model.backend(), bytes);
  m_ = DeviceMemory(model.backend(), bytes);
  v_ = DeviceMemory(model.backend(), bytes);
}

bool Trainer::zero(const float* values, int64_t n) const {
  std::vector<float> host(static_cast<size_t>(n));
  model_.backend().copy_out(host.data(), values, host.size() * sizeof(float));
  return std::all_of(host.begin(), host.end(), [](float x) { return x == 0.0f; });
}

bool Trainer::is_scalar_head(const Parameter& p) const {
  return adapter_ && (p.offset == adapter_->value_head() || p.offset == adapter_->reward_head());
}

void Trainer::check_coverage(bool blocks, bool head) {
  const auto& parameters = trainable_.layout().parameters;
  for (size_t i = 0; i < parameters.size(); i++) {
    const Parameter& p = parameters[i];
    if (covered_[i] || !(is_scalar_head(p) ? head && p.offset == head_ : blocks)) continue;
    covered_[i] = !zero(gradients_.floats() + p.offset, p.size);
    if (covered_[i]) continue;
    // The gradient of A is B's product with something: none while B is zero, as it is at the start.
    if (p.name.ends_with("lora_A.weight")) {
      const std::string b = p.name.substr(0, p.name.size() - 13) + "lora_B.weight";
      const auto found =
          std::find_if(parameters.begin(), parameters.end(), [&](const Parameter& other) { return other.name == b; });
      if (found != parameters.end() && zero(trainable_.masters() + found->offset, found->size)) continue;
    }
    fail("ERR_NO_GRADIENT", "tensor ", p.name, " received no gradient from the batch; nothing would train it");
  }
}

template <class LayOut, class Use>
bool Trainer::passes(const std::vector<Part>& parts, size_t together, LayOut lay_out, Use use, const Cancel& cancel) {
  Backend& backend = model_.backend();
  const ModelConfig& c = model_.config();
  bool deep = false;
  backend.fill_zero(gradients_.data(), gradients_.bytes());
  for (size_t next = 0, done = 0; next < parts.size();) {
    Batch pass;
    std::vector<int32_t> rows;
    for (; next < parts.size(); next += together) {
      const auto group = std::span(parts).subspan(next, together);
      int64_t tokens = 0;
      for (const Part& part : group) tokens += static_cast<int64_t>(part.tokens.size());
      if (pass.rows() > 0 && pass.rows() + tokens > micro_batch_tokens_) break;
      for (const Part& part : group) {
        for (int32_t row : part.rows) rows.push_back(static_cast<int32_t>(pass.rows()) + row);
        pass.append(part.tokens);
      }
    }
    const auto count = static_cast<int64_t>(rows.size());
    Tape tape;
    Hidden hidden;
    BackwardScratch scratch;
    model_.plan([&](Arena& arena) {
      tape.lay_out(arena, c, adapter_.get(), pass.rows(), true);
      hidden.lay_out(arena, c, count);
      // d_hidden crosses from the objective to the blocks; the rest of either's scratch is not needed by the other.
      scratch.d_hidden = arena.take<float>("d final hidden states", count * c.hidden);
      const size_t shared = arena.used();
      lay_out(arena, count);
      arena.release(shared);
      scratch.lay_out(arena, backend, c, adapter_.get(), pass.rows(), count);
    });
    model_.decoder().forward(pass, adapter_.get(), tape, cancel);
    model_.decoder().hidden(tape, rows, hidden);
    use(done, hidden, scratch.d_hidden);
    for (size_t i = 0; i < rows.size() && !deep; i++) {
      deep = pass.positions[static_cast<size_t>(rows[i])] > 0 &&
             !zero(scratch.d_hidden + static_cast<int64_t>(i) * c.hidden, c.hidden);
    }
    model_.decoder().backward(pass, adapter_.get(), tape, hidden, scratch, gradients_.floats(), cancel);
    done += rows.size();
  }
  return deep;
}

StepResult Trainer::gradients(const LmBatch& batch, const Cancel& cancel) {
  Backend& backend = model_.backend();
  const ModelConfig& c = model_.config();
  model_.check(batch.sequences, "sequence");
  if (batch.weights.size() != batch.sequences.size()) {
    fail("ERR_SHAPE", "expected loss weights for each of the ", batch.sequences.size(), " sequences, received ",
         batch.weights.size());
  }
  StepResult result;
  double total = 0;
  std::vector<Part> parts;
  std::vector<int32_t> targets;
  std::vector<float> weights;
  for (size_t s = 0; s < batch.sequences.size(); s++) {
    const auto& sequence = batch.sequences[s];
    if (batch.weights[s].size() != sequence.size()) {
      fail("ERR_SHAPE", "sequence ", s, ": expected ", sequence.size(), " loss weights, received ",
           batch.weights[s].size());
    }
    Part part;
    for (size_t i = 1; i < sequence.size(); i++) {
      const float weight = batch.weights[s][i];
      if (!std::isfinite(weight)) fail("ERR_INVALID_ARG", "sequence ", s, ": loss weight ", i, " is not finite");
      if (weight == 0.0f) continue;
      total += static_cast<double>(weight);
      part.tokens = std::span(sequence).first(i);  // tokens after the last supervised one change nothing
      part.rows.push_back(static_cast<int32_t>(i) - 1);
      targets.push_back(sequence[i]);
      weights.push_back(weight);
    }
    if (!part.rows.empty()) parts.push_back(std::move(part));
  }
  result.tokens = static_cast<int64_t>(targets.size());
  if (result.tokens == 0 || !(total > 0)) {
    fail("ERR_INVALID_ARG",
         "the batch has no supervised token: the loss weights from index 1 on must have a positive sum");
  }

  head_ = -1;
  Head::Scratch head;
  float* log_prob = nullptr;
  const auto lay_out = [&](Arena& arena, int64_t rows) {
    log_prob = arena.take<float>("head statistics", rows);
    head.lay_out(arena, backend, c, rows, true);
  };
  const auto use = [&](size_t first, const Hidden& hidden, float* d_hidden) {
    const auto rows = static_cast<size_t>(hidden.rows);
    const auto weight = std::span(weights).subspan(first, rows);
    WeightedNll objective(weight, total);
    model_.head().train(hidden.rows, hidden.normed, std::span(targets).subspan(first, rows), objective, head, log_prob,
                        d_hidden, d_lm_head(), cancel);
    std::vector<float> values(rows);
    backend.copy_out(values.data(), log_prob, rows * sizeof(float));
    for (size_t i = 0; i < rows; i++)
      result.loss -= static_cast<double>(weight[i]) * static_cast<double>(values[i]) / total;
  };
  check_coverage(passes(parts, 1, lay_out, use, cancel), false);
  return result;
}

PairResult Trainer::gradients(const PairBatch& batch, const Cancel& cancel) {
  Backend& backend = model_.backend();
  const ModelConfig& c = model_.config();
  if (!adapter_ || adapter_->reward_head() < 0) {
    fail("ERR_INVALID_ARG", "training on pairs needs an adapter with a reward head; create one with heads: ['reward']");
  }
  if (batch.chosen.size() != batch.rejected.size() || batch.chosen.empty()) {
    fail("ERR_SHAPE", "expected as many rejected as chosen sequences and at least one pair, received ",
         batch.chosen.size(), " and ", batch.rejected.size());
  }
  model_.check(batch.chosen, "chosen sequence");
  model_.check(batch.rejected, "rejected sequence");
  PairResult result;
  const auto pairs = static_cast<double>(batch.chosen.size());
  std::vector<Part> parts;
  for (size_t i = 0; i < batch.chosen.size(); i++) {
    for (const auto* side : {&batch.chosen[i], &batch.rejected[i]}) {
      parts.push_back({*side, {static_cast<int32_t>(side->size()) - 1}});
      result.tokens += static_cast<int64_t>(side->size());
    }
  }

  head_ = adapter_->reward_head();
  const float* weight = adapter_->masters() + head_;
  float *scores = nullptr, *d_scores = nullptr;
  const auto lay_out = [&](Arena& arena, int64_t rows) {
    scores = arena.take<float>("scores", rows);
    d_scores = arena.take<float>("scores", rows);
  };
  const auto use = [&](size_t, const Hidden& hidden, float* d_hidden) {
    backend.row_dot(c.dtype, hidden.rows, c.hidden, hidden.normed, weight, scores);
    std::vector<float> score(static_cast<size_t>(hidden.rows)), d_score(score.size());
    backend.copy_out(score.data(), scores, score.size() * sizeof(float));
    for (size_t i = 0; i < score.size(); i += 2) {
      // L = softplus(-(s_c - s_r)) / pairs, so dL/ds_c = -σ(-(s_c - s_r)) / pairs.
      const double margin = static_cast<double>(score[i]) - static_cast<double>(score[i + 1]);
      result.loss += softplus(-margin) / pairs;
      result.accuracy += (margin > 0) / pairs;
      const double slope = 1.0 / (1.0 + std::exp(margin)) / pairs;
      d_score[i] = static_cast<float>(-slope);
      d_score[i + 1] = static_cast<float>(slope);
    }
    backend.copy_in(d_scores, d_score.data(), d_score.size() * sizeof(float));
    backend.fill_zero(d_hidden, static_cast<size_t>(hidden.rows * c.hidden) * sizeof(float));
    backend.row_dot_backward(c.dtype, hidden.rows, c.hidden, hidden.normed, weight, d_scores, d_hidden,
                             gradients_.floats() + head_);
  };
  check_coverage(passes(parts, 2, lay_out, use, cancel), true);
  return result;
}

Trainer::Responses Trainer::responses_of(const ValueBatch& batch) const {
  model_.check(batch.sequences, "sequence", 2);
  if (batch.sequences.empty()) fail("ERR_SHAPE", "expected at least one sequence, received none");
  if (batch.response_start.size() != batch.sequences.size()) {
    fail("ERR_SHAPE", "expected responseStart for each of the ", batch.sequences.size(), " sequences, received ",
         batch.response_start.size());
  }
  Responses out;
  for (size_t s = 0; s < batch.sequences.size(); s++) {
    const auto& sequence = batch.sequences[s];
    const auto length = static_cast<int32_t>(sequence.size());
    const int32_t start = batch.response_start[s];
    if (start < 1 || start >= length) {
      fail("ERR_SHAPE", "sequence ", s, " has ", length, " tokens: expected its responseStart in [1, ", length - 1,
           "], received ", start);
    }
    Part& part = out.parts.emplace_back();
    part.tokens = std::span(sequence).first(sequence.size() - 1);
    for (int32_t i = start; i < length; i++) part.rows.push_back(i - 1);
    out.targets.insert(out.targets.end(), sequence.begin() + start, sequence.end());
  }
  return out;
}

// The value head on the rows of a pass, there and back, and what the batch says of them.
struct Trainer::Critic {
  Trainer& trainer;
  const ValueBatch& batch;
  std::vector<float> returns, old_values;
  std::vector<float> all;  // V of all response tokens
  bool reached = false;    // whether the head had a gradient
  float *values = nullptr, *d_values = nullptr;

  Critic(Trainer& t, const ValueBatch& b, const Responses& responses)
      : trainer(t),
        batch(b),
        returns(responses.flat(b.returns, "returns")),
        old_values(responses.flat(b.old_values, "oldValues")),
        all(responses.targets.size()) {
    if (!t.adapter_ || t.adapter_->value_head() < 0) {
      fail("ERR_INVALID_ARG",
           "a value loss needs an adapter with a value head; create one with heads: ['value'], or leave returns out");
    }
    if (returns.empty()) fail("ERR_INVALID_ARG", "a value loss needs returns");
    t.head_ = t.adapter_->value_head();
  }
  const float* weight() const { return trainer.adapter_->masters() + trainer.head_; }

  void lay_out(Arena& arena, int64_t rows) {
    values = arena.take<float>("values", rows);
    d_values = arena.take<float>("values", rows);
  }
  void forward(size_t first, const Hidden& hidden, PpoLoss& loss) {
    Backend& backend = trainer.model_.backend();
    const ModelConfig& c = trainer.model_.config();
    backend.row_dot(c.dtype, hidden.rows, c.hidden, hidden.normed, weight(), values);
    backend.copy_out(all.data() + first, values, static_cast<size_t>(hidden.rows) * sizeof(float));
    loss.values = values;
    loss.grad_values = d_values;
    loss.returns = returns.data() + first;
    loss.value_clip = batch.value_clip;
    if (batch.value_clip > 0 && !old_values.empty()) loss.old_values = old_values.data() + first;
  }
  void backward(const Hidden& hidden, double coef, float* d_hidden) {
    const ModelConfig& c = trainer.model_.config();
    for (int64_t i = 0; i < hidden.rows; i++) d_values[i] *= static_cast<float>(coef);
    reached |= !trainer.zero(d_values, hidden.rows);
    trainer.model_.backend().row_dot_backward(c.dtype, hidden.rows, c.hidden, hidden.normed, weight(), d_values,
                                              d_hidden, trainer.gradients_.floats() + trainer.head_);
  }
};

ValueResult Trainer::gradients(const ValueBatch& batch, const Cancel& cancel) {
  Backend& backend = model_.backend();
  const Responses responses = responses_of(batch);
  Critic critic(*this, batch, responses);
  ValueResult result;
  result.tokens = static_cast<int64_t>(responses.targets.size());

  const auto lay_out = [&](Arena& arena, int64_t rows) { critic.lay_out(arena, rows); };
  const auto use = [&](size_t first, const Hidden& hidden, float* d_hidden) {
    PpoLoss loss{.tokens = hidden.rows, .total_weight = static_cast<double>(result.tokens), .clip = {}};
    critic.forward(first, hidden, loss);
    PpoStatistics s;
    backend.kernels().ppo_loss(loss, &s, backend.queue());
    result.loss += s.value_loss;
    backend.fill_zero(d_hidden, static_cast<size_t>(hidden.rows * model_.config().hidden) * sizeof(float));
    critic.backward(hidden, 1, d_hidden);
  };
  const bool blocks = passes(responses.parts, 1, lay_out, use, cancel);
  check_coverage(blocks, critic.reached);
  result.values = responses.lists(critic.all);
  return result;
}

PpoResult Trainer::gradients(const PpoBatch& batch, const Cancel& cancel) {
  Backend& backend = model_.backend();
  const Responses responses = responses_of(batch);
  const std::vector<float> old_log_probs = responses.flat(batch.old_log_probs, "oldLogProbs");
  const std::vector<float> advantages = responses.flat(batch.advantages, "advantages");
  const std::vector<float> ref_log_probs = responses.flat(batch.ref_log_probs, "refLogProbs");
  head_ = -1;
  std::optional<Critic> critic;
  if (batch.returns) critic.emplace(*this, batch, responses);
  PpoResult result;
  result.tokens = static_cast<int64_t>(responses.targets.size());

  std::vector<float> log_probs(responses.targets.size());
  Head::Scratch head;
  float* log_prob = nullptr;
  const auto lay_out = [&](Arena& arena, int64_t rows) {
    log_prob = arena.take<float>("head statistics", rows);
    head.lay_out(arena, backend, model_.config(), rows, true);
    if (critic) critic->lay_out(arena, rows);
  };
  const auto use = [&](size_t first, const Hidden& hidden, float* d_hidden) {
    const auto rows = static_cast<size_t>(hidden.rows);
    PpoLoss loss{.old_log_probs = old_log_probs.data() + first,
                 .advantages = advantages.data() + first,
                 .total_weight = static_cast<double>(result.tokens),
                 .clip = batch.clip,
                 .sum = batch.sum};
    if (critic) critic->forward(first, hidden, loss);
    PpoObjective objective(backend, batch, loss, batch.ref_log_probs ? ref_log_probs.data() + first : nullptr, result);
    model_.head().train(hidden.rows, hidden.normed, std::span(responses.targets).subspan(first, rows), objective, head,
                        log_prob, d_hidden, d_lm_head(), cancel);
    backend.copy_out(log_probs.data() + first, log_prob, rows * sizeof(float));
    if (critic) critic->backward(hidden, batch.value_coef, d_hidden);
  };
  const bool blocks = passes(responses.parts, 1, lay_out, use, cancel);
  check_coverage(blocks, critic && critic->reached);
  result.mean_ratio = 1 + result.log_ratio + result.approx_kl;  // r = 1 + ln r + (r - 1 - ln r)
  result.skipped = batch.max_ratio > 0 && result.mean_ratio > batch.max_ratio;
  result.loss = result.policy_loss + batch.value_coef * result.value_loss - batch.entropy_coef * result.entropy +
                batch.kl_coef * result.kl3;
  result.log_probs = responses.lists(log_probs);
  if (critic) result.values = responses.lists(critic->all);
  return result;
}

void Trainer::update(StepResult& result, double lr) {
  const ParameterLayout& layout = trainable_.layout();
  std::vector<AdamwTensor> tensors;
  std::vector<const Parameter*> updated;
  for (const Parameter& p : layout.parameters) {
    if (is_scalar_head(p) && p.offset != head_) continue;
    updated.push_back(&p);
    tensors.push_back({trainable_.masters() + p.offset, gradients_.floats() + p.offset, m_.floats() + p.offset,
                       v_.floats() + p.offset, p.size, p.decay});
  }
  const AdamwConfig config{.lr = lr,
                           .beta1 = optimizer_.beta1,
                           .beta2 = optimizer_.beta2,
                           .eps = optimizer_.eps,
                           .weight_decay = optimizer_.weight_decay,
                           .clip_norm = optimizer_.clip_norm,
                           .step = steps_ + 1};
  const AdamwResult update = model_.backend().kernels().adamw(tensors, config, model_.backend().queue());
  result.grad_norm = update.grad_norm;
  if (update.bad_tensor >= 0) {
    result.skipped = true;
    if (++non_finite_ >= max_non_finite_) {
      fail("ERR_NON_FINITE", "the gradient was not finite ", non_finite_, " time(s) in a row; the first bad tensor is ",
           updated[static_cast<size_t>(update.bad_tensor)]->name, ". Lower the learning rate or look at the batch");
    }
    return;
  }
  non_finite_ = 0;
  steps_++;
  trainable_.repack();
}

void Trainer::each_gradient(const std::function<void(const Parameter&, const std::vector<float>&)>& visit) const {
  std::vector<float> block, rows;
  for (const Parameter& p : trainable_.layout().parameters) {
    block.resize(static_cast<size_t>(p.size));
    rows.resize(block.size());
    model_.backend().copy_out(block.data(), gradients_.floats() + p.offset, block.size() * sizeof(float));
    to_checkpoint(p, block.data(), rows.data());
    visit(p, rows);
  }
}

void Trainer::save(const std::string& file) const {
  std::vector<SafetensorsEntry> entries;
  std::vector<std::vector<float>> blocks;
  const auto add = [&](const char* prefix, const Parameter& p, const float* from) {
    auto& block = blocks.emplace_back(static_cast<size_t>(p.size));
    model_.backend().copy_out(block.data(), from + p.offset, block.size() * sizeof(float));
    entries.push_back({prefix + p.name, "F32", {p.size}, block.data()});
  };
  for (const Parameter& p : trainable_.layout().parameters) {
    add("m.", p, m_.floats());
    add("v.", p, v_.floats());
    if (!adapter_) add("master.", p, trainable_.masters());
  }
  write_safetensors(file, entries, {{"steps", text(steps_)}, {"non_finite", text(non_finite_)}});
}

void Trainer::load(const std::string& file) {
  const Safetensors state(file);
  std::vector<float> block;
  const auto read = [&](const char* prefix, const Parameter& p, float* to) {
    block.resize(static_cast<size_t>(p.size));
    state.get(prefix + p.name, {p.size});
    state.read_f32(prefix + p.name, block.data());
    model_.backend().copy_in(to + p.offset, block.data(), block.size() * sizeof(float));
  };
  for (const Parameter& p : trainable_.layout().parameters) {
    read("m.", p, m_.floats());
    read("v.", p, v_.floats());
    if (!adapter_) read("master.", p, trainable_.masters());
  }
  const auto count = [&](const char* key) -> int64_t {
    const auto found = state.metadata().find(key);
    if (found == state.metadata().end() || found->second.find_first_not_of("0123456789") != std::string::npos ||
        found->second.empty()) {
      fail("ERR_FILE_FORMAT", file, ": the metadata has no count '", key, "'; this is no optimiser state of ours");
    }
    return std::stoll(found->second);
  };
  steps_ = count("steps");
  non_finite_ = count("non_finite");
  if (!adapter_) trainable_.repack();
}

}  // namespace srcode
