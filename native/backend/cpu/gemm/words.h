#pragma once
#include <emmintrin.h>
#include <xmmintrin.h>

#include <cstdint>

#include "core/dtype.h"

// Moving 4-byte words (an f32, or two bf16) about. SSE2, which every x86-64 machine has: memory is the limit.
namespace srcode::cpu {

// to[j][i] = from[i][j] for i < rows, j < columns, multiples of 4; strides in words.
inline void transpose_words(const void* from, int64_t from_stride, int64_t rows, int64_t columns, void* to,
                            int64_t to_stride) {
  for (int64_t j = 0; j < columns; j += 4)
    for (int64_t i = 0; i < rows; i += 4) {
      const float* source = static_cast<const float*>(from) + i * from_stride + j;
      float* target = static_cast<float*>(to) + j * to_stride + i;
      __m128 a = _mm_loadu_ps(source), b = _mm_loadu_ps(source + from_stride);
      __m128 c = _mm_loadu_ps(source + 2 * from_stride), d = _mm_loadu_ps(source + 3 * from_stride);
      _MM_TRANSPOSE4_PS(a, b, c, d);
      _mm_storeu_ps(target, a);
      _mm_storeu_ps(target + to_stride, b);
      _mm_storeu_ps(target + 2 * to_stride, c);
      _mm_storeu_ps(target + 3 * to_stride, d);
    }
}

// to = even[0] odd[0] even[1] odd[1] …, n a multiple of 8.
inline void zip(const bf16* even, const bf16* odd, int64_t n, bf16* to) {
  for (int64_t i = 0; i < n; i += 8) {
    const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(even + i));
    const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(odd + i));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 2 * i), _mm_unpacklo_epi16(a, b));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 2 * i + 8), _mm_unpackhi_epi16(a, b));
  }
}

}  // namespace srcode::cpu
