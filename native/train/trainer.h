#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/adamw/adamw.h"
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

struct StepResult {
  double loss = 0;
  double grad_norm = 0;
  int64_t tokens = 0;    // supervised tokens (pairs: all tokens)
  double accuracy = 0;   // pairs only: the share with score(chosen) > score(rejected)
  bool skipped = false;  // the gradient was not finite: nothing changed
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
  // needs a reward head. A non-finite gradient skips the step; max_non_finite skips in a row throw ERR_NON_FINITE with
  // the first bad tensor's name.
  template <class AnyBatch>
  StepResult step(const AnyBatch& batch, double lr, const Cancel& cancel) {
    StepResult result = gradients(batch, cancel);
    update(result, lr);
    return result;
  }
  // The gradient alone, left in each_gradient().
  StepResult gradients(const LmBatch& batch, const Cancel& cancel);
  StepResult gradients(const PairBatch& batch, const Cancel& cancel);
  // Every trainable tensor's gradient in the checkpoint's form.
  void each_gradient(const std::function<void(const Parameter&, const std::vector<float>&)>& visit) const;

  // Moments, step count, and (full-parameter training) the f32 masters: all that a resumed run needs beside the model's
  // own files.
  void save(const std::string& file) const;
  void load(const std::string& file);

  int64_t steps() const { return steps_; }

 private:
  void update(StepResult& result, double lr);
  // Every trainable tensor must receive a gradient at the start: ERR_NO_GRADIENT names one that does not.
  void check_coverage(bool pairs);
  bool zero(const float* values, int64_t n) const;

  Model& model_;
  std::shared_ptr<Adapter> adapter_;
  Trainable& trainable_;
  OptimizerConfig optimizer_;
  int64_t micro_batch_tokens_, max_non_finite_;
  DeviceMemory gradients_, m_, v_;
  int64_t steps_ = 0, non_finite_ = 0;
  std::vector<bool> covered_;
};

}  // namespace srcode
