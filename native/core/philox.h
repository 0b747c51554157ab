#pragma once
#include <array>
#include <cstdint>

namespace srcode {

using uint32x4 = std::array<uint32_t, 4>;

// Philox4x32-10, a counter-based generator: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.
// A pure function of counter and key whose outputs pass as independent, so no state is kept, saved or ordered.
constexpr uint32x4 philox4x32(uint32x4 counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * counter[0], b = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    key = {key[0] + 0x9E3779B9, key[1] + 0xBB67AE85};
  }
  return counter;
}

// The four random words of one token: `position` of `sample` of `sequence`, under `seed`. It knows nothing of batch
// rows, so a sequence draws the same numbers in whatever company it is generated.
constexpr uint32x4 draw(uint64_t seed, uint64_t sequence, uint32_t sample, uint32_t position) {
  return philox4x32({position, sample, static_cast<uint32_t>(sequence), static_cast<uint32_t>(sequence >> 32)},
                    {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
}

// Uniform in [0, 1): a multiple of 2^-24, so that no float rounding can make it 1.
constexpr float uniform(uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

// Uniform in [0, 1): a multiple of 2^-53.
constexpr double uniform(uint32_t high, uint32_t low) {
  return static_cast<double>((uint64_t{high} << 32 | low) >> 11) * 0x1p-53;
}

// out[i] = sd · z[first + i], where z is an endless sequence of standard normal numbers that (seed, stream) names;
// `first` lets threads fill parts of one tensor. The numbers are the same on every machine: Box–Muller in double with
// logarithm, sine and cosine of our own, made of operations that IEEE 754 rounds exactly, because the C library's
// differ in their last bits.
void fill_normal(float* out, int64_t n, float sd, uint64_t seed, uint64_t stream, int64_t first = 0);

}  // namespace srcode
