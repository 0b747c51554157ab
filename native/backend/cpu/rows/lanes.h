#pragma once
#include <cstdint>

// Loops over a row by vectors. The last, partial vector goes through the same formula with the lanes past the end zero
// and not stored, so a lane's result does not depend on where the row ends. Only level_<isa>.cc includes this.
namespace srcode::cpu {

// All lanes of a vector; an int in its place is the number of lanes in use.
template <class V>
struct Full {};

template <class V, class T>
inline __attribute__((always_inline)) typename V::f32 load(const T* p, Full<V>) {
  return V::load(p);
}
template <class V, class T>
inline __attribute__((always_inline)) typename V::f32 load(const T* p, int n) {
  return V::load(p, n);
}
template <class V, class T>
inline __attribute__((always_inline)) void store(T* p, typename V::f32 x, Full<V>) {
  V::store(p, x);
}
template <class V, class T>
inline __attribute__((always_inline)) void store(T* p, typename V::f32 x, int n) {
  V::store(p, x, n);
}

// body(i, lanes) for each vector of [begin, end).
template <class V, class Body>
inline __attribute__((always_inline)) void each_vector(int64_t begin, int64_t end, const Body& body) {
  int64_t i = begin;
  for (; i + V::width <= end; i += V::width) body(i, Full<V>{});
  if (i < end) body(i, static_cast<int>(end - i));
}

// The sum of [0, n) that add(sum, i, lanes) -> sum builds up: four interleaved sums (an addition takes four cycles),
// then a tree.
template <class V, class Add>
inline __attribute__((always_inline)) float reduce(int64_t n, const Add& add) {
  constexpr int w = V::width;
  auto a = V::zero(), b = V::zero(), c = V::zero(), d = V::zero();
  int64_t i = 0;
  for (; i + 4 * w <= n; i += 4 * w) {
    a = add(a, i, Full<V>{});
    b = add(b, i + w, Full<V>{});
    c = add(c, i + 2 * w, Full<V>{});
    d = add(d, i + 3 * w, Full<V>{});
  }
  for (; i + w <= n; i += w) a = add(a, i, Full<V>{});
  if (i < n) a = add(a, i, static_cast<int>(n - i));
  return V::sum(V::add(V::add(a, b), V::add(c, d)));
}

}  // namespace srcode::cpu
