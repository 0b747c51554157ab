#pragma once
#include <cstdint>
#include <cstring>

#include "backend/cpu/gemm/panel.h"
#include "core/dtype.h"

// The bf16 product by tiles (AMX). E is a tile engine: the hardware's (simd/vec_amx.h) or its model (simd/vec_model.h):
//
//   configure(const int (&rows)[8])        tiles 0 … 7 get that many rows of 64 bytes
//   zero<t>() load<t>(const void*, int64_t stride_bytes) store<t>(void*, int64_t stride_bytes)
//   dot<c, a, b>()                         c += a b, as TDPBF16PS does
//   release()
namespace srcode::cpu {
namespace {

// A tile's row of x: 16 pairs of k.
constexpr int kTileDepth = 32;

// Accumulators of up to 16 rows × 16 columns live in out when it has room for a whole tile, else in a buffer.
struct TileOut {
  float* out;
  int64_t stride;
  int rows, columns;
  alignas(64) float buffer[16 * 16];

  TileOut(float* out_, int64_t stride_, int rows_, int columns_)
      : out(out_), stride(stride_), rows(rows_), columns(columns_) {}

  template <class E, int t>
  void load(E& engine, int column, bool accumulate) {
    if (!accumulate) return engine.template zero<t>();
    const int n = columns - column;
    if (n >= 16) return engine.template load<t>(out + column, stride * 4);
    if (n <= 0) return engine.template zero<t>();
    std::memset(buffer, 0, sizeof buffer);
    for (int i = 0; i < rows; i++) std::memcpy(buffer + i * 16, out + i * stride + column, n * 4);
    engine.template load<t>(buffer, 64);
  }
  template <class E, int t>
  void store(E& engine, int column) {
    const int n = columns - column;
    if (n >= 16) return engine.template store<t>(out + column, stride * 4);
    if (n <= 0) return;
    engine.template store<t>(buffer, 64);
    for (int i = 0; i < rows; i++) std::memcpy(out + i * stride + column, buffer + i * 16, n * 4);
  }
};

// The k of x beyond the last whole tile, padded with zeros: a tile's rows are always 32 k.
struct TileTail {
  alignas(64) bf16 x[32 * kTileDepth];
  TileTail(int rows, int depth, const bf16* from, int64_t stride) {
    if (depth == 0) return;
    std::memset(x, 0, sizeof x);
    for (int i = 0; i < rows; i++) std::memcpy(x + i * kTileDepth, from + i * stride, depth * 2);
  }
};

// `ahead` advances at each 32 k of each 32 columns (of all columns with at most 16 rows).
inline void fetch_lines(Ahead& ahead) {
  for (const char* end = ahead.from + ahead.advance; ahead.from < end; ahead.from += 64) __builtin_prefetch(ahead.from);
}

// At most 16 rows × 64 columns: every panel value is loaded once, as a decode step wants it.
// Tiles: 0 … 3 out, 4 x, 5 … 7 panel.
template <class E>
void tiles_16x64(E& engine, int rows, const Block<bf16>& block, int columns, Ahead ahead) {
  engine.configure({rows, rows, rows, rows, rows, 16, 16, 16});
  TileOut at{block.out, block.out_stride, rows, columns};
  at.load<E, 0>(engine, 0, block.accumulate);
  at.load<E, 1>(engine, 16, block.accumulate);
  at.load<E, 2>(engine, 32, block.accumulate);
  at.load<E, 3>(engine, 48, block.accumulate);
  const int64_t whole = block.depth / kTileDepth * kTileDepth, panel_bytes = block.panel_width * 4;
  const TileTail tail(rows, static_cast<int>(block.depth - whole), block.x + whole, block.x_stride);
  const bf16* w = block.panel;
  for (int64_t k = 0; k < block.depth; k += kTileDepth, w += kTileDepth * block.panel_width) {
    fetch_lines(ahead);
    if (k < whole)
      engine.template load<4>(block.x + k, block.x_stride * 2);
    else
      engine.template load<4>(tail.x, kTileDepth * 2);
    engine.template load<5>(w, panel_bytes);
    engine.template dot<0, 4, 5>();
    if (columns <= 16) continue;
    engine.template load<6>(w + 32, panel_bytes);
    engine.template dot<1, 4, 6>();
    if (columns <= 32) continue;
    engine.template load<7>(w + 64, panel_bytes);
    engine.template dot<2, 4, 7>();
    if (columns <= 48) continue;
    engine.template load<5>(w + 96, panel_bytes);
    engine.template dot<3, 4, 5>();
  }
  at.store<E, 0>(engine, 0);
  at.store<E, 1>(engine, 16);
  at.store<E, 2>(engine, 32);
  at.store<E, 3>(engine, 48);
}

// 17 … 32 rows × 32 columns at a time: each load serves two products, so that the panel may come from L2.
// Tiles: 0 … 3 out, 4 and 5 x, 6 and 7 panel.
template <class E>
void tiles_32x32(E& engine, int rows, const Block<bf16>& block, int columns, Ahead ahead) {
  const int low = rows - 16;
  engine.configure({16, 16, low, low, 16, low, 16, 16});
  TileOut top{block.out, block.out_stride, 16, columns};
  TileOut bottom{block.out + 16 * block.out_stride, block.out_stride, low, columns};
  const int64_t whole = block.depth / kTileDepth * kTileDepth, panel_bytes = block.panel_width * 4;
  const TileTail tail(rows, static_cast<int>(block.depth - whole), block.x + whole, block.x_stride);
  for (int column = 0; column < columns; column += 32) {
    const bool both = column + 16 < columns;
    top.load<E, 0>(engine, column, block.accumulate);
    top.load<E, 1>(engine, column + 16, block.accumulate);
    bottom.load<E, 2>(engine, column, block.accumulate);
    bottom.load<E, 3>(engine, column + 16, block.accumulate);
    const bf16* w = block.panel + column * 2;
    for (int64_t k = 0; k < block.depth; k += kTileDepth, w += kTileDepth * block.panel_width) {
      fetch_lines(ahead);
      const bf16* x = k < whole ? block.x + k : tail.x;
      const int64_t stride = k < whole ? block.x_stride : kTileDepth;
      engine.template load<4>(x, stride * 2);
      engine.template load<6>(w, panel_bytes);
      engine.template dot<0, 4, 6>();
      engine.template load<5>(x + 16 * stride, stride * 2);
      engine.template dot<2, 5, 6>();
      if (!both) continue;
      engine.template load<7>(w + 32, panel_bytes);
      engine.template dot<1, 4, 7>();
      engine.template dot<3, 5, 7>();
    }
    top.store<E, 0>(engine, column);
    top.store<E, 1>(engine, column + 16);
    bottom.store<E, 2>(engine, column);
    bottom.store<E, 3>(engine, column + 16);
  }
}

// multiply() of microkernel.h. Both shapes feed an output the same sequence of tile products. At most 32 rows where
// something is fetched ahead.
template <class E>
void multiply_tiles(int64_t rows, const Block<bf16>& block, int columns, Ahead ahead) {
  E engine;
  for (int64_t row = 0; row < rows; row += 32) {
    const int n = static_cast<int>(rows - row < 32 ? rows - row : 32);
    Block<bf16> part = block;
    part.x += row * block.x_stride;
    part.out += row * block.out_stride;
    if (n <= 16)
      tiles_16x64(engine, n, part, columns, ahead);
    else
      tiles_32x32(engine, n, part, columns, ahead);
  }
  engine.release();
}

}  // namespace
}  // namespace srcode::cpu
