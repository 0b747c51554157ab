#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "model/model.h"

namespace srcode {

struct GenerateOptions {
  int64_t max_new_tokens = 128;
  float temperature = 1.0f, top_p = 1.0f;
  int32_t top_k = 0;
  int64_t samples = 1;        // n for each prompt
  std::vector<uint64_t> ids;  // name the prompts for the random numbers; empty: their index
  uint64_t seed = 0;
  std::vector<int32_t> stop;  // ids that end a sample
  int64_t max_rows = 64;      // sequences decoded at once
};

struct Generated {
  std::vector<int32_t> tokens;            // the new ones, a stop token included
  std::vector<float> log_probs;           // of the untempered full softmax
  std::vector<float> behavior_log_probs;  // of the tempered, truncated law
  bool stopped = false;                   // by a stop token; otherwise by length
};

// Continuous batching over a paged KV cache: a finished row leaves at once and a waiting one enters; the n samples of a
// prompt share its prefill. Prompt-major results. By the law of rows each sample is the same bytes whatever max_rows is
// and whoever its neighbours are.
std::vector<Generated> generate(Model& model, const Sequences& prompts, const Adapter* adapter,
                                const GenerateOptions& options, const Cancel& cancel);

}  // namespace srcode
