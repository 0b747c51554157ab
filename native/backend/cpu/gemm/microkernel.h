#pragma once
#include <cstdint>

#include "backend/cpu/gemm/panel.h"
#include "backend/cpu/gemm/tiles.h"
#include "core/dtype.h"

// The inner product of everything: a few rows of x times a packed panel of up to 64 columns, in registers. Templates
// over a vector type (simd/vec.h); each level_<isa>.cc instantiates them for itself.
namespace srcode::cpu {

namespace {

#define SRCODE_INLINE inline __attribute__((always_inline))
#define SRCODE_UNROLL _Pragma("GCC unroll 32")

// The step of one k (f32) or one pair of k (bf16) at panel row `w`: R rows × N vectors of accumulators.
template <class V, int R, int N>
SRCODE_INLINE void step(typename V::f32 (&acc)[R][N], const float* x, int64_t x_stride, const float* w) {
  typename V::f32 column[N];
  SRCODE_UNROLL for (int j = 0; j < N; j++) column[j] = V::load(w + j * V::width);
  SRCODE_UNROLL for (int i = 0; i < R; i++) {
    const auto row = V::set1(x[i * x_stride]);
    SRCODE_UNROLL for (int j = 0; j < N; j++) acc[i][j] = V::fma(row, column[j], acc[i][j]);
  }
}
template <class V, int R, int N>
SRCODE_INLINE void step(typename V::f32 (&acc)[R][N], const bf16* x, int64_t x_stride, const bf16* w,
                        bool odd = false) {
  typename V::pairs column[N];
  SRCODE_UNROLL for (int j = 0; j < N; j++) column[j] = V::load_pairs(w + j * V::width * 2);
  SRCODE_UNROLL for (int i = 0; i < R; i++) {
    const auto row = odd ? V::set1_low(x[i * x_stride]) : V::set1_pairs(x + i * x_stride);
    SRCODE_UNROLL for (int j = 0; j < N; j++) acc[i][j] = V::dot(acc[i][j], row, column[j]);
  }
}

// Asks for `Lines` cache lines.
template <int Lines>
SRCODE_INLINE void fetch(const char* ahead) {
  SRCODE_UNROLL for (int line = 0; line < Lines; line++) __builtin_prefetch(ahead + line * 64);
}

template <class V, int R, int N, int Lines>
SRCODE_INLINE void steps(typename V::f32 (&acc)[R][N], int64_t depth, const float* x, int64_t x_stride, const float* w,
                         int64_t panel_width, const char* ahead) {
  for (int64_t k = 0; k < depth; k++, w += panel_width, ahead += Lines * 64) {
    fetch<Lines>(ahead);
    step<V, R, N>(acc, x + k, x_stride, w);
  }
}
template <class V, int R, int N, int Lines>
SRCODE_INLINE void steps(typename V::f32 (&acc)[R][N], int64_t depth, const bf16* x, int64_t x_stride, const bf16* w,
                         int64_t panel_width, const char* ahead) {
  int64_t k = 0;
  for (; k + 1 < depth; k += 2, w += panel_width * 2, ahead += Lines * 64) {
    fetch<Lines>(ahead);
    step<V, R, N>(acc, x + k, x_stride, w);
  }
  if (k < depth) step<V, R, N>(acc, x + k, x_stride, w, true);
}

// Exactly R rows and `columns` columns in (N - 1, N] vectors; `Lines` cache lines are fetched from `ahead` at each
// step.
template <class V, class T, int R, int N, int Lines>
__attribute__((noinline)) void register_block(const Block<T>& block, int columns, const char* ahead) {
  const int last = columns - (N - 1) * V::width;  // columns in the last vector
  typename V::f32 acc[R][N];
  SRCODE_UNROLL for (int i = 0; i < R; i++) {
    SRCODE_UNROLL for (int j = 0; j < N; j++) {
      const float* from = block.out + i * block.out_stride + j * V::width;
      acc[i][j] = V::zero();
      if (block.accumulate) acc[i][j] = j + 1 < N || last == V::width ? V::load(from) : V::load(from, last);
    }
  }
  steps<V, R, N, Lines>(acc, block.depth, block.x, block.x_stride, block.panel, block.panel_width, ahead);
  SRCODE_UNROLL for (int i = 0; i < R; i++) {
    SRCODE_UNROLL for (int j = 0; j < N; j++) {
      float* to = block.out + i * block.out_stride + j * V::width;
      if (j + 1 < N || last == V::width)
        V::store(to, acc[i][j]);
      else
        V::store(to, acc[i][j], last);
    }
  }
}

// Dispatches 1 … R rows.
template <class V, class T, int R, int N, int Lines>
SRCODE_INLINE void row_block(int rows, const Block<T>& block, int columns, const char* ahead) {
  if (rows == R)
    register_block<V, T, R, N, Lines>(block, columns, ahead);
  else if constexpr (R > 1)
    row_block<V, T, R - 1, N, Lines>(rows, block, columns, ahead);
}

// At most N vectors of columns. Fewer vectors take more rows, so that there are always enough independent chains to
// hide the latency of an FMA; an output's own chain is the same in every block.
template <class V, class T, int N>
SRCODE_INLINE void column_block(int64_t rows, Block<T> block, int columns) {
  if constexpr (N > 1)
    if (columns <= (N - 1) * V::width) return column_block<V, T, N - 1>(rows, block, columns);
  constexpr int most = V::block_rows * V::block_vectors / N < 12 ? V::block_rows * V::block_vectors / N : 12;
  const int64_t blocks = (rows + most - 1) / most;  // of even size
  const Block<T> first = block;
  for (int64_t b = 0; b < blocks; b++) {
    const int64_t row = rows * b / blocks, end = rows * (b + 1) / blocks;
    block.x = first.x + row * block.x_stride;
    block.out = first.out + row * block.out_stride;
    row_block<V, T, most, N, 0>(static_cast<int>(end - row), block, columns, nullptr);
  }
}

// out[i, j] (+)= Σ_k x[i, k] panel[k, j] for i < rows, j < columns <= panel_width <= 64; panel_width is a multiple
// of 16. One f32 chain an output, k ascending, the same operations whatever `rows` and `columns` are. x is read up to
// depth, nothing beyond columns is written. A longer sum may be cut (at multiples of 32) and continued with accumulate:
// the same bits.
template <class V, class T>
void multiply(int64_t rows, int64_t depth, const T* x, int64_t x_stride, const T* panel, int64_t panel_width,
              int columns, float* out, int64_t out_stride, bool accumulate) {
  const Block<T> block{depth, x, x_stride, panel, panel_width, out, out_stride, accumulate};
  if constexpr (sizeof(T) == 2 && requires { typename V::Tiles; }) {
    multiply_tiles<typename V::Tiles>(rows, block, columns, nullptr);
  } else {
    constexpr int span = V::block_vectors * V::width, values = sizeof(T) == 2 ? 2 : 1;
    for (int column = 0; column < columns; column += span) {
      Block<T> part = block;
      part.panel += column * values;
      part.out += column;
      column_block<V, T, V::block_vectors>(rows, part, columns - column < span ? columns - column : span);
    }
  }
}

// All columns of a panel in `Passes` passes over a stretch of it that stays in L1; each pass fetches its share of the
// 256 bytes a step.
template <class V, class T, int Passes>
SRCODE_INLINE void passes_ahead(int rows, Block<T> block, const char* ahead) {
  constexpr int span = V::block_vectors * V::width, column_blocks = kPanelWidth / span, values = sizeof(T) == 2 ? 2 : 1;
  constexpr int shares = Passes * column_blocks < 4 ? Passes * column_blocks : 4, lines = 4 / shares;
  constexpr int most = kAheadRows / Passes < V::block_rows ? kAheadRows / Passes : V::block_rows;
  constexpr int64_t stretch = Passes * column_blocks == 1 ? int64_t{1} << 40 : 32 * values;
  const int64_t depth = block.depth;
  const T* const panel = block.panel;
  const T* const x = block.x;
  float* const out = block.out;
  for (int64_t k = 0; k < depth; k += stretch) {
    block.depth = depth - k < stretch ? depth - k : stretch;
    const int64_t share_bytes = block.depth / values * lines * 64;
    int share = 0;
    for (int pass = 0; pass < Passes; pass++) {
      const int row = rows * pass / Passes, end = rows * (pass + 1) / Passes;
      block.x = x + row * block.x_stride + k;
      for (int column = 0; column < kPanelWidth; column += span, share++) {
        block.panel = panel + k * kPanelWidth + column * values;
        block.out = out + row * block.out_stride + column;
        if (share < shares)
          row_block<V, T, most, V::block_vectors, lines>(end - row, block, span, ahead + share * share_bytes);
        else
          row_block<V, T, most, V::block_vectors, 0>(end - row, block, span, nullptr);
      }
    }
    block.accumulate = true;
    ahead += stretch / values * 256;
  }
}

// The same bits as multiply, for a whole 64-wide panel and 1 … kAheadRows rows. The panel is taken from memory once,
// whatever `rows` is, and as many bytes as it has are fetched from `ahead` on the way: a decode step is bound by that
// stream.
template <class V, class T>
void multiply_ahead(int rows, int64_t depth, const T* x, int64_t x_stride, const T* panel, float* out,
                    int64_t out_stride, bool accumulate, const void* ahead) {
  const Block<T> block{depth, x, x_stride, panel, kPanelWidth, out, out_stride, accumulate};
  const char* from = static_cast<const char*>(ahead);
  if constexpr (sizeof(T) == 2 && requires { typename V::Tiles; })
    multiply_tiles<typename V::Tiles>(rows, block, kPanelWidth, from);
  else if (rows <= V::block_rows)
    passes_ahead<V, T, 1>(rows, block, from);
  else if (rows <= 2 * V::block_rows)
    passes_ahead<V, T, 2>(rows, block, from);
  else
    passes_ahead<V, T, 4>(rows, block, from);
}

}  // namespace
}  // namespace srcode::cpu
