#include "kernels/gae/gae.h"

#include <doctest/doctest.h>

#include <cstring>

#include "core/thread_pool.h"
#include "kernels/selftest/batch.h"
#include "kernels/selftest/reference.h"

using namespace srcode;

namespace {

using Floats = std::vector<float>;

bool same_bytes(const Floats& a, const Floats& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * 4) == 0;
}

template <class A, class B>
double worst(const A& a, const B& b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double error = std::fabs(double{a[i]} - double{b[i]}) / (1 + std::fabs(double{b[i]}));
    if (!(error <= largest)) largest = error;
  }
  return largest;
}

struct Result {
  Floats advantages, returns, built;
  Moments moments;
};

Result run(Gae args, int64_t tokens, ThreadPool* pool = nullptr) {
  Result r{Floats(tokens), Floats(tokens), Floats(tokens), {}};
  args.advantages = r.advantages.data(), args.returns = r.returns.data(), args.built = r.built.data(),
  args.moments = &r.moments;
  gae(args, pool);
  return r;
}

}  // namespace

TEST_CASE("token rewards: Eq. 1-3 on two sequences, worked by hand") {
  // Sequence 0 has 3 tokens, spans [0, 2) 0.2 and [1, 3) 0.5: token 1 is in both and gets 0.5. Penalty 0.1 is taken
  // from each token (Eq. 2 subtracts), terminal 1 goes to the last, beta kl = 2 (0.25, 0, -0.5) is taken.
  //   0.2 - 0.1 - 0.5 = -0.4     0.5 - 0.1 - 0 = 0.4     0.5 - 0.1 + 1 + 1 = 2.4
  // Sequence 1 has 1 token, no span, no penalty, terminal -3, kl 0.5: 0 - 0 - 1 - 3 = -4.
  const std::vector<int32_t> cu{0, 3, 4};
  const SpanTable table = resolve_spans(2, std::vector<Span>{{0, 1, 3, 0.5f}, {0, 0, 2, 0.2f}});
  const Floats penalty{0.1f, 0}, terminal{1, -3}, kl{0.25f, 0, -0.5f, 0.5f};
  Floats rewards(4);
  token_rewards({2, cu.data(), table.offsets.data(), table.begin.data(), table.end.data(), table.reward.data(),
                 penalty.data(), terminal.data(), kl.data(), 2},
                rewards.data(), nullptr);
  CHECK(worst(rewards, std::vector<double>{-0.4, 0.4, 2.4, -4}) < 1e-7);
}

TEST_CASE("token rewards: overlapping spans become disjoint, the larger reward holds") {
  // [0, 10) 0.2 under [2, 4) 0.5 and [4, 6) -1: cut at 2 and 4; -1 loses everywhere; an empty span is nothing.
  const SpanTable t = resolve_spans(
      3, std::vector<Span>{{1, 4, 6, -1}, {1, 0, 10, 0.2f}, {1, 2, 4, 0.5f}, {1, 3, 3, 9}, {2, 1, 2, -0.5f}});
  CHECK(t.offsets == std::vector<int32_t>{0, 0, 3, 4});
  CHECK(t.begin == std::vector<int32_t>{0, 2, 4, 1});
  CHECK(t.end == std::vector<int32_t>{2, 4, 10, 2});
  CHECK(t.reward == Floats{0.2f, 0.5f, 0.2f, -0.5f});
}

TEST_CASE("gae: three tokens worked by hand") {
  // gamma 0.5, lambda 0.5, r = (1, 2, 3), V = (1, 1, 1): delta = (1 + 0.5 - 1, 2 + 0.5 - 1, 3 + 0 - 1) = (0.5, 1.5, 2).
  // A_2 = 2, A_1 = 1.5 + 0.25 * 2 = 2, A_0 = 0.5 + 0.25 * 2 = 1; returns = A + V. Mean 5/3, m2 = 2 (1/3)^2 + (2/3)^2 =
  // 2/3.
  const std::vector<int32_t> cu{0, 3};
  const Floats rewards{1, 2, 3}, values{1, 1, 1};
  Gae args;
  args.rewards = rewards.data(), args.values = values.data(), args.gamma = 0.5, args.lambda = 0.5;
  args.parts.sequences = 1, args.parts.cu_seqlens = cu.data();
  const Result r = run(args, 3);
  CHECK(r.advantages == Floats{1, 2, 2});
  CHECK(r.returns == Floats{2, 3, 3});
  CHECK(r.moments.count == 3);
  CHECK(r.moments.mean == doctest::Approx(5.0 / 3));
  CHECK(r.moments.m2 == doctest::Approx(2.0 / 3));
}

TEST_CASE("gae: follows the recursion in double over odd lengths, and the moments too") {
  for (const auto& [gamma, lambda] :
       {std::pair{1.0, 0.95}, std::pair{0.99, 0.9}, std::pair{1.0, 1.0}, std::pair{0.9, 0.0}, std::pair{0.0, 0.5}}) {
    const RaggedBatch batch(odd_lengths(), 7);
    const SpanTable table = resolve_spans(batch.sequences(), batch.spans);
    Gae args;
    args.parts = batch.parts(table, 0.2), args.values = batch.values.data(), args.gamma = gamma, args.lambda = lambda;
    const Result r = run(args, batch.tokens());
    const auto rewards = reference::token_rewards(batch.cu, batch.spans, batch.penalty, batch.terminal, batch.kl, 0.2);
    const auto wanted = reference::gae(batch.cu, rewards, batch.values, gamma, lambda);
    CHECK(worst(r.built, rewards) < 1e-7);
    CHECK(worst(r.advantages, wanted.advantages) < 5e-6);
    CHECK(worst(r.returns, wanted.returns) < 5e-6);

    double mean = 0, m2 = 0;
    for (const float a : r.advantages) mean += a / double(batch.tokens());
    for (const float a : r.advantages) m2 += (a - mean) * (a - mean);
    CHECK(r.moments.count == double(batch.tokens()));
    CHECK(r.moments.mean == doctest::Approx(mean).epsilon(1e-6));
    CHECK(r.moments.m2 == doctest::Approx(m2).epsilon(1e-6));
  }
}

TEST_CASE("gae: fused rewards are those of the token-reward kernel, and any number of threads gives the same bytes") {
  std::vector<int> lengths = odd_lengths();
  for (int i = 0; i < 60; ++i) lengths.push_back(2000 + i);
  const RaggedBatch batch(lengths, 8);
  const SpanTable table = resolve_spans(batch.sequences(), batch.spans);
  Gae args;
  args.parts = batch.parts(table, 0.2), args.values = batch.values.data(), args.gamma = 1, args.lambda = 0.95;
  const Result fused = run(args, batch.tokens());
  ThreadPool pool(3);
  Floats rewards(batch.tokens());
  token_rewards(args.parts, rewards.data(), &pool);
  CHECK(same_bytes(rewards, fused.built));
  const Result threads = run(args, batch.tokens(), &pool);
  CHECK(same_bytes(threads.advantages, fused.advantages));
  CHECK(same_bytes(threads.returns, fused.returns));
  CHECK(std::memcmp(&threads.moments, &fused.moments, sizeof(Moments)) == 0);
}

TEST_CASE("gae: a sequence's advantages do not depend on its neighbours") {
  const RaggedBatch batch(odd_lengths(), 9);
  Gae args;
  args.rewards = batch.kl.data(), args.values = batch.values.data(), args.gamma = 0.99, args.lambda = 0.95;
  args.parts.sequences = batch.sequences(), args.parts.cu_seqlens = batch.cu.data();
  const Result all = run(args, batch.tokens());
  for (int64_t b = 0; b < batch.sequences(); ++b) {
    const int32_t begin = batch.cu[b], length = batch.cu[b + 1] - begin, cu[2] = {0, length};
    Gae one = args;
    one.rewards += begin, one.values += begin;
    one.parts.sequences = 1, one.parts.cu_seqlens = cu;
    const Result alone = run(one, length);
    CHECK(
        same_bytes(alone.advantages, Floats(all.advantages.begin() + begin, all.advantages.begin() + begin + length)));
  }
}

TEST_CASE("gae: moments survive a mean far above the deviation") {
  // One-token sequences with V = 0: A = r = 10000 + i mod 2, i < 100: mean 10000.5, m2 = 100 / 4.
  std::vector<int32_t> cu{0};
  Floats rewards, values(100);
  for (int i = 0; i < 100; ++i) cu.push_back(i + 1), rewards.push_back(10000.0f + float(i % 2));
  Gae args;
  args.rewards = rewards.data(), args.values = values.data();
  args.parts.sequences = 100, args.parts.cu_seqlens = cu.data();
  const Moments m = run(args, 100).moments;
  CHECK(m.mean == doctest::Approx(10000.5).epsilon(1e-12));
  CHECK(m.m2 == doctest::Approx(25).epsilon(1e-9));
}

TEST_CASE("whiten: unbiased variance, and a lone token becomes 0") {
  // (1, 3): mean 2, m2 2, variance 2 / 1: -1 / sqrt(2), 1 / sqrt(2).
  Floats two{1, 3}, one{5};
  const Moments of_two{2, 2, 2}, of_one{1, 5, 0};
  whiten(two.data(), 2, &of_two, nullptr);
  whiten(one.data(), 1, &of_one, nullptr);
  CHECK(two[0] == doctest::Approx(-0.70710678));
  CHECK(two[1] == doctest::Approx(0.70710678));
  CHECK(one[0] == 0);
}
