#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/dtype.h"

// Scalar models of the vector types, bit for bit: the tests hold the hardware levels against them, and run on them what
// the machine at hand lacks. Contract: vec.h.
namespace srcode::simd {

// Below the smallest normal number counts as zero, the sign kept.
inline float flush(float x) { return std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x; }

// W lanes. Fused: fma rounds once. Native: the AVX512_BF16 instructions, which flush denormals whatever MXCSR says.
template <int W, bool Fused = true, bool Native = false>
struct ModelVec {
  struct f32 {
    float lane[W];
  };
  struct pairs {
    bf16 lane[W][2];
  };
  static constexpr int width = W;
  static constexpr int block_rows = 4, block_vectors = W >= 16 ? 1 : 2;

  template <class F>
  static f32 each(F f) {
    f32 y;
    for (int i = 0; i < W; i++) y.lane[i] = f(i);
    return y;
  }
  static f32 zero() { return set1(0.0f); }
  static f32 set1(float x) {
    return each([&](int) { return x; });
  }
  template <class T>
  static f32 load(const T* p, int n = W) {
    return each([&](int i) { return i < n ? to_float(p[i]) : 0.0f; });
  }
  static void store(float* p, f32 x, int n = W) { std::memcpy(p, x.lane, n * sizeof(float)); }
  static void store(bf16* p, f32 x, int n = W) {
    for (int i = 0; i < n; i++) p[i] = to_bf16(Native ? flush(x.lane[i]) : x.lane[i]);
  }

  static float fma(float a, float b, float c) { return Fused ? std::fma(a, b, c) : a * b + c; }
  static f32 add(f32 a, f32 b) {
    return each([&](int i) { return a.lane[i] + b.lane[i]; });
  }
  static f32 sub(f32 a, f32 b) {
    return each([&](int i) { return a.lane[i] - b.lane[i]; });
  }
  static f32 mul(f32 a, f32 b) {
    return each([&](int i) { return a.lane[i] * b.lane[i]; });
  }
  static f32 div(f32 a, f32 b) {
    return each([&](int i) { return a.lane[i] / b.lane[i]; });
  }
  static f32 min(f32 a, f32 b) {
    return each([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  static f32 max(f32 a, f32 b) {
    return each([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  static f32 sqrt(f32 a) {
    return each([&](int i) { return std::sqrt(a.lane[i]); });
  }
  static f32 fma(f32 a, f32 b, f32 c) {
    return each([&](int i) { return fma(a.lane[i], b.lane[i], c.lane[i]); });
  }
  static f32 round(f32 x) {
    return each([&](int i) { return std::nearbyint(x.lane[i]); });
  }
  static f32 scale(f32 x, f32 n) {
    return each([&](int i) { return x.lane[i] * std::ldexp(1.0f, static_cast<int>(n.lane[i])); });
  }
  static f32 select(int n, f32 a, f32 b) {
    return each([&](int i) { return i < n ? a.lane[i] : b.lane[i]; });
  }
  // The tree: lane i + lane i + W/2, then halves of halves.
  static float sum(f32 x) {
    for (int half = W / 2; half > 0; half /= 2)
      for (int i = 0; i < half; i++) x.lane[i] += x.lane[i + half];
    return x.lane[0];
  }
  static float max_lane(f32 x) {
    for (int half = W / 2; half > 0; half /= 2)
      for (int i = 0; i < half; i++) x.lane[i] = x.lane[i] > x.lane[i + half] ? x.lane[i] : x.lane[i + half];
    return x.lane[0];
  }

  static pairs load_pairs(const bf16* p) {
    pairs y;
    std::memcpy(&y, p, sizeof y);
    return y;
  }
  static pairs set1_pairs(const bf16* p) {
    pairs y;
    for (int i = 0; i < W; i++) y.lane[i][0] = p[0], y.lane[i][1] = p[1];
    return y;
  }
  static pairs set1_low(bf16 x) {
    const bf16 two[2] = {x, {0}};
    return set1_pairs(two);
  }
  // VDPBF16PS: the odd product first, then the even one, each a fused multiply-add to nearest with operands and result
  // flushed (Intel's manual; AMD's processors agree in every bit). The other levels: even, then odd.
  static f32 dot(f32 acc, pairs x, pairs w) {
    return each([&](int i) {
      const float x0 = to_float(x.lane[i][0]), x1 = to_float(x.lane[i][1]);
      const float w0 = to_float(w.lane[i][0]), w1 = to_float(w.lane[i][1]);
      if (!Native) return fma(x1, w1, fma(x0, w0, acc.lane[i]));
      const float sum = flush(std::fma(flush(x1), flush(w1), flush(acc.lane[i])));
      return flush(std::fma(flush(x0), flush(w0), sum));
    });
  }
};

// TDPBF16PS (Intel's manual, volume 2): for each output the even and the odd products of a tile's 16 pairs are two
// chains of fused multiply-adds from zero; their sum is added to the accumulator. Denormals are flushed everywhere.
class ModelTiles {
 public:
  void configure(const int (&rows)[8]) {
    std::memset(tile_, 0, sizeof tile_);
    for (int t = 0; t < 8; t++) rows_[t] = rows[t];
  }
  template <int t>
  void zero() {
    std::memset(tile_[t], 0, sizeof tile_[t]);
  }
  template <int t>
  void load(const void* from, int64_t stride) {
    zero<t>();
    for (int i = 0; i < rows_[t]; i++) std::memcpy(tile_[t][i], static_cast<const char*>(from) + i * stride, 64);
  }
  template <int t>
  void store(void* to, int64_t stride) {
    for (int i = 0; i < rows_[t]; i++) std::memcpy(static_cast<char*>(to) + i * stride, tile_[t][i], 64);
  }
  template <int c, int a, int b>
  void dot() {
    for (int i = 0; i < rows_[c]; i++)
      for (int j = 0; j < 16; j++) {
        float chain[2] = {0, 0};
        for (int k = 0; k < 16; k++)
          for (int odd = 0; odd < 2; odd++)
            chain[odd] = flush(std::fma(half<a>(i, 2 * k + odd), half<b>(k, 2 * j + odd), chain[odd]));
        float acc;
        std::memcpy(&acc, tile_[c][i] + 4 * j, 4);
        acc = flush(flush(acc) + flush(chain[0] + chain[1]));
        std::memcpy(tile_[c][i] + 4 * j, &acc, 4);
      }
  }
  void release() {}

 private:
  template <int t>
  float half(int row, int column) const {
    bf16 x;
    std::memcpy(&x, tile_[t][row] + 2 * column, 2);
    return flush(to_float(x));
  }

  int rows_[8] = {};
  unsigned char tile_[8][16][64] = {};
};

struct ModelAmx : ModelVec<16, true, true> {
  using Tiles = ModelTiles;
};

}  // namespace srcode::simd
