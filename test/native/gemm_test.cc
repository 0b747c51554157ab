#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "backend/cpu/gemm/gemm.h"
#include "backend/cpu/gemm/layout.h"
#include "backend/cpu/gemm/table.h"
#include "backend/cpu/machine.h"
#include "backend/cpu/simd/vec_model.h"
#include "core/error.h"

using namespace srcode;
using namespace srcode::cpu;

namespace {

template <class T>
std::vector<T> random_values(size_t n, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<T> values(n);
  for (T& v : values) {
    if constexpr (sizeof(T) == 2)
      v = to_bf16(normal(random));
    else
      v = normal(random);
  }
  return values;
}

// A packed weight and its memory.
struct Weight : PackedWeight {
  std::vector<char> memory;
  Weight(Dtype type, int64_t k, const std::vector<int64_t>& part_columns) {
    dtype = type;
    depth = k;
    for (int64_t n : part_columns) {
      parts.push_back({columns, n});
      columns += n;
    }
    memory.resize(packed_bytes(type, k, part_columns) + 64, char(0xff));  // NaN where nobody writes
    data = memory.data() + (-reinterpret_cast<uintptr_t>(memory.data()) & 63);
  }
  Weight(const Weight&) = delete;
};

template <class T>
void pack_all(const Context& ctx, Weight& weight, const std::vector<T>& rows) {
  for (size_t i = 0; i < weight.parts.size(); i++)
    pack(ctx, weight, static_cast<int>(i), rows.data() + weight.parts[i].column * weight.depth, dtype_of<T>,
         weight.depth);
}

// The levels that the machine has, and tiles modelled: they have drivers of their own.
const Level kModelledTiles = {
    .isa = Isa::amx, .gemm = &gemm_kernels<simd::ModelAmx>, .rows = nullptr, .attention = nullptr, .tokens = nullptr};
template <class T>
std::vector<const Level*> levels() {
  std::vector<const Level*> all;
  for (Isa isa : supported_isas()) all.push_back(&level(isa));
  if (sizeof(T) == 2) all.push_back(&kModelledTiles);
  return all;
}
std::string name_of(const Level& which) {
  return (&which == &kModelledTiles ? "modelled " : "") + std::string(srcode::name_of(which.isa));
}

template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

const std::vector<std::vector<int64_t>> kParts = {{1}, {64}, {70, 3, 130}, {128, 64, 64}, {63, 65}};

}  // namespace

TEST_CASE_TEMPLATE("gemm: what is packed comes back unpacked, by rows, by columns and by ids", T, float, bf16) {
  std::mt19937 random(1);
  for (int threads : {1, 3}) {
    ThreadPool pool(threads);
    for (Isa isa : supported_isas()) {
      const Context ctx{level(isa), pool};
      for (int64_t depth : {1, 2, 5, 31, 64, 96, 131, 192})
        for (const auto& parts : kParts) {
          Weight weight(dtype_of<T>, depth, parts), turned(dtype_of<T>, depth, parts);
          const auto rows = random_values<T>(weight.columns * depth, random);
          pack_all(ctx, weight, rows);
          std::vector<T> back(rows.size());
          for (size_t i = 0; i < parts.size(); i++) {
            T* part = back.data() + weight.parts[i].column * depth;
            unpack(ctx, weight, static_cast<int>(i), part, dtype_of<T>);
            // The same part from its transpose.
            std::vector<float> matrix(depth * (parts[i] + 2));
            for (int64_t n = 0; n < parts[i]; n++)
              for (int64_t k = 0; k < depth; k++)
                matrix[k * (parts[i] + 2) + n] = to_float(rows[(weight.parts[i].column + n) * depth + k]);
            pack_transposed(ctx, turned, static_cast<int>(i), matrix.data(), parts[i] + 2);
          }
          REQUIRE(same(back, rows));
          REQUIRE(std::memcmp(weight.data, turned.data, packed_bytes(dtype_of<T>, depth, parts)) == 0);
          if (parts.size() > 1) continue;
          const std::vector<int32_t> ids = {0, static_cast<int32_t>(parts[0] - 1), static_cast<int32_t>(parts[0] / 2),
                                            0};
          std::vector<T> picked(ids.size() * depth);
          gather(ctx, weight, ids.data(), ids.size(), picked.data());
          for (size_t i = 0; i < ids.size(); i++)
            REQUIRE(std::memcmp(picked.data() + i * depth, rows.data() + ids[i] * depth, depth * sizeof(T)) == 0);
        }
    }
  }
}

TEST_CASE("gemm: packing rounds f32 to the nearest bf16, and unpacking widens it") {
  ThreadPool pool(1);
  std::mt19937 random(2);
  for (Isa isa : supported_isas()) {
    const Context ctx{level(isa), pool};
    Weight weight(Dtype::bf16, 77, {90});
    const auto rows = random_values<float>(90 * 77, random);
    pack_all(ctx, weight, rows);
    std::vector<float> back(rows.size());
    unpack(ctx, weight, 0, back.data(), Dtype::f32);
    for (size_t i = 0; i < rows.size(); i++) REQUIRE(back[i] == to_float(to_bf16(rows[i])));
  }
}

TEST_CASE_TEMPLATE("gemm: a transpose of packed columns equals packing the transposed matrix", T, float, bf16) {
  std::mt19937 random(3);
  ThreadPool pool(2);
  const Context ctx{level(best_isa()), pool};
  for (int64_t depth : {1, 33, 64, 70, 128, 200})
    for (const auto& parts : kParts) {
      Weight from(dtype_of<T>, depth, parts);
      const auto rows = random_values<T>(from.columns * depth, random);
      pack_all(ctx, from, rows);
      for (int64_t column : {int64_t{0}, from.columns / 3, from.columns / 128 * 64})
        for (int64_t columns : {from.columns - column, (from.columns - column + 1) / 2}) {
          Weight to(dtype_of<T>, columns, {depth}), expected(dtype_of<T>, columns, {depth});
          transpose(ctx, from, column, to);
          std::vector<T> turned(depth * columns);
          for (int64_t k = 0; k < depth; k++)
            for (int64_t n = 0; n < columns; n++) turned[k * columns + n] = rows[(column + n) * depth + k];
          pack_all(ctx, expected, turned);
          REQUIRE(std::memcmp(to.data, expected.data, packed_bytes(dtype_of<T>, columns, std::vector{depth})) == 0);
        }
    }
}

namespace {

// A product with all there is to it, and its operands.
template <class T>
struct Case {
  int64_t rows, depth, rank;
  Weight weight;
  std::vector<T> w, x, xa;
  std::vector<std::vector<T>> b;
  std::vector<std::unique_ptr<Weight>> lora_weights;
  std::vector<float> bias;

  Case(const Context& ctx, int64_t rows_, int64_t depth_, int64_t rank_, const std::vector<int64_t>& parts,
       std::mt19937& random)
      : rows(rows_), depth(depth_), rank(rank_), weight(dtype_of<T>, depth_, parts) {
    w = random_values<T>(weight.columns * depth, random);
    x = random_values<T>(rows * depth, random);
    bias = random_values<float>(weight.columns, random);
    pack_all(ctx, weight, w);
    xa = random_values<T>(rows * rank * parts.size(), random);
    for (int64_t n : parts) {
      b.push_back(random_values<T>(n * rank, random));
      lora_weights.push_back(std::make_unique<Weight>(dtype_of<T>, rank, std::vector{n}));
      pack_all(ctx, *lora_weights.back(), b.back());
    }
  }

  // Rows [row, row + count) of the product: every part but the first has a LoRA term, if rank is not 0.
  template <class Out>
  std::vector<Out> run(const Context& ctx, int64_t row, int64_t count, const std::vector<Out>& start, bool accumulate,
                       float scale) const {
    std::vector<Out> out = start;
    std::vector<Term> lora(rank ? weight.parts.size() : 0);
    for (size_t i = 1; i < lora.size(); i++)
      lora[i] = {xa.data() + row * rank * weight.parts.size() + i * rank,
                 rank * static_cast<int64_t>(weight.parts.size()), lora_weights[i].get()};
    product(ctx, {.rows = count,
                  .main = {x.data() + row * depth, depth, &weight},
                  .lora = lora,
                  .bias = bias.data(),
                  .scale = scale,
                  .out = out.data(),
                  .out_type = dtype_of<Out>,
                  .out_stride = weight.columns + 1,
                  .accumulate = accumulate});
    return out;
  }

  double expected(int64_t i, int64_t n, double* size) const {
    double sum = bias[n];
    *size = std::fabs(sum);
    const auto add = [&](float a, float c) { sum += double{a} * c, *size += std::fabs(double{a} * c); };
    for (int64_t k = 0; k < depth; k++) add(to_float(x[i * depth + k]), to_float(w[n * depth + k]));
    for (size_t part = 1; part < weight.parts.size(); part++) {
      const int64_t within = n - weight.parts[part].column;
      if (within < 0 || within >= weight.parts[part].columns) continue;
      for (int64_t r = 0; r < rank; r++)
        add(to_float(xa[(i * weight.parts.size() + part) * rank + r]), to_float(b[part][within * rank + r]));
    }
    return sum;
  }
};

template <class T>
void check_product(const Level& which, int threads, int64_t rows, int64_t depth, int64_t rank,
                   const std::vector<int64_t>& parts) {
  INFO(name_of(which), ", threads ", threads, ", rows ", rows, ", depth ", depth, ", rank ", rank);
  std::mt19937 random(5);
  ThreadPool pool(threads);
  const Context ctx{which, pool};
  const Case<T> work(ctx, rows, depth, rank, parts, random);
  const int64_t stride = work.weight.columns + 1;
  const auto start = random_values<float>(rows * stride, random);
  const auto plain = work.run(ctx, 0, rows, start, false, 0.5f), added = work.run(ctx, 0, rows, start, true, 0.5f);
  const auto rounded = work.run(ctx, 0, rows, std::vector<bf16>(rows * stride), false, 0.5f);
  double worst = 0;
  for (int64_t i = 0; i < rows; i++) {
    REQUIRE(plain[i * stride + stride - 1] == start[i * stride + stride - 1]);  // beyond the columns
    for (int64_t n = 0; n < work.weight.columns; n++) {
      double size;
      const double expected = 0.5 * work.expected(i, n, &size);
      const float got = plain[i * stride + n];
      worst = std::max(worst, std::fabs(got - expected) / size);
      if (added[i * stride + n] != start[i * stride + n] + got) FAIL("accumulate differs at ", i, ", ", n);
      if (rounded[i * stride + n].bits != to_bf16(got).bits) FAIL("bf16 differs at ", i, ", ", n);
    }
  }
  REQUIRE(worst < 1e-6);
}

// The law of rows: a row's bits are the same alone, in any company, at any place and with any number of threads.
template <class T>
void check_law(const Level& which, int64_t depth, const std::vector<int64_t>& parts, int64_t rank) {
  INFO(name_of(which), ", depth ", depth, ", rank ", rank);
  std::mt19937 random(6);
  const int64_t rows = 123;
  ThreadPool one(1);
  const Context ctx{which, one};
  const Case<T> work(ctx, rows, depth, rank, parts, random);
  const int64_t stride = work.weight.columns + 1;
  const auto all = work.run(ctx, 0, rows, std::vector<T>(rows * stride), false, 1);
  for (int threads = 1; threads <= 4; threads++) {
    ThreadPool pool(threads);
    const Context many{which, pool};
    for (int64_t count : {1, 2, 4, 5, 7, 8, 13, 16, 17, 31, 33, 64, 96, 97, 112, 113, 123})
      for (int64_t row : {int64_t{0}, int64_t{1}, (rows - count) / 2, rows - count}) {
        if (row + count > rows) continue;
        const auto some = work.run(many, row, count, std::vector<T>(count * stride), false, 1);
        REQUIRE(std::memcmp(some.data(), all.data() + row * stride, some.size() * sizeof(T)) == 0);
      }
  }
}

}  // namespace

TEST_CASE_TEMPLATE("gemm: products equal a sum in double", T, float, bf16) {
  for (const Level* which : levels<T>()) {
    for (int64_t rows : {1, 3, 7, 16, 17, 50, 70, 200})
      for (int64_t depth : {1, 7, 64, 131})
        for (int64_t rank : {0, 5}) check_product<T>(*which, 2, rows, depth, rank, kParts[rows % kParts.size()]);
    check_product<T>(*which, 3, 300, 5300, 8, {70, 3});  // a depth that is cut
    check_product<T>(*which, 1, 20, 3000, 0, {64});
  }
}

TEST_CASE_TEMPLATE("gemm: the law of rows", T, float, bf16) {
  for (const Level* which : levels<T>()) {
    check_law<T>(*which, 147, {70, 3, 130}, 8);
    if (which != &kModelledTiles) check_law<T>(*which, 5152, {64, 12}, 4);
  }
}

TEST_CASE_TEMPLATE("gemm: outer products equal a sum in double, whatever the threads", T, float, bf16) {
  std::mt19937 random(8);
  for (const Level* which : levels<T>())
    for (const auto& [rows, p, q] : std::vector<std::array<int64_t, 3>>{{1, 1, 1},
                                                                        {2, 8, 130},
                                                                        {5, 130, 8},
                                                                        {33, 64, 64},
                                                                        {70, 100, 65},
                                                                        {200, 8, 700},
                                                                        {131, 700, 8},
                                                                        {17, 400, 420}}) {
      INFO(name_of(*which), ", rows ", rows, ", a ", p, ", b ", q);
      const auto a = random_values<T>(rows * (p + 1), random), b = random_values<T>(rows * (q + 3), random);
      const auto start = random_values<float>(p * (q + 2), random);
      for (bool accumulate : {false, true}) {
        std::vector<float> first;
        for (int threads : {1, 2, 4}) {
          ThreadPool pool(threads);
          auto out = start;
          outer({*which, pool}, dtype_of<T>, rows, a.data(), p + 1, p, b.data(), q + 3, q, out.data(), q + 2, 0.25f,
                accumulate);
          if (first.empty()) first = out;
          REQUIRE(same(out, first));
        }
        double worst = 0;
        for (int64_t i = 0; i < p; i++)
          for (int64_t j = 0; j < q + 2; j++) {
            double sum = accumulate || j >= q ? start[i * (q + 2) + j] : 0, size = 1e-3 + std::fabs(sum);
            for (int64_t m = 0; m < rows && j < q; m++) {
              const double term = 0.25 * to_float(a[m * (p + 1) + i]) * to_float(b[m * (q + 3) + j]);
              sum += term, size += std::fabs(term);
            }
            worst = std::max(worst, std::fabs(first[i * (q + 2) + j] - sum) / size);
          }
        REQUIRE(worst < 1e-6);
      }
    }
}

TEST_CASE("gemm: shapes that do not fit are refused") {
  ThreadPool pool(1);
  const Context ctx{level(Isa::portable), pool};
  Weight weight(Dtype::f32, 8, {16}), other(Dtype::f32, 2, {15}), wrong(Dtype::f32, 16, {7});
  std::vector<float> x(100), out(100);
  const Term lora{x.data(), 2, &other};
  CHECK_THROWS_AS(product(ctx, {.rows = 2, .main = {x.data(), 7, &weight}, .out = out.data(), .out_stride = 16}),
                  Error);
  CHECK_THROWS_AS(
      product(ctx,
              {.rows = 1, .main = {x.data(), 8, &weight}, .lora = {&lora, 1}, .out = out.data(), .out_stride = 16}),
      Error);
  CHECK_THROWS_AS(transpose(ctx, weight, 0, wrong), Error);
  CHECK_THROWS_AS(pack(ctx, weight, 1, x.data(), Dtype::f32, 8), Error);
  const int32_t id = 16;
  CHECK_THROWS_AS(gather(ctx, weight, &id, 1, out.data()), Error);
}

TEST_CASE("gemm: the machine's bounds are measured") {
  ThreadPool one(1);
  // No core of today does more than two fused multiply-adds of a whole vector a cycle, or passes 6.5 GHz.
  for (const auto& [isa, lanes] :
       {std::pair{Isa::portable, 4}, {Isa::avx2, 8}, {Isa::avx512, 16}, {Isa::avx512_bf16, 16}}) {
    const auto offered = supported_isas();
    if (std::find(offered.begin(), offered.end(), isa) == offered.end()) {
      CHECK_THROWS_AS(measure_peak_flops(isa, Dtype::f32, one, 0), Error);
      continue;
    }
    CAPTURE(srcode::name_of(isa));
    for (Dtype type : {Dtype::f32, Dtype::bf16}) {
      const double most = lanes * 4 * 6.5e9 * (isa == Isa::avx512_bf16 && type == Dtype::bf16 ? 2 : 1);
      const double peak = measure_peak_flops(isa, type, one, 0);
      CHECK(peak < most);
      CHECK(peak > most / 1000);  // however busy the machine is
    }
  }
  ThreadPool two(2);
  CHECK(measure_read_bandwidth(two, 0) > 1e8);
  CHECK(measure_triad_bandwidth(two, 0) > 1e8);
}
