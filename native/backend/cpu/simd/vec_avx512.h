#pragma once
#include <immintrin.h>

#include <cstdint>

#include "core/dtype.h"

namespace srcode::simd {
namespace {

// AVX-512 F/BW/VL/DQ; with -mavx512bf16 the pair product and the rounding are single instructions. Contract: vec.h.
struct Avx512 {
  using f32 = __m512;
  using pairs = __m512i;
  static constexpr int width = 16;
  static constexpr int block_rows = 6, block_vectors = 4;

  static __mmask16 lanes(int n) { return static_cast<__mmask16>((1u << n) - 1); }
  static f32 zero() { return _mm512_setzero_ps(); }
  static f32 set1(float x) { return _mm512_set1_ps(x); }
  static f32 load(const float* p) { return _mm512_loadu_ps(p); }
  static f32 load(const float* p, int n) { return _mm512_maskz_loadu_ps(lanes(n), p); }
  static void store(float* p, f32 x) { _mm512_storeu_ps(p, x); }
  static void store(float* p, f32 x, int n) { _mm512_mask_storeu_ps(p, lanes(n), x); }

  static f32 widen(__m256i x) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16)); }
  static __m256i narrow(f32 x) {
#ifdef __AVX512BF16__
    return (__m256i)_mm512_cvtneps_pbh(x);
#else
    const __m512i bits = _mm512_castps_si512(x);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded =
        _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16);
    const __m512i quiet = _mm512_or_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(0x40));
    const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    return _mm512_cvtepi32_epi16(_mm512_mask_blend_epi32(nan, rounded, quiet));
#endif
  }
  static f32 load(const bf16* p) { return widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
  static f32 load(const bf16* p, int n) { return widen(_mm256_maskz_loadu_epi16(lanes(n), p)); }
  static void store(bf16* p, f32 x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrow(x)); }
  static void store(bf16* p, f32 x, int n) { _mm256_mask_storeu_epi16(p, lanes(n), narrow(x)); }

  static f32 add(f32 a, f32 b) { return _mm512_add_ps(a, b); }
  static f32 sub(f32 a, f32 b) { return _mm512_sub_ps(a, b); }
  static f32 mul(f32 a, f32 b) { return _mm512_mul_ps(a, b); }
  static f32 div(f32 a, f32 b) { return _mm512_div_ps(a, b); }
  static f32 min(f32 a, f32 b) { return _mm512_min_ps(a, b); }
  static f32 max(f32 a, f32 b) { return _mm512_max_ps(a, b); }
  static f32 sqrt(f32 a) { return _mm512_sqrt_ps(a); }
  static f32 fma(f32 a, f32 b, f32 c) { return _mm512_fmadd_ps(a, b, c); }
  static f32 round(f32 x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static f32 scale(f32 x, f32 n) {
    const __m512i exponent = _mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23);
    return _mm512_mul_ps(x, _mm512_castsi512_ps(exponent));
  }
  static f32 select(int n, f32 a, f32 b) { return _mm512_mask_blend_ps(lanes(n), b, a); }
  // The tree: lane i + lane i+8, then +4, +2, +1.
  static float sum(f32 x) {
    const __m256 a = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
  }
  static float max_lane(f32 x) {
    const __m256 a = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_max_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_max_ss(b, _mm_movehdup_ps(b)));
  }

  static pairs load_pairs(const bf16* p) { return _mm512_loadu_si512(p); }
  static pairs set1_pairs(const bf16* p) {
    int32_t both;
    __builtin_memcpy(&both, p, 4);
    return _mm512_set1_epi32(both);
  }
  static pairs set1_low(bf16 x) { return _mm512_set1_epi32(x.bits); }
  static f32 dot(f32 acc, pairs x, pairs w) {
#ifdef __AVX512BF16__
    return _mm512_dpbf16_ps(acc, (__m512bh)x, (__m512bh)w);
#else
    const __m512i high = _mm512_set1_epi32(static_cast<int>(0xffff0000));
    acc = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_slli_epi32(x, 16)), _mm512_castsi512_ps(_mm512_slli_epi32(w, 16)),
                          acc);
    return _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_and_si512(x, high)),
                           _mm512_castsi512_ps(_mm512_and_si512(w, high)), acc);
#endif
  }
};

}  // namespace
}  // namespace srcode::simd
