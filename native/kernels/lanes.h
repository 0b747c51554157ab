#pragma once
#include <immintrin.h>

#include <cstdint>
#include <cstring>
#include <utility>

#define SRCODE_INLINE inline __attribute__((always_inline))

namespace srcode {
namespace {  // included by one translation unit for each instruction set: no two may share a symbol

// W f32 worked on at once, in the compiler's vector extension: 4 in a register of every x86-64, 8 with AVX2, 16 with
// AVX-512.
template <int W>
struct LanesOf {
  typedef float Floats __attribute__((vector_size(W * 4)));
  typedef int32_t Bits __attribute__((vector_size(W * 4)));
  typedef double HalfDoubles __attribute__((vector_size(W * 4)));
};
template <int W>
using Lanes = typename LanesOf<W>::Floats;
template <int W>
using LaneBits = typename LanesOf<W>::Bits;  // what a comparison of Lanes gives: 0 or -1

template <int W>
SRCODE_INLINE Lanes<W> load(const float* from) {
  Lanes<W> x;
  std::memcpy(&x, from, sizeof x);
  return x;
}
template <int W>
SRCODE_INLINE void store(float* to, Lanes<W> x) {
  std::memcpy(to, &x, sizeof x);
}
// The first n lanes only; the others read as 0.
template <int W>
SRCODE_INLINE Lanes<W> load(const float* from, int64_t n) {
  if (n >= W) return load<W>(from);
  Lanes<W> x{};
  std::memcpy(&x, from, n * sizeof(float));
  return x;
}
template <int W>
SRCODE_INLINE void store(float* to, Lanes<W> x, int64_t n) {
  if (n >= W) return store<W>(to, x);
  std::memcpy(to, &x, n * sizeof(float));
}

template <int W>
SRCODE_INLINE Lanes<W> splat(float x) {
  return x - Lanes<W>{};
}
// The compiler makes a comparison and a blend of a ? :, where the processor has an instruction.
template <int W>
SRCODE_INLINE Lanes<W> min(Lanes<W> a, Lanes<W> b) {
  if constexpr (W == 4) return _mm_min_ps(a, b);
#ifdef __AVX2__
  if constexpr (W == 8) return _mm256_min_ps(a, b);
#endif
#ifdef __AVX512F__
  if constexpr (W == 16) return _mm512_min_ps(a, b);
#endif
}
template <int W>
SRCODE_INLINE Lanes<W> max(Lanes<W> a, Lanes<W> b) {
  if constexpr (W == 4) return _mm_max_ps(a, b);
#ifdef __AVX2__
  if constexpr (W == 8) return _mm256_max_ps(a, b);
#endif
#ifdef __AVX512F__
  if constexpr (W == 16) return _mm512_max_ps(a, b);
#endif
}
// a b + c, in one rounding from AVX2 on.
template <int W>
SRCODE_INLINE Lanes<W> fma(Lanes<W> a, Lanes<W> b, Lanes<W> c) {
  if constexpr (W == 4) return a * b + c;
#ifdef __AVX2__
  if constexpr (W == 8) return _mm256_fmadd_ps(a, b, c);
#endif
#ifdef __AVX512F__
  if constexpr (W == 16) return _mm512_fmadd_ps(a, b, c);
#endif
}

template <int W, int N, int... I>
SRCODE_INLINE Lanes<W> slide(Lanes<W> a, Lanes<W> b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, (N + I)...);
}
// The window of W lanes that begins N lanes into a, b.
template <int W, int N>
SRCODE_INLINE Lanes<W> slide(Lanes<W> a, Lanes<W> b) {
  return slide<W, N>(a, b, std::make_integer_sequence<int, W>());
}
template <int W, int... I>
SRCODE_INLINE Lanes<W> first(Lanes<W> x, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(x, x, (I * 0)...);
}
// The first lane in all.
template <int W>
SRCODE_INLINE Lanes<W> first(Lanes<W> x) {
  return first<W>(x, std::make_integer_sequence<int, W>());
}

// Calls body(i, n) for groups of n <= W of [begin, end); n is the constant W for all but the last.
template <int W, class Body>
SRCODE_INLINE void each_group(int64_t begin, int64_t end, const Body& body) {
  int64_t i = begin;
  for (; i + W <= end; i += W) body(i, W);
  if (i < end) body(i, end - i);
}

// Sums of f32 in double, lane by lane, added up in one fixed order.
template <int W>
struct DoubleSum {
  using Doubles = typename LanesOf<W>::HalfDoubles;
  Doubles low = {}, high = {};

  SRCODE_INLINE void add(Lanes<W> x) {  // the compiler would widen in pieces
    if constexpr (W == 4) {
      low += _mm_cvtps_pd(x);
      high += _mm_cvtps_pd(_mm_movehl_ps(x, x));
    }
#ifdef __AVX2__
    if constexpr (W == 8) {
      low += _mm256_cvtps_pd(_mm256_castps256_ps128(x));
      high += _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1));
    }
#endif
#ifdef __AVX512F__
    if constexpr (W == 16) {
      low += _mm512_cvtps_pd(_mm512_castps512_ps256(x));
      high += _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1));
    }
#endif
  }
  double total() const {
    const Doubles both = low + high;
    double sum = 0;
    for (int i = 0; i < W / 2; ++i) sum += both[i];
    return sum;
  }
};

}  // namespace
}  // namespace srcode
