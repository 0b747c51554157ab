#include <doctest/doctest.h>
#include <time.h>

#include <algorithm>
#include <string>
#include <tuple>

#include "backend/cpu/attention/attention.h"
#include "backend/cpu/rows/rows.h"
#include "cpu_support.h"

// Run by hand: srcode_native_tests -tc='speed of*' --no-skip. SRCODE_ISA picks the level. Times are processor time of
// one thread, so that a busy machine does not change them much.
using namespace srcode;
using namespace srcode::test;

namespace {

double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

// The least of a few runs.
template <class Body>
double seconds(const Body& body) {
  body();
  double least = 1e9;
  const double start = cpu_seconds();
  for (int i = 0; i < 3 || cpu_seconds() - start < 0.2; i++) {
    const double before = cpu_seconds();
    body();
    least = std::min(least, cpu_seconds() - before);
  }
  return least;
}

}  // namespace

TEST_CASE("speed of attention" * doctest::skip()) {
  const FlushDenormals flush;
  ThreadPool pool(1);
  const cpu::Context context{cpu::level(best_isa()), pool};
  for (const Dtype type : both_types)
    for (const auto& [sequences, length, heads] : {std::tuple{2, 512, Heads{14, 2, 64}},
                                                   {16, 256, Heads{8, 8, 32}},
                                                   {1, 2048, Heads{14, 2, 64}},
                                                   {2, 512, Heads{8, 8, 128}}}) {
      std::vector<int32_t> cu{0};
      for (int i = 0; i < sequences; i++) cu.push_back(cu.back() + length);
      const int64_t rows = cu.back();
      const Array qkv = normal(type, rows * heads.row(), 1), d_out = normal(type, rows * heads.q_columns(), 2);
      Array out(type, d_out.size()), d(type, qkv.size());
      std::vector<float> lse(rows * heads.heads);
      const double forward =
          seconds([&] { cpu::attention(context, type, heads, cu, qkv.data(), out.data(), lse.data()); });
      const double backward = seconds([&] {
        cpu::attention_backward(context, type, heads, cu, qkv.data(), out.data(), lse.data(), d_out.data(), d.data());
      });
      const double gflop = 2e-9 * rows * length * heads.q_columns();  // two products over the causal half
      MESSAGE(std::string(name_of(context.level.isa)), " ", std::string(name_of(type)), " ", sequences, " x ", length,
              ", heads ", heads.heads, "/", heads.kv_heads, " of ", heads.dim, ": forward ", forward * 1e3,
              " ms = ", gflop / forward, " GF/s, backward ", backward * 1e3, " ms = ", 2.5 * gflop / backward, " GF/s");
    }
}
