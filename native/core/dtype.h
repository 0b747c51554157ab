#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace srcode {

enum class Dtype : uint8_t { f32, bf16 };

inline size_t size_of(Dtype type) { return type == Dtype::f32 ? 4 : 2; }
inline const char* name_of(Dtype type) { return type == Dtype::f32 ? "f32" : "bf16"; }

// The upper half of an f32. A plain integer inside, so that arrays of it can be read from files and handed to SIMD
// code.
struct bf16 {
  uint16_t bits;
};

inline float to_float(bf16 x) {
  uint32_t bits = uint32_t{x.bits} << 16;
  float y;
  std::memcpy(&y, &bits, 4);
  return y;
}
inline float to_float(float x) { return x; }

// Round to nearest, ties to even; NaN stays a (quiet) NaN.
inline bf16 to_bf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  if ((bits & 0x7fffffff) > 0x7f800000) return {static_cast<uint16_t>(bits >> 16 | 0x40)};
  return {static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

}  // namespace srcode
