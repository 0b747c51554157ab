#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "backend/cpu/level.h"
#include "backend/cpu/rows/rows.h"
#include "backend/cpu/split.h"
#include "core/error.h"
#include "core/philox.h"
#include "kernels/sampler/sampler.h"

namespace srcode::cpu {
namespace {

struct Candidate {
  float logit, weight;
  int32_t id;
  bool before(const Candidate& other) const { return logit != other.logit ? logit > other.logit : id < other.id; }
};

// The sampler of one row at a time, with its working memory.
class RowSampler {
 public:
  Sampled draw_from(const RowKernels& kernels, int64_t row, int64_t vocab, const float* logits,
                    const SampleRule& rule) {
    check(row, rule);
    const int64_t panels = (vocab + kLogPanel - 1) / kLogPanel;
    panel_max_.resize(panels);
    const LogSum all = kernels.log_sum(vocab, logits, false, panel_max_.data());
    if (!std::isfinite(all.sum) || all.max < -3.4e38f)
      fail("ERR_NON_FINITE", "logits of row ", row,
           " hold NaN or no finite value; the model has diverged or its weights are damaged");

    const bool top_k = rule.top_k > 0 && rule.top_k < vocab, top_p = rule.top_p < 1.0f;
    int32_t token;
    double behavior = 0;
    if (rule.temperature == 0.0f) {
      token = first_of(vocab, logits, all.max);
    } else {
      const uint32x4 words =
          draw(rule.seed, rule.sequence, static_cast<uint32_t>(rule.sample), static_cast<uint32_t>(rule.position));
      const double u = uniform(words[0], words[1]);
      double total;
      if (top_k) {
        keep_largest(kernels, vocab, logits, all.max, rule);
        if (top_p) keep_share(rule.top_p * sum(), candidates_);
        token = pick(u, total);
      } else {
        weights_.resize(vocab);
        panel_sum_.resize(panels);
        kernels.temper(vocab, logits, all.max, rule.temperature, weights_.data(), panel_sum_.data());
        double full = 0;
        for (const float s : panel_sum_) full += s;
        if (top_p) {
          take_share(vocab, logits, all.max, rule, rule.top_p * full);
          token = pick(u, total);
        } else {
          total = full;
          token = pick_by_panel(vocab, u * full);
        }
      }
      behavior = (static_cast<double>(logits[token]) - all.max) / rule.temperature - log_of(total);
    }
    const float log_prob = static_cast<float>(log_prob_of(all, logits[token]));
    const bool plain = rule.temperature == 1.0f && !top_k && !top_p;
    return {token, log_prob, plain ? log_prob : static_cast<float>(behavior)};
  }

 private:
  static void check(int64_t row, const SampleRule& rule) {
    const float t = rule.temperature;
    if (t != 0.0f && !(t >= 1e-6f && std::isfinite(t)))
      fail("ERR_INVALID_ARG", "expected a temperature of 0 (greedy) or at least 1e-6, received ", t, " for row ", row);
    if (rule.top_k < 0) fail("ERR_INVALID_ARG", "expected top_k >= 0, received ", rule.top_k, " for row ", row);
    if (!(rule.top_p > 0.0f)) fail("ERR_INVALID_ARG", "expected top_p > 0, received ", rule.top_p, " for row ", row);
  }

  int32_t first_of(int64_t vocab, const float* logits, float value) const {
    const int64_t panel = std::find(panel_max_.begin(), panel_max_.end(), value) - panel_max_.begin();
    const float* begin = logits + panel * kLogPanel;
    return static_cast<int32_t>(std::find(begin, logits + vocab, value) - logits);
  }

  // Candidates: the ids with logits >= least, ascending. Only groups of `width` columns whose maximum is that large are
  // looked at.
  void collect(int64_t vocab, const float* logits, float least, const std::vector<float>& maxima, int64_t width) {
    candidates_.clear();
    for (size_t group = 0; group < maxima.size(); group++) {
      if (maxima[group] < least) continue;
      const int64_t begin = static_cast<int64_t>(group) * width, end = std::min(vocab, begin + width);
      for (int64_t j = begin; j < end; j++)
        if (logits[j] >= least) candidates_.push_back({logits[j], 0.0f, static_cast<int32_t>(j)});
    }
  }

  static float nth_largest(std::vector<float>& values, int64_t n) {
    std::nth_element(values.begin(), values.begin() + (n - 1), values.end(), std::greater<>());
    return values[n - 1];
  }

  void keep_largest(const RowKernels& kernels, int64_t vocab, const float* logits, float max, const SampleRule& rule) {
    const int64_t k = rule.top_k, panels = static_cast<int64_t>(panel_max_.size());
    // The k groups with the largest maxima hold k logits at least as large as the least of these maxima.
    if (k <= panels) {
      values_ = panel_max_;
      collect(vocab, logits, nth_largest(values_, k), panel_max_, kLogPanel);
    } else {
      constexpr int64_t width = 8;
      group_max_.clear();
      for (int64_t begin = 0; begin < vocab; begin += width)
        group_max_.push_back(*std::max_element(logits + begin, logits + std::min(vocab, begin + width)));
      values_ = group_max_;
      const bool few = k <= static_cast<int64_t>(values_.size());
      collect(vocab, logits, few ? nth_largest(values_, k) : -INFINITY, group_max_, width);
    }
    values_.clear();
    for (const Candidate& c : candidates_) values_.push_back(c.logit);
    const float last = nth_largest(values_, k);
    int64_t equals = k;  // how many logits equal to the k-th are kept: those with the lowest ids
    for (const Candidate& c : candidates_) equals -= c.logit > last;
    std::erase_if(candidates_,
                  [&](const Candidate& c) { return c.logit < last || (c.logit == last && equals-- <= 0); });

    values_.clear();
    for (const Candidate& c : candidates_) values_.push_back(c.logit);
    weights_.resize(values_.size());
    panel_sum_.resize((values_.size() + kLogPanel - 1) / kLogPanel);
    kernels.temper(static_cast<int64_t>(values_.size()), values_.data(), max, rule.temperature, weights_.data(),
                   panel_sum_.data());
    for (size_t i = 0; i < candidates_.size(); i++) candidates_[i].weight = weights_[i];
  }

  // Candidates that hold `share` of the weights. Mostly the logits near the maximum do.
  void take_share(int64_t vocab, const float* logits, float max, const SampleRule& rule, double share) {
    collect(vocab, logits, max - 6 * rule.temperature, panel_max_, kLogPanel);
    for (Candidate& c : candidates_) c.weight = weights_[c.id];
    if (sum() >= share) return keep_share(share, candidates_);

    // A flat law: the share of each sixteenth of a unit of logit / temperature says where the cut is.
    constexpr int levels = 90 * 16;
    const auto level_of = [&](int64_t j) {
      return static_cast<int>(std::min((max - logits[j]) / rule.temperature * 16.0f, levels - 1.0f));
    };
    level_share_.assign(levels, 0.0);
    for (int64_t j = 0; j < vocab; j++) level_share_[level_of(j)] += weights_[j];
    int cut = 0;
    while (cut + 1 < levels && level_share_[cut] < share) share -= level_share_[cut++];
    candidates_.clear();
    edge_.clear();
    for (int64_t j = 0; j < vocab; j++) {
      const int level = level_of(j);
      if (level > cut) continue;
      candidates_.push_back({logits[j], weights_[j], static_cast<int32_t>(j)});
      if (level == cut) edge_.push_back(candidates_.back());
    }
    if (edge_.empty()) return;
    const Candidate last = threshold(share, edge_);
    std::erase_if(candidates_, [&](const Candidate& c) { return last.before(c); });
  }

  double sum() const {
    double total = 0;
    for (const Candidate& c : candidates_) total += c.weight;
    return total;
  }

  // Keeps the fewest of the largest candidates that together reach `share`.
  void keep_share(double share, std::vector<Candidate>& candidates) {
    work_ = candidates;
    const Candidate last = threshold(share, work_);
    std::erase_if(candidates, [&](const Candidate& c) { return last.before(c); });
  }

  // The last of the fewest largest candidates that together reach `share`: quickselect by weight. Reorders them.
  static Candidate threshold(double share, std::vector<Candidate>& candidates) {
    auto begin = candidates.begin(), end = candidates.end();
    const auto before = [](const Candidate& a, const Candidate& b) { return a.before(b); };
    while (end - begin > 16) {
      auto middle = begin + (end - begin) / 2;
      std::nth_element(begin, middle, end, before);
      double larger = 0;
      for (auto c = begin; c != middle; ++c) larger += c->weight;
      if (larger >= share) {
        end = middle;
      } else {
        share -= larger;
        begin = middle;
      }
    }
    std::sort(begin, end, before);
    for (; begin + 1 != end; ++begin) {
      share -= begin->weight;
      if (share <= 0) break;
    }
    return *begin;
  }

  int32_t pick(double u, double& total) const {
    total = sum();
    const double target = u * total;
    double below = 0;
    int32_t last = candidates_.front().id;
    for (const Candidate& c : candidates_) {
      if (c.weight <= 0) continue;
      last = c.id;
      below += c.weight;
      if (below > target) break;
    }
    return last;
  }

  int32_t pick_by_panel(int64_t vocab, double target) const {
    size_t panel = 0, last_panel = 0;
    double below = 0, before = 0;
    for (; panel < panel_sum_.size(); panel++) {
      if (panel_sum_[panel] <= 0) continue;
      last_panel = panel;
      before = below;
      below += panel_sum_[panel];
      if (below > target) break;
    }
    const int64_t begin = static_cast<int64_t>(last_panel) * kLogPanel, end = std::min(vocab, begin + kLogPanel);
    int64_t last = begin;
    for (int64_t j = begin; j < end; j++) {
      if (weights_[j] <= 0) continue;
      last = j;
      before += weights_[j];
      if (before > target) break;
    }
    return static_cast<int32_t>(last);
  }

  std::vector<float> panel_max_, panel_sum_, group_max_, weights_, values_;
  std::vector<double> level_share_;
  std::vector<Candidate> candidates_, work_, edge_;
};

}  // namespace

void sample(const Context& context, int64_t rows, int64_t vocab, const float* logits, std::span<const SampleRule> rules,
            Sampled* out) {
  if (static_cast<int64_t>(rules.size()) != rows)
    fail("ERR_SHAPE", "expected ", rows, " rules, received ", rules.size());
  if (rows > 0 && vocab < 1) fail("ERR_SHAPE", "expected logits of at least one token");
  split(context, rows, vocab * 16, [&](int64_t begin, int64_t end) {
    thread_local RowSampler sampler;
    for (int64_t i = begin; i < end; i++)
      out[i] = sampler.draw_from(*context.level.rows, i, vocab, logits + i * vocab, rules[i]);
  });
}

}  // namespace srcode::cpu
