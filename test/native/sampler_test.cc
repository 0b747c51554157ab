#include "kernels/sampler/sampler.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <string>

#include "backend/cpu/rows/rows.h"
#include "core/error.h"
#include "core/philox.h"
#include "cpu_support.h"

using namespace srcode;
using namespace srcode::test;

namespace {

SampleRule rule_of(float temperature, int32_t top_k = 0, float top_p = 1.0f, uint64_t position = 0) {
  SampleRule rule;
  rule.temperature = temperature, rule.top_k = top_k, rule.top_p = top_p;
  rule.seed = 42, rule.sequence = 7, rule.sample = 1, rule.position = position;
  return rule;
}

// The law by a full sort, in double: the kept ids ascending and their shares. `edge`: how near the cut of top_p is to a
// decision that float weights could make otherwise.
struct Law {
  std::vector<int32_t> ids;
  std::vector<double> share;
  double edge = 1;
};
Law law_of(const std::vector<float>& logits, const SampleRule& rule) {
  const int64_t vocab = static_cast<int64_t>(logits.size());
  const double max = *std::max_element(logits.begin(), logits.end());
  std::vector<int32_t> order(vocab);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  if (rule.top_k > 0 && rule.top_k < vocab) order.resize(rule.top_k);
  const auto weight = [&](int32_t id) { return std::exp((logits[id] - max) / rule.temperature); };
  Law law;
  double total = 0, sum = 0;
  for (int32_t id : order) total += weight(id);
  if (rule.top_p < 1.0f) {
    size_t kept = 0;
    while (kept < order.size() && sum < rule.top_p * total) {
      sum += weight(order[kept++]);
      law.edge = std::min(law.edge, std::fabs(sum / total - rule.top_p));
    }
    order.resize(kept);
    total = sum;
  }
  std::sort(order.begin(), order.end());
  law.ids = order;
  for (int32_t id : order) law.share.push_back(weight(id) / total);
  return law;
}

}  // namespace

TEST_CASE("sampler: greedy takes the lowest id among the largest, and is certain") {
  each_isa(2, [](const cpu::Context& context) {
    for (const int64_t vocab : {1, 5, 64, 65, 1000}) {
      std::vector<float> logits = normal(vocab, 1);
      for (int64_t j = vocab / 2; j < vocab; j += 3) logits[j] = 9.0f;
      Sampled out;
      const SampleRule rule = rule_of(0);
      cpu::sample(context, 1, vocab, logits.data(), {&rule, 1}, &out);
      CHECK(out.token == vocab / 2);
      CHECK(out.behavior_log_prob == 0.0f);
    }
  });
}

TEST_CASE("sampler: token and its probability are those of a full sort in double") {
  each_isa(2, [](const cpu::Context& context) {
    int near = 0, draws = 0;
    for (const int64_t vocab : {1, 2, 63, 64, 130, 2048, 20000})
      for (const float spread : {0.01f, 1.0f, 5.0f})
        for (const float temperature : {0.3f, 1.0f, 1.7f})
          for (const int32_t top_k : {0, 1, 7, 50, 400})
            for (const float top_p : {1.0f, 0.95f, 0.5f, 0.01f}) {
              if (vocab == 20000 && (top_k == 400) != (top_p == 0.95f)) continue;
              std::vector<float> logits = normal(vocab, 2 + vocab, spread);
              for (int64_t j = 0; j < vocab; j += 5) logits[j] = logits[j / 2];  // equals
              const SampleRule first = rule_of(temperature, top_k, top_p);
              const Law law = law_of(logits, first);
              for (uint64_t position = 0; position < 4; position++) {
                const SampleRule rule = rule_of(temperature, top_k, top_p, position);
                Sampled out;
                cpu::sample(context, 1, vocab, logits.data(), {&rule, 1}, &out);
                const uint32x4 words = draw(rule.seed, rule.sequence, 1, static_cast<uint32_t>(position));
                const double u = uniform(words[0], words[1]);
                double below = 0;
                size_t i = 0;
                while (i + 1 < law.ids.size() && below + law.share[i] <= u) below += law.share[i++];
                draws++;
                // Float weights may move a boundary by 1e-6 of the whole.
                if (law.edge < 2e-6 || std::fabs(u - below) < 2e-6 || std::fabs(u - below - law.share[i]) < 2e-6) {
                  near++;
                  continue;
                }
                INFO("vocab ", vocab, " spread ", spread, " temperature ", temperature, " top_k ", top_k, " top_p ",
                     top_p);
                REQUIRE(out.token == law.ids[i]);
                REQUIRE(std::fabs(out.behavior_log_prob - std::log(law.share[i])) <
                        2e-6 * (1 + std::fabs(std::log(law.share[i]))));
              }
            }
    INFO(near, " of ", draws, " left out");
    CHECK(near < draws / 20);
  });
}

TEST_CASE("sampler: the vocabulary of a large model, truncated or not") {
  const int64_t vocab = 151936;
  const auto logits = normal(vocab, 3, 2.5f);
  for (const SampleRule& rule :
       {rule_of(1), rule_of(0.8f, 50, 0.9f, 1), rule_of(1, 0, 0.9f, 2), rule_of(1.5f, 3000, 1, 3),
        rule_of(3, 0, 0.999f, 4), rule_of(2, 0, 0.5f, 5), rule_of(50, 0, 0.3f, 6)}) {
    const Law law = law_of(logits, rule);
    const uint32x4 words = draw(rule.seed, rule.sequence, 1, static_cast<uint32_t>(rule.position));
    const double u = uniform(words[0], words[1]);
    double below = 0;
    size_t i = 0;
    while (i + 1 < law.ids.size() && below + law.share[i] <= u) below += law.share[i++];
    each_isa(1, [&](const cpu::Context& context) {
      Sampled out;
      cpu::sample(context, 1, vocab, logits.data(), {&rule, 1}, &out);
      CHECK(out.token == law.ids[i]);
      CHECK(out.behavior_log_prob == doctest::Approx(std::log(law.share[i])).epsilon(1e-6));
    });
  }
}

TEST_CASE("sampler: among equals the lower ids are kept") {
  each_isa(1, [](const cpu::Context& context) {
    const std::vector<float> logits(200, 1.5f);
    for (uint64_t position = 0; position < 50; position++) {
      Sampled out;
      SampleRule rule = rule_of(0.7f, 2, 1.0f, position);
      cpu::sample(context, 1, 200, logits.data(), {&rule, 1}, &out);
      CHECK(out.token < 2);
      CHECK(out.behavior_log_prob == doctest::Approx(std::log(0.5)));
      rule = rule_of(1.0f, 0, 0.0251f, position);  // more than 5 of 200
      cpu::sample(context, 1, 200, logits.data(), {&rule, 1}, &out);
      CHECK(out.token < 6);
      CHECK(out.behavior_log_prob == doctest::Approx(std::log(1.0 / 6)));
    }
  });
}

TEST_CASE("sampler: tokens come as often as the law says") {
  each_isa(2, [](const cpu::Context& context) {
    const int64_t vocab = 80;
    const int draws = 20000;
    const auto one = normal(vocab, 4, 1.5f);
    std::vector<float> logits;
    for (int i = 0; i < draws; i++) logits.insert(logits.end(), one.begin(), one.end());
    for (const auto& [temperature, top_k, top_p] :
         {std::tuple{1.0f, 0, 1.0f}, {0.7f, 0, 0.8f}, {1.3f, 12, 1.0f}, {1.0f, 30, 0.9f}}) {
      std::vector<SampleRule> rules;
      for (int i = 0; i < draws; i++) rules.push_back(rule_of(temperature, top_k, top_p, i));
      std::vector<Sampled> out(draws);
      cpu::sample(context, draws, vocab, logits.data(), rules, out.data());
      std::map<int32_t, int> counts;
      for (const Sampled& s : out) counts[s.token]++;
      const Law law = law_of(one, rules[0]);
      double chi_square = 0, rest_expected = 0, rest_seen = 0;
      int seen = 0, classes = 0;
      for (size_t i = 0; i < law.ids.size(); i++) {
        const double expected = draws * law.share[i], count = counts[law.ids[i]];
        seen += counts[law.ids[i]];
        if (expected < 20) {
          rest_expected += expected, rest_seen += count;
          continue;
        }
        chi_square += (count - expected) * (count - expected) / expected;
        classes++;
      }
      if (rest_expected > 0)
        chi_square += (rest_seen - rest_expected) * (rest_seen - rest_expected) / rest_expected, classes++;
      CHECK(seen == draws);  // none outside the law
      // Mean classes - 1, deviation sqrt(2 (classes - 1)): four deviations.
      INFO("chi-square ", chi_square, " with ", classes, " classes");
      CHECK(chi_square < classes - 1 + 4 * std::sqrt(2.0 * (classes - 1)));
      CHECK(chi_square > classes - 1 - 4 * std::sqrt(2.0 * (classes - 1)));
    }
  });
}

TEST_CASE("sampler: the log-probability has the bits of log-softmax") {
  each_isa(2, [](const cpu::Context& context) {
    for (const int64_t vocab : {10, 64, 5000}) {
      const int64_t rows = 20;
      const auto logits = normal(rows * vocab, 5, 3.0f);
      std::vector<SampleRule> rules;
      for (int64_t i = 0; i < rows; i++)
        rules.push_back(rule_of(i % 3 * 0.5f, i % 4 == 0 ? 20 : 0, i % 5 == 0 ? 0.9f : 1.0f, i));
      std::vector<Sampled> out(rows);
      cpu::sample(context, rows, vocab, logits.data(), rules, out.data());
      std::vector<int32_t> tokens;
      for (const Sampled& s : out) tokens.push_back(s.token);
      std::vector<float> log_prob(rows), lse(rows), entropy(rows);
      cpu::log_softmax(context, rows, vocab, logits.data(), tokens.data(), log_prob.data(), lse.data(), entropy.data());
      for (int64_t i = 0; i < rows; i++) {
        CHECK(out[i].log_prob == log_prob[i]);
        if (rules[i].temperature == 1.0f && rules[i].top_k == 0 && rules[i].top_p == 1.0f)
          CHECK(out[i].behavior_log_prob == log_prob[i]);
      }
    }
  });
}

TEST_CASE("sampler: a draw depends on its name alone, not on its row, company or thread") {
  const int64_t rows = 64, vocab = 2048;
  const auto logits = normal(rows * vocab, 6, 2.0f);
  std::vector<SampleRule> rules;
  for (int64_t i = 0; i < rows; i++) rules.push_back(rule_of(1.0f, i % 2 ? 40 : 0, i % 3 ? 0.9f : 1.0f, i));
  const auto same = [](const Sampled& a, const Sampled& b) {
    return a.token == b.token && a.log_prob == b.log_prob && a.behavior_log_prob == b.behavior_log_prob;
  };
  std::map<std::string, std::vector<Sampled>> first;
  for (int threads = 1; threads <= 4; threads++)
    each_isa(threads, [&](const cpu::Context& context) {
      std::vector<Sampled> out(rows), alone(rows);
      cpu::sample(context, rows, vocab, logits.data(), rules, out.data());
      for (int64_t i = 0; i < rows; i++) cpu::sample(context, 1, vocab, &logits[i * vocab], {&rules[i], 1}, &alone[i]);
      if (threads == 1) first[name_of(context.level.isa)] = out;
      const std::vector<Sampled>& expected = first[name_of(context.level.isa)];
      for (int64_t i = 0; i < rows; i++) {
        CHECK(same(out[i], alone[i]));
        CHECK(same(out[i], expected[i]));
      }
    });
}

TEST_CASE("sampler: a banned token is never drawn, and logits that are not numbers are refused") {
  each_isa(1, [](const cpu::Context& context) {
    std::vector<float> logits(300, -INFINITY);
    logits[5] = 0, logits[290] = 1;
    Sampled out;
    int seen[2] = {};
    for (uint64_t position = 0; position < 100; position++)
      for (const SampleRule& rule :
           {rule_of(1, 0, 1, position), rule_of(2, 50, 1, position), rule_of(1, 0, 0.999f, position)}) {
        cpu::sample(context, 1, 300, logits.data(), {&rule, 1}, &out);
        CHECK((out.token == 5 || out.token == 290));
        seen[out.token == 5]++;
      }
    CHECK(seen[0] > 150);
    CHECK(seen[1] > 50);
    const SampleRule rule = rule_of(1);
    for (const float bad : {NAN, INFINITY}) {
      logits[17] = bad;
      CHECK_THROWS_AS(cpu::sample(context, 1, 300, logits.data(), {&rule, 1}, &out), Error);
    }
    std::fill(logits.begin(), logits.end(), -INFINITY);
    CHECK_THROWS_AS(cpu::sample(context, 1, 300, logits.data(), {&rule, 1}, &out), Error);
    std::fill(logits.begin(), logits.end(), 0.0f);
    for (const SampleRule& wrong :
         {rule_of(-1), rule_of(NAN), rule_of(1e-9f), rule_of(1, -1), rule_of(1, 0, 0), rule_of(1, 0, NAN)})
      CHECK_THROWS_AS(cpu::sample(context, 1, 300, logits.data(), {&wrong, 1}, &out), Error);
    CHECK_THROWS_AS(cpu::sample(context, 1, 300, logits.data(), {}, &out), Error);
  });
}
