#pragma once
// What a vector type V must offer. The CPU kernels are templates over V; level_<isa>.cc instantiates them with the V of
// its instruction set (in an anonymous namespace, so that no wide instruction leaks into baseline code), and the tests
// with ModelVec<W>: the same operations one lane at a time, bit for bit.
//
//   using f32, pairs                     registers: `width` floats; `width` 32-bit lanes of two bf16 (the even k in the
//   low half) width                                lanes block_rows, block_vectors            the GEMM register block:
//   rows × vectors of accumulators zero() set1(float) load(const float*) load(const float*, int n) load(const bf16*)
//   load(const bf16*, int n)     lanes >= n are 0 and not read store(float*, f32) store(float*, f32, int n)
//   store(bf16*, f32) store(bf16*, f32, int n)      bf16: nearest, ties to even add sub mul div sqrt fma(a, b, c) = a·b
//   + c (one rounding, except V = portable: two) min(a, b) max(a, b)                  b where either is NaN round(x)
//   nearest integer, ties to even scale(x, n)                          x · 2^n, n integral in [-126, 127] select(n, a,
//   b)                      lanes < n from a, the others from b sum(f32) max_lane(f32)               to one float, in a
//   fixed tree load_pairs(const bf16*)              width · 2 bf16 set1_pairs(const bf16* two) set1_low(bf16 one)
//   broadcast {two[0], two[1]}, {one, 0} dot(acc, pairs x, pairs w)           acc + x.lo·w.lo + x.hi·w.hi, in the
//   level's own fixed order
namespace srcode::simd {

// e^x; within 2 ulp on [-87, 88]; below -87.3 it stays at e^-87.3 (1e-38), above 88 at e^88; NaN stays NaN.
template <class V>
inline __attribute__((always_inline)) typename V::f32 exp(typename V::f32 x) {
  x = V::min(V::set1(88.0f), V::max(V::set1(-87.33654f), x));
  const auto n = V::round(V::mul(x, V::set1(1.44269504f)));
  // x - n ln 2 in two steps, so that no digit is lost.
  auto r = V::fma(n, V::set1(-0.693359375f), x);
  r = V::fma(n, V::set1(2.12194440e-4f), r);
  auto p = V::set1(1.9875691500e-4f);
  p = V::fma(p, r, V::set1(1.3981999507e-3f));
  p = V::fma(p, r, V::set1(8.3334519073e-3f));
  p = V::fma(p, r, V::set1(4.1665795894e-2f));
  p = V::fma(p, r, V::set1(1.6666665459e-1f));
  p = V::fma(p, r, V::set1(5.0000001201e-1f));
  p = V::fma(p, V::mul(r, r), V::add(r, V::set1(1.0f)));
  return V::scale(p, n);
}

template <class V>
inline __attribute__((always_inline)) typename V::f32 sigmoid(typename V::f32 x) {
  return V::div(V::set1(1.0f), V::add(V::set1(1.0f), exp<V>(V::sub(V::zero(), x))));
}

}  // namespace srcode::simd
