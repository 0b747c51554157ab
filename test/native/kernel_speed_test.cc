#include <doctest/doctest.h>
#include <time.h>

#include <algorithm>
#include <string>
#include <tuple>

#include "backend/cpu/attention/attention.h"
#include "backend/cpu/rows/rows.h"
#include "cpu_support.h"
#include "kernels/sampler/sampler.h"

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

TEST_CASE("speed of the row kernels" * doctest::skip()) {
  const FlushDenormals flush;
  ThreadPool pool(1);
  const cpu::Context context{cpu::level(best_isa()), pool};
  for (const Dtype type : both_types)
    for (const auto& [rows, width, inner] : {std::tuple{1024, 896, 4864}, {4096, 256, 1024}}) {
      const double size = static_cast<double>(size_of(type)), n = 1e-9 * rows * width, m = 1e-9 * rows * inner;
      const Heads heads{width / 64, 1, 64};
      Array x = normal(type, rows * width, 1), y = normal(type, rows * width, 2),
            gate_up = normal(type, rows * 2 * inner, 3);
      Array inner_out(type, rows * inner), d_gate_up(type, rows * 2 * inner), qkv = normal(type, rows * heads.row(), 4);
      std::vector<float> weight(width, 1.0f), rstd(rows), dx(rows * width), dw(width), table(rows * 64, 0.5f);
      std::vector<int32_t> positions(rows), ids(rows);
      for (int i = 0; i < rows; i++) positions[i] = i, ids[i] = i * 7919 % rows;
      const auto report = [&](const char* name, double gigabytes, auto&& body) {
        const double time = seconds(body);
        MESSAGE(std::string(name_of(context.level.isa)), " ", std::string(name_of(type)), " ", rows, " x ", width, "/",
                inner, " ", std::string(name), ": ", time * 1e6, " us = ", gigabytes / time, " GB/s");
      };
      report("add_rms_norm", n * size * 4, [&] {
        cpu::add_rms_norm(context, type, rows, width, x.data(), y.data(), weight.data(), 1e-6f, y.data(), rstd.data());
      });
      report("rms_norm_backward", n * (size * 2 + 8), [&] {
        cpu::rms_norm_backward(context, type, rows, width, y.data(), x.data(), weight.data(), rstd.data(), dx.data(),
                               nullptr);
      });
      report("rms_norm_backward with d_weight", n * (size * 4 + 8), [&] {
        cpu::rms_norm_backward(context, type, rows, width, y.data(), x.data(), weight.data(), rstd.data(), dx.data(),
                               dw.data());
      });
      report("rope", 1e-9 * rows * (heads.heads + 1) * 64 * size * 2,
             [&] { cpu::rope(context, type, rows, heads, qkv.data(), positions.data(), table.data(), false); });
      report("swiglu", m * size * 3,
             [&] { cpu::swiglu(context, type, rows, inner, gate_up.data(), inner_out.data()); });
      report("swiglu_backward", m * size * 5, [&] {
        cpu::swiglu_backward(context, type, rows, inner, gate_up.data(), inner_out.data(), d_gate_up.data());
      });
      report("embed", n * size * 2, [&] { cpu::embed(context, type, x.data(), ids.data(), rows, width, y.data()); });
      report("sum_rows", n * size, [&] { cpu::sum_rows(context, type, rows, width, x.data(), width, dw.data()); });
      report("round", n * (4 + size), [&] { cpu::round(context, type, rows * width, dx.data(), y.data()); });
      report("add", n * 12, [&] { cpu::add(context, rows * width, dx.data(), dx.data()); });
      report("row_dot", n * size,
             [&] { cpu::row_dot(context, type, rows, width, x.data(), weight.data(), rstd.data()); });
    }
}

TEST_CASE("speed of log-softmax and sampling" * doctest::skip()) {
  const FlushDenormals flush;
  ThreadPool pool(1);
  const cpu::Context context{cpu::level(best_isa()), pool};
  for (const auto& [rows, vocab] : {std::tuple{64, 151936}, {1024, 4096}, {1024, 2048}}) {
    const auto logits = normal(static_cast<int64_t>(rows) * vocab, 1, 2.5f);
    const std::vector<int32_t> targets(rows, 17);
    std::vector<float> log_prob(rows), lse(rows), entropy(rows), d(rows, 1.0f);
    Array d_logits(Dtype::bf16, static_cast<int64_t>(rows) * vocab);
    const auto report = [&](const std::string& name, auto&& body) {
      const double time = seconds(body);
      MESSAGE(std::string(name_of(context.level.isa)), " vocabulary ", vocab, " ", name, ": ", time / rows * 1e6,
              " us a row = ", 4e-9 * rows * vocab / time, " GB/s");
    };
    report("log_softmax", [&] {
      cpu::log_softmax(context, rows, vocab, logits.data(), targets.data(), log_prob.data(), lse.data(), nullptr);
    });
    report("log_softmax with entropy", [&] {
      cpu::log_softmax(context, rows, vocab, logits.data(), targets.data(), log_prob.data(), lse.data(),
                       entropy.data());
    });
    report("log_softmax_backward", [&] {
      cpu::log_softmax_backward(context, Dtype::bf16, rows, vocab, logits.data(), targets.data(), lse.data(),
                                entropy.data(), d.data(), d.data(), 0, vocab, d_logits.data(), vocab);
    });
    for (const auto& [name, temperature, top_k, top_p] : {std::tuple{"greedy", 0.0f, 0, 1.0f},
                                                          {"sample", 1.0f, 0, 1.0f},
                                                          {"sample top_k 50", 0.8f, 50, 1.0f},
                                                          {"sample top_p .9", 1.0f, 0, 0.9f},
                                                          {"sample top_k 50 top_p .9", 0.8f, 50, 0.9f}}) {
      std::vector<SampleRule> rules(rows, SampleRule{temperature, top_k, top_p});
      for (int i = 0; i < rows; i++) rules[i].position = i;
      std::vector<Sampled> out(rows);
      report(name, [&] { cpu::sample(context, rows, vocab, logits.data(), rules, out.data()); });
    }
  }
}
