#pragma once
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "backend/cpu/level.h"
#include "core/cpu.h"
#include "core/dtype.h"

// What the tests of CPU kernels share.
namespace srcode::test {

// Numbers of a dtype, read and written as float. Its end is the end of the allocation, so that a sanitizer sees a read
// beyond.
class Array {
 public:
  Array(Dtype type, int64_t n) : type_(type), n_(n), bytes_(new char[n * size_of(type)]()) {}
  Array(Dtype type, const std::vector<float>& values) : Array(type, static_cast<int64_t>(values.size())) {
    for (int64_t i = 0; i < n_; i++) set(i, values[i]);
  }
  Array(const Array& other) : Array(other.type_, other.n_) { std::memcpy(data(), other.data(), byte_size()); }
  Array(Array&&) = default;
  Dtype type() const { return type_; }
  int64_t size() const { return n_; }
  size_t byte_size() const { return n_ * size_of(type_); }
  char* data(int64_t i = 0) { return bytes_.get() + i * size_of(type_); }
  const char* data(int64_t i = 0) const { return bytes_.get() + i * size_of(type_); }
  float operator[](int64_t i) const {
    if (type_ == Dtype::f32) return reinterpret_cast<const float*>(bytes_.get())[i];
    return to_float(reinterpret_cast<const bf16*>(bytes_.get())[i]);
  }
  void set(int64_t i, float x) {
    if (type_ == Dtype::f32)
      reinterpret_cast<float*>(bytes_.get())[i] = x;
    else
      reinterpret_cast<bf16*>(bytes_.get())[i] = to_bf16(x);
  }
  bool operator==(const Array& other) const {  // bit for bit
    return type_ == other.type_ && n_ == other.n_ && std::memcmp(data(), other.data(), byte_size()) == 0;
  }

 private:
  Dtype type_;
  int64_t n_;
  std::unique_ptr<char[]> bytes_;
};

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * 4) == 0);
}

inline std::vector<float> normal(int64_t n, uint64_t seed, float deviation = 1.0f) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<float> law(0.0f, deviation);
  std::vector<float> values(n);
  for (float& x : values) x = law(generator);
  return values;
}
inline Array normal(Dtype type, int64_t n, uint64_t seed, float deviation = 1.0f) {
  return {type, normal(n, seed, deviation)};
}

inline float rounded(Dtype type, double x) {
  const float y = static_cast<float>(x);
  return type == Dtype::f32 ? y : to_float(to_bf16(y));
}

// Relative error of one rounding to the type.
inline double half_ulp(Dtype type) { return type == Dtype::f32 ? 0x1p-24 : 0x1p-8; }

// Counts values further from the reference than one rounding of them plus `slack`, and remembers the first.
struct Distance {
  int64_t bad = 0, first = -1;
  double got = 0, expected = 0, worst = 0;
  void check(int64_t i, Dtype type, double value, double reference, double slack) {
    const double off = std::fabs(value - reference) - half_ulp(type) * std::fabs(reference);
    if (off > worst) worst = off;
    if (off <= slack) return;
    if (bad++ == 0) first = i, got = value, expected = reference;
  }
};
inline std::ostream& operator<<(std::ostream& out, const Distance& d) {
  return out << d.bad << " bad; at " << d.first << " got " << d.got << ", expected " << d.expected;
}

// body(context) for each instruction set of this machine, with `threads` threads.
template <class Body>
void each_isa(int threads, const Body& body) {
  const FlushDenormals flush;
  ThreadPool pool(threads);
  for (const Isa isa : supported_isas()) {
    INFO(std::string(name_of(isa)));
    body(cpu::Context{cpu::level(isa), pool});
  }
}

constexpr Dtype both_types[] = {Dtype::f32, Dtype::bf16};

}  // namespace srcode::test
