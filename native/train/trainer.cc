#include "train/trainer.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/safetensors.h"

namespace srcode {
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

void Trainer::check_coverage(bool pairs) {
  const auto& parameters = trainable_.layout().parameters;
  for (size_t i = 0; i < parameters.size(); i++) {
    if (covered_[i]) continue;
    const Parameter& p = parameters[i];
    covered_[i] = !zero(gradients_.floats() + p.offset, p.size);
    if (covered_[i]) continue;
    // The gradient of A is B's product with something: none while B is zero, as it is at the start. And a head learns
    // from its own objective.
    if (p.name.ends_with("value_head.weight") || (p.name.ends_with("reward_head.weight") && !pairs)) continue;
    if (p.name.ends_with("lora_A.weight")) {
      const std::string b = p.name.substr(0, p.name.size() - 13) + "lora_B.weight";
      const auto found =
          std::find_if(parameters.begin(), parameters.end(), [&](const Parameter& other) { return other.name == b; });
      if (found != parameters.end() && zero(trainable_.masters() + found->offset, found->size)) continue;
    }
    // So does everything under a reward head that is still zero.
    if (pairs && adapter_ && zero(adapter_->masters() + adapter_->reward_head(), model_.config().hidden)) continue;
    fail("ERR_NO_GRADIENT", "tensor ", p.name, " received no gradient from the batch; nothing would train it");
  }
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
  bool deep = false;  // a token that looks back on more than one: without it attention has nothing to learn
  std::vector<size_t> ends(batch.sequences.size());  // tokens after the last supervised one change nothing
  for (size_t s = 0; s < batch.sequences.size(); s++) {
    const auto& weights = batch.weights[s];
    if (weights.size() != batch.sequences[s].size()) {
      fail("ERR_SHAPE", "sequence ", s, ": expected ", batch.sequences[s].size(), " loss weights, received ",
           weights.size());
    }
    for (size_t i = 1; i < weights.size(); i++) {
      if (!std::isfinite(weights[i])) fail("ERR_INVALID_ARG", "sequence ", s, ": loss weight ", i, " is not finite");
      if (weights[i] == 0.0f) continue;
      total += static_cast<double>(weights[i]);
      result.tokens++;
      ends[s] = i;
      deep |= i > 1;
    }
  }
  if (result.tokens == 0 || !(total > 0)) {
    fail("ERR_INVALID_ARG",
         "the batch has no supervised token: the loss weights from index 1 on must have a positive sum");
  }

  backend.fill_zero(gradients_.data(), gradients_.bytes());
  for (size_t first = 0; first < ends.size();) {
    Batch pass;
    std::vector<int32_t> rows, targets;
    std::vector<float> weights;
    size_t last = first;
    for (; last < ends.size(); last++) {
      const size_t end = ends[last];
      if (end == 0) continue;
      if (pass.rows() > 0 && pass.rows() + static_cast<int64_t>(end) > micro_batch_tokens_) break;
      const auto begin = static_cast<int32_t>(pass.rows());
      pass.append(std::span(batch.sequences[last]).first(end));
      for (size_t i = 1; i <= end; i++) {
        if (batch.weights[last][i] == 0.0f) continue;
        rows.push_back(begin + static_cast<int32_t>(i) - 1);
        targets.push_back(batch.sequences[last][i]);
        weights.push_back(batch.weights[last][i]);
      }
    }
    first = last;
    if (rows.empty()) continue;

    const auto count = static_cast<int64_t>(rows.size());
    Tape tape;
    Hidden hidden;
    BackwardScratch scratch;
    Head::Scratch head;
    float* log_prob = nullptr;
    model_.plan([&](Arena& arena) {
      tape.lay_out(arena, c, adapter_.get(), pass.rows(), true);
      hidden.lay_out(arena, c, count);
      log_prob = arena.take<float>("head statistics", count);
      // d_hidden crosses from the head to the blocks; the rest of either's scratch is not needed by the other.
      scratch.d_hidden = arena.take<float>("d final hidden states", count * c.hidden);
      const size_t shared = arena.used();
      head.lay_out(arena, backend, c, count, true);
      arena.release(shared);
      scratch.lay_out(arena, backend, c, adapter_.get(), pass.rows(), count);
    });
    model_.decoder().forward(pass, adapter_.get(), tape, cancel);
    model_.decoder().hidden(tape, rows, hidden);
    WeightedNll objective(weights, total);
    float* d_head = adapter_ ? nullptr : gradients_.floats() + model_.weights().head_offset();
    model_.head().train(count, hidden.normed, targets, objective, head, log_prob, scratch.d_hidden, d_head, cancel);
    std::vector<float> values(rows.size());
    backend.copy_out(values.data(), log_prob, values.size() * sizeof(float));
    for (size_t i = 0; i < values.size(); i++)
      result.loss -= static_cast<double>(weights[i]) * static_cast<double>(values[i]) / total;
    model_.decoder().backward(pass, adapter_.get(), tape, hidden, scratch, gradients_.floats(), cancel);
  }
  if (deep) check_coverage(false);
  return result;
}

StepResult Trainer::gradients(const PairBatch& batch, const Cancel& cancel) {
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
  StepResult result;
  const auto pairs = static_cast<double>(batch.chosen.size());
  const float* weight = adapter_->masters() + adapter_->reward_head();

  backend.fill_zero(gradients_.data(), gradients_.bytes());
  for (size_t first = 0; first < batch.chosen.size();) {
    Batch pass;
    std::vector<int32_t> rows;
    size_t last = first;
    for (; last < batch.chosen.size(); last++) {
      const auto tokens = static_cast<int64_t>(batch.chosen[last].size() + batch.rejected[last].size());
      if (last > first && pass.rows() + tokens > micro_batch_tokens_) break;
      for (const auto* side : {&batch.chosen[last], &batch.rejected[last]}) {
        pass.append(*side);
        rows.push_back(static_cast<int32_t>(pass.rows()) - 1);
      }
    }
    first = last;
    result.tokens += pass.rows();

    const auto count = static_cast<int64_t>(rows.size());
    Tape tape;
    Hidden hidden;
    BackwardScratch scratch;
    float *scores = nullptr, *d_scores = nullptr;
    model_.plan([&](Arena& arena) {
      tape.lay_out(arena, c, adapter_.get(), pass.rows(), true);
      hidden.lay_out(arena, c, count);
      scores = arena.take<float>("scores", count);
      d_scores = arena.take<float>("scores", count);
      scratch.d_hidden = arena.take<float>("d final hidden states", count * c.hidden);
      scratch.lay_out(arena, backend, c, adapter_.get(), pass.rows(), count);
    });
    model_.decoder().forward(pass, adapter_.get(), tape, cancel);
    model_.decoder().hidden(tape, rows, hidden);
    backend.row_dot(c.dtype, count, c.hidden, hidden.normed, weight, scores);
    std::vector<float> score(rows.size()), d_score(rows.size());
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
    backend.fill_zero(scratch.d_hidden, static_cast<size_t>(count * c.hidden) * sizeof(float));
    backend.row_dot_backward(c.dtype, count, c.hidden, hidden.normed, weight, d_scores, scratch.d_hidden,
                             gradients_.floats() + adapter_->reward_head());
    model_.decoder().backward(pass, adapter_.get(), tape, hidden, scratch, gradients_.floats(), cancel);
  }
  check_coverage(true);
  return result;
}

void Trainer::update(StepResult& result, double lr) {
  const ParameterLayout& layout = trainable_.layout();
  std::vector<AdamwTensor> tensors;
  for (const Parameter& p : layout.parameters) {
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
           layout.parameters[static_cast<size_t>(update.bad_tensor)].name,
           ". Lower the learning rate or look at the batch");
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
