#include "kernels/selftest/selftest.h"

#include <cmath>
#include <limits>
#include <memory>

#include "core/error.h"
#include "kernels/selftest/batch.h"
#include "kernels/selftest/reference.h"

namespace srcode {
namespace {

using Doubles = std::vector<double>;

// An array in a table's memory.
template <class T>
class Array {
 public:
  Array(const KernelTable& kernels, Queue queue, const std::vector<T>& host) : Array(kernels, queue, host.size()) {
    kernels_.copy_in(data_, host.data(), host.size() * sizeof(T), queue_);
  }
  Array(const KernelTable& kernels, Queue queue, size_t count) : kernels_(kernels), queue_(queue), count_(count) {
    data_ = static_cast<T*>(kernels_.allocate(std::max<size_t>(count, 1) * sizeof(T)));
  }
  ~Array() { kernels_.release(data_); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  T* data() const { return data_; }
  std::vector<T> host() const {
    std::vector<T> out(count_);
    kernels_.copy_out(out.data(), data_, count_ * sizeof(T), queue_);
    return out;
  }

 private:
  const KernelTable& kernels_;
  Queue queue_;
  size_t count_;
  T* data_;
};

// What a call gave, by name of the output.
struct Output {
  const char* name;
  double tolerance;
  Doubles values;
};
using Outputs = std::vector<Output>;

template <class T>
Doubles widen(const std::vector<T>& x) {
  return {x.begin(), x.end()};
}

void compare(const char* kernel, const std::string& shape, const Outputs& got, const Outputs& wanted,
             std::vector<SelftestRow>& rows) {
  for (size_t k = 0; k < got.size(); ++k) {
    double worst = 0;
    for (size_t i = 0; i < got[k].values.size(); ++i) {
      const double b = wanted[k].values[i], error = std::fabs(got[k].values[i] - b) / (1 + std::fabs(b));
      if (!(error <= worst)) worst = std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
    }
    rows.push_back({text(kernel, " ", got[k].name), shape, worst, got[k].tolerance, worst <= got[k].tolerance});
  }
}

// The batch in device memory, as the kernels take it.
struct DeviceBatch {
  Array<int32_t> cu, offsets, begin, end;
  Array<float> reward, penalty, terminal, kl, values;
  TokenRewards parts;

  DeviceBatch(const KernelTable& k, Queue q, const RaggedBatch& b, const SpanTable& t)
      : cu(k, q, b.cu),
        offsets(k, q, t.offsets),
        begin(k, q, t.begin),
        end(k, q, t.end),
        reward(k, q, t.reward),
        penalty(k, q, b.penalty),
        terminal(k, q, b.terminal),
        kl(k, q, b.kl),
        values(k, q, b.values),
        parts{b.sequences(), cu.data(),      offsets.data(),  begin.data(), end.data(),
              reward.data(), penalty.data(), terminal.data(), kl.data(),    kBeta} {}
  static constexpr double kBeta = 0.2;
};

constexpr double kGamma = 0.99, kLambda = 0.95;

// variant 0: rewards built in the scan; 1: rewards given; 2: no spans, penalty, score or KL.
Outputs run_gae(const KernelTable& k, Queue q, const RaggedBatch& batch, int variant) {
  const SpanTable table = resolve_spans(batch.sequences(), batch.spans);
  const DeviceBatch d(k, q, batch, table);
  const auto n = static_cast<size_t>(batch.tokens());
  const Array<float> rewards(k, q, n), advantages(k, q, n), returns(k, q, n);
  const Array<Moments> moments(k, q, 1);
  Gae args{.parts = d.parts, .values = d.values.data(), .gamma = kGamma, .lambda = kLambda};
  args.advantages = advantages.data(), args.returns = returns.data(), args.moments = moments.data();
  if (variant == 2) {
    args.parts = {};
    args.parts.sequences = d.parts.sequences, args.parts.cu_seqlens = d.parts.cu_seqlens;
  }
  if (variant == 1) {
    k.token_rewards(args.parts, rewards.data(), q);
    args.rewards = rewards.data();
  } else {
    args.built = rewards.data();
  }
  k.gae(args, q);
  Outputs out{{"rewards", 1e-6, widen(rewards.host())},
              {"advantages", 1e-5, widen(advantages.host())},
              {"returns", 1e-5, widen(returns.host())}};
  const Moments m = moments.host()[0];
  out.push_back({"moments", 1e-5, {m.count, m.mean, m.count > 0 ? m.m2 / m.count : 0}});
  k.whiten(advantages.data(), batch.tokens(), moments.data(), q);
  out.push_back({"whitened", 2e-5, widen(advantages.host())});
  return out;
}

Outputs reference_gae(const RaggedBatch& batch, int variant) {
  const Doubles rewards = variant == 2 ? Doubles(batch.tokens())
                                       : reference::token_rewards(batch.cu, batch.spans, batch.penalty, batch.terminal,
                                                                  batch.kl, DeviceBatch::kBeta);
  const auto [advantages, returns] = reference::gae(batch.cu, rewards, batch.values, kGamma, kLambda);
  const auto n = static_cast<double>(batch.tokens());
  double mean = 0, m2 = 0;
  for (const double a : advantages) mean += a / n;
  for (const double a : advantages) m2 += (a - mean) * (a - mean);
  Doubles whitened = advantages;
  for (double& a : whitened) a = (a - mean) / std::sqrt(m2 / std::max(n - 1, 1.0) + 1e-8);
  return {{"rewards", 0, rewards},
          {"advantages", 0, advantages},
          {"returns", 0, returns},
          {"moments", 0, {n, mean, n > 0 ? m2 / n : 0}},
          {"whitened", 0, whitened}};
}

struct PpoTokens {
  std::vector<float> log_probs, old_log_probs, advantages, weights, values, old_values, returns;

  explicit PpoTokens(int64_t n) {
    std::mt19937_64 random(static_cast<uint64_t>(n) + 17);
    std::normal_distribution<float> normal;
    for (int64_t i = 0; i < n; ++i) {
      old_log_probs.push_back(-std::fabs(2 * normal(random)));
      log_probs.push_back(old_log_probs.back() + 0.6f * normal(random));
      advantages.push_back(normal(random));
      weights.push_back(0.5f * static_cast<float>(random() % 4));
      old_values.push_back(normal(random));
      values.push_back(old_values.back() + 0.3f * normal(random));
      returns.push_back(normal(random));
    }
  }
  // variant 0: everything; 1: no weights, the sum; 2: no old values; 3: the policy alone; 4: the values alone, of a
  // part of a batch.
  PpoLoss args(Clip::Kind kind, int variant) const {
    PpoLoss a;
    a.tokens = static_cast<int64_t>(log_probs.size());
    if (variant != 4) a.log_probs = log_probs.data();
    if (variant == 4) a.total_weight = 3.5 * static_cast<double>(a.tokens) + 1;
    a.old_log_probs = old_log_probs.data(), a.advantages = advantages.data();
    a.clip.kind = kind;
    a.sum = variant == 1;
    if (variant != 1) a.weights = weights.data();
    if (variant != 3) a.values = values.data(), a.returns = returns.data();
    if (variant != 3 && variant != 2) a.old_values = old_values.data();
    return a;
  }
};

// A ratio within rounding of a clip's corner may fall on either side of it, where the slope jumps: such tokens'
// gradients are left out.
void forget_corners(const PpoTokens& t, const Clip& clip, Doubles& gradients) {
  for (size_t i = 0; i < gradients.size(); ++i) {
    const double ratio = std::exp(double{t.log_probs[i]} - t.old_log_probs[i]);
    for (const double corner : {1 - clip.epsilon, 1 + clip.epsilon, clip.c, clip.cap})
      if (std::fabs(ratio - corner) < 1e-5) gradients[i] = 0;
  }
}

Outputs statistics_of(const PpoStatistics& s, double scale) {
  return {{"losses", 1e-5, {s.loss / scale, s.value_loss, s.approx_kl, s.weight}},
          {"clip fraction", 1e-3, {s.clip_fraction}}};
}

Outputs run_ppo(const KernelTable& k, Queue q, const PpoTokens& t, Clip::Kind kind, int variant) {
  const auto n = t.log_probs.size();
  const Array<float> log_probs(k, q, t.log_probs), old(k, q, t.old_log_probs), advantages(k, q, t.advantages),
      weights(k, q, t.weights);
  const Array<float> values(k, q, t.values), old_values(k, q, t.old_values), returns(k, q, t.returns);
  const Array<float> grad_log_probs(k, q, n), grad_values(k, q, n);
  const Array<PpoStatistics> statistics(k, q, 1);
  PpoLoss a = t.args(kind, variant);
  auto move = [](const float*& p, const Array<float>& to) {
    if (p != nullptr) p = to.data();
  };
  move(a.log_probs, log_probs), move(a.old_log_probs, old), move(a.advantages, advantages), move(a.weights, weights);
  move(a.values, values), move(a.old_values, old_values), move(a.returns, returns);
  a.grad_log_probs = grad_log_probs.data(), a.grad_values = grad_values.data();
  k.ppo_loss(a, statistics.data(), q);
  Outputs out = statistics_of(statistics.host()[0], a.sum ? static_cast<double>(n) + 1 : 1);
  if (a.log_probs != nullptr) {
    out.push_back({"d log probs", 1e-5, widen(grad_log_probs.host())});
    forget_corners(t, a.clip, out.back().values);
  }
  if (a.values != nullptr) out.push_back({"d values", 1e-5, widen(grad_values.host())});
  return out;
}

Outputs reference_ppo(const PpoTokens& t, Clip::Kind kind, int variant) {
  const PpoLoss a = t.args(kind, variant);
  const reference::Loss loss = reference::ppo_loss(a);
  Outputs out = statistics_of(loss.statistics, a.sum ? static_cast<double>(a.tokens) + 1 : 1);
  if (a.log_probs != nullptr) {
    out.push_back({"d log probs", 0, loss.grad_log_probs});
    forget_corners(t, a.clip, out.back().values);
  }
  if (a.values != nullptr) out.push_back({"d values", 0, loss.grad_values});
  return out;
}

struct Parameters {
  std::vector<std::vector<float>> param, grad, m, v;

  explicit Parameters(const std::vector<int64_t>& sizes) {
    std::mt19937_64 random(5);
    std::normal_distribution<float> normal;
    for (const int64_t size : sizes) {
      for (auto* array : {&param, &grad, &m, &v}) array->emplace_back(size);
      for (int64_t i = 0; i < size; ++i) {
        param.back()[i] = normal(random), grad.back()[i] = 0.1f * normal(random);
        m.back()[i] = 0.01f * normal(random), v.back()[i] = 0.01f * std::fabs(normal(random));
      }
    }
  }
};

constexpr AdamwConfig kAdamw{
    .lr = 0.01, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.1, .clip_norm = 1, .step = 7};

Outputs run_adamw(const KernelTable& k, Queue q, const Parameters& p) {
  std::vector<std::unique_ptr<Array<float>>> arrays;
  std::vector<AdamwTensor> tensors;
  auto put = [&](const std::vector<float>& x) {
    arrays.push_back(std::make_unique<Array<float>>(k, q, x));
    return arrays.back()->data();
  };
  for (size_t i = 0; i < p.param.size(); ++i)
    tensors.push_back({put(p.param[i]), put(p.grad[i]), put(p.m[i]), put(p.v[i]),
                       static_cast<int64_t>(p.param[i].size()), i % 2 == 0});
  const AdamwResult result = k.adamw(tensors, kAdamw, q);
  Outputs out{
      {"norm", 1e-9, {std::isfinite(result.grad_norm) ? result.grad_norm : -1, static_cast<double>(result.bad_tensor)}},
      {"parameters", 2e-6, {}},
      {"moments", 2e-6, {}}};
  for (size_t i = 0; i < arrays.size(); ++i) {
    if (i % 4 == 1) continue;  // the gradient
    for (const float x : arrays[i]->host()) out[i % 4 == 0 ? 1 : 2].values.push_back(x);
  }
  return out;
}

Outputs reference_adamw(const Parameters& p) {
  const reference::Adamw r = reference::adamw(p.param, p.grad, p.m, p.v, kAdamw);
  Outputs out{{"norm", 0, {std::isfinite(r.norm) ? r.norm : -1, static_cast<double>(r.bad_tensor)}},
              {"parameters", 0, {}},
              {"moments", 0, {}}};
  for (size_t i = 0; i < p.param.size(); ++i) {
    out[1].values.insert(out[1].values.end(), r.param[i].begin(), r.param[i].end());
    out[2].values.insert(out[2].values.end(), r.m[i].begin(), r.m[i].end());
    out[2].values.insert(out[2].values.end(), r.v[i].begin(), r.v[i].end());
  }
  return out;
}

const char* name_of(Clip::Kind kind) {
  const char* names[] = {"ppo loss ppo", "ppo loss dual", "ppo loss sapo", "ppo loss cispo"};
  return names[static_cast<int>(kind)];
}

}  // namespace

std::vector<SelftestRow> selftest(const KernelTable& kernels, Queue queue) {
  const bool against_cpu = &kernels != &cpu_kernels();
  std::vector<SelftestRow> rows;
  const std::vector<std::vector<int>> batches{
      {}, {0}, {1}, {2, 0, 3}, {255, 256, 257, 1, 0, 31, 32, 33, 300}, odd_lengths(), std::vector<int>(70, 40)};
  const char* variants[] = {"gae fused", "gae", "gae bare"};
  for (size_t i = 0; i < batches.size(); ++i) {
    const RaggedBatch batch(batches[i], i + 1);
    for (int v = 0; v < 3; ++v)
      compare(variants[v], text("B ", batch.sequences(), ", N ", batch.tokens()), run_gae(kernels, queue, batch, v),
              against_cpu ? run_gae(cpu_kernels(), {}, batch, v) : reference_gae(batch, v), rows);
  }
  for (const int64_t n : {0, 1, 31, 257, 2047, 2048, 2049, 6145}) {
    const PpoTokens tokens(n);
    for (const auto kind : {Clip::Kind::ppo, Clip::Kind::dual, Clip::Kind::sapo, Clip::Kind::cispo})
      for (int v = 0; v < 5; ++v)
        compare(name_of(kind), text("N ", n, ", variant ", v), run_ppo(kernels, queue, tokens, kind, v),
                against_cpu ? run_ppo(cpu_kernels(), {}, tokens, kind, v) : reference_ppo(tokens, kind, v), rows);
  }
  for (const bool bad : {false, true}) {
    Parameters p({1, 300, 0, 255, 65536, 70000});
    if (bad)
      p.grad[3][254] = std::numeric_limits<float>::quiet_NaN(), p.grad[5][0] = std::numeric_limits<float>::infinity();
    compare("adamw", bad ? "6 tensors, NaN in one" : "6 tensors", run_adamw(kernels, queue, p),
            against_cpu ? run_adamw(cpu_kernels(), {}, p) : reference_adamw(p), rows);
  }
  return rows;
}

}  // namespace srcode
