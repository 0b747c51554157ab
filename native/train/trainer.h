#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernels/adamw/adamw.h"
#include "kernels/ppo_loss/ppo_loss.h"
#include "model/model.h"

namespace srcode {

struct OptimizerConfig {
  double lr = 1e-4, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.01;
  double clip_norm = 1.0;  // 0: no clipping
};

// Supervised sequences: weights[s][i] weighs the prediction of token i (i ≥ 1) of sequence s.
struct LmBatch {
  Sequences sequences;
  std::vector<std::vector<float>> weights;
};
// Preference pairs for the Bradley–Terry loss.
struct PairBatch {
  Sequences chosen, rejected;
};

using FloatLists = std::vector<std::vector<float>>;

// Responses and the returns of their tokens. The response of sequence s is its tokens from response_start[s] ≥ 1 on;
// every list has one value for each of them. V at a response token is the value head at the token before it.
struct ValueBatch {
  Sequences sequences;
  std::vector<int32_t> response_start;
  std::optional<FloatLists> returns;     // always, but for a PPO batch without value loss
  std::optional<FloatLists> old_values;  // without them the value loss is not clipped
  double value_clip = 0.2;               // 0: not clipped either
};
struct PpoBatch : ValueBatch {
  FloatLists old_log_probs, advantages;
  std::optional<FloatLists> ref_log_probs;
  Clip clip;
  bool sum = false;  // of the policy's loss; else the mean
  double value_coef = 0.1, entropy_coef = 0, kl_coef = 0;
  bool entropy = false;   // asked for; a must with entropy_coef
  double max_ratio = 10;  // of the mean ratio; 0: off
};

struct StepResult {
  double loss = 0;
  double grad_norm = 0;
  int64_t tokens = 0;    // supervised tokens (pairs: all tokens)
  bool skipped = false;  // the gradient was not finite, or PPO's mean ratio too large: nothing changed
};
struct PairResult : StepResult {
  double accuracy = 0;  // the share with score(chosen) > score(rejected)
};
struct ValueResult : StepResult {
  FloatLists values;
};
// Means over the response tokens of the batch; what was not asked for is 0 or empty.
struct PpoResult : ValueResult {
  double policy_loss = 0, value_loss = 0, entropy = 0, kl3 = 0;
  double clip_fraction = 0, approx_kl = 0;
  double log_ratio = 0, mean_ratio = 0;  // of ln r, of r
  FloatLists log_probs;
};

// Gradients, moments and the optimiser of one adapter, or of the base model's own parameters. One call is one optimiser
// step: the batch is cut into passes of bounded size whose gradients add up exactly (the loss is normalised over the
// whole batch).
class Trainer {
 public:
  // An empty adapter name trains the base model's parameters.
  Trainer(Model& model, const std::string& adapter, const OptimizerConfig& optimizer, int64_t micro_batch_tokens,
          int64_t max_non_finite);

  // LM: Σ w (-log p) / Σ w over the batch. Pairs: the mean of -log σ(score(chosen) - score(rejected)); the adapter
  // needs a reward head. Values: the mean of PPO's value loss; it needs a value head. PPO: policy loss + value_coef ·
  // value loss - entropy_coef · mean entropy + kl_coef · mean k3; it needs a value head if there are returns. A head
  // that has no part in the loss is left as it is. A non-finite gradient skips the step; max_non_finite skips in a row
  // throw ERR_NON_FINITE with the first bad tensor's name.
  template <class AnyBatch>
  auto step(const AnyBatch& batch, double lr, const Cancel& cancel) {
    auto result = gradients(batch, cancel);
    if (!result.skipped) update(result, lr);
    return result;
  }
  // The gradient alone, left in each_gradient().
  StepResult gradients(const LmBatch& batch, const Cancel& cancel);
  PairResult gradients(const PairBatch& batch, const Cancel& cancel);
  ValueResult gradients(const ValueBatch& batch, const Cancel& cancel);
  PpoResult gradients(const PpoBatch& batch, const Cancel& cancel);
  // Every trainable tensor's gradient in the checkpoint's form.
  void each_gradient(const std::function<void(const Parameter&, const std::vector<float>&)>& visit) const;

  // Moments, step count, and (full-parameter training) the f32 masters: all that a resumed run needs beside the model's
  // own files.
  void save(const std::string& file) const;
  void load(const std::string& file);

  int64_t steps() const { return steps_; }

 private:
  // One sequence's share of a pass: the tokens that the blocks see, and the rows of them that the objective reads.
  struct Part {
    std::span<const int32_t> tokens;
    std::vector<int32_t> rows;
  };
  // Takes the parts through the model and back in passes of bounded size, which keep each `together` neighbours in one.
  // lay_out(arena, rows) takes the objective's buffers; use(first, hidden, d_hidden) turns the final hidden states of
  // the pass's rows, before which the batch has `first` others, into the gradient by them. Returns whether a gradient
  // came to a token that looks back on another: without one, attention has nothing to learn.
  template <class LayOut, class Use>
  bool passes(const std::vector<Part>& parts, size_t together, LayOut lay_out, Use use, const Cancel& cancel);
  struct Responses;
  Responses responses_of(const ValueBatch& batch) const;
  struct Critic;
  // The gradient of the language-model head: full-parameter training alone has one.
  float* d_lm_head() const { return adapter_ ? nullptr : gradients_.floats() + model_.weights().head_offset(); }

  void update(StepResult& result, double lr);
  // Every trainable tensor that the loss reached (the blocks; the scalar head) must receive a gradient at the start:
  // ERR_NO_GRADIENT names one that does not.
  void check_coverage(bool blocks, bool head);
  bool is_scalar_head(const Parameter& parameter) const;
  bool zero(const float* values, int64_t n) const;

  Model& model_;
  std::shared_ptr<Adapter> adapter_;
  Trainable& trainable_;
  OptimizerConfig optimizer_;
  int64_t micro_batch_tokens_, max_non_finite_;
  DeviceMemory gradients_, m_, v_;
  int64_t steps_ = 0, non_finite_ = 0;
  int64_t head_ = -1;  // offset of the scalar head in the last loss, -1 without one
  std::vector<bool> covered_;
};

}  // namespace srcode
