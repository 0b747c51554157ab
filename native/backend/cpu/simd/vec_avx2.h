#pragma once
#include <immintrin.h>

#include <cstdint>

#include "core/dtype.h"

namespace srcode::simd {
namespace {

// AVX2 + FMA. Contract: vec.h.
struct Avx2 {
  using f32 = __m256;
  using pairs = __m256i;
  static constexpr int width = 8;
  static constexpr int block_rows = 6, block_vectors = 2;

  static __m256i lanes(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static f32 zero() { return _mm256_setzero_ps(); }
  static f32 set1(float x) { return _mm256_set1_ps(x); }
  static f32 load(const float* p) { return _mm256_loadu_ps(p); }
  static f32 load(const float* p, int n) { return _mm256_maskload_ps(p, lanes(n)); }
  static void store(float* p, f32 x) { _mm256_storeu_ps(p, x); }
  static void store(float* p, f32 x, int n) { _mm256_maskstore_ps(p, lanes(n), x); }

  static f32 widen(__m128i x) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16)); }
  static __m128i narrow(f32 x) {
    const __m256i bits = _mm256_castps_si256(x);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded =
        _mm256_srli_epi32(_mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
    const __m256i quiet = _mm256_or_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(0x40));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    const __m256i halves = _mm256_blendv_epi8(rounded, quiet, nan);
    return _mm_packus_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
  }
  static f32 load(const bf16* p) { return widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
  static f32 load(const bf16* p, int n) {
    alignas(16) bf16 padded[8] = {};
    for (int i = 0; i < n; i++) padded[i] = p[i];
    return load(padded);
  }
  static void store(bf16* p, f32 x) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), narrow(x)); }
  static void store(bf16* p, f32 x, int n) {
    alignas(16) bf16 padded[8];
    store(padded, x);
    for (int i = 0; i < n; i++) p[i] = padded[i];
  }

  static f32 add(f32 a, f32 b) { return _mm256_add_ps(a, b); }
  static f32 sub(f32 a, f32 b) { return _mm256_sub_ps(a, b); }
  static f32 mul(f32 a, f32 b) { return _mm256_mul_ps(a, b); }
  static f32 div(f32 a, f32 b) { return _mm256_div_ps(a, b); }
  static f32 min(f32 a, f32 b) { return _mm256_min_ps(a, b); }
  static f32 max(f32 a, f32 b) { return _mm256_max_ps(a, b); }
  static f32 sqrt(f32 a) { return _mm256_sqrt_ps(a); }
  static f32 fma(f32 a, f32 b, f32 c) { return _mm256_fmadd_ps(a, b, c); }
  static f32 round(f32 x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static f32 scale(f32 x, f32 n) {
    const __m256i exponent = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    return _mm256_mul_ps(x, _mm256_castsi256_ps(exponent));
  }
  static f32 select(int n, f32 a, f32 b) { return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(lanes(n))); }
  static float sum(f32 x) {
    __m128 a = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    a = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
  }
  static float max_lane(f32 x) {
    __m128 a = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    a = _mm_max_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)));
  }

  static pairs load_pairs(const bf16* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static pairs set1_pairs(const bf16* p) {
    int32_t both;
    __builtin_memcpy(&both, p, 4);
    return _mm256_set1_epi32(both);
  }
  static pairs set1_low(bf16 x) { return _mm256_set1_epi32(x.bits); }
  static f32 dot(f32 acc, pairs x, pairs w) {
    const __m256i high = _mm256_set1_epi32(static_cast<int>(0xffff0000));
    acc = _mm256_fmadd_ps(_mm256_castsi256_ps(_mm256_slli_epi32(x, 16)), _mm256_castsi256_ps(_mm256_slli_epi32(w, 16)),
                          acc);
    return _mm256_fmadd_ps(_mm256_castsi256_ps(_mm256_and_si256(x, high)),
                           _mm256_castsi256_ps(_mm256_and_si256(w, high)), acc);
  }
};

}  // namespace
}  // namespace srcode::simd
