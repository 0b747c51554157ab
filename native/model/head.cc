#include "model/head.h"

#include <algorithm>

namespace srcode {
namespace {

// A block of logits: as many rows as stay in the last-level cache, but enough for a product to be worth its weight's
// traffic (256 rows of a 152k vocabulary are 148 MiB).
constexpr int64_t kLogitBytes = int64_t{8} << 20;
constexpr int64_t kLeastRows = 256;
constexpr int64_t kTransposedBytes = int64_t{8} << 20;  // of the head's transpose, made and used piece by piece

const void* row_of(const void* matrix, int64_t row, int64_t columns, Dtype type) {
  return static_cast<const char*>(matrix) + row * columns * static_cast<int64_t>(size_of(type));
}

}  // namespace

void Head::Scratch::lay_out(Arena& arena, const Backend& backend, const ModelConfig& c, int64_t rows, bool backward) {
  block = std::min(rows, std::max(kLeastRows, kLogitBytes / (c.vocab * static_cast<int64_t>(sizeof(float)))));
  logits = arena.take<float>("one block of logits", block * c.vocab);
  lse = arena.take<float>("head statistics", block);
  entropy = arena.take<float>("head statistics", block);
  targets = arena.take<int32_t>("head statistics", rows);
  if (!backward) return;
  d_log_prob = arena.take<float>("head statistics", block);
  d_entropy = arena.take<float>("head statistics", block);
  const int64_t per_column = c.hidden * static_cast<int64_t>(size_of(c.dtype));
  chunk = std::min<int64_t>(std::max<int64_t>(kTransposedBytes / per_column / 64, 1) * 64, (c.vocab + 63) / 64 * 64);
  d_logits = arena.take<std::byte>("d logits", block * chunk * static_cast<int64_t>(size_of(c.dtype)));
  transposed = arena.take<std::byte>("transposed head", static_cast<int64_t>(backend.packed_bytes(
                                                            c.dtype, chunk, std::span<const int64_t>(&c.hidden, 1))));
}

void Head::logits(int64_t rows, const void* hidden, float* out) const {
  const ModelConfig& c = weights_.config();
  backend_.product({.rows = rows,
                    .main = {hidden, c.hidden, &weights_.head()},
                    .out = out,
                    .out_type = Dtype::f32,
                    .out_stride = c.vocab});
}

void Head::log_probs(int64_t rows, const void* hidden, std::span<const int32_t> targets, Scratch& s, float* log_prob,
                     float* entropy, const Cancel& cancel) const {
  const ModelConfig& c = weights_.config();
  backend_.copy_in(s.targets, targets.data(), targets.size() * sizeof(int32_t));
  for (int64_t first = 0; first < rows; first += s.block) {
    cancel.check();
    const int64_t n = std::min(s.block, rows - first);
    logits(n, row_of(hidden, first, c.hidden, c.dtype), s.logits);
    backend_.log_softmax(n, c.vocab, s.logits, s.targets + first, log_prob + first, s.lse,
                         entropy ? entropy + first : nullptr);
  }
}

void Head::train(int64_t rows, const void* hidden, std::span<const int32_t> targets, Objective& objective, Scratch& s,
                 float* log_prob, float* d_hidden, float* d_weight, const Cancel& cancel) const {
  const ModelConfig& c = weights_.config();
  const bool entropy = objective.needs_entropy();
  backend_.copy_in(s.targets, targets.data(), targets.size() * sizeof(int32_t));
  for (int64_t first = 0; first < rows; first += s.block) {
    const int64_t n = std::min(s.block, rows - first);
    const void* x = row_of(hidden, first, c.hidden, c.dtype);
    logits(n, x, s.logits);
    backend_.log_softmax(n, c.vocab, s.logits, s.targets + first, log_prob + first, s.lse,
                         entropy ? s.entropy : nullptr);
    objective.rows(first, n, log_prob + first, entropy ? s.entropy : nullptr, s.d_log_prob,
                   entropy ? s.d_entropy : nullptr);
    for (int64_t column = 0; column < c.vocab; column += s.chunk) {
      cancel.check();
      const int64_t columns = std::min(s.chunk, c.vocab - column);
      backend_.log_softmax_backward(c.dtype, n, c.vocab, s.logits, s.targets + first, s.lse,
                                    entropy ? s.entropy : nullptr, s.d_log_prob, entropy ? s.d_entropy : nullptr,
                                    column, columns, s.d_logits, columns);
      PackedWeight back{
          .dtype = c.dtype, .depth = columns, .columns = c.hidden, .parts = {{0, c.hidden}}, .data = s.transposed};
      // A head that is one piece is transposed once for all blocks.
      if (first == 0 || columns < c.vocab) backend_.transpose(weights_.head(), column, back);
      backend_.product({.rows = n,
                        .main = {s.d_logits, columns, &back},
                        .out = d_hidden + first * c.hidden,
                        .out_type = Dtype::f32,
                        .out_stride = c.hidden,
                        .accumulate = column > 0});
      if (d_weight) {
        backend_.outer(c.dtype, n, s.d_logits, columns, columns, x, c.hidden, c.hidden, d_weight + column * c.hidden,
                       c.hidden, 1.0f, true);
      }
    }
  }
}

}  // namespace srcode
