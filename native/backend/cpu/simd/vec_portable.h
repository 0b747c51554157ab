#pragma once
#include <emmintrin.h>

#include <cstdint>

#include "core/dtype.h"

namespace srcode::simd {
namespace {

// SSE2, which every x86-64 machine has. There is no FMA: fma rounds twice. Contract: vec.h.
struct Portable {
  using f32 = __m128;
  using pairs = __m128i;
  static constexpr int width = 4;
  static constexpr int block_rows = 4, block_vectors = 2;

  static f32 zero() { return _mm_setzero_ps(); }
  static f32 set1(float x) { return _mm_set1_ps(x); }
  static f32 load(const float* p) { return _mm_loadu_ps(p); }
  static f32 load(const float* p, int n) {
    alignas(16) float padded[4] = {};
    for (int i = 0; i < n; i++) padded[i] = p[i];
    return _mm_load_ps(padded);
  }
  static void store(float* p, f32 x) { _mm_storeu_ps(p, x); }
  static void store(float* p, f32 x, int n) {
    alignas(16) float padded[4];
    _mm_store_ps(padded, x);
    for (int i = 0; i < n; i++) p[i] = padded[i];
  }

  static f32 load(const bf16* p) {
    const __m128i x = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), x));
  }
  static f32 load(const bf16* p, int n) {
    alignas(8) bf16 padded[4] = {};
    for (int i = 0; i < n; i++) padded[i] = p[i];
    return load(padded);
  }
  static void store(bf16* p, f32 x) { store(p, x, 4); }
  static void store(bf16* p, f32 x, int n) {
    alignas(16) float padded[4];
    _mm_store_ps(padded, x);
    for (int i = 0; i < n; i++) p[i] = to_bf16(padded[i]);
  }

  static f32 add(f32 a, f32 b) { return _mm_add_ps(a, b); }
  static f32 sub(f32 a, f32 b) { return _mm_sub_ps(a, b); }
  static f32 mul(f32 a, f32 b) { return _mm_mul_ps(a, b); }
  static f32 div(f32 a, f32 b) { return _mm_div_ps(a, b); }
  static f32 min(f32 a, f32 b) { return _mm_min_ps(a, b); }
  static f32 max(f32 a, f32 b) { return _mm_max_ps(a, b); }
  static f32 sqrt(f32 a) { return _mm_sqrt_ps(a); }
  static f32 fma(f32 a, f32 b, f32 c) { return _mm_add_ps(_mm_mul_ps(a, b), c); }
  static f32 round(f32 x) { return _mm_cvtepi32_ps(_mm_cvtps_epi32(x)); }  // |x| < 2^31, as exp needs
  static f32 scale(f32 x, f32 n) {
    const __m128i exponent = _mm_slli_epi32(_mm_add_epi32(_mm_cvtps_epi32(n), _mm_set1_epi32(127)), 23);
    return _mm_mul_ps(x, _mm_castsi128_ps(exponent));
  }
  static f32 select(int n, f32 a, f32 b) {
    const __m128i mask = _mm_cmpgt_epi32(_mm_set1_epi32(n), _mm_setr_epi32(0, 1, 2, 3));
    return _mm_or_ps(_mm_and_ps(_mm_castsi128_ps(mask), a), _mm_andnot_ps(_mm_castsi128_ps(mask), b));
  }
  static float sum(f32 x) {
    x = _mm_add_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_add_ss(x, _mm_shuffle_ps(x, x, 1)));
  }
  static float max_lane(f32 x) {
    x = _mm_max_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_max_ss(x, _mm_shuffle_ps(x, x, 1)));
  }

  static pairs load_pairs(const bf16* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
  static pairs set1_pairs(const bf16* p) {
    int32_t both;
    __builtin_memcpy(&both, p, 4);
    return _mm_set1_epi32(both);
  }
  static pairs set1_low(bf16 x) { return _mm_set1_epi32(x.bits); }
  static f32 dot(f32 acc, pairs x, pairs w) {
    const __m128i high = _mm_set1_epi32(static_cast<int>(0xffff0000));
    acc = fma(_mm_castsi128_ps(_mm_slli_epi32(x, 16)), _mm_castsi128_ps(_mm_slli_epi32(w, 16)), acc);
    return fma(_mm_castsi128_ps(_mm_and_si128(x, high)), _mm_castsi128_ps(_mm_and_si128(w, high)), acc);
  }
};

}  // namespace
}  // namespace srcode::simd
