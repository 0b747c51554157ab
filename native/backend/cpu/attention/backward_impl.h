#pragma once
#include "backend/cpu/attention/page_impl.h"
#include "backend/cpu/rows/lanes.h"
#include "backend/cpu/simd/vec.h"

// FlashAttention's backward pass, transposed: rows are keys and columns are queries. Then P^T and dS^T are left
// operands as they come out, and dS^T is the panel of dQ^T = K^T dS^T:
//   S^T = K Q^T   dP^T = V dO^T   P = e^(scale S - lse)   dS = P (dP - D), D = Σ dO O
//   dV += P^T dO   dK += scale dS^T Q   dQ^T += scale K^T dS^T
namespace srcode::cpu {
namespace {

// Rows of keys of the block on the diagonal that are done together; earlier queries are left out. A whole tile depth.
constexpr int64_t kDiagonalStrip = 32;

template <class V, class T>
struct Backward {
  static constexpr int64_t per_column = sizeof(T) == 2 ? 2 : 1;
  int64_t dim, padded, blocks;
  float scale;
  // The sequence, for one kv head.
  T *k, *v;        // [rows, dim]
  T* k_t;          // blocks of [dim, 64]
  float *dk, *dv;  // [rows, padded]
  // A block of queries of one head.
  T *q_t, *do_t;         // panels of queries: [dim] × 64 queries
  T *q, *d_o;            // panels of dim: [64 queries] × padded
  float *minus_lse, *d;  // [64]
  float* dq_t;           // [dim, 64]
  // A tile of 64 keys × 64 queries.
  float *s, *dp;
  T *p, *ds;
  T* ds_panel;  // ds in pairs of keys; ds itself as f32

  Backward(const Heads& heads, int64_t rows, Carver& carver)
      : dim(heads.dim),
        padded(padded16(dim)),
        blocks((rows + kBlock - 1) / kBlock),
        scale(1.0f / __builtin_sqrtf(static_cast<float>(dim))),
        k(carver.take<T>(rows * dim)),
        v(carver.take<T>(rows * dim)),
        k_t(carver.take<T>(blocks * dim * kBlock)),
        dk(carver.take<float>(rows * padded)),
        dv(carver.take<float>(rows * padded)),
        q_t(carver.take<T>(key_panel<T>(dim))),
        do_t(carver.take<T>(key_panel<T>(dim))),
        q(carver.take<T>(value_panel<T>(dim))),
        d_o(carver.take<T>(value_panel<T>(dim))),
        minus_lse(carver.take<float>(kBlock)),
        d(carver.take<float>(kBlock)),
        dq_t(carver.take<float>(dim * kBlock)),
        s(carver.take<float>(kBlock * kBlock)),
        dp(carver.take<float>(kBlock * kBlock)),
        p(carver.take<T>(kBlock * kBlock)),
        ds(carver.take<T>(kBlock * kBlock)),
        ds_panel(sizeof(T) == 2 ? carver.take<T>(kBlock * kBlock) : ds) {}

  void take_keys(const T* from, int64_t stride, int64_t values, int64_t rows) {
    std::memset(k_t, 0, blocks * dim * kBlock * sizeof(T));
    for (int64_t r = 0; r < rows; r++) {
      std::memcpy(k + r * dim, from + r * stride, dim * sizeof(T));
      std::memcpy(v + r * dim, from + r * stride + values, dim * sizeof(T));
      T* to = k_t + r / kBlock * dim * kBlock + r % kBlock;
      for (int64_t i = 0; i < dim; i++) to[i * kBlock] = k[r * dim + i];
    }
  }

  // Past the block's end queries are zeros with lse = D = 0: their P is e^0, times dO = 0.
  void take_queries(int64_t rows, const T* q_, int64_t q_stride, const T* out, const T* d_out, int64_t out_stride,
                    const float* lse, int64_t lse_stride) {
    std::memset(q_t, 0, key_panel<T>(dim) * sizeof(T));
    std::memset(do_t, 0, key_panel<T>(dim) * sizeof(T));
    std::memset(q, 0, value_panel<T>(dim) * sizeof(T));
    std::memset(d_o, 0, value_panel<T>(dim) * sizeof(T));
    for (int64_t i = 0; i < kBlock; i++) minus_lse[i] = d[i] = 0.0f;
    for (int64_t i = 0; i < rows; i++) {
      to_column(q_ + i * q_stride, dim, i, q_t);
      to_column(d_out + i * out_stride, dim, i, do_t);
      minus_lse[i] = -lse[i * lse_stride];
      d[i] = reduce<V>(dim, [&](auto sum, int64_t j, auto lanes) {
        return V::fma(load<V>(d_out + i * out_stride + j, lanes), load<V>(out + i * out_stride + j, lanes), sum);
      });
    }
    to_rows(q_, q_stride, rows, dim, 0, q);
    to_rows(d_out, out_stride, rows, dim, 0, d_o);
  }

  // Keys [begin, end) of the block at row `key`, queries [first, queries) of the current block; `add`: dk and dv hold
  // sums already.
  template <bool diagonal>
  void tile(int64_t key, int64_t begin, int64_t end, int64_t first, int64_t queries, bool add, bool add_dq) {
    constexpr int w = V::width;
    const int64_t rows = end - begin, at = begin * kBlock + first;
    const int columns = static_cast<int>(queries - first);
    multiply<V, T>(rows, dim, k + (key + begin) * dim, dim, q_t + first * per_column, kBlock, columns, s + at, kBlock,
                   false);
    multiply<V, T>(rows, dim, v + (key + begin) * dim, dim, do_t + first * per_column, kBlock, columns, dp + at, kBlock,
                   false);
    for (int64_t r = begin; r < end; r++) {
      for (int64_t c = first; c < queries; c += w) {
        const int64_t i = r * kBlock + c;
        auto e = simd::exp<V>(V::fma(V::load(s + i), V::set1(scale), V::load(minus_lse + c)));
        if constexpr (diagonal) e = V::select(static_cast<int>(r - c < 0 ? 0 : r - c > w ? w : r - c), V::zero(), e);
        V::store(p + i, e);
        V::store(ds + i, V::mul(e, V::sub(V::load(dp + i), V::load(d + c))));
      }
    }
    // The strip is a whole depth of dQ^T's product.
    const int64_t depth = (rows + kDiagonalStrip - 1) / kDiagonalStrip * kDiagonalStrip;
    for (int64_t r = end; r < begin + depth; r++) std::memset(ds + r * kBlock + first, 0, columns * sizeof(T));
    if constexpr (sizeof(T) == 2) {
      for (int64_t r = begin; r < begin + depth; r += 2) {
        const bf16 *low = ds + r * kBlock, *high = low + kBlock;
        bf16* to = ds_panel + r * kBlock;
        for (int64_t c = first; c < queries; c++) {
          const uint32_t pair = low[c].bits | static_cast<uint32_t>(high[c].bits) << 16;
          std::memcpy(to + c * 2, &pair, 4);
        }
      }
    }
    for (int64_t column = 0; column < dim; column += 64) {
      const int64_t width = panel_width(padded, column), to = (key + begin) * padded + column;
      const int64_t panel = kBlock * column + first * width;
      multiply<V, T>(rows, columns, p + at, kBlock, d_o + panel, width, static_cast<int>(width), dv + to, padded, add);
      multiply<V, T>(rows, columns, ds + at, kBlock, q + panel, width, static_cast<int>(width), dk + to, padded, add);
    }
    multiply<V, T>(dim, depth, k_t + key * dim + begin, kBlock, ds_panel + begin * kBlock + first * per_column, kBlock,
                   columns, dq_t + first, kBlock, add_dq);
  }

  void write(const float* from, float factor, T* to) const {
    each_vector<V>(0, dim, [&](int64_t i, auto lanes) {
      store<V>(to + i, V::mul(load<V>(from + i, lanes), V::set1(factor)), lanes);
    });
  }
};

template <class V, class T>
int64_t backward_scratch(const Heads& heads, int64_t rows) {
  Carver carver{nullptr};
  Backward<V, T>(heads, rows, carver);
  return carver.used;
}

template <class V, class T>
void backward(const Heads& heads, int64_t kv_head, int64_t rows, const void* qkv_, const void* out_, const float* lse,
              const void* d_out_, void* d_qkv_, char* scratch) {
  Carver carver{scratch};
  Backward<V, T> state(heads, rows, carver);
  const int64_t dim = heads.dim, group = heads.heads / heads.kv_heads, stride = heads.row(),
                out_stride = heads.q_columns();
  const int64_t key_column = heads.q_columns() + kv_head * dim;
  const T* qkv = static_cast<const T*>(qkv_);
  T* d_qkv = static_cast<T*>(d_qkv_);
  state.take_keys(qkv + key_column, stride, heads.kv_columns(), rows);

  alignas(64) float row[256];
  for (int64_t q = 0; q < rows; q += kBlock) {
    const int64_t n = rows - q < kBlock ? rows - q : kBlock, queries = padded16(n);
    for (int64_t head = kv_head * group; head < (kv_head + 1) * group; head++) {
      const int64_t at = q * out_stride + head * dim;
      state.take_queries(n, qkv + q * stride + head * dim, stride, static_cast<const T*>(out_) + at,
                         static_cast<const T*>(d_out_) + at, out_stride, lse + q * heads.heads + head, heads.heads);
      for (int64_t key = 0; key < q; key += kBlock)
        state.template tile<false>(key, 0, kBlock, 0, queries, true, key > 0);
      for (int64_t begin = 0; begin < n; begin += kDiagonalStrip) {
        const int64_t end = begin + kDiagonalStrip < n ? begin + kDiagonalStrip : n;
        // This block of queries is the first that sees these keys.
        state.template tile<true>(q, begin, end, begin, queries, head > kv_head * group, q > 0 || begin > 0);
      }
      for (int64_t i = 0; i < n; i++) {
        T* to = d_qkv + (q + i) * stride + head * dim;
        for (int64_t k = 0; k < dim; k++) row[k] = state.dq_t[k * kBlock + i];
        state.write(row, state.scale, to);
      }
    }
  }
  for (int64_t r = 0; r < rows; r++) {
    T* to = d_qkv + r * stride + key_column;
    state.write(state.dk + r * state.padded, state.scale, to);
    state.write(state.dv + r * state.padded, 1.0f, to + heads.kv_columns());
  }
}

}  // namespace
}  // namespace srcode::cpu
