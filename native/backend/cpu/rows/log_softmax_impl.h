#pragma once
#include "backend/cpu/rows/lanes.h"
#include "backend/cpu/rows/rows.h"
#include "backend/cpu/simd/vec.h"

namespace srcode::cpu {

template <class V>
inline __attribute__((always_inline)) float exp_of(float x) {
  float y;
  V::store(&y, simd::exp<V>(V::set1(x)), 1);
  return y;
}

// A logit of -inf (a banned token) has weight 0: no -inf may meet itself or a 0.
constexpr float kLowest = -3.402823466e38f, kFarBelow = -1e30f;

// Maximum, sum and moment of n <= 64 columns.
template <class V, bool tail, bool moment>
inline __attribute__((always_inline)) LogSum panel_of(const float* x, int n) {
  constexpr int w = V::width, vectors = kLogPanel / w;
  typename V::f32 v[vectors];
  int lanes[vectors];
  for (int i = 0; i < vectors; i++) {
    if constexpr (tail) {
      lanes[i] = n - i * w < 0 ? 0 : n - i * w > w ? w : n - i * w;
      v[i] = V::select(lanes[i], V::load(x + i * w, lanes[i]), V::set1(-__builtin_inff()));
    } else {
      v[i] = V::load(x + i * w);
    }
  }
  auto most = v[0];
  for (int i = 1; i < vectors; i++) most = V::max(most, v[i]);
  const float max = V::max_lane(V::max(V::set1(kLowest), most));
  auto sum = V::zero(), first = V::zero();
  for (int i = 0; i < vectors; i++) {
    auto d = V::max(V::set1(kFarBelow), V::sub(v[i], V::set1(max)));
    auto e = simd::exp<V>(d);
    if constexpr (tail) {
      d = V::select(lanes[i], d, V::zero());
      e = V::select(lanes[i], e, V::zero());
    }
    sum = V::add(sum, e);
    if constexpr (moment) first = V::fma(e, d, first);
  }
  return {max, V::sum(sum), moment ? V::sum(first) : 0.0f};
}

// The panels are combined 64 at a time (4096 columns): the maximum of all, then the sums scaled to it, in order.
template <class V, bool moment>
LogSum log_sum_of(int64_t vocab, const float* logits, float* panel_max) {
  constexpr int group = 64;
  alignas(64) float maxima[group], sums[group], moments[group];
  LogSum all{kLowest, 0.0f, 0.0f};
  for (int64_t start = 0; start < vocab; start += group * kLogPanel) {
    const float* x = logits + start;
    const int64_t columns = vocab - start < group * kLogPanel ? vocab - start : group * kLogPanel;
    const int full = static_cast<int>(columns / kLogPanel), rest = static_cast<int>(columns % kLogPanel);
    for (int p = 0; p < group; p++) {
      // Past the end: panels without weight.
      const LogSum panel = p < full                ? panel_of<V, false, moment>(x + p * kLogPanel, kLogPanel)
                           : p == full && rest > 0 ? panel_of<V, true, moment>(x + p * kLogPanel, rest)
                                                   : LogSum{maxima[0], 0.0f, 0.0f};
      maxima[p] = panel.max;
      sums[p] = panel.sum;
      moments[p] = panel.moment;
    }
    if (panel_max != nullptr) {
      for (int p = 0; p < full + (rest > 0); p++) panel_max[start / kLogPanel + p] = maxima[p];
    }
    auto most = V::set1(all.max);
    for (int i = 0; i < group; i += V::width) most = V::max(most, V::load(maxima + i));
    const float max = V::max_lane(most);
    auto sum = V::zero(), first = V::zero();
    for (int i = 0; i < group; i += V::width) {
      const auto d = V::max(V::set1(kFarBelow), V::sub(V::load(maxima + i), V::set1(max)));
      const auto e = simd::exp<V>(d);
      const auto s = V::load(sums + i);
      sum = V::fma(e, s, sum);
      if constexpr (moment) first = V::fma(e, V::fma(d, s, V::load(moments + i)), first);
    }
    const float d = all.max - max < kFarBelow ? kFarBelow : all.max - max, e = exp_of<V>(d);
    if constexpr (moment) all.moment = e * (d * all.sum + all.moment) + V::sum(first);
    all.sum = e * all.sum + V::sum(sum);
    all.max = max;
  }
  return all;
}

template <class V>
LogSum log_sum(int64_t vocab, const float* logits, bool moment, float* panel_max) {
  return moment ? log_sum_of<V, true>(vocab, logits, panel_max) : log_sum_of<V, false>(vocab, logits, panel_max);
}

template <class V>
void temper(int64_t n, const float* logits, float max, float temperature, float* weights, float* panel_sum) {
  // exp ends at e^-87.3; what lies below weighs nothing.
  const auto least = simd::exp<V>(V::set1(-1000.0f));
  for (int64_t start = 0; start < n; start += kLogPanel) {
    const int64_t end = start + kLogPanel < n ? start + kLogPanel : n;
    each_vector<V>(start, end, [&](int64_t j, auto lanes) {
      const auto e = simd::exp<V>(V::div(V::sub(load<V>(logits + j, lanes), V::set1(max)), V::set1(temperature)));
      store<V>(weights + j, V::sub(e, least), lanes);
    });
    auto sum = V::zero();
    each_vector<V>(start, end, [&](int64_t j, auto lanes) { sum = V::add(sum, load<V>(weights + j, lanes)); });
    panel_sum[start / kLogPanel] = V::sum(sum);
  }
}

template <class V, class T>
void log_softmax_backward(const float* logits, int32_t target, float lse, float entropy, float d_log_prob,
                          float d_entropy, int64_t column, int64_t columns, void* d_logits) {
  T* out = static_cast<T*>(d_logits) - column;
  // -p (d_log_prob + d_entropy (log p + entropy)), and d_log_prob more at the target.
  const auto slope = [&](int64_t j, auto lanes) {
    const auto log_p = V::sub(load<V>(logits + j, lanes), V::set1(lse));
    const auto p = simd::exp<V>(log_p);
    const auto g = V::fma(V::set1(d_entropy), V::add(log_p, V::set1(entropy)), V::set1(d_log_prob));
    return V::sub(V::zero(), V::mul(p, g));
  };
  each_vector<V>(column, column + columns, [&](int64_t j, auto lanes) { store<V>(out + j, slope(j, lanes), lanes); });
  if (target >= column && target < column + columns) {
    store<V>(out + target, V::add(V::set1(d_log_prob), slope(target, 1)), 1);
  }
}

}  // namespace srcode::cpu
