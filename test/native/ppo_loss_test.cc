#include "kernels/ppo_loss/ppo_loss.h"

#include <doctest/doctest.h>

#include <cstring>
#include <random>

#include "core/thread_pool.h"
#include "kernels/selftest/reference.h"

using namespace srcode;

namespace {

using Floats = std::vector<float>;

struct Tokens {
  Floats log_probs, old_log_probs, advantages, weights, values, old_values, returns, grad_log_probs, grad_values;

  Tokens(int64_t n, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::normal_distribution<float> normal;
    for (Floats* x : {&log_probs, &old_log_probs, &advantages, &weights, &values, &old_values, &returns,
                      &grad_log_probs, &grad_values})
      x->resize(n);
    for (int64_t i = 0; i < n; ++i) {
      old_log_probs[i] = -std::fabs(2 * normal(random));
      log_probs[i] = old_log_probs[i] + 0.4f * normal(random);
      advantages[i] = normal(random);
      weights[i] = random() % 4 == 0 ? 0.0f : 0.5f * float(random() % 4);
      old_values[i] = normal(random), values[i] = old_values[i] + 0.3f * normal(random), returns[i] = normal(random);
    }
  }
  PpoLoss args(Clip::Kind kind) {
    PpoLoss a;
    a.tokens = int64_t(log_probs.size());
    a.log_probs = log_probs.data(), a.old_log_probs = old_log_probs.data(), a.advantages = advantages.data(),
    a.weights = weights.data();
    a.values = values.data(), a.old_values = old_values.data(), a.returns = returns.data();
    a.clip.kind = kind;
    a.grad_log_probs = grad_log_probs.data(), a.grad_values = grad_values.data();
    return a;
  }
};

constexpr Clip::Kind kKinds[] = {Clip::Kind::ppo, Clip::Kind::dual, Clip::Kind::sapo, Clip::Kind::cispo};

double worst(const Floats& a, const std::vector<double>& b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i)
    if (const double error = std::fabs(a[i] - b[i]); !(error <= largest)) largest = error;
  return largest;
}

// One token at ratio r with weight 1.
struct One {
  PpoStatistics s;
  float gradient;
};
One one(Clip clip, float log_ratio, float advantage) {
  const float log_prob = -1 + log_ratio, old = -1;
  One out;
  PpoLoss a;
  a.tokens = 1, a.log_probs = &log_prob, a.old_log_probs = &old, a.advantages = &advantage, a.clip = clip,
  a.grad_log_probs = &out.gradient;
  ppo_loss(a, &out.s, nullptr);
  return out;
}

}  // namespace

TEST_CASE("ppo loss: the multipliers of the clip rules at A > 0 are those of the table") {
  // r = 1.5 / 2 / 3: PPO 0, CISPO with cap 1.28 1.28, SAPO with tau 1 1.41 / 1.57 / 1.26.
  const float log_ratios[] = {std::log(1.5f), std::log(2.0f), std::log(3.0f)};
  const double sapo[] = {1.41, 1.57, 1.26};
  for (int i = 0; i < 3; ++i) {
    CHECK(one({.kind = Clip::Kind::ppo}, log_ratios[i], 1).gradient == 0);
    CHECK(one({.kind = Clip::Kind::dual}, log_ratios[i], 1).gradient == 0);
    CHECK(one({.kind = Clip::Kind::cispo}, log_ratios[i], 1).gradient == doctest::Approx(-1.28));
    CHECK(one({.kind = Clip::Kind::sapo}, log_ratios[i], 1).gradient == doctest::Approx(-sapo[i]).epsilon(0.004));
  }
}

TEST_CASE("ppo loss: the cap of CISPO is the ratio itself, and a small ratio is not lifted") {
  // A = -1: gradient min(r, cap). r = 1.25 stays under a cap of 1.28 (an offset above 1 would be 2.28); r = 0.1 stays
  // 0.1.
  CHECK(one({.kind = Clip::Kind::cispo}, std::log(1.25f), -1).gradient == doctest::Approx(1.25));
  CHECK(one({.kind = Clip::Kind::cispo}, std::log(2.0f), -1).gradient == doctest::Approx(1.28));
  CHECK(one({.kind = Clip::Kind::cispo}, std::log(0.1f), -1).gradient == doctest::Approx(0.1));
  // loss = -sg(1.28) * A * log pi with log pi = -1 + ln 2.
  CHECK(one({.kind = Clip::Kind::cispo}, std::log(2.0f), -1).s.loss == doctest::Approx(1.28 * (-1 + std::log(2.0))));
  CHECK(one({.kind = Clip::Kind::cispo}, std::log(2.0f), -1).s.clip_fraction == 1);
}

TEST_CASE("ppo loss: dual clip bounds the loss of a bad token, PPO does not") {
  // A = -1, r = 5: PPO's loss 5, gradient 5; dual with c = 3: loss 3, gradient 0. At r = 2 both are 2.
  CHECK(one({.kind = Clip::Kind::ppo}, std::log(5.0f), -1).s.loss == doctest::Approx(5));
  CHECK(one({.kind = Clip::Kind::ppo}, std::log(5.0f), -1).gradient == doctest::Approx(5));
  CHECK(one({.kind = Clip::Kind::dual}, std::log(5.0f), -1).s.loss == doctest::Approx(3));
  CHECK(one({.kind = Clip::Kind::dual}, std::log(5.0f), -1).gradient == 0);
  CHECK(one({.kind = Clip::Kind::dual}, std::log(2.0f), -1).gradient == doctest::Approx(2));
}

TEST_CASE("ppo loss: at ratio 1 every rule has gradient -A, and nothing is clipped") {
  for (const Clip::Kind kind : kKinds)
    for (const float a : {2.0f, -0.5f}) {
      const One r = one({.kind = kind}, 0, a);
      CHECK(r.gradient == doctest::Approx(-a));
      CHECK(r.s.clip_fraction == 0);
      CHECK(r.s.approx_kl == 0);
    }
}

TEST_CASE("ppo loss: k3 keeps its digits for small log ratios and is never negative") {
  // r - 1 - ln r = x^2/2 + x^3/6 + ...
  for (const float x : {1e-1f, -1e-2f, 1e-3f, -1e-5f}) {
    const double kl = one({.kind = Clip::Kind::ppo}, x, 1).s.approx_kl, log_ratio = double{-1 + x} - -1.0;
    CHECK(kl > 0);
    CHECK(kl == doctest::Approx(std::expm1(log_ratio) - log_ratio).epsilon(1e-5));
  }
}

TEST_CASE("ppo loss: follows the reference in double over odd counts, weights and aggregations") {
  for (const Clip::Kind kind : kKinds)
    for (const int64_t n : {0, 1, 3, 4, 15, 17, 33, 1000, 8191, 8192, 8193, 20001})
      for (const int variant : {0, 1, 2}) {
        Tokens t(n, n + 1);
        PpoLoss a = t.args(kind);
        a.sum = variant == 1;
        if (variant == 1) a.weights = nullptr;
        if (variant == 2) a.old_values = nullptr;
        PpoStatistics s;
        ppo_loss(a, &s, nullptr);
        const reference::Loss wanted = reference::ppo_loss(a);
        const double scale = a.sum ? double(n) + 1 : 1;
        CHECK(s.loss == doctest::Approx(wanted.statistics.loss).epsilon(2e-6).scale(scale));
        CHECK(s.value_loss == doctest::Approx(wanted.statistics.value_loss).epsilon(2e-6));
        CHECK(s.clip_fraction == doctest::Approx(wanted.statistics.clip_fraction).epsilon(1e-9));
        CHECK(s.approx_kl == doctest::Approx(wanted.statistics.approx_kl).epsilon(2e-6));
        CHECK(s.weight == wanted.statistics.weight);
        CHECK(worst(t.grad_log_probs, wanted.grad_log_probs) < 1e-5);
        CHECK(worst(t.grad_values, wanted.grad_values) < 1e-6);
      }
}

TEST_CASE("ppo loss: gradients are finite differences of the losses, for every rule") {
  const double h = 1.0 / 512;
  for (const Clip::Kind kind : kKinds)
    for (const bool sum : {false, true}) {
      Tokens t(40, 5);
      PpoLoss a = t.args(kind);
      a.sum = sum;
      PpoStatistics s;
      ppo_loss(a, &s, nullptr);
      const Floats grad = t.grad_log_probs, grad_values = t.grad_values, ratio_at = t.log_probs;
      for (int64_t i = 0; i < a.tokens; ++i) {
        const float x = t.log_probs[i], v = t.values[i];
        PpoStatistics up, down;
        t.log_probs[i] = x + float(h), ppo_loss(a, &up, nullptr);
        t.log_probs[i] = x - float(h), ppo_loss(a, &down, nullptr);
        t.log_probs[i] = x;
        const double step = double{x + float(h)} - double{x - float(h)};
        double slope = (up.loss - down.loss) / step;
        if (kind == Clip::Kind::cispo) {
          // The coefficient is held (stop gradient), so l is linear in log pi: take its part out of the difference by
          // hand.
          const double c = std::min(std::exp(double{x} - t.old_log_probs[i]), 1.28);
          slope = -c * t.advantages[i] * t.weights[i] * (sum ? 1 : 1 / s.weight);
        }
        const double ratio = std::exp(double{x} - t.old_log_probs[i]);
        const bool kink =
            std::fabs(ratio - 0.8) < 0.005 || std::fabs(ratio - 1.2) < 0.005 || std::fabs(ratio - 3) < 0.01;
        if (!kink || kind == Clip::Kind::sapo)
          CHECK(grad[i] == doctest::Approx(slope).epsilon(1e-3).scale(sum ? 1 : 1 / s.weight));

        t.values[i] = v + float(h), ppo_loss(a, &up, nullptr);
        t.values[i] = v - float(h), ppo_loss(a, &down, nullptr);
        t.values[i] = v;
        const double value_slope = (up.value_loss - down.value_loss) / (double{v + float(h)} - double{v - float(h)});
        // Near a corner of the max the two sides differ; the reference test covers those tokens.
        const double held = std::clamp(v, t.old_values[i] - 0.2f, t.old_values[i] + 0.2f);
        const double corner = std::fabs(std::fabs(held - t.returns[i]) - std::fabs(v - t.returns[i]));
        if (std::fabs(std::fabs(v - t.old_values[i]) - 0.2f) > 0.005 && (held == v || corner > 0.01))
          CHECK(grad_values[i] == doctest::Approx(value_slope).epsilon(1e-3).scale(1 / s.weight));
      }
    }
}

TEST_CASE("ppo loss: any number of threads gives the same bytes") {
  ThreadPool pool(3);
  for (const Clip::Kind kind : kKinds) {
    Tokens one_thread(50000, 3), three(50000, 3);
    PpoStatistics a, b;
    ppo_loss(one_thread.args(kind), &a, nullptr);
    ppo_loss(three.args(kind), &b, &pool);
    CHECK(std::memcmp(&a, &b, sizeof a) == 0);
    CHECK(std::memcmp(one_thread.grad_log_probs.data(), three.grad_log_probs.data(), 200000) == 0);
    CHECK(std::memcmp(one_thread.grad_values.data(), three.grad_values.data(), 200000) == 0);
  }
}

TEST_CASE("ppo loss: a batch in parts has the gradients of the whole, and statistics that add up to its own") {
  for (const Clip::Kind kind : kKinds) {
    Tokens whole(9000, 4), cut(9000, 4);
    PpoStatistics all, sum;
    ppo_loss(whole.args(kind), &all, nullptr);
    for (const auto& [begin, end] : {std::pair{0, 1}, {1, 778}, {778, 9000}}) {
      PpoLoss a = cut.args(kind);
      for (const float** x :
           {&a.log_probs, &a.old_log_probs, &a.advantages, &a.weights, &a.values, &a.old_values, &a.returns})
        *x += begin;
      a.grad_log_probs += begin, a.grad_values += begin, a.tokens = end - begin, a.total_weight = all.weight;
      PpoStatistics s;
      ppo_loss(a, &s, nullptr);
      CHECK(s.weight == all.weight);
      sum.loss += s.loss, sum.value_loss += s.value_loss;
      sum.clip_fraction += s.clip_fraction, sum.approx_kl += s.approx_kl;
    }
    CHECK(whole.grad_log_probs == cut.grad_log_probs);
    CHECK(whole.grad_values == cut.grad_values);
    CHECK(sum.loss == doctest::Approx(all.loss).epsilon(1e-12));
    CHECK(sum.value_loss == doctest::Approx(all.value_loss).epsilon(1e-12));
    CHECK(sum.clip_fraction == doctest::Approx(all.clip_fraction).epsilon(1e-12));
    CHECK(sum.approx_kl == doctest::Approx(all.approx_kl).epsilon(1e-12));

    // The values alone are the same as beside a policy.
    PpoLoss a = cut.args(kind);
    a.log_probs = nullptr;
    PpoStatistics s;
    ppo_loss(a, &s, nullptr);
    CHECK(whole.grad_values == cut.grad_values);
    CHECK(s.value_loss == all.value_loss);
    CHECK(s.loss == 0);
  }
}

TEST_CASE("ppo loss: no weight at all is zero, not NaN") {
  Tokens t(20, 1);
  t.weights.assign(20, 0);
  PpoStatistics s;
  ppo_loss(t.args(Clip::Kind::ppo), &s, nullptr);
  CHECK(s.loss == 0);
  CHECK(s.value_loss == 0);
  for (const float g : t.grad_log_probs) CHECK(g == 0);
}
