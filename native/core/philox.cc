#include "core/philox.h"

#include <bit>
#include <cmath>

namespace srcode {
namespace {

// ln x for normal x > 0, to about 1e-15: x = m·2^e with m in [√½, √2), and ln m = 2 atanh s for s = (m-1)/(m+1), |s| <
// 0.172.
double log_exact(double x) {
  constexpr uint64_t sqrt_half = 0x3FE6A09E667F3BCD, exponent_mask = 0xFFF0000000000000;
  const uint64_t bits = std::bit_cast<uint64_t>(x), shift = (bits - sqrt_half) & exponent_mask;
  const double m = std::bit_cast<double>(bits - shift);
  const double e = static_cast<double>(static_cast<int64_t>(shift) >> 52);
  const double s = (m - 1) / (m + 1), s2 = s * s;
  double sum = 0;
  for (int k = 21; k >= 1; k -= 2) sum = sum * s2 + 1.0 / k;
  return e * 0.69314718055994530942 + 2 * s * sum;
}

struct Direction {
  double cosine, sine;
};

// cos and sin of u turns, u in [0, 1): Taylor series within an eighth of a turn of the nearest quarter.
Direction turn(double u) {
  const int quarter = static_cast<int>(4 * u + 0.5);
  const double x = (4 * u - quarter) * 1.57079632679489661923, x2 = x * x;
  double c = 1, s = 1;
  for (int k = 18; k >= 2; k -= 2) {
    c = 1 - c * x2 * (1.0 / (k * (k - 1)));
    s = 1 - s * x2 * (1.0 / (k * (k + 1)));
  }
  s *= x;
  switch (quarter & 3) {
    case 0:
      return {c, s};
    case 1:
      return {-s, c};
    case 2:
      return {-c, -s};
    default:
      return {s, -c};
  }
}

// Keeps these draws apart from those of `draw` under the same seed.
constexpr uint64_t kNormalDomain = 0x6E6F726D616C0000;

}  // namespace

void fill_normal(float* out, int64_t n, float sd, uint64_t seed, uint64_t stream, int64_t first) {
  for (int64_t i = 0; i < n;) {
    const uint64_t index = static_cast<uint64_t>(first + i), block = index / 4;
    const uint32x4 word =
        draw(seed ^ kNormalDomain, stream, static_cast<uint32_t>(block >> 32), static_cast<uint32_t>(block));
    double z[4];
    for (int pair = 0; pair < 4; pair += 2) {
      const double radius = std::sqrt(-2 * log_exact((word[pair] + 1.0) * 0x1p-32));  // of a number in (0, 1]
      const Direction d = turn(word[pair + 1] * 0x1p-32);
      z[pair] = radius * d.cosine;
      z[pair + 1] = radius * d.sine;
    }
    for (uint64_t lane = index % 4; lane < 4 && i < n; ++lane, ++i) out[i] = static_cast<float>(sd * z[lane]);
  }
}

}  // namespace srcode
