#pragma once
#include <cstdint>

#include "backend/cpu/simd/vec_avx512.h"

namespace srcode::simd {
namespace {

// The tile registers. A tile is up to 16 rows of 64 bytes. Contract: gemm/tiles.h. In assembly, because g++ 12's
// intrinsics paste a tile's number as text, so that it cannot be a template's argument, and tell the compiler that a
// configuration is 8 bytes long, so that it may leave out the rest.
struct HardwareTiles {
  void configure(const int (&rows)[8]) {
    struct alignas(64) {
      uint8_t palette, start_row, reserved[14];
      uint16_t row_bytes[16];
      uint8_t rows[16];
    } config = {};
    config.palette = 1;
    for (int i = 0; i < 8; i++) {
      config.row_bytes[i] = 64;
      config.rows[i] = static_cast<uint8_t>(rows[i]);
    }
    __asm__ volatile("ldtilecfg %0" ::"m"(config));
  }
  // Written in assembly: g++ 12's intrinsics paste the tile's number as text, so that it cannot be a template's
  // argument.
  template <int t>
  void zero() {
    __asm__ volatile("tilezero %%tmm%c0" ::"i"(t));
  }
  template <int t>
  void load(const void* from, int64_t stride) {
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(t) : "memory");
  }
  template <int t>
  void store(void* to, int64_t stride) {
    __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(t) : "memory");
  }
  // c += a b
  template <int c, int a, int b>
  void dot() {
    __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(c), "i"(a), "i"(b));
  }
  void release() { __asm__ volatile("tilerelease"); }
};

// AVX512_BF16 whose bf16 matrix products go by tiles.
struct Amx : Avx512 {
  using Tiles = HardwareTiles;
};

}  // namespace
}  // namespace srcode::simd
