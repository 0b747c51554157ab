#include "kernels/adamw/adamw.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/thread_pool.h"

using namespace srcode;

namespace {

struct Adapter {
  std::vector<std::vector<float>> param, grad, m, v;
  std::vector<AdamwTensor> tensors;

  explicit Adapter(const std::vector<int64_t>& sizes) {
    uint32_t state = 12345;
    auto next = [&] {
      return static_cast<float>(static_cast<int32_t>(state = state * 1664525u + 1013904223u)) * 4.6e-10f;
    };
    for (int64_t size : sizes) {
      for (auto* array : {&param, &grad, &m, &v}) array->emplace_back(size);
      for (auto& x : param.back()) x = next();
      for (auto& x : grad.back()) x = next();
    }
    for (size_t i = 0; i < sizes.size(); ++i)
      tensors.push_back({param[i].data(), grad[i].data(), m[i].data(), v[i].data(), sizes[i], i % 2 == 0});
  }
};

const AdamwConfig kConfig{
    .lr = 0.1, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.5, .clip_norm = 0, .step = 1};

// The update in double, one value at a time.
void reference(Adapter& a, const AdamwConfig& c, double norm) {
  const double clip = c.clip_norm > 0 ? std::min(1.0, c.clip_norm / (norm + 1e-6)) : 1;
  for (size_t t = 0; t < a.tensors.size(); ++t)
    for (size_t i = 0; i < a.param[t].size(); ++i) {
      const double g = a.grad[t][i] * clip;
      const double m = c.beta1 * a.m[t][i] + (1 - c.beta1) * g, v = c.beta2 * a.v[t][i] + (1 - c.beta2) * g * g;
      double p = a.param[t][i];
      if (a.tensors[t].decay) p -= c.lr * c.weight_decay * p;
      p -= c.lr * (m / (1 - std::pow(c.beta1, c.step))) / (std::sqrt(v / (1 - std::pow(c.beta2, c.step))) + c.eps);
      a.param[t][i] = float(p), a.m[t][i] = float(m), a.v[t][i] = float(v);
    }
}

}  // namespace

TEST_CASE("adamw: the first step moves by the learning rate against the gradient's sign, after decay") {
  // step 1: m / (1 - beta1) = g and sqrt(v / (1 - beta2)) = |g|, so p = 2 (1 - 0.1 * 0.5) - 0.1 * sign(g) = 1.9 -+ 0.1.
  float p[2] = {2, 2}, g[2] = {3, -0.25f}, m[2] = {}, v[2] = {};
  const AdamwTensor tensor{p, g, m, v, 2, true};
  const AdamwResult result = adamw({&tensor, 1}, kConfig, nullptr);
  CHECK(result.grad_norm == doctest::Approx(std::sqrt(9.0625)));
  CHECK(result.bad_tensor == -1);
  CHECK(p[0] == doctest::Approx(1.8));
  CHECK(p[1] == doctest::Approx(2.0));
  CHECK(m[0] == doctest::Approx(0.3));
  CHECK(v[1] == doctest::Approx(0.01 * 0.0625));
}

TEST_CASE("adamw: clipping scales the gradient by clip_norm / (norm + 1e-6) and only downwards") {
  // |g| = 5, clip 1: g' = (0.6, 0.8); m = 0.1 g'. With clip 10 the gradient stays.
  for (const double clip : {1.0, 10.0}) {
    float p[2] = {}, g[2] = {3, 4}, m[2] = {}, v[2] = {};
    const AdamwTensor tensor{p, g, m, v, 2, false};
    AdamwConfig config = kConfig;
    config.clip_norm = clip;
    CHECK(adamw({&tensor, 1}, config, nullptr).grad_norm == doctest::Approx(5));
    CHECK(m[0] == doctest::Approx(clip == 1.0 ? 0.06 : 0.3));
    CHECK(m[1] == doctest::Approx(clip == 1.0 ? 0.08 : 0.4));
    CHECK(g[0] == 3);
  }
}

TEST_CASE("adamw: twenty steps over odd sizes follow the update in double") {
  const std::vector<int64_t> sizes{1, 7, 0, 8, 1000, 16384, 16385, 40000};
  Adapter ours(sizes), theirs(sizes);
  AdamwConfig config = kConfig;
  config.lr = 1e-2, config.clip_norm = 1;
  for (config.step = 1; config.step <= 20; ++config.step) {
    double squares = 0;
    for (const auto& grad : theirs.grad)
      for (const float g : grad) squares += double{g} * g;
    const AdamwResult result = adamw(ours.tensors, config, nullptr);
    CHECK(result.grad_norm == doctest::Approx(std::sqrt(squares)).epsilon(1e-12));
    reference(theirs, config, result.grad_norm);
    for (auto* a : {&ours, &theirs})
      for (auto& grad : a->grad)
        for (float& g : grad) g = g * 0.9f + 0.01f;
  }
  double worst = 0;
  for (size_t t = 0; t < sizes.size(); ++t)
    for (size_t i = 0; i < ours.param[t].size(); ++i)
      worst = std::max(worst, std::fabs(double{ours.param[t][i]} - theirs.param[t][i]));
  CHECK(worst < 2e-6);
}

TEST_CASE("adamw: the same bytes for every thread count") {
  const std::vector<int64_t> sizes{5, 100000, 3, 33000};
  Adapter one(sizes), four(sizes);
  ThreadPool pool(4);
  AdamwConfig config = kConfig;
  config.clip_norm = 0.5;
  for (config.step = 1; config.step <= 3; ++config.step) {
    const AdamwResult a = adamw(one.tensors, config, nullptr), b = adamw(four.tensors, config, &pool);
    CHECK(a.grad_norm == b.grad_norm);
  }
  CHECK(one.param == four.param);
  CHECK(one.v == four.v);
}

TEST_CASE("adamw: a non-finite gradient is named and nothing is updated") {
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    Adapter a({10, 20000, 20000});
    a.grad[1][19999] = bad, a.grad[2][0] = bad;
    const auto before = a.param;
    const AdamwResult result = adamw(a.tensors, kConfig, nullptr);
    CHECK(result.bad_tensor == 1);
    CHECK_FALSE(std::isfinite(result.grad_norm));
    CHECK(a.param == before);
    CHECK(a.m[0] == std::vector<float>(10));
  }
}

TEST_CASE("adamw: gradients whose squares overflow f32 are finite") {
  Adapter a({4});
  for (float& g : a.grad[0]) g = 3e38f;
  const AdamwResult result = adamw(a.tensors, kConfig, nullptr);
  CHECK(result.bad_tensor == -1);
  CHECK(result.grad_norm == doctest::Approx(6e38));
}
