#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "core/arena.h"
#include "core/cancel.h"
#include "model/adapter.h"
#include "model/decoder.h"
#include "model/head.h"
#include "model/weights.h"

namespace srcode {

using Sequences = std::vector<std::vector<int32_t>>;

// One base model on one backend, the named adapters beside it, and the calls that read it. Not thread-safe: one thread
// at a time (the device thread of the addon).
class Model {
 public:
  Model(std::unique_ptr<Backend> backend, std::unique_ptr<Weights> weights);

  const ModelConfig& config() const { return weights_->config(); }
  Backend& backend() { return *backend_; }
  Weights& weights() { return *weights_; }
  const Decoder& decoder() const { return decoder_; }
  const Head& head() const { return head_; }

  void add_adapter(const std::string& name, std::shared_ptr<Adapter> adapter);  // ERR_INVALID_ARG if the name is taken
  void remove_adapter(const std::string& name);
  // The empty name is the bare base model (nullptr).
  std::shared_ptr<Adapter> adapter(const std::string& name) const;
  std::vector<std::string> adapter_names() const;

  // log p(token i+1 | tokens ≤ i) for each sequence: its length - 1 values.
  std::vector<std::vector<float>> log_probs(const Sequences& sequences, const Adapter* adapter, const Cancel& cancel);
  // The value head on every token's final hidden state.
  std::vector<std::vector<float>> values(const Sequences& sequences, const Adapter* adapter, const Cancel& cancel);
  // The reward head on the last token's.
  std::vector<float> rewards(const Sequences& sequences, const Adapter* adapter, const Cancel& cancel);

  // Throws when a sequence is empty, longer than the context, or has an id outside the vocabulary; names it by its
  // index.
  void check(const Sequences& sequences, const char* what, size_t shortest = 1) const;

  // Runs lay_out(arena) once dry and once for real. The memory is kept for the next call and only grows.
  template <class LayOut>
  void plan(LayOut lay_out) {
    Arena dry;
    lay_out(dry);
    if (!arena_ || dry.peak() > capacity_) {
      arena_.reset();  // first, so that old and new are never held at once
      arena_.emplace(dry.peak());
      capacity_ = dry.peak();
      plan_ = dry.plan();
    }
    arena_->release(0);
    lay_out(*arena_);
  }
  const std::vector<Arena::Region>& memory_plan() const { return plan_; }  // of the largest call so far

 private:
  // Calls use(batch, first sequence, tape, hidden rows' buffers) for groups of sequences of bounded size.
  template <class Rows, class LayOut, class Use>
  void score(const Sequences& sequences, const Adapter* adapter, Rows rows_of, LayOut lay_out, Use use,
             const Cancel& cancel);
  const float* scalar_head(const Adapter* adapter, bool reward) const;

  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Weights> weights_;
  Decoder decoder_;
  Head head_;
  std::map<std::string, std::shared_ptr<Adapter>> adapters_;
  std::optional<Arena> arena_;
  size_t capacity_ = 0;
  std::vector<Arena::Region> plan_;
};

}  // namespace srcode
