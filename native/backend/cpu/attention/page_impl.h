#pragma once
#include <cstring>

#include "backend/cpu/attention/attention.h"
#include "backend/cpu/gemm/microkernel.h"

// Packing: the same bytes for a page of the cache and for a block of a training sequence.
namespace srcode::cpu {
namespace {

constexpr int64_t kBlock = kCachePage;

constexpr int64_t padded16(int64_t n) { return (n + 15) / 16 * 16; }

// Elements of the panels of one kv head.
template <class T>
constexpr int64_t key_panel(int64_t dim) {
  return padded_depth<T>(dim) * kBlock;
}
template <class T>
constexpr int64_t value_panel(int64_t dim) {
  return kBlock * padded16(dim);
}
// Width of the panel that holds columns [column, …) of a padded width: 64 but for the last. It begins kBlock * column
// elements on.
constexpr int64_t panel_width(int64_t padded, int64_t column) { return padded - column < 64 ? padded - column : 64; }

// Row x [dim] becomes column `c` of a panel of 64 columns.
inline void to_column(const float* x, int64_t dim, int64_t c, float* panel) {
  for (int64_t k = 0; k < dim; k++) panel[k * kBlock + c] = x[k];
}
inline void to_column(const bf16* x, int64_t dim, int64_t c, bf16* panel) {
  for (int64_t k = 0; k < dim; k += 2) std::memcpy(panel + k * kBlock + c * 2, x + k, 4);
}

// Rows x [rows, dim] become rows [first, first + rows) of the reduction in panels of dim columns.
inline void to_rows(const float* x, int64_t stride, int64_t rows, int64_t dim, int64_t first, float* panels) {
  const int64_t padded = padded16(dim);
  for (int64_t column = 0; column < dim; column += 64) {
    const int64_t width = panel_width(padded, column), n = dim - column < width ? dim - column : width;
    float* panel = panels + kBlock * column;
    for (int64_t r = 0; r < rows; r++) std::memcpy(panel + (first + r) * width, x + r * stride + column, n * 4);
  }
}
inline void to_rows(const bf16* x, int64_t stride, int64_t rows, int64_t dim, int64_t first, bf16* panels) {
  const int64_t padded = padded16(dim);
  for (int64_t column = 0; column < dim; column += 64) {
    const int64_t width = panel_width(padded, column), n = dim - column < width ? dim - column : width;
    bf16* panel = panels + kBlock * column;
    for (int64_t r = 0; r < rows;) {
      const int64_t key = first + r;
      bf16* to = panel + key / 2 * width * 2;
      const bf16* from = x + r * stride + column;
      if (key % 2 == 0 && r + 1 < rows) {
        const bf16* next = from + stride;
        for (int64_t c = 0; c < n; c++) {
          const uint32_t pair = from[c].bits | static_cast<uint32_t>(next[c].bits) << 16;
          std::memcpy(to + c * 2, &pair, 4);
        }
        r += 2;
      } else {
        for (int64_t c = 0; c < n; c++) to[c * 2 + key % 2] = from[c];
        r += 1;
      }
    }
  }
}

template <class V, class T>
int64_t page_bytes(const Heads& heads) {
  return heads.kv_heads * (key_panel<T>(heads.dim) + value_panel<T>(heads.dim)) * static_cast<int64_t>(sizeof(T));
}

template <class T>
T* keys_of(void* page, const Heads& heads, int64_t kv_head) {
  return static_cast<T*>(page) + kv_head * (key_panel<T>(heads.dim) + value_panel<T>(heads.dim));
}

template <class V, class T>
void write_page(const Heads& heads, int64_t kv_head, const void* qkv, int64_t key, int64_t rows, void* page) {
  const int64_t dim = heads.dim, stride = heads.row();
  T* keys = keys_of<T>(page, heads, kv_head);
  T* values = keys + key_panel<T>(dim);
  // Memory that another sequence may have used: what is not written reads as zero, for 0 × NaN is NaN.
  if (key == 0) std::memset(keys, 0, (key_panel<T>(dim) + value_panel<T>(dim)) * sizeof(T));
  const T* k = static_cast<const T*>(qkv) + heads.q_columns() + kv_head * dim;
  for (int64_t r = 0; r < rows; r++) to_column(k + r * stride, dim, key + r, keys);
  to_rows(k + heads.kv_columns(), stride, rows, dim, key, values);
}

// Hands out pieces of a scratch buffer, each on a cache line. From null it measures.
struct Carver {
  char* base;
  int64_t used = 0;
  template <class T>
  T* take(int64_t n) {
    T* piece = reinterpret_cast<T*>(base + used);
    used += (n * static_cast<int64_t>(sizeof(T)) + 63) / 64 * 64;
    return piece;
  }
};

}  // namespace
}  // namespace srcode::cpu
