#pragma once
#include <span>

#include "backend/memory.h"
#include "core/arena.h"
#include "core/cancel.h"
#include "model/weights.h"

namespace srcode {

// What a training step wants of each supervised token: the gradient of its loss with respect to the token's log-prob
// and to the entropy of its distribution. Called once for each block of rows, in order, so that logits are never held
// for all of them.
class Objective {
 public:
  virtual ~Objective() = default;
  virtual bool needs_entropy() const { return false; }
  // Rows [first, first + rows) of the supervised rows. d_entropy is null unless needs_entropy().
  virtual void rows(int64_t first, int64_t rows, const float* log_prob, const float* entropy, float* d_log_prob,
                    float* d_entropy) = 0;
};

// The language-model head, fused with log-softmax: linear → log-prob (and back) over blocks of rows. Peak memory is one
// block of f32 logits, whatever the number of rows.
class Head {
 public:
  struct Scratch {
    int64_t block = 0;            // rows of logits held at once
    int64_t chunk = 0;            // vocabulary columns of d_logits and of the transposed weight held at once
    float* logits = nullptr;      // [block, V]
    float* lse = nullptr;         // [block]
    float* entropy = nullptr;     // [block]
    float* d_log_prob = nullptr;  // [block]
    float* d_entropy = nullptr;   // [block]
    void* d_logits = nullptr;     // [block, chunk] T
    void* transposed = nullptr;   // packed [chunk → H]
    int32_t* targets = nullptr;   // [S]

    void lay_out(Arena& arena, const Backend& backend, const ModelConfig& config, int64_t rows, bool backward);
  };

  Head(Backend& backend, const Weights& weights) : backend_(backend), weights_(weights) {}

  // log_prob[i] = log p(targets[i] | hidden[i]) (device memory, [S]); entropy may be null.
  void log_probs(int64_t rows, const void* hidden, std::span<const int32_t> targets, Scratch& scratch, float* log_prob,
                 float* entropy, const Cancel& cancel) const;
  // The same, and back at once: d_hidden [S, H] f32 is overwritten. d_weight (full-parameter training: [V, H] f32) is
  // added to, or null.
  void train(int64_t rows, const void* hidden, std::span<const int32_t> targets, Objective& objective, Scratch& scratch,
             float* log_prob, float* d_hidden, float* d_weight, const Cancel& cancel) const;
  // Plain logits [rows, V] f32 for the sampler.
  void logits(int64_t rows, const void* hidden, float* out) const;

 private:
  Backend& backend_;
  const Weights& weights_;
};

}  // namespace srcode
