#include <algorithm>
#include <vector>

#include "kernels/parallel.h"
#include "kernels/ppo_loss/ppo_loss.h"
#include "kernels/token_kernels.h"

namespace srcode {
namespace {

// Tokens of a task; the unit of the sums' order.
constexpr int64_t kChunk = 8192;

double total_weight(const PpoLoss& args, int64_t chunks, const TokenKernels& kernels, ThreadPool* pool) {
  if (args.total_weight > 0) return args.total_weight;
  if (args.weights == nullptr) return static_cast<double>(args.tokens);
  std::vector<double> sums(chunks);
  parallel(pool, chunks, [&](int64_t chunk) {
    const int64_t begin = chunk * kChunk;
    sums[chunk] = kernels.weight_chunk(args.weights + begin, std::min(args.tokens - begin, kChunk));
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace

void ppo_loss(const PpoLoss& args, PpoStatistics* statistics, ThreadPool* pool) {
  const TokenKernels& kernels = token_kernels();
  const int64_t chunks = (args.tokens + kChunk - 1) / kChunk;
  const double weight = total_weight(args, chunks, kernels, pool), mean = weight > 0 ? 1 / weight : 0;
  const double scale = args.sum ? 1 : mean;
  const Clip& clip = args.clip;
  const PpoConstants constants{.low = static_cast<float>(1 - clip.epsilon),
                               .high = static_cast<float>(1 + clip.epsilon),
                               .c = static_cast<float>(clip.c),
                               .tau_pos = static_cast<float>(clip.tau_pos),
                               .tau_neg = static_cast<float>(clip.tau_neg),
                               .cap = static_cast<float>(clip.cap),
                               .value_clip = static_cast<float>(args.value_clip),
                               .scale = static_cast<float>(scale),
                               .value_scale = static_cast<float>(mean)};
  std::vector<PpoSums> sums(chunks);
  parallel(pool, chunks, [&](int64_t chunk) {
    const int64_t begin = chunk * kChunk;
    sums[chunk] = kernels.ppo_chunk(args, constants, begin, std::min(args.tokens, begin + kChunk));
  });
  PpoSums total;
  for (const PpoSums& s : sums) {
    total.loss += s.loss;
    total.clipped += s.clipped;
    total.kl += s.kl;
    total.value_loss += s.value_loss;
  }
  *statistics = {total.loss * scale, total.value_loss * mean, total.clipped * mean, total.kl * mean, weight};
}

}  // namespace srcode
