#include "backend/cpu/rows/rows.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

#include "cpu_support.h"

using namespace srcode;
using namespace srcode::test;

namespace {

constexpr int64_t kWidths[] = {1, 2, 3, 5, 8, 15, 16, 17, 31, 33, 63, 64, 65, 96, 127, 200, 255, 896};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// Runs an operation on all rows, on rows one by one, and on 2 … 4 threads: forward(context, first row, rows) → bits.
template <class Forward>
void check_rows_are_independent(int64_t rows, const Forward& forward) {
  const FlushDenormals flush;
  for (const Isa isa : supported_isas()) {
    INFO(std::string(name_of(isa)));
    ThreadPool one(1);
    const cpu::Context alone{cpu::level(isa), one};
    const auto all = forward(alone, 0, rows);
    for (int threads : {2, 3, 4}) {
      ThreadPool pool(threads);
      CHECK(forward(cpu::Context{cpu::level(isa), pool}, 0, rows) == all);
    }
    std::vector<char> apart;
    for (int64_t row = 0; row < rows;) {
      const int64_t n = std::min<int64_t>(rows - row, 1 + row % 5);
      const auto part = forward(alone, row, n);
      apart.insert(apart.end(), part.begin(), part.end());
      row += n;
    }
    CHECK(apart == all);
  }
}
std::vector<char> bits(const Array& a) { return {a.data(), a.data() + a.byte_size()}; }

// Runs a sum over rows on 1 … 4 threads.
template <class Run>
void check_threads_do_not_matter(const Run& run) {
  const FlushDenormals flush;
  for (const Isa isa : supported_isas()) {
    INFO(std::string(name_of(isa)));
    std::vector<float> first;
    for (int threads : {1, 2, 3, 4}) {
      ThreadPool pool(threads);
      const std::vector<float> now = run(cpu::Context{cpu::level(isa), pool});
      if (threads == 1)
        first = now;
      else
        CHECK(same_bits(now, first));
    }
  }
}

}  // namespace

TEST_CASE("rows: the norm adds the residual, rounds it, and rounds its own result once") {
  each_isa(2, [](const cpu::Context& context) {
    for (const Dtype type : both_types)
      for (const int64_t width : kWidths) {
        const int64_t rows = 3;
        Array x = normal(type, rows * width, 1), y(type, rows * width);
        const Array before = x, delta = normal(type, rows * width, 2);
        const auto weight = normal(width, 3);
        std::vector<float> rstd(rows);
        const float eps = 1e-3f;
        cpu::add_rms_norm(context, type, rows, width, x.data(), delta.data(), weight.data(), eps, y.data(),
                          rstd.data());
        Distance off, off_rstd;
        for (int64_t r = 0; r < rows; r++) {
          double squares = 0;
          for (int64_t k = 0; k < width; k++) {
            const int64_t i = r * width + k;
            CHECK(x[i] == rounded(type, before[i] + delta[i]));
            squares += double(x[i]) * x[i];
          }
          const double expected = 1 / std::sqrt(squares / width + eps);
          off_rstd.check(r, Dtype::f32, rstd[r], expected, 1e-6 * expected);
          for (int64_t k = 0; k < width; k++) {
            const double exact = x[r * width + k] * expected * weight[k];
            off.check(k, type, y[r * width + k], exact, 1e-6 * std::fabs(exact));
          }
        }
        INFO(std::string(name_of(type)), " width ", width, " ", off, off_rstd);
        CHECK(off.bad == 0);
        CHECK(off_rstd.bad == 0);
        // Without delta x is left alone, and y and rstd come out the same.
        Array again = x, y2(type, rows * width);
        cpu::add_rms_norm(context, type, rows, width, again.data(), nullptr, weight.data(), eps, y2.data(), nullptr);
        CHECK(again == x);
        CHECK(y2 == y);
      }
  });
}

TEST_CASE("rows: a row of the norm depends on no other row and on no thread") {
  const int64_t rows = 150, width = 515;
  for (const Dtype type : both_types) {
    const Array x0 = normal(type, rows * width, 4), delta = normal(type, rows * width, 5);
    const auto weight = normal(width, 6);
    check_rows_are_independent(rows, [&](const cpu::Context& context, int64_t row, int64_t n) {
      Array x(type, n * width), y(type, n * width);
      std::memcpy(x.data(), x0.data(row * width), x.byte_size());
      cpu::add_rms_norm(context, type, n, width, x.data(), delta.data(row * width), weight.data(), 1e-6f, y.data(),
                        nullptr);
      return bits(y);
    });
  }
}

TEST_CASE("rows: the norm's gradient is that of the double reference") {
  each_isa(2, [](const cpu::Context& context) {
    for (const Dtype type : both_types)
      for (const int64_t width : kWidths) {
        const int64_t rows = 11;
        const Array x = normal(type, rows * width, 7), dy = normal(type, rows * width, 8);
        const auto weight = normal(width, 9), dx0 = normal(rows * width, 10), dw0 = normal(width, 11);
        Array xs = x, y(type, rows * width);
        std::vector<float> rstd(rows), dx = dx0, dw = dw0;
        cpu::add_rms_norm(context, type, rows, width, xs.data(), nullptr, weight.data(), 1e-5f, y.data(), rstd.data());
        cpu::rms_norm_backward(context, type, rows, width, dy.data(), x.data(), weight.data(), rstd.data(), dx.data(),
                               dw.data());
        std::vector<double> exact_dw(dw0.begin(), dw0.end());
        Distance off;
        for (int64_t r = 0; r < rows; r++) {
          double squares = 0, along = 0;
          for (int64_t k = 0; k < width; k++) squares += double(x[r * width + k]) * x[r * width + k];
          const double s = 1 / std::sqrt(squares / width + 1e-5);
          for (int64_t k = 0; k < width; k++) along += double(dy[r * width + k]) * weight[k] * x[r * width + k];
          for (int64_t k = 0; k < width; k++) {
            const int64_t i = r * width + k;
            off.check(i, Dtype::f32, dx[i], dx0[i] + s * weight[k] * dy[i] - x[i] * s * s * s * along / width, 1e-5);
            exact_dw[k] += double(dy[i]) * x[i] * s;
          }
        }
        for (int64_t k = 0; k < width; k++) off.check(k, Dtype::f32, dw[k], exact_dw[k], 1e-5);
        INFO(std::string(name_of(type)), " width ", width, " ", off);
        CHECK(off.bad == 0);
        // The same dx without d_weight.
        std::vector<float> dx2 = dx0;
        cpu::rms_norm_backward(context, type, rows, width, dy.data(), x.data(), weight.data(), rstd.data(), dx2.data(),
                               nullptr);
        CHECK(same_bits(dx2, dx));
      }
  });
}

TEST_CASE("rows: the norm's gradient is the slope of its result") {
  const int64_t width = 37;
  each_isa(1, [&](const cpu::Context& context) {
    const auto x = normal(width, 12), weight = normal(width, 13), dy = normal(width, 14);
    const auto loss = [&](const std::vector<float>& at) {
      auto copy = at;
      std::vector<float> y(width);
      cpu::add_rms_norm(context, Dtype::f32, 1, width, copy.data(), nullptr, weight.data(), 1e-5f, y.data(), nullptr);
      return std::inner_product(y.begin(), y.end(), dy.begin(), 0.0);
    };
    auto copy = x;
    std::vector<float> y(width), rstd(1), dx(width);
    cpu::add_rms_norm(context, Dtype::f32, 1, width, copy.data(), nullptr, weight.data(), 1e-5f, y.data(), rstd.data());
    cpu::rms_norm_backward(context, Dtype::f32, 1, width, dy.data(), x.data(), weight.data(), rstd.data(), dx.data(),
                           nullptr);
    for (int64_t k = 0; k < width; k++) {
      auto up = x, down = x;
      up[k] += 0.01f, down[k] -= 0.01f;
      CHECK(dx[k] == doctest::Approx((loss(up) - loss(down)) / (up[k] - down[k])).epsilon(2e-3).scale(1));
    }
  });
}

TEST_CASE("rows: rope turns pairs (j, j + dim/2) by the table's angle, v stays, and the inverse turns back") {
  each_isa(2, [](const cpu::Context& context) {
    for (const Dtype type : both_types)
      for (const int64_t dim : {2, 12, 16, 32, 64, 80, 128}) {
        const Heads heads{4, 2, dim};
        const int64_t rows = 5;
        const std::vector<int32_t> positions = {0, 3, 1, 6, 3};
        std::vector<float> table(7 * dim);
        for (int64_t p = 0; p < 7; p++)
          for (int64_t j = 0; j < dim / 2; j++) {
            const double angle = p / std::pow(1e4, 2.0 * j / dim);
            table[p * dim + j] = static_cast<float>(std::cos(angle));
            table[p * dim + dim / 2 + j] = static_cast<float>(std::sin(angle));
          }
        const Array before = normal(type, rows * heads.row(), 15);
        Array x = before;
        cpu::rope(context, type, rows, heads, x.data(), positions.data(), table.data(), false);
        Distance off;
        for (int64_t r = 0; r < rows; r++)
          for (int64_t i = 0; i < heads.row(); i++) {
            const int64_t at = r * heads.row() + i, j = i % dim, half = dim / 2;
            double exact = before[at];
            if (i < (heads.heads + heads.kv_heads) * dim) {
              const double c = table[positions[r] * dim + j % half], s = table[positions[r] * dim + half + j % half];
              exact = j < half ? before[at] * c - before[at + half] * s : before[at] * c + before[at - half] * s;
            }
            off.check(at, type, x[at], exact, 1e-6);
          }
        INFO(std::string(name_of(type)), " dim ", dim, " ", off);
        CHECK(off.bad == 0);
        cpu::rope(context, type, rows, heads, x.data(), positions.data(), table.data(), true);
        Distance back;
        for (int64_t i = 0; i < x.size(); i++) back.check(i, type, x[i], before[i], type == Dtype::f32 ? 2e-6 : 4e-2);
        CHECK(back.bad == 0);
      }
  });
}

TEST_CASE("rows: swiglu and its gradient are those of the double reference, far arguments included") {
  each_isa(2, [](const cpu::Context& context) {
    for (const Dtype type : both_types)
      for (const int64_t width : kWidths) {
        const int64_t rows = 4;
        Array gate_up = normal(type, rows * 2 * width, 16, 3.0f);
        const float far[] = {-200, -89, -60, -10, 0, 10, 60, 89, 200};
        for (int64_t k = 0; k < width && k < 9; k++) gate_up.set(k, far[k]);
        const Array d_out = normal(type, rows * width, 17);
        Array out(type, rows * width), d(type, rows * 2 * width);
        cpu::swiglu(context, type, rows, width, gate_up.data(), out.data());
        cpu::swiglu_backward(context, type, rows, width, gate_up.data(), d_out.data(), d.data());
        Distance off;
        for (int64_t r = 0; r < rows; r++)
          for (int64_t k = 0; k < width; k++) {
            const double g = gate_up[r * 2 * width + k], u = gate_up[r * 2 * width + width + k],
                         o = d_out[r * width + k];
            const double s = sigmoid(g);
            const auto check = [&](double got, double exact) {
              off.check(k, type, got, exact, 1e-6 * std::fabs(exact) + 3e-7);
            };
            check(out[r * width + k], g * s * u);
            check(d[r * 2 * width + k], o * u * s * (1 + g * (1 - s)));
            check(d[r * 2 * width + width + k], o * g * s);
          }
        INFO(std::string(name_of(type)), " width ", width, " ", off);
        CHECK(off.bad == 0);
      }
  });
}

TEST_CASE("rows: a row of swiglu depends on no other row and on no thread") {
  const int64_t rows = 120, width = 301;
  for (const Dtype type : both_types) {
    const Array gate_up = normal(type, rows * 2 * width, 18);
    check_rows_are_independent(rows, [&](const cpu::Context& context, int64_t row, int64_t n) {
      Array out(type, n * width);
      cpu::swiglu(context, type, n, width, gate_up.data(row * 2 * width), out.data());
      return bits(out);
    });
  }
}

TEST_CASE("rows: embedding rows are copied, and their gradients added up in order") {
  const std::vector<int32_t> ids = {4, 0, 4, 2, 4, 1};
  const int64_t n = 6;
  each_isa(3, [&](const cpu::Context& context) {
    for (const int64_t width : kWidths) {
      for (const Dtype type : both_types) {
        const Array table = normal(type, 5 * width, 19);
        Array out(type, n * width);
        cpu::embed(context, type, table.data(), ids.data(), n, width, out.data());
        for (int64_t i = 0; i < n * width; i++) CHECK(out[i] == table[ids[i / width] * width + i % width]);
      }
      const auto d_out = normal(n * width, 20), before = normal(5 * width, 21);
      auto table = before, expected = before;
      cpu::embed_backward(context, d_out.data(), ids.data(), n, width, table.data());
      for (int64_t i = 0; i < n * width; i++) expected[ids[i / width] * width + i % width] += d_out[i];
      CHECK(same_bits(table, expected));
    }
  });
}

TEST_CASE("rows: add, round, widen, gather") {
  each_isa(3, [](const cpu::Context& context) {
    for (const int64_t n : {int64_t{1}, int64_t{17}, int64_t{1000}, int64_t{100003}}) {
      auto from = normal(n, 22);
      from[0] = 1.00390625f;  // halfway between two bf16: to even
      const auto before = normal(n, 23);
      auto to = before;
      cpu::add(context, n, to.data(), from.data());
      Array narrow(Dtype::bf16, n), copy(Dtype::f32, n);
      std::vector<float> wide(n);
      cpu::round(context, Dtype::bf16, n, from.data(), narrow.data());
      cpu::round(context, Dtype::f32, n, from.data(), copy.data());
      cpu::widen(context, Dtype::bf16, n, narrow.data(), wide.data());
      int64_t bad = 0;
      for (int64_t i = 0; i < n; i++)
        bad += to[i] != before[i] + from[i] || narrow[i] != rounded(Dtype::bf16, from[i]) || copy[i] != from[i] ||
               wide[i] != narrow[i];
      CHECK(bad == 0);
      CHECK(narrow[0] == 1.0f);
    }
    const auto rows = normal(6 * 5, 24);
    const std::vector<int32_t> take = {5, 5, 0};
    std::vector<float> taken(3 * 5);
    cpu::gather_rows(context, 20, rows.data(), take.data(), 3, taken.data());
    for (int64_t i = 0; i < 15; i++) CHECK(taken[i] == rows[take[i / 5] * 5 + i % 5]);
  });
}

TEST_CASE("rows: column sums and row products") {
  each_isa(2, [](const cpu::Context& context) {
    for (const Dtype type : both_types)
      for (const int64_t width : kWidths) {
        const int64_t rows = 19, stride = width + 3;
        const Array strided = normal(type, rows * stride, 25), x = normal(type, rows * width, 26);
        const auto weight = normal(width, 27), d_out = normal(rows, 28), before = normal(width, 29),
                   dx0 = normal(rows * width, 30);
        auto sums = before, dw = before, dx = dx0;
        std::vector<float> out(rows);
        cpu::sum_rows(context, type, rows, width, strided.data(), stride, sums.data());
        cpu::row_dot(context, type, rows, width, x.data(), weight.data(), out.data());
        cpu::row_dot_backward(context, type, rows, width, x.data(), weight.data(), d_out.data(), dx.data(), dw.data());
        Distance off;
        for (int64_t k = 0; k < width; k++) {
          double sum = before[k], exact_dw = before[k];
          for (int64_t r = 0; r < rows; r++) {
            sum += strided[r * stride + k];
            exact_dw += double(d_out[r]) * x[r * width + k];
            off.check(k, Dtype::f32, dx[r * width + k], dx0[r * width + k] + double(d_out[r]) * weight[k], 1e-6);
          }
          off.check(k, Dtype::f32, sums[k], sum, 1e-5);
          off.check(k, Dtype::f32, dw[k], exact_dw, 1e-5);
        }
        for (int64_t r = 0; r < rows; r++) {
          double dot = 0;
          for (int64_t k = 0; k < width; k++) dot += double(x[r * width + k]) * weight[k];
          off.check(r, Dtype::f32, out[r], dot, 2e-5);
        }
        INFO(std::string(name_of(type)), " width ", width, " ", off);
        CHECK(off.bad == 0);
      }
  });
}

TEST_CASE("rows: sums over rows are the same for every number of threads") {
  const int64_t rows = 200, width = 1030;
  const Array x = normal(Dtype::bf16, rows * width, 31), dy = normal(Dtype::bf16, rows * width, 32);
  const auto weight = normal(width, 33), rstd = normal(rows, 34);
  std::vector<int32_t> ids(rows);
  for (int64_t i = 0; i < rows; i++) ids[i] = static_cast<int32_t>(i * i % 7);
  const auto d_out = normal(rows * width, 35);
  check_threads_do_not_matter([&](const cpu::Context& context) {
    std::vector<float> dx(rows * width), sums(4 * width), table(7 * width);
    cpu::rms_norm_backward(context, Dtype::bf16, rows, width, dy.data(), x.data(), weight.data(), rstd.data(),
                           dx.data(), sums.data());
    cpu::sum_rows(context, Dtype::bf16, rows, width, dy.data(), width, sums.data() + width);
    cpu::row_dot_backward(context, Dtype::bf16, rows, width, x.data(), weight.data(), rstd.data(), dx.data(),
                          sums.data() + 2 * width);
    cpu::embed_backward(context, d_out.data(), ids.data(), rows, width, table.data());
    dx.insert(dx.end(), sums.begin(), sums.end());
    dx.insert(dx.end(), table.begin(), table.end());
    return dx;
  });
}

TEST_CASE("rows: log of the sums is exact to double rounding") {
  for (float x : {1.0f, 0.99999994f, 1.0000001f, 2.0f, 0.7071067f, 0.70710677f, 0.7071068f, 1.4142135f, 1.4142137f,
                  3.7f, 151936.0f, 1e-30f, 3e38f})
    CHECK(std::fabs(cpu::log_of(x) - std::log(double(x))) <= 1e-14 * std::max(1.0, std::fabs(std::log(double(x)))));
  CHECK(std::isnan(cpu::log_of(NAN)));
}

TEST_CASE("rows: log-softmax, its entropy and its gradient are those of the double reference") {
  each_isa(2, [](const cpu::Context& context) {
    for (const int64_t vocab : {1, 2, 15, 63, 64, 65, 127, 128, 1000, 4096, 4097, 9001, 151936})
      for (const float spread : {0.1f, 3.0f, 40.0f}) {
        const int64_t rows = vocab > 10000 ? 2 : 5;
        auto logits = normal(rows * vocab, 36 + vocab, spread);
        for (float& x : logits) x += 5;
        std::vector<int32_t> targets(rows);
        for (int64_t r = 0; r < rows; r++)
          targets[r] = static_cast<int32_t>(r * (vocab - 1) / std::max<int64_t>(1, rows - 1));
        std::vector<float> log_prob(rows), lse(rows), entropy(rows), log_prob2(rows), lse2(rows);
        cpu::log_softmax(context, rows, vocab, logits.data(), targets.data(), log_prob.data(), lse.data(),
                         entropy.data());
        cpu::log_softmax(context, rows, vocab, logits.data(), targets.data(), log_prob2.data(), lse2.data(), nullptr);
        CHECK(same_bits(log_prob, log_prob2));
        CHECK(same_bits(lse, lse2));
        const auto d_log_prob = normal(rows, 37), d_entropy = normal(rows, 38);
        const int64_t column = vocab / 3, columns = vocab - column, stride = columns + 2;
        Array d(Dtype::f32, rows * stride), narrow(Dtype::bf16, rows * stride), plain(Dtype::f32, rows * vocab);
        cpu::log_softmax_backward(context, Dtype::f32, rows, vocab, logits.data(), targets.data(), lse.data(),
                                  entropy.data(), d_log_prob.data(), d_entropy.data(), column, columns, d.data(),
                                  stride);
        cpu::log_softmax_backward(context, Dtype::bf16, rows, vocab, logits.data(), targets.data(), lse.data(),
                                  entropy.data(), d_log_prob.data(), d_entropy.data(), column, columns, narrow.data(),
                                  stride);
        cpu::log_softmax_backward(context, Dtype::f32, rows, vocab, logits.data(), targets.data(), lse.data(), nullptr,
                                  d_log_prob.data(), nullptr, 0, vocab, plain.data(), vocab);
        Distance off, off_d;
        for (int64_t r = 0; r < rows; r++) {
          const float* x = &logits[r * vocab];
          const double max = *std::max_element(x, x + vocab);
          double sum = 0, exact_entropy = 0;
          for (int64_t j = 0; j < vocab; j++) sum += std::exp(x[j] - max);
          const double exact = max + std::log(sum);
          for (int64_t j = 0; j < vocab; j++) exact_entropy -= std::exp(x[j] - exact) * (x[j] - exact);
          off.check(r, Dtype::f32, lse[r], exact, 1e-6);
          off.check(r, Dtype::f32, log_prob[r], x[targets[r]] - exact, 1e-6);
          off.check(r, Dtype::f32, entropy[r], exact_entropy, 1e-5);
          for (int64_t j = 0; j < vocab; j++) {
            const double log_p = x[j] - exact, p = std::exp(log_p);
            const double a = d_log_prob[r] * ((j == targets[r]) - p);
            off_d.check(j, Dtype::f32, plain[r * vocab + j], a, 2e-5 * p + 1e-6 * std::fabs(a) + 1e-35);
            if (j < column) continue;
            const double b = a - d_entropy[r] * p * (log_p + exact_entropy);
            const int64_t at = r * stride + j - column;
            // lse and x - lse are rounded at up to 170: 8e-6 each.
            const double slack = 2e-5 * p * (1 + std::fabs(log_p) + exact_entropy) + 1e-35;
            off_d.check(j, Dtype::f32, d[at], b, slack);
            off_d.check(j, Dtype::bf16, narrow[at], b, slack);
          }
        }
        INFO("vocab ", vocab, " spread ", spread, " ", off, " gradient ", off_d);
        CHECK(off.bad == 0);
        CHECK(off_d.bad == 0);
      }
  });
}

TEST_CASE("rows: log-softmax depends on no other row and on no thread") {
  const int64_t rows = 40, vocab = 4500;
  const auto logits = normal(rows * vocab, 39, 4.0f);
  const std::vector<int32_t> targets(rows, 4321);
  check_rows_are_independent(rows, [&](const cpu::Context& context, int64_t row, int64_t n) {
    Array out(Dtype::f32, n * 3);
    float* p = reinterpret_cast<float*>(out.data());
    std::vector<float> log_prob(n), lse(n), entropy(n);
    cpu::log_softmax(context, n, vocab, &logits[row * vocab], targets.data(), log_prob.data(), lse.data(),
                     entropy.data());
    for (int64_t i = 0; i < n; i++) p[3 * i] = log_prob[i], p[3 * i + 1] = lse[i], p[3 * i + 2] = entropy[i];
    return bits(out);
  });
}

TEST_CASE("rows: a NaN is never lost") {
  each_isa(1, [](const cpu::Context& context) {
    for (const int64_t at : {0, 5, 63, 64, 69}) {
      auto logits = normal(70, 40);
      logits[at] = NAN;
      const int32_t target = 7;
      float log_prob, lse, entropy;
      cpu::log_softmax(context, 1, 70, logits.data(), &target, &log_prob, &lse, &entropy);
      CHECK(std::isnan(log_prob));
      CHECK(std::isnan(lse));
      CHECK(std::isnan(entropy));
      std::vector<float> x = logits, weight(70, 1.0f), y(70), swiglu_in(140, 1.0f);
      cpu::add_rms_norm(context, Dtype::f32, 1, 70, x.data(), nullptr, weight.data(), 1e-6f, y.data(), nullptr);
      CHECK(std::isnan(y[69 - at]));
      swiglu_in[at] = NAN;
      cpu::swiglu(context, Dtype::f32, 1, 70, swiglu_in.data(), y.data());
      CHECK(std::isnan(y[at]));
      Array narrow(Dtype::bf16, 70);
      cpu::round(context, Dtype::bf16, 70, logits.data(), narrow.data());
      CHECK(std::isnan(narrow[at]));
    }
  });
}
