#pragma once
#include <cstdint>
#include <span>

#include "backend/backend.h"

namespace srcode::cpu {

struct Context;

// Draws out[i] from logits [rows, vocab] f32 by rules[i], in the order that Hugging Face's warpers have: divide by the
// temperature; keep the top_k largest; of these, keep the smallest set of the largest whose share is at least top_p
// (Holtzman et al. 2020). Among equal logits the lower id comes first. The token is the inverse of the kept law's
// cumulative sum, by id, at the number that (seed, sequence, sample, position) names, so it depends on no other row. A
// logit of -inf bans a token. log_prob has the bits of log_softmax. ERR_NON_FINITE when logits hold NaN or +inf;
// ERR_INVALID_ARG for a rule without meaning.
void sample(const Context&, int64_t rows, int64_t vocab, const float* logits, std::span<const SampleRule> rules,
            Sampled* out);

}  // namespace srcode::cpu
