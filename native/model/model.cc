#include "model/model.h"

#include <algorithm>

#include "core/error.h"

namespace srcode {
namespace {

constexpr int64_t kScoreTokens = 4096;  // a scoring pass holds about this many tokens (or one longer sequence)

}  // namespace

Model::Model(std::unique_ptr<Backend> backend, std::unique_ptr<Weights> weights)
    : backend_(std::move(backend)),
      weights_(std::move(weights)),
      decoder_(*backend_, *weights_),
      head_(*backend_, *weights_) {}

void Model::add_adapter(const std::string& name, std::shared_ptr<Adapter> adapter) {
  if (name.empty()) fail("ERR_INVALID_ARG", "an adapter needs a name");
  if (!adapters_.emplace(name, std::move(adapter)).second) {
    fail("ERR_INVALID_ARG", "an adapter named '", name, "' exists already; remove it first");
  }
}

void Model::remove_adapter(const std::string& name) {
  adapter(name);
  adapters_.erase(name);
}

std::shared_ptr<Adapter> Model::adapter(const std::string& name) const {
  if (name.empty()) return nullptr;
  const auto found = adapters_.find(name);
  if (found == adapters_.end()) {
    std::string names;
    for (const auto& [known, adapter] : adapters_) names += (names.empty() ? "" : ", ") + known;
    fail("ERR_INVALID_ARG", "no adapter named '", name, "'; there ", adapters_.size() == 1 ? "is " : "are ",
         names.empty() ? "none" : names);
  }
  return found->second;
}

std::vector<std::string> Model::adapter_names() const {
  std::vector<std::string> names;
  for (const auto& [name, adapter] : adapters_) names.push_back(name);
  return names;
}

void Model::check(const Sequences& sequences, const char* what, size_t shortest) const {
  const ModelConfig& c = config();
  for (size_t s = 0; s < sequences.size(); s++) {
    const auto& tokens = sequences[s];
    if (tokens.size() < shortest)
      fail("ERR_SHAPE", what, " ", s, ": expected at least ", shortest, " token(s), received ", tokens.size());
    if (static_cast<int64_t>(tokens.size()) > c.context) {
      fail("ERR_SHAPE", what, " ", s, " has ", tokens.size(), " tokens, the model's context is ", c.context,
           "; shorten it");
    }
    for (size_t i = 0; i < tokens.size(); i++) {
      if (tokens[i] < 0 || tokens[i] >= c.vocab) {
        fail("ERR_INVALID_ARG", what, " ", s, ": token ", tokens[i], " at position ", i,
             " is outside the vocabulary [0, ", c.vocab, "); do tokenizer and model belong together?");
      }
    }
  }
}

template <class Rows, class LayOut, class Use>
void Model::score(const Sequences& sequences, const Adapter* adapter, Rows rows_of, LayOut lay_out, Use use,
                  const Cancel& cancel) {
  check(sequences, "sequence");
  for (size_t first = 0; first < sequences.size();) {
    Batch batch;
    size_t last = first;
    while (last < sequences.size() &&
           (last == first || batch.rows() + static_cast<int64_t>(sequences[last].size()) <= kScoreTokens)) {
      batch.append(sequences[last++]);
    }
    std::vector<int32_t> rows;
    for (size_t s = first; s < last; s++) rows_of(sequences[s], batch.cu_seqlens[s - first], rows);
    const auto count = static_cast<int64_t>(rows.size());
    Tape tape;
    Hidden hidden;
    plan([&](Arena& arena) {
      tape.lay_out(arena, config(), adapter, batch.rows(), false);
      hidden.lay_out(arena, config(), count);
      lay_out(arena, count);
    });
    decoder_.forward(batch, adapter, tape, cancel);
    decoder_.hidden(tape, rows, hidden);
    use(batch, first, last, hidden);
    first = last;
  }
}

std::vector<std::vector<float>> Model::log_probs(const Sequences& sequences, const Adapter* adapter,
                                                 const Cancel& cancel) {
  std::vector<std::vector<float>> out(sequences.size());
  Head::Scratch scratch;
  float* values = nullptr;
  const auto rows_of = [](const std::vector<int32_t>& tokens, int32_t begin, std::vector<int32_t>& rows) {
    for (size_t i = 0; i + 1 < tokens.size(); i++) rows.push_back(begin + static_cast<int32_t>(i));
  };
  const auto lay_out = [&](Arena& arena, int64_t rows) {
    scratch.lay_out(arena, *backend_, config(), rows, false);
    values = arena.take<float>("head statistics", rows);
  };
  const auto use = [&](const Batch&, size_t first, size_t last, const Hidden& hidden) {
    std::vector<int32_t> targets;
    for (size_t s = first; s < last; s++) targets.insert(targets.end(), sequences[s].begin() + 1, sequences[s].end());
    head_.log_probs(hidden.rows, hidden.normed, targets, scratch, values, nullptr, cancel);
    int64_t row = 0;
    for (size_t s = first; s < last; s++) {
      out[s].resize(sequences[s].size() - 1);
      backend_->copy_out(out[s].data(), values + row, out[s].size() * sizeof(float));
      row += static_cast<int64_t>(out[s].size());
    }
  };
  score(sequences, adapter, rows_of, lay_out, use, cancel);
  return out;
}

const float* Model::scalar_head(const Adapter* adapter, bool reward) const {
  const int64_t offset = !adapter ? -1 : reward ? adapter->reward_head() : adapter->value_head();
  if (offset < 0) {
    fail("ERR_INVALID_ARG", "this needs an adapter with a ", reward ? "reward" : "value",
         " head; create one with heads: ['", reward ? "reward" : "value", "']");
  }
  return adapter->masters() + offset;
}

std::vector<std::vector<float>> Model::values(const Sequences& sequences, const Adapter* adapter,
                                              const Cancel& cancel) {
  const float* weight = scalar_head(adapter, false);
  std::vector<std::vector<float>> out(sequences.size());
  float* values = nullptr;
  const auto rows_of = [](const std::vector<int32_t>& tokens, int32_t begin, std::vector<int32_t>& rows) {
    for (size_t i = 0; i < tokens.size(); i++) rows.push_back(begin + static_cast<int32_t>(i));
  };
  const auto lay_out = [&](Arena& arena, int64_t rows) { values = arena.take<float>("values", rows); };
  const auto use = [&](const Batch& batch, size_t first, size_t last, const Hidden& hidden) {
    backend_->row_dot(config().dtype, hidden.rows, config().hidden, hidden.normed, weight, values);
    for (size_t s = first; s < last; s++) {
      out[s].resize(sequences[s].size());
      backend_->copy_out(out[s].data(), values + batch.cu_seqlens[s - first], out[s].size() * sizeof(float));
    }
  };
  score(sequences, adapter, rows_of, lay_out, use, cancel);
  return out;
}

std::vector<float> Model::rewards(const Sequences& sequences, const Adapter* adapter, const Cancel& cancel) {
  const float* weight = scalar_head(adapter, true);
  std::vector<float> out(sequences.size());
  float* values = nullptr;
  const auto rows_of = [](const std::vector<int32_t>& tokens, int32_t begin, std::vector<int32_t>& rows) {
    rows.push_back(begin + static_cast<int32_t>(tokens.size()) - 1);
  };
  const auto lay_out = [&](Arena& arena, int64_t rows) { values = arena.take<float>("values", rows); };
  const auto use = [&](const Batch&, size_t first, size_t, const Hidden& hidden) {
    backend_->row_dot(config().dtype, hidden.rows, config().hidden, hidden.normed, weight, values);
    backend_->copy_out(out.data() + first, values, static_cast<size_t>(hidden.rows) * sizeof(float));
  };
  score(sequences, adapter, rows_of, lay_out, use, cancel);
  return out;
}

}  // namespace srcode
