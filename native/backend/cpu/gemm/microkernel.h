#pragma once
#include <cstdint>

#include "backend/cpu/gemm/tiles.h"
#include "core/dtype.h"

// The inner product of everything: a few rows of x times a packed panel of up to 64 columns, in registers. Templates
// over a vector type (simd/vec.h); each level_<isa>.cc instantiates them for itself.
namespace srcode::cpu {

constexpr int kPanelWidth = 64;

// A panel holds depth × panel_width values: f32 as [depth][panel_width], bf16 in pairs of k as
// [padded_depth / 2][panel_width][2] with zeros beyond depth. 32 k fill the row of a tile.
template <class T>
constexpr int64_t padded_depth(int64_t depth) {
  return sizeof(T) == 2 ? (depth + 31) / 32 * 32 : depth;
}

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

template <class V, int R, int N>
SRCODE_INLINE void steps(typename V::f32 (&acc)[R][N], int64_t depth, const float* x, int64_t x_stride, const float* w,
                         int64_t panel_width) {
  for (int64_t k = 0; k < depth; k++, w += panel_width) step<V, R, N>(acc, x + k, x_stride, w);
}
template <class V, int R, int N>
SRCODE_INLINE void steps(typename V::f32 (&acc)[R][N], int64_t depth, const bf16* x, int64_t x_stride, const bf16* w,
                         int64_t panel_width) {
  int64_t k = 0;
  for (; k + 1 < depth; k += 2, w += panel_width * 2) step<V, R, N>(acc, x + k, x_stride, w);
  if (k < depth) step<V, R, N>(acc, x + k, x_stride, w, true);
}

// Exactly R rows and `columns` columns in (N - 1, N] vectors.
template <class V, class T, int R, int N>
__attribute__((noinline)) void register_block(int64_t depth, const T* x, int64_t x_stride, const T* panel,
                                              int64_t panel_width, int columns, float* out, int64_t out_stride,
                                              bool accumulate) {
  const int last = columns - (N - 1) * V::width;  // columns in the last vector
  typename V::f32 acc[R][N];
  SRCODE_UNROLL for (int i = 0; i < R; i++) {
    SRCODE_UNROLL for (int j = 0; j < N; j++) {
      const float* from = out + i * out_stride + j * V::width;
      acc[i][j] = V::zero();
      if (accumulate) acc[i][j] = j + 1 < N || last == V::width ? V::load(from) : V::load(from, last);
    }
  }
  steps<V, R, N>(acc, depth, x, x_stride, panel, panel_width);
  SRCODE_UNROLL for (int i = 0; i < R; i++) {
    SRCODE_UNROLL for (int j = 0; j < N; j++) {
      float* to = out + i * out_stride + j * V::width;
      if (j + 1 < N || last == V::width)
        V::store(to, acc[i][j]);
      else
        V::store(to, acc[i][j], last);
    }
  }
}

// Dispatches 1 … R rows.
template <class V, class T, int R, int N>
SRCODE_INLINE void row_block(int rows, int64_t depth, const T* x, int64_t x_stride, const T* panel, int64_t panel_width,
                             int columns, float* out, int64_t out_stride, bool accumulate) {
  if (rows == R)
    register_block<V, T, R, N>(depth, x, x_stride, panel, panel_width, columns, out, out_stride, accumulate);
  else if constexpr (R > 1)
    row_block<V, T, R - 1, N>(rows, depth, x, x_stride, panel, panel_width, columns, out, out_stride, accumulate);
}

// Rows in even blocks. Fewer vectors take more rows, so that there are always enough independent chains to hide the
// latency of an FMA; an output's own chain is the same in every block.
template <class V, class T, int N>
SRCODE_INLINE void column_block(int64_t rows, int64_t depth, const T* x, int64_t x_stride, const T* panel,
                                int64_t panel_width, int columns, float* out, int64_t out_stride, bool accumulate) {
  if (N > 1 && columns <= (N - 1) * V::width) {
    if constexpr (N > 1)
      column_block<V, T, N - 1>(rows, depth, x, x_stride, panel, panel_width, columns, out, out_stride, accumulate);
    return;
  }
  constexpr int most = V::block_rows * V::block_vectors / N < 12 ? V::block_rows * V::block_vectors / N : 12;
  const int64_t blocks = (rows + most - 1) / most;
  for (int64_t b = 0; b < blocks; b++) {
    const int64_t row = rows * b / blocks, end = rows * (b + 1) / blocks;
    row_block<V, T, most, N>(static_cast<int>(end - row), depth, x + row * x_stride, x_stride, panel, panel_width,
                             columns, out + row * out_stride, out_stride, accumulate);
  }
}

// out[i, j] (+)= Σ_k x[i, k] panel[k, j] for i < rows, j < columns <= panel_width <= 64; panel_width is a multiple
// of 16. One f32 chain an output, k ascending, the same operations whatever `rows` and `columns` are. x is read up to
// depth, nothing beyond columns is written. A longer sum may be cut (at multiples of 32) and continued with accumulate:
// the same bits.
template <class V, class T>
void multiply(int64_t rows, int64_t depth, const T* x, int64_t x_stride, const T* panel, int64_t panel_width,
              int columns, float* out, int64_t out_stride, bool accumulate) {
  if constexpr (sizeof(T) == 2 && requires { typename V::Tiles; }) {
    multiply_tiles<typename V::Tiles>(rows, depth, x, x_stride, panel, panel_width, columns, out, out_stride,
                                      accumulate);
  } else {
    constexpr int step = V::block_vectors * V::width, per_column = sizeof(T) == 2 ? 2 : 1;
    for (int column = 0; column < columns; column += step)
      column_block<V, T, V::block_vectors>(rows, depth, x, x_stride, panel + column * per_column, panel_width,
                                           columns - column < step ? columns - column : step, out + column, out_stride,
                                           accumulate);
  }
}

}  // namespace
}  // namespace srcode::cpu
