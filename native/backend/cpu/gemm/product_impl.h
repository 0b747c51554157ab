#pragma once
#include "backend/cpu/gemm/kernels.h"
#include "backend/cpu/gemm/microkernel.h"

// One panel of a product, from x to the rounded output.
namespace srcode::cpu {
namespace {

// `sums` has whole vectors in every row.
template <class V, class Out>
SRCODE_INLINE void finish_as(int rows, int columns, const float* sums, int64_t sums_stride, const Finish& how) {
  Out* out = static_cast<Out*>(how.out);
  const auto scale = V::set1(how.scale);
  for (int i = 0; i < rows; i++, sums += sums_stride, out += how.out_stride)
    for (int j = 0; j < columns; j += V::width) {
      const int n = columns - j;
      auto y = V::load(sums + j);
      if (how.bias != nullptr) y = V::add(y, n >= V::width ? V::load(how.bias + j) : V::load(how.bias + j, n));
      y = V::mul(y, scale);
      if constexpr (sizeof(Out) == 4)
        if (how.accumulate) y = V::add(n >= V::width ? V::load(out + j) : V::load(out + j, n), y);
      if (n >= V::width)
        V::store(out + j, y);
      else
        V::store(out + j, y, n);
    }
}
template <class V>
void finish(int rows, int columns, const float* sums, int64_t sums_stride, const Finish& how) {
  if (how.out_type == Dtype::bf16)
    finish_as<V, bf16>(rows, columns, sums, sums_stride, how);
  else
    finish_as<V, float>(rows, columns, sums, sums_stride, how);
}

// The LoRA term continues the sums; then they go out.
template <class V, class T>
SRCODE_INLINE void complete(const PanelProduct<T>& product, int64_t row, int rows, float* sums) {
  if (product.rank > 0)
    multiply<V, T>(rows, product.rank, product.xa + row * product.xa_stride, product.xa_stride, product.b, kPanelWidth,
                   kPanelWidth, sums, kPanelWidth, true);
  finish<V>(rows, product.columns, sums, kPanelWidth, product.finish.at(row, 0));
}

// Asks for the output's lines while the sums are made: a store that misses would stall the next rows.
SRCODE_INLINE void fetch_out(const Finish& how, int64_t row, int rows, int columns) {
  const int64_t size = how.out_type == Dtype::bf16 ? 2 : 4;
  const char* out = static_cast<const char*>(how.out) + row * how.out_stride * size;
  for (int i = 0; i < rows; i++, out += how.out_stride * size)
    for (int64_t byte = 0; byte < columns * size; byte += 64) __builtin_prefetch(out + byte, 1);
}

// What comes next, over `steps` steps. Without it the panel itself is named: a fetch of nothing would walk the page
// tables.
template <class T>
SRCODE_INLINE Ahead ahead_of(const PanelProduct<T>& product, int64_t steps) {
  if (product.next == nullptr || steps == 0) return {reinterpret_cast<const char*>(product.panel), 0};
  return {static_cast<const char*>(product.next), (product.next_bytes + steps - 1) / steps};
}

// The end of a block of a product: the LoRA term, the bias, the scale and the rounding, all in registers.
template <class V, class T>
struct CompleteBlock {
  const PanelProduct<T>& product;
  int64_t row;
  int column;

  template <int R, int N>
  SRCODE_INLINE void operator()(typename V::f32 (&acc)[R][N]) const {
    constexpr int values = sizeof(T) == 2 ? 2 : 1;
    if (product.rank > 0)
      steps<V, R, N, 0>(acc, product.rank, product.xa + row * product.xa_stride, product.xa_stride,
                        product.b + column * values, kPanelWidth, {});
    const Finish how = product.finish.at(row, column);
    const int columns = product.columns - column;
    if (columns < N * V::width || how.accumulate) {
      if (columns <= 0) return;
      alignas(64) float sums[R * N * V::width];
      StoreSums<V>{sums, N * V::width, N * V::width}(acc);
      return finish<V>(R, columns < N * V::width ? columns : N * V::width, sums, N * V::width, how);
    }
    if (how.bias != nullptr) {
      SRCODE_UNROLL for (int j = 0; j < N; j++) {
        const auto bias = V::load(how.bias + j * V::width);
        SRCODE_UNROLL for (int i = 0; i < R; i++) acc[i][j] = V::add(acc[i][j], bias);
      }
    }
    if (how.scale != 1) {
      const auto scale = V::set1(how.scale);
      SRCODE_UNROLL for (int i = 0; i < R; i++) {
        SRCODE_UNROLL for (int j = 0; j < N; j++) acc[i][j] = V::mul(acc[i][j], scale);
      }
    }
    if (how.out_type == Dtype::bf16)
      store(static_cast<bf16*>(how.out), how.out_stride, acc);
    else
      store(static_cast<float*>(how.out), how.out_stride, acc);
  }

 private:
  template <class Out, int R, int N>
  static SRCODE_INLINE void store(Out* out, int64_t stride, typename V::f32 (&acc)[R][N]) {
    SRCODE_UNROLL for (int i = 0; i < R; i++) {
      SRCODE_UNROLL for (int j = 0; j < N; j++) V::store(out + i * stride + j * V::width, acc[i][j]);
    }
  }
};

// Many rows, in even blocks of the vector kernels.
template <class V, class T>
SRCODE_INLINE void product_blocks(int64_t rows, const PanelProduct<T>& product) {
  constexpr int values = sizeof(T) == 2 ? 2 : 1, spans = kPanelWidth / (V::block_vectors * V::width);
  const int64_t blocks = (rows + V::block_rows - 1) / V::block_rows, each = rows / blocks, more = rows % blocks;
  const int64_t steps = blocks * spans * (product.depth / values);
  Ahead ahead = ahead_of(product, steps);
  Block<T> block{product.depth, product.x,    product.x_stride, product.panel,
                 kPanelWidth,   product.sums, kPanelWidth,      !product.first};
  for (int64_t b = 0, row = 0; b < blocks; b++) {
    const int n = static_cast<int>(each + (b < more));
    if (product.last) {
      fetch_out(product.finish, row, n, product.columns);
      panel_pass<V, T, V::block_rows, 1>(n, block, ahead,
                                         [&](int column) { return CompleteBlock<V, T>{product, row, column}; });
    } else {
      panel_pass<V, T, V::block_rows, 1>(n, block, ahead, [&](int column) {
        return StoreSums<V>{block.out + column, kPanelWidth, V::block_vectors * V::width};
      });
    }
    block.x += n * block.x_stride;
    if (product.sums != nullptr) block.out += n * kPanelWidth;
    row += n;
  }
}

// Many rows by tiles, whose sums pass through memory.
template <class V>
SRCODE_INLINE void product_tiles(int64_t rows, const PanelProduct<bf16>& product) {
  alignas(64) float sums[32 * kPanelWidth];
  const int64_t depth_steps = (product.depth + kTileDepth - 1) / kTileDepth, steps = (rows + 31) / 32 * 2 * depth_steps;
  Ahead ahead = ahead_of(product, steps);
  Block<bf16> block{product.depth, product.x, product.x_stride, product.panel,
                    kPanelWidth,   sums,      kPanelWidth,      !product.first};
  for (int64_t row = 0; row < rows; row += 32) {
    const int n = static_cast<int>(rows - row < 32 ? rows - row : 32);
    block.x = product.x + row * product.x_stride;
    if (product.sums != nullptr) block.out = product.sums + row * kPanelWidth;
    if (product.last) fetch_out(product.finish, row, n, product.columns);
    multiply_tiles<typename V::Tiles>(n, block, kPanelWidth, ahead);
    ahead.from += 2 * depth_steps * ahead.advance;
    if (product.last) complete<V, bf16>(product, row, n, block.out);
  }
}

template <class V, class T>
void product_panel(int64_t rows, const PanelProduct<T>& product) {
  if (rows <= kStreamRows && product.sums == nullptr) {
    alignas(64) float sums[kStreamRows * kPanelWidth];
    multiply_stream<V, T>(static_cast<int>(rows), {product.depth, product.x, product.x_stride, product.panel,
                                                   kPanelWidth, sums, kPanelWidth, false});
    complete<V, T>(product, 0, static_cast<int>(rows), sums);
  } else if constexpr (sizeof(T) == 2 && requires { typename V::Tiles; }) {
    product_tiles<V>(rows, product);
  } else {
    product_blocks<V, T>(rows, product);
  }
}

// The arithmetic alone, in registers: `repeats` times a block's step. Returns the operations (multiply and add: two).
template <class V, class T>
double arithmetic(int64_t repeats, const void* operands, float* out) {
  if constexpr (sizeof(T) == 2 && requires { typename V::Tiles; }) {
    typename V::Tiles engine;
    engine.configure({16, 16, 16, 16, 16, 16, 16, 16});
    engine.template load<4>(operands, 0), engine.template load<5>(operands, 0);
    engine.template zero<0>(), engine.template zero<1>(), engine.template zero<2>(), engine.template zero<3>();
    for (int64_t n = 0; n < repeats; n++) {
      engine.template dot<0, 4, 5>(), engine.template dot<1, 4, 5>();
      engine.template dot<2, 4, 5>(), engine.template dot<3, 4, 5>();
    }
    engine.template store<0>(out, 0);
    engine.release();
    return static_cast<double>(repeats) * 4 * 16 * 16 * kTileDepth * 2;
  } else {
    constexpr int R = V::block_rows, N = V::block_vectors, values = sizeof(T) == 2 ? 2 : 1;
    const T* x = static_cast<const T*>(operands);
    typename V::f32 acc[R][N];  // all different, or the compiler would keep one for all
    SRCODE_UNROLL for (int i = 0; i < R; i++) {
      SRCODE_UNROLL for (int j = 0; j < N; j++) acc[i][j] = V::set1(static_cast<float>(i * N + j));
    }
    for (int64_t n = 0; n < repeats; n++) {
      SRCODE_UNROLL for (int i = 0; i < R; i++) {
        SRCODE_UNROLL for (int j = 0; j < N; j++) {
          if constexpr (values == 2)
            acc[i][j] = V::dot(acc[i][j], V::load_pairs(x), V::load_pairs(x));
          else
            acc[i][j] = V::fma(V::load(x), V::load(x), acc[i][j]);
        }
      }
    }
    auto sum = V::zero();
    SRCODE_UNROLL for (int i = 0; i < R; i++) {
      SRCODE_UNROLL for (int j = 0; j < N; j++) sum = V::add(sum, acc[i][j]);
    }
    *out = V::sum(sum);
    return static_cast<double>(repeats) * R * N * V::width * values * 2;
  }
}

template <class V>
void narrow(int64_t n, const float* from, bf16* to) {
  int64_t i = 0;
  for (; i + V::width <= n; i += V::width) V::store(to + i, V::load(from + i));
  if (i < n) V::store(to + i, V::load(from + i, static_cast<int>(n - i)), static_cast<int>(n - i));
}

}  // namespace
}  // namespace srcode::cpu
