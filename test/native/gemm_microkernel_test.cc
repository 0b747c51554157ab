#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "backend/cpu/gemm/kernels.h"
#include "backend/cpu/gemm/microkernel.h"
#include "backend/cpu/level.h"
#include "backend/cpu/simd/vec_model.h"

using namespace srcode;
using namespace srcode::cpu;

namespace {

template <class T>
T value(float x) {
  if constexpr (sizeof(T) == 2)
    return to_bf16(x);
  else
    return x;
}

template <class T>
std::vector<T> random_values(size_t n, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<T> values(n);
  for (T& v : values) v = value<T>(normal(random));
  return values;
}

// W [columns, depth] as one panel, its unused columns and depth zero.
template <class T>
std::vector<T> pack_panel(const std::vector<T>& w, int columns, int64_t depth, int panel_width) {
  const int pair = sizeof(T) == 2 ? 2 : 1;
  std::vector<T> panel(padded_depth<T>(depth) * panel_width);
  for (int n = 0; n < columns; n++)
    for (int64_t k = 0; k < depth; k++) panel[(k / pair * panel_width + n) * pair + k % pair] = w[n * depth + k];
  return panel;
}

template <class T>
Multiply<T>* multiply_of(Isa isa) {
  return level(isa).gemm->multiply<T>();
}

template <class T>
Multiply<T>* model_of(Isa isa) {
  using namespace simd;
  switch (isa) {
    case Isa::portable:
      return multiply<ModelVec<4, false>, T>;
    case Isa::avx2:
      return multiply<ModelVec<8>, T>;
    case Isa::avx512:
      return multiply<ModelVec<16>, T>;
    case Isa::avx512_bf16:
      return multiply<ModelVec<16, true, true>, T>;
    case Isa::amx:
      return multiply<ModelAmx, T>;
  }
  return nullptr;
}

// One output in every shape that the register blocks know, against a sum in double.
template <class T>
void check_against_double(Multiply<T>* kernel, Multiply<T>* same) {
  std::mt19937 random(7);
  for (int rows : {1, 2, 3, 5, 6, 7, 11, 13, 16, 17, 31, 33, 40})
    for (int64_t depth : {1, 2, 7, 32, 33, 64, 101})
      for (int columns : {1, 5, 8, 15, 16, 17, 31, 33, 48, 50, 63, 64}) {
        const int width = columns > 32 ? 64 : columns > 16 ? 32 : 16, stride = columns + 3;
        auto x = random_values<T>(rows * (depth + 5), random);
        for (int i = 0; i < rows * 5; i++) x[i / 5 * (depth + 5) + depth + i % 5] = value<T>(NAN);  // not to be read
        const auto w = random_values<T>(columns * depth, random);
        const auto panel = pack_panel(w, columns, depth, width);
        const auto start = random_values<float>(rows * stride, random);
        for (bool accumulate : {false, true}) {
          auto out = start, expected = start;
          kernel(rows, depth, x.data(), depth + 5, panel.data(), width, columns, out.data(), stride, accumulate);
          same(rows, depth, x.data(), depth + 5, panel.data(), width, columns, expected.data(), stride, accumulate);
          REQUIRE(std::memcmp(out.data(), expected.data(), out.size() * 4) == 0);
          double worst = 0;
          for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++) {
              double sum = accumulate ? start[i * stride + j] : 0, size = std::fabs(sum);
              for (int64_t k = 0; k < depth; k++) {
                const double term = double{to_float(x[i * (depth + 5) + k])} * to_float(w[j * depth + k]);
                sum += term, size += std::fabs(term);
              }
              worst = std::max(worst, std::fabs(out[i * stride + j] - sum) / size);
            }
          REQUIRE(worst < 1e-6);
        }
      }
}

template <class T>
void check_rows_alone(Multiply<T>* kernel) {
  std::mt19937 random(11);
  const int rows = 37, columns = 61;
  const int64_t depth = 203;
  const auto x = random_values<T>(rows * depth, random), w = random_values<T>(columns * depth, random);
  const auto panel = pack_panel(w, columns, depth, 64);
  std::vector<float> all(rows * columns);
  kernel(rows, depth, x.data(), depth, panel.data(), 64, columns, all.data(), columns, false);
  for (int count = 1; count <= rows; count++)
    for (int row = 0; row + count <= rows; row += 5) {
      std::vector<float> some(count * columns);
      // In two parts of depth: a chain may be cut at a multiple of 32.
      const int64_t cut = 32 * (count % 6);
      kernel(count, cut, x.data() + row * depth, depth, panel.data(), 64, columns, some.data(), columns, false);
      kernel(count, depth - cut, x.data() + row * depth + cut, depth, panel.data() + cut * 64, 64, columns, some.data(),
             columns, true);
      REQUIRE(std::memcmp(some.data(), all.data() + row * columns, some.size() * 4) == 0);
    }
}

}  // namespace

TEST_CASE("gemm microkernel: every level equals its scalar model bitwise, and a double sum within rounding") {
  for (Isa isa : supported_isas()) {
    CAPTURE(name_of(isa));
    check_against_double(multiply_of<float>(isa), model_of<float>(isa));
    check_against_double(multiply_of<bf16>(isa), model_of<bf16>(isa));
  }
}

TEST_CASE("gemm microkernel: tiles, modelled, equal a double sum within rounding") {
  check_against_double(model_of<bf16>(Isa::amx), model_of<bf16>(Isa::amx));
}

TEST_CASE("gemm microkernel: a row does not depend on the others, nor on where the sum was cut") {
  for (Isa isa : supported_isas()) {
    CAPTURE(name_of(isa));
    check_rows_alone(multiply_of<float>(isa));
    check_rows_alone(multiply_of<bf16>(isa));
  }
  check_rows_alone(model_of<bf16>(Isa::amx));
}
