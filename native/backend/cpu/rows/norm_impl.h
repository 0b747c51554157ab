#pragma once
#include "backend/cpu/rows/lanes.h"

namespace srcode::cpu {

// RMSNorm (Zhang and Sennrich 2019): y = x rstd w, rstd = 1 / sqrt(mean x² + eps).
template <class V, class T>
void add_rms_norm(int64_t rows, int64_t width, void* x_, const void* delta_, const float* weight, float eps, void* y_,
                  float* rstd) {
  for (int64_t row = 0; row < rows; row++) {
    T* x = static_cast<T*>(x_) + row * width;
    T* y = static_cast<T*>(y_) + row * width;
    if (delta_ != nullptr) {
      const T* delta = static_cast<const T*>(delta_) + row * width;
      each_vector<V>(0, width, [&](int64_t i, auto lanes) {
        store<V>(x + i, V::add(load<V>(x + i, lanes), load<V>(delta + i, lanes)), lanes);
      });
    }
    const float squares = reduce<V>(width, [&](auto sum, int64_t i, auto lanes) {
      const auto v = load<V>(x + i, lanes);
      return V::fma(v, v, sum);
    });
    const float scale = 1.0f / __builtin_sqrtf(squares / static_cast<float>(width) + eps);
    if (rstd != nullptr) rstd[row] = scale;
    each_vector<V>(0, width, [&](int64_t i, auto lanes) {
      store<V>(y + i, V::mul(V::mul(load<V>(x + i, lanes), V::set1(scale)), load<V>(weight + i, lanes)), lanes);
    });
  }
}

// dx += rstd (w dy - x rstd² mean(w dy x)).
template <class V, class T>
void rms_norm_dx(int64_t rows, int64_t width, const void* dy_, const void* x_, const float* weight, const float* rstd,
                 float* dx_) {
  for (int64_t row = 0; row < rows; row++) {
    const T* dy = static_cast<const T*>(dy_) + row * width;
    const T* x = static_cast<const T*>(x_) + row * width;
    float* dx = dx_ + row * width;
    const float along = reduce<V>(width, [&](auto sum, int64_t i, auto lanes) {
      return V::fma(V::mul(load<V>(dy + i, lanes), load<V>(weight + i, lanes)), load<V>(x + i, lanes), sum);
    });
    const float scale = rstd[row];
    const auto back = V::set1(-scale * scale * (along / static_cast<float>(width)));
    each_vector<V>(0, width, [&](int64_t i, auto lanes) {
      const auto g = V::mul(load<V>(dy + i, lanes), load<V>(weight + i, lanes));
      store<V>(dx + i, V::fma(V::fma(load<V>(x + i, lanes), back, g), V::set1(scale), load<V>(dx + i, lanes)), lanes);
    });
  }
}

// d_weight[begin, end) += Σ_rows dy x rstd, row by row. Eight rows at a time pass through the caches.
template <class V, class T>
void rms_norm_dw(int64_t rows, int64_t width, const void* dy_, const void* x_, const float* rstd, int64_t begin,
                 int64_t end, float* d_weight) {
  for (int64_t first = 0; first < rows; first += 8) {
    const int64_t last = first + 8 < rows ? first + 8 : rows;
    each_vector<V>(begin, end, [&](int64_t i, auto lanes) {
      auto sum = load<V>(d_weight + i, lanes);
      for (int64_t row = first; row < last; row++) {
        const auto dy = load<V>(static_cast<const T*>(dy_) + row * width + i, lanes);
        const auto x = load<V>(static_cast<const T*>(x_) + row * width + i, lanes);
        sum = V::fma(dy, V::mul(x, V::set1(rstd[row])), sum);
      }
      store<V>(d_weight + i, sum, lanes);
    });
  }
}

}  // namespace srcode::cpu
