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
                         int64_t panel_width, Ahead ahead) {
  for (int64_t k = 0; k < depth; k++, w += panel_width, ahead.from += ahead.advance) {
    fetch<Lines>(ahead.from);
    step<V, R, N>(acc, x + k, x_stride, w);
  }
}
template <class V, int R, int N, int Lines>
SRCODE_INLINE void steps(typename V::f32 (&acc)[R][N], int64_t depth, const bf16* x, int64_t x_stride, const bf16* w,
                         int64_t panel_width, Ahead ahead) {
  int64_t k = 0;
  for (; k + 1 < depth; k += 2, w += panel_width * 2, ahead.from += ahead.advance) {
    fetch<Lines>(ahead.from);
    step<V, R, N>(acc, x + k, x_stride, w);
  }
  if (k < depth) step<V, R, N>(acc, x + k, x_stride, w, true);
}

// The usual end of a block: the sums go to block.out. `columns` are in (N - 1, N] vectors.
template <class V>
struct StoreSums {
  float* out;
  int64_t stride;
  int columns;

  template <int R, int N>
  SRCODE_INLINE void operator()(typename V::f32 (&acc)[R][N]) const {
    const int last = columns - (N - 1) * V::width;
    SRCODE_UNROLL for (int i = 0; i < R; i++) {
      SRCODE_UNROLL for (int j = 0; j < N; j++) {
        float* to = out + i * stride + j * V::width;
        if (j + 1 < N || last == V::width)
          V::store(to, acc[i][j]);
        else
          V::store(to, acc[i][j], last);
      }
    }
  }
};

// Exactly R rows and `columns` columns in (N - 1, N] vectors; `Lines` cache lines are fetched ahead at each step; `end`
// takes the sums.
template <class V, class T, int R, int N, int Lines, class End>
__attribute__((noinline)) void register_block(const Block<T>& block, int columns, Ahead ahead, const End& end) {
  const int last = columns - (N - 1) * V::width;
  typename V::f32 acc[R][N];
  SRCODE_UNROLL for (int i = 0; i < R; i++) { SRCODE_UNROLL for (int j = 0; j < N; j++) acc[i][j] = V::zero(); }
  if (block.accumulate) {
    SRCODE_UNROLL for (int i = 0; i < R; i++) {
      SRCODE_UNROLL for (int j = 0; j < N; j++) {
        const float* from = block.out + i * block.out_stride + j * V::width;
        acc[i][j] = j + 1 < N || last == V::width ? V::load(from) : V::load(from, last);
      }
    }
  }
  steps<V, R, N, Lines>(acc, block.depth, block.x, block.x_stride, block.panel, block.panel_width, ahead);
  end(acc);
}

// Dispatches 1 … R rows.
template <class V, class T, int R, int N, int Lines, class End>
SRCODE_INLINE void row_block(int rows, const Block<T>& block, int columns, Ahead ahead, const End& end) {
  if (rows == R)
    register_block<V, T, R, N, Lines>(block, columns, ahead, end);
  else if constexpr (R > 1)
    row_block<V, T, R - 1, N, Lines>(rows, block, columns, ahead, end);
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
    row_block<V, T, most, N, 0>(static_cast<int>(end - row), block, columns, {},
                                StoreSums<V>{block.out, block.out_stride, columns});
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
    multiply_tiles<typename V::Tiles>(rows, block, columns, {});
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

// One pass of at most `Most` rows over all 64 columns of a panel; end_at(column) makes each block's end.
template <class V, class T, int Most, int Lines, class EndAt>
SRCODE_INLINE void panel_pass(int rows, Block<T> block, Ahead& ahead, const EndAt& end_at) {
  constexpr int span = V::block_vectors * V::width, values = sizeof(T) == 2 ? 2 : 1;
  for (int column = 0; column < kPanelWidth; column += span) {
    row_block<V, T, Most, V::block_vectors, Lines>(rows, block, span, ahead, end_at(column));
    if (Lines > 0) ahead.from += block.depth / values * ahead.advance;
    block.panel += span * values;
    block.out += span;
  }
}

// `Passes` passes over a stretch of the panel that stays in L1, each fetching its share of the 256 bytes a step.
template <class V, class T, int Passes>
SRCODE_INLINE void stream_passes(int rows, Block<T> block, const char* ahead) {
  constexpr int values = sizeof(T) == 2 ? 2 : 1, shares = Passes * (kPanelWidth / (V::block_vectors * V::width));
  constexpr int lines = shares >= 4 ? 1 : 4 / shares;
  static_assert(4 * V::block_rows >= kStreamRows);
  constexpr int most = kStreamRows / Passes < V::block_rows ? kStreamRows / Passes : V::block_rows;
  const int64_t stretch = shares == 1 ? block.depth : 32 * values;
  const Block<T> all = block;
  for (int64_t k = 0; k < all.depth; k += stretch) {
    block.depth = all.depth - k < stretch ? all.depth - k : stretch;
    block.panel = all.panel + k * kPanelWidth;
    Ahead next{ahead + k / values * 256, 256 / shares};
    for (int pass = 0; pass < Passes; pass++) {
      const int row = rows * pass / Passes, end = rows * (pass + 1) / Passes;
      block.x = all.x + row * block.x_stride + k;
      block.out = all.out + row * block.out_stride;
      panel_pass<V, T, most, lines>(end - row, block, next, [&](int column) {
        return StoreSums<V>{block.out + column, block.out_stride, V::block_vectors * V::width};
      });
    }
    block.accumulate = true;
  }
}

// multiply() for a whole 64-wide panel that comes from memory and 1 … kStreamRows rows: the panel is read once,
// whatever `rows` is, and what follows it is asked for on the way. A decode step is bound by this stream.
template <class V, class T>
void multiply_stream(int rows, const Block<T>& block) {
  constexpr int64_t distance = 8 << 10;
  const char* ahead = reinterpret_cast<const char*>(block.panel) + distance;
  if constexpr (sizeof(T) == 2 && requires { typename V::Tiles; })
    multiply_tiles<typename V::Tiles>(rows, block, kPanelWidth, {ahead, kTileDepth / 2 * 256});
  else if (rows <= V::block_rows)
    stream_passes<V, T, 1>(rows, block, ahead);
  else if (rows <= 2 * V::block_rows)
    stream_passes<V, T, 2>(rows, block, ahead);
  else
    stream_passes<V, T, 4>(rows, block, ahead);
}

}  // namespace
}  // namespace srcode::cpu
