#include "core/philox.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

using namespace srcode;

// kat_vectors of Random123 1.14: philox4x32, 10 rounds.
TEST_CASE("philox: the published known answers") {
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == uint32x4{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}) == uint32x4{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        uint32x4{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("philox: a draw changes with each part of its key, high halves included") {
  constexpr uint64_t high = uint64_t{1} << 32;
  std::vector<uint32x4> draws{draw(1, 2, 3, 4), draw(2, 2, 3, 4),        draw(1, 3, 3, 4),       draw(1, 2, 4, 4),
                              draw(1, 2, 3, 5), draw(1 + high, 2, 3, 4), draw(1, 2 + high, 3, 4)};
  std::sort(draws.begin(), draws.end());
  CHECK(std::adjacent_find(draws.begin(), draws.end()) == draws.end());
}

TEST_CASE("philox: uniform numbers lie in [0, 1), ends included and excluded as documented") {
  CHECK(uniform(0) == 0.0f);
  CHECK(uniform(~0u) == 1.0f - 0x1p-24f);
  CHECK(uniform(0x80000000u) == 0.5f);
  CHECK(uniform(0, 0) == 0.0);
  CHECK(uniform(~0u, ~0u) == 1.0 - 0x1p-53);
  CHECK(uniform(0x80000000u, 0) == 0.5);
}

TEST_CASE("philox: normals are Box–Muller of their words") {
  std::vector<float> z(4000);
  fill_normal(z.data(), 4000, 1.0f, 7, 9);
  for (uint32_t block = 0; block < 1000; ++block) {
    const uint32x4 word = draw(7 ^ 0x6E6F726D616C0000, 9, 0, block);
    for (int pair = 0; pair < 4; pair += 2) {
      const double radius = std::sqrt(-2 * std::log((word[pair] + 1.0) / 4294967296.0));
      const double angle = 2 * M_PI * (word[pair + 1] / 4294967296.0);
      CHECK(z[4 * block + pair] == doctest::Approx(radius * std::cos(angle)).epsilon(1e-6).scale(1e-3));
      CHECK(z[4 * block + pair + 1] == doctest::Approx(radius * std::sin(angle)).epsilon(1e-6).scale(1e-3));
    }
  }
}

TEST_CASE("philox: normals do not depend on how the tensor is cut") {
  std::vector<float> whole(1001), parts(1001);
  fill_normal(whole.data(), 1001, 0.02f, 3, 5);
  int64_t first = 0;
  for (int64_t n : {1, 2, 3, 5, 990}) {
    fill_normal(parts.data() + first, n, 0.02f, 3, 5, first);
    first += n;
  }
  CHECK(first == 1001);
  CHECK(parts == whole);
}

TEST_CASE("philox: normals have the moments of N(0, sd²), and streams are independent") {
  constexpr int64_t n = 1 << 17;
  std::vector<float> a(n), b(n);
  fill_normal(a.data(), n, 2.0f, 11, 0);
  fill_normal(b.data(), n, 2.0f, 11, 1);
  double mean = 0, square = 0, fourth = 0, product = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double z = a[i] / 2;
    mean += z / n, square += z * z / n, fourth += z * z * z * z / n, product += z * (b[i] / 2) / n;
  }
  // Five standard errors: 1/√n, √2/√n, √96/√n, 1/√n.
  const double error = 5 / std::sqrt(n);
  CHECK(std::abs(mean) < error);
  CHECK(std::abs(square - 1) < 1.42 * error);
  CHECK(std::abs(fourth - 3) < 9.8 * error);
  CHECK(std::abs(product) < error);
}

TEST_CASE("philox: normals are bitwise those of every other machine") {
  std::vector<float> z(1 << 16);
  fill_normal(z.data(), 1 << 16, 0.02f, 42, 1);
  uint64_t hash = 14695981039346656037u;  // FNV-1a over the floats' bytes
  for (float value : z) {
    uint32_t bits;
    __builtin_memcpy(&bits, &value, 4);
    for (int byte = 0; byte < 4; ++byte) hash = (hash ^ (bits >> 8 * byte & 0xff)) * 1099511628211u;
  }
  CHECK(hash == 16877398035875494147u);  // x86-64, g++ 12, -O0 to -O3
}
