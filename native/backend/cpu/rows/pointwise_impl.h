#pragma once
#include "backend/cpu/rows/lanes.h"
#include "backend/cpu/simd/vec.h"

namespace srcode::cpu {

// Rotary embedding (Su et al. 2021) as HF's rotate_half does it: the pairs of a head are (j, j + dim/2).
template <class V, class T>
void rope(int64_t rows, int64_t heads, int64_t dim, int64_t stride, void* qkv, const int32_t* positions,
          const float* table, bool inverse) {
  const int64_t half = dim / 2;
  for (int64_t row = 0; row < rows; row++) {
    const float* cosines = table + positions[row] * dim;
    const float* sines = cosines + half;
    T* x = static_cast<T*>(qkv) + row * stride;
    each_vector<V>(0, half, [&](int64_t j, auto lanes) {
      const auto c = load<V>(cosines + j, lanes);
      auto s = load<V>(sines + j, lanes);
      if (inverse) s = V::sub(V::zero(), s);
      const auto minus_s = V::sub(V::zero(), s);
      for (int64_t head = 0; head < heads; head++) {
        T* low = x + head * dim + j;
        T* high = low + half;
        const auto a = load<V>(low, lanes), b = load<V>(high, lanes);
        store<V>(low, V::fma(a, c, V::mul(b, minus_s)), lanes);
        store<V>(high, V::fma(b, c, V::mul(a, s)), lanes);
      }
    });
  }
}

// silu(g) u (Shazeer 2020), silu(g) = g sigmoid(g).
template <class V, class T>
void swiglu(int64_t rows, int64_t width, const void* gate_up, void* out_) {
  for (int64_t row = 0; row < rows; row++) {
    const T* gate = static_cast<const T*>(gate_up) + row * 2 * width;
    const T* up = gate + width;
    T* out = static_cast<T*>(out_) + row * width;
    each_vector<V>(0, width, [&](int64_t i, auto lanes) {
      const auto g = load<V>(gate + i, lanes);
      store<V>(out + i, V::mul(V::mul(g, simd::sigmoid<V>(g)), load<V>(up + i, lanes)), lanes);
    });
  }
}

// d_up = d silu(g); d_gate = d u s (1 + g (1 - s)), s = sigmoid(g).
template <class V, class T>
void swiglu_backward(int64_t rows, int64_t width, const void* gate_up, const void* d_out_, void* d_gate_up) {
  for (int64_t row = 0; row < rows; row++) {
    const T* gate = static_cast<const T*>(gate_up) + row * 2 * width;
    const T* up = gate + width;
    const T* d_out = static_cast<const T*>(d_out_) + row * width;
    T* d_gate = static_cast<T*>(d_gate_up) + row * 2 * width;
    T* d_up = d_gate + width;
    each_vector<V>(0, width, [&](int64_t i, auto lanes) {
      const auto g = load<V>(gate + i, lanes), d = load<V>(d_out + i, lanes);
      const auto s = simd::sigmoid<V>(g);
      const auto slope = V::mul(s, V::fma(g, V::sub(V::set1(1.0f), s), V::set1(1.0f)));
      const auto u = load<V>(up + i, lanes);
      store<V>(d_gate + i, V::mul(V::mul(d, u), slope), lanes);
      store<V>(d_up + i, V::mul(d, V::mul(g, s)), lanes);
    });
  }
}

template <class V, class T>
void round(int64_t n, const float* from, void* to) {
  each_vector<V>(0, n,
                 [&](int64_t i, auto lanes) { store<V>(static_cast<T*>(to) + i, load<V>(from + i, lanes), lanes); });
}

template <class V, class T>
void widen(int64_t n, const void* from, float* to) {
  each_vector<V>(
      0, n, [&](int64_t i, auto lanes) { store<V>(to + i, load<V>(static_cast<const T*>(from) + i, lanes), lanes); });
}

template <class V>
void add_scaled(int64_t n, float scale, const float* from, float* to) {
  each_vector<V>(0, n, [&](int64_t i, auto lanes) {
    store<V>(to + i, V::fma(V::set1(scale), load<V>(from + i, lanes), load<V>(to + i, lanes)), lanes);
  });
}

template <class V, class T>
void sum_columns(int64_t rows, const void* x, int64_t stride, const float* scale, int64_t begin, int64_t end,
                 float* to) {
  for (int64_t first = 0; first < rows; first += 8) {
    const int64_t last = first + 8 < rows ? first + 8 : rows;
    each_vector<V>(begin, end, [&](int64_t i, auto lanes) {
      auto sum = load<V>(to + i, lanes);
      for (int64_t row = first; row < last; row++) {
        const auto v = load<V>(static_cast<const T*>(x) + row * stride + i, lanes);
        sum = V::fma(V::set1(scale != nullptr ? scale[row] : 1.0f), v, sum);
      }
      store<V>(to + i, sum, lanes);
    });
  }
}

template <class V, class T>
void row_dot(int64_t rows, int64_t width, const void* x_, const float* weight, float* out) {
  for (int64_t row = 0; row < rows; row++) {
    const T* x = static_cast<const T*>(x_) + row * width;
    out[row] = reduce<V>(width, [&](auto sum, int64_t i, auto lanes) {
      return V::fma(load<V>(x + i, lanes), load<V>(weight + i, lanes), sum);
    });
  }
}

}  // namespace srcode::cpu
