#pragma once
#include "backend/cpu/attention/page_impl.h"
#include "backend/cpu/rows/lanes.h"
#include "backend/cpu/rows/rows.h"
#include "backend/cpu/simd/vec.h"

// FlashAttention's forward pass (Dao et al. 2022) with everything that decides a bit fixed by the position alone: key
// blocks of 64 from the sequence's start; in the last one, a position sees the keys of its strip of 16 and of those
// before, later keys with weight 0.
namespace srcode::cpu {
namespace {

constexpr int64_t kStrip = 16;

// The state of the online softmax, for rows (position, head of the group).
template <class V, class T>
struct Forward {
  int64_t dim, group, rows;
  float scale;
  T* q;          // [rows, dim]
  float* s;      // [rows, 64] scores of one key block
  T* p;          // [rows, 64] e^(scores - running maximum), rounded
  float* o;      // [rows, padded dim] Σ p v
  float* l;      // [rows, V::width] Σ p, not rounded, by lanes
  float* max;    // [rows] running maximum of the scaled scores
  float* next;   // [rows] the same with this key block
  float* alpha;  // [rows] e^(old maximum - new maximum)

  Forward(const Heads& heads, Carver& carver)
      : dim(heads.dim),
        group(heads.heads / heads.kv_heads),
        rows(query_block(heads) * group),
        scale(1.0f / __builtin_sqrtf(static_cast<float>(dim))),
        q(carver.take<T>(rows * dim)),
        s(carver.take<float>(rows * kBlock)),
        p(carver.take<T>(rows * kBlock)),
        o(carver.take<float>(rows * padded16(dim))),
        l(carver.take<float>(rows * V::width)),
        max(carver.take<float>(rows)),
        next(carver.take<float>(rows)),
        alpha(carver.take<float>(rows)) {}

  // Rows [begin, end) see the keys [0, keys) of block `block`; with `diagonal`, the row of position i only the first i
  // + 1 + shift.
  template <bool diagonal>
  void attend(int64_t begin, int64_t end, int64_t block, int64_t keys, int64_t shift, const T* key_panel,
              const T* value_panels) {
    constexpr int w = V::width;
    const int vectors = static_cast<int>(keys / w);
    multiply<V, T>(end - begin, dim, q + begin * dim, dim, key_panel, kBlock, static_cast<int>(keys),
                   s + begin * kBlock, kBlock, false);
    const auto visible = [&](int64_t row, int vector) {
      const int64_t n = row / group + 1 + shift - vector * w;
      return static_cast<int>(n < 0 ? 0 : n > w ? w : n);
    };
    const auto scores = [&](int64_t row, int vector) __attribute__((always_inline)) {
      const auto x = V::load(s + row * kBlock + vector * w);
      if constexpr (diagonal) return V::select(visible(row, vector), x, V::set1(-__builtin_inff()));
      return x;
    };
    // The scale is positive: the largest scaled score is the largest score scaled.
    for (int64_t row = begin; row < end; row++) {
      auto most = scores(row, 0);
      for (int i = 1; i < vectors; i++) most = V::max(most, scores(row, i));
      const float m = V::max_lane(most) * scale;
      next[row] = m > max[row] ? m : max[row];
    }
    each_vector<V>(begin, end, [&](int64_t row, auto lanes) {
      const auto to = load<V>(next + row, lanes);
      store<V>(alpha + row, simd::exp<V>(V::sub(load<V>(max + row, lanes), to)), lanes);
      store<V>(max + row, to, lanes);
    });
    for (int64_t row = begin; row < end; row++) {
      auto sum = V::zero();
      const auto minus_max = V::set1(-max[row]);
      for (int i = 0; i < vectors; i++) {
        auto e = simd::exp<V>(V::fma(V::load(s + row * kBlock + i * w), V::set1(scale), minus_max));
        if constexpr (diagonal) e = V::select(visible(row, i), e, V::zero());
        V::store(p + row * kBlock + i * w, e);
        sum = V::add(sum, e);
      }
      V::store(l + row * w, block == 0 ? sum : V::fma(V::load(l + row * w), V::set1(alpha[row]), sum));
    }
    const int64_t padded = padded16(dim);
    if (block > 0) {
      for (int64_t row = begin; row < end; row++) {
        if (alpha[row] == 1.0f) continue;
        float* to = o + row * padded;
        for (int64_t i = 0; i < padded; i += w) V::store(to + i, V::mul(V::load(to + i), V::set1(alpha[row])));
      }
    }
    for (int64_t column = 0; column < dim; column += 64) {
      const int64_t width = panel_width(padded, column);
      multiply<V, T>(end - begin, keys, p + begin * kBlock, kBlock, value_panels + kBlock * column, width,
                     static_cast<int>(width), o + begin * padded + column, padded, block > 0);
    }
  }
};

template <class V, class T>
int64_t forward_scratch(const Heads& heads) {
  Carver carver{nullptr};
  Forward<V, T>(heads, carver);
  return carver.used;
}

template <class V, class T>
void forward(const Heads& heads, int64_t kv_head, int64_t position, int64_t rows, const void* qkv, void* const* pages,
             void* out_, float* lse, char* scratch) {
  Carver carver{scratch};
  Forward<V, T> state(heads, carver);
  const int64_t dim = heads.dim, group = state.group, first_head = kv_head * group;
  const T* q = static_cast<const T*>(qkv) + first_head * dim;
  for (int64_t i = 0; i < rows; i++)
    std::memcpy(state.q + i * group * dim, q + i * heads.row(), group * dim * sizeof(T));
  for (int64_t row = 0; row < rows * group; row++) state.max[row] = -3.402823466e38f;

  const int64_t last = position / kBlock;
  for (int64_t block = 0; block < last; block++) {
    const T* keys = keys_of<T>(pages[block], heads, kv_head);
    state.template attend<false>(0, rows * group, block, kBlock, 0, keys, keys + key_panel<T>(dim));
  }
  const T* keys = keys_of<T>(pages[last], heads, kv_head);
  const int64_t shift = position - last * kBlock;
  for (int64_t i = 0; i < rows;) {
    const int64_t strip_end = (shift + i) / kStrip * kStrip + kStrip;  // keys, from the block's start
    const int64_t end = strip_end - shift < rows ? strip_end - shift : rows;
    state.template attend<true>(i * group, end * group, last, strip_end, shift, keys, keys + key_panel<T>(dim));
    i = end;
  }

  const int64_t padded = padded16(dim);
  for (int64_t row = 0; row < rows * group; row++) {
    const int64_t i = row / group, head = first_head + row % group;
    const float sum = V::sum(V::load(state.l + row * V::width));
    T* out = static_cast<T*>(out_) + i * heads.q_columns() + head * dim;
    each_vector<V>(0, dim, [&](int64_t k, auto lanes) {
      store<V>(out + k, V::div(load<V>(state.o + row * padded + k, lanes), V::set1(sum)), lanes);
    });
    if (lse != nullptr) lse[i * heads.heads + head] = static_cast<float>(state.max[row] + log_of(sum));
  }
}

}  // namespace
}  // namespace srcode::cpu
