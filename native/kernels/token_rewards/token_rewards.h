#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace srcode {

class ThreadPool;

// What a token's reward is made of (arXiv 2602.23407, Eq. 1-3). Pointers are memory of the kernel's device; a null
// pointer leaves its term out. The packed batch holds B sequences of N tokens in all.
//   r_t = span reward of t - penalty - beta kl_t + [t is the last token of its sequence] terminal
struct TokenRewards {
  int64_t sequences = 0;                // B
  const int32_t* cu_seqlens = nullptr;  // [B + 1]: sequence b is the tokens [cu_seqlens[b], cu_seqlens[b + 1])
  const int32_t* span_offsets =
      nullptr;  // [B + 1]: its spans are [span_offsets[b], span_offsets[b + 1]), sorted and disjoint
  const int32_t* span_begin = nullptr;  // [S] first token, counted from the sequence's start
  const int32_t* span_end = nullptr;    // [S] end, exclusive
  const float* span_reward = nullptr;   // [S]
  const float* penalty = nullptr;       // [B] >= 0, taken from every token of the sequence (Eq. 2)
  const float* terminal = nullptr;      // [B] the sequence's score, at its last token (Eq. 3)
  const float* kl = nullptr;            // [N] log pi_old - log pi_ref
  double beta = 0;
};

// rewards [N]; each is computed in double and rounded once.
void token_rewards(const TokenRewards& parts, float* rewards, ThreadPool* pool);

// Rewarded spans as they come: any order, overlapping.
struct Span {
  int32_t sequence, begin, end;
  float reward;
};

// The same spans as TokenRewards wants them, on the host.
struct SpanTable {
  std::vector<int32_t> offsets, begin, end;  // [B + 1], [S], [S]
  std::vector<float> reward;                 // [S]
};

// Cuts overlapping spans so that each token is in one at most; where two overlap, the larger reward holds. Sequences
// must be in [0, sequences) and 0 <= begin <= end.
SpanTable resolve_spans(int64_t sequences, std::span<const Span> spans);

}  // namespace srcode
