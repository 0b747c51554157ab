#pragma once
// Random batches for the proofs of the RL kernels.
#include <algorithm>
#include <random>
#include <vector>

#include "kernels/token_rewards/token_rewards.h"

namespace srcode {

// Not `Batch`, which is a packed batch of the model in the same binary.
struct RaggedBatch {
  std::vector<int32_t> cu{0};
  std::vector<Span> spans;
  std::vector<float> penalty, terminal, kl, values;

  RaggedBatch(const std::vector<int>& lengths, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::normal_distribution<float> normal;
    for (size_t b = 0; b < lengths.size(); ++b) {
      cu.push_back(cu.back() + lengths[b]);
      penalty.push_back(0.1f * static_cast<float>(random() % 3));
      terminal.push_back(normal(random));
      for (uint64_t n = lengths[b] > 0 ? random() % 7 : 0; n > 0; --n) {
        const int begin = static_cast<int>(random() % lengths[b]);
        const int end = begin + static_cast<int>(random() % (lengths[b] - begin + 1));
        spans.push_back({static_cast<int32_t>(b), begin, end, 0.1f * static_cast<float>(random() % 5) - 0.1f});
      }
    }
    std::shuffle(spans.begin(), spans.end(), random);
    for (int32_t i = 0; i < cu.back(); ++i) kl.push_back(0.3f * normal(random)), values.push_back(normal(random));
  }
  int64_t sequences() const { return static_cast<int64_t>(cu.size()) - 1; }
  int64_t tokens() const { return cu.back(); }
  // Pointers into this batch and `table`.
  TokenRewards parts(const SpanTable& table, double beta) const {
    return {sequences(),         cu.data(),      table.offsets.data(), table.begin.data(), table.end.data(),
            table.reward.data(), penalty.data(), terminal.data(),      kl.data(),          beta};
  }
};

// Empty, one token, around every group and tile size, and longer.
inline std::vector<int> odd_lengths() {
  return {3, 0, 1, 31, 32, 33, 7, 8, 9, 511, 512, 513, 2, 0, 1025, 15, 16, 17, 130};
}

}  // namespace srcode
