#include "backend/cpu/attention/attention.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <string>

#include "core/error.h"
#include "cpu_support.h"

using namespace srcode;
using namespace srcode::test;

namespace {

const Heads kShapes[] = {{7, 1, 64},  {4, 2, 32}, {2, 2, 12},  {3, 3, 16}, {2, 1, 80},
                         {4, 1, 128}, {8, 8, 32}, {14, 2, 64}, {10, 1, 2}};

struct Batch {
  Dtype type;
  Heads heads;
  std::vector<int32_t> cu{0};
  int64_t rows() const { return cu.back(); }
  Array qkv() const { return Array(type, rows() * heads.row()); }
  Array out() const { return Array(type, rows() * heads.q_columns()); }
};

Batch batch_of(Dtype type, const Heads& heads, std::initializer_list<int> lengths) {
  Batch batch{type, heads};
  for (int n : lengths) batch.cu.push_back(batch.cu.back() + n);
  return batch;
}

// Attention and its gradient in double, from the rounded inputs.
struct Reference {
  std::vector<double> out, lse, d_qkv, weight;  // weight: Σ p |v|, the size of the error that rounding P makes
};
Reference reference(const Batch& batch, const Array& qkv, const Array* d_out) {
  const auto [heads, kv_heads, dim] = batch.heads;
  const int64_t stride = batch.heads.row(), rows = batch.rows(), group = heads / kv_heads;
  Reference r{std::vector<double>(rows * heads * dim), std::vector<double>(rows * heads),
              std::vector<double>(rows * stride), std::vector<double>(rows * heads * dim)};
  const double scale = 1 / std::sqrt(double(dim));
  for (size_t sequence = 0; sequence + 1 < batch.cu.size(); sequence++)
    for (int64_t i = batch.cu[sequence]; i < batch.cu[sequence + 1]; i++)
      for (int64_t h = 0; h < heads; h++) {
        const int64_t first = batch.cu[sequence], n = i - first + 1;
        const auto q = [&](int64_t k) { return i * stride + h * dim + k; };
        const auto key = [&](int64_t j, int64_t k) { return (first + j) * stride + (heads + h / group) * dim + k; };
        const auto value = [&](int64_t j, int64_t k) { return key(j, k) + kv_heads * dim; };
        const int64_t at = (i * heads + h) * dim;
        std::vector<double> s(n), p(n);
        double max = -1e300, sum = 0;
        for (int64_t j = 0; j < n; j++) {
          for (int64_t k = 0; k < dim; k++) s[j] += double(qkv[q(k)]) * qkv[key(j, k)];
          max = std::max(max, s[j] *= scale);
        }
        for (int64_t j = 0; j < n; j++) sum += std::exp(s[j] - max);
        r.lse[i * heads + h] = max + std::log(sum);
        for (int64_t j = 0; j < n; j++) {
          p[j] = std::exp(s[j] - max) / sum;
          for (int64_t k = 0; k < dim; k++) {
            r.out[at + k] += p[j] * qkv[value(j, k)];
            r.weight[at + k] += p[j] * std::fabs(qkv[value(j, k)]);
          }
        }
        if (d_out == nullptr) continue;
        double d = 0;
        for (int64_t k = 0; k < dim; k++) d += (*d_out)[at + k] * r.out[at + k];
        for (int64_t j = 0; j < n; j++) {
          double dp = 0;
          for (int64_t k = 0; k < dim; k++) {
            dp += double((*d_out)[at + k]) * qkv[value(j, k)];
            r.d_qkv[value(j, k)] += p[j] * (*d_out)[at + k];
          }
          const double ds = p[j] * (dp - d) * scale;
          for (int64_t k = 0; k < dim; k++) {
            r.d_qkv[q(k)] += ds * qkv[key(j, k)];
            r.d_qkv[key(j, k)] += ds * qkv[q(k)];
          }
        }
      }
  return r;
}

// Pages of a cache, full of NaN at first, as memory from another sequence might be.
class Pages {
 public:
  Pages(const cpu::Context& context, const Batch& batch, int64_t rows) {
    const size_t bytes = cpu::cache_page_bytes(context, batch.type, batch.heads);
    for (int64_t i = 0; i * kCachePage < rows; i++) {
      memory_.push_back(Array(Dtype::f32, bytes / 4 + 16));
      std::memset(memory_.back().data(), 0xff, memory_.back().byte_size());
      char* data = memory_.back().data();
      pages_.push_back(data + (64 - reinterpret_cast<uintptr_t>(data) % 64) % 64);
    }
  }
  void* const* data() const { return pages_.data(); }

 private:
  std::vector<Array> memory_;
  std::vector<void*> pages_;
};

}  // namespace

TEST_CASE("attention: output and log-sum-exp are those of the double reference") {
  for (const Dtype type : both_types)
    for (const Heads& heads : kShapes) {
      const Batch batch = batch_of(type, heads, {1, 2, 15, 16, 17, 0, 63, 64, 65, 130});
      const Array qkv = normal(type, batch.rows() * heads.row(), 1);
      const Reference exact = reference(batch, qkv, nullptr);
      each_isa(2, [&](const cpu::Context& context) {
        Array out = batch.out(), out2 = batch.out();
        std::vector<float> lse(batch.rows() * heads.heads);
        cpu::attention(context, type, heads, batch.cu, qkv.data(), out.data(), lse.data());
        cpu::attention(context, type, heads, batch.cu, qkv.data(), out2.data(), nullptr);
        CHECK(out == out2);
        Distance off, off_lse;
        for (int64_t i = 0; i < out.size(); i++)
          off.check(i, type, out[i], exact.out[i], exact.weight[i] * (type == Dtype::f32 ? 4e-6 : 0x1p-8));
        for (size_t i = 0; i < lse.size(); i++) off_lse.check(i, Dtype::f32, lse[i], exact.lse[i], 4e-6);
        INFO(std::string(name_of(type)), " heads ", heads.heads, "/", heads.kv_heads, " dim ", heads.dim, " ", off,
             "; lse ", off_lse);
        CHECK(off.bad == 0);
        CHECK(off_lse.bad == 0);
      });
    }
}

TEST_CASE("attention: scores far apart, alike, and beyond the range of exp") {
  for (const Dtype type : both_types)
    for (const float size : {0.0f, 30.0f, 1e4f}) {
      const Batch batch = batch_of(type, {2, 1, 32}, {200});
      const Array qkv = normal(type, batch.rows() * batch.heads.row(), 2, size);
      const Reference exact = reference(batch, qkv, nullptr);
      each_isa(1, [&](const cpu::Context& context) {
        Array out = batch.out();
        cpu::attention(context, type, batch.heads, batch.cu, qkv.data(), out.data(), nullptr);
        // A score's own rounding is a share of the scores.
        const double score = size * size * std::sqrt(32.0);
        Distance off;
        for (int64_t i = 0; i < out.size(); i++)
          off.check(i, type, out[i], exact.out[i],
                    size * ((type == Dtype::f32 ? 4e-6 : 0x1p-7) + std::min(4.0, score * 1e-5)));
        INFO(std::string(name_of(type)), " size ", size, " ", off);
        CHECK(off.bad == 0);
      });
    }
}

// Prefill in chunks, one token at a time, and anything between, in batches with other sequences.
TEST_CASE("attention: every way through the cache gives the bits of attention over whole sequences") {
  std::mt19937_64 random(3);
  const auto below = [&](int64_t n) { return static_cast<int64_t>(random() % static_cast<uint64_t>(n)); };
  for (const Dtype type : both_types)
    for (const Heads& heads : kShapes) {
      Batch batch{type, heads};
      for (int i = 0; i < 4; i++) batch.cu.push_back(batch.cu.back() + 1 + static_cast<int32_t>(below(300)));
      const Array qkv = normal(type, batch.rows() * heads.row(), random(), 1.5f);
      each_isa(1 + static_cast<int>(below(4)), [&](const cpu::Context& context) {
        Array whole = batch.out();
        cpu::attention(context, type, heads, batch.cu, qkv.data(), whole.data(), nullptr);
        const int64_t sequences = 4, width = heads.q_columns();
        std::vector<Pages> pages;
        std::vector<int64_t> done(sequences);
        for (int64_t i = 0; i < sequences; i++) pages.emplace_back(context, batch, batch.cu[i + 1] - batch.cu[i]);
        int64_t wrong = 0, checked = 0;
        while (checked < batch.rows()) {
          std::vector<CacheRun> runs;
          std::vector<int64_t> take;  // rows of the packed batch
          for (int64_t i = sequences - 1; i >= 0; i--) {
            const int64_t left = batch.cu[i + 1] - batch.cu[i] - done[i];
            if (left == 0 || below(3) == 0) continue;
            const int64_t n = below(3) == 0   ? 1
                              : below(2) == 0 ? 1 + below(std::min<int64_t>(left, 20))
                                              : 1 + below(left);
            runs.push_back({static_cast<int64_t>(take.size()), n, done[i], pages[i].data()});
            for (int64_t j = 0; j < n; j++) take.push_back(batch.cu[i] + done[i] + j);
            done[i] += n;
          }
          const int64_t rows = static_cast<int64_t>(take.size());
          Array in(type, rows * heads.row()), out(type, rows * width);
          for (int64_t r = 0; r < rows; r++)
            std::memcpy(in.data(r * heads.row()), qkv.data(take[r] * heads.row()), heads.row() * size_of(type));
          cpu::attention_cached(context, type, heads, runs, in.data(), out.data());
          for (int64_t r = 0; r < rows; r++)
            wrong += std::memcmp(out.data(r * width), whole.data(take[r] * width), width * size_of(type)) != 0;
          checked += rows;
        }
        INFO(std::string(name_of(type)), " heads ", heads.heads, "/", heads.kv_heads, " dim ", heads.dim);
        CHECK(wrong == 0);
      });
    }
}

TEST_CASE("attention: a sequence knows nothing of its neighbours, NaN or not, nor of the threads") {
  for (const Dtype type : both_types)
    for (const Heads& heads : {Heads{7, 1, 64}, Heads{4, 2, 12}}) {
      const Batch batch = batch_of(type, heads, {70, 33, 129}), alone = batch_of(type, heads, {33});
      const int64_t first = 70 * heads.row(), n = 33 * heads.row(), first_out = 70 * heads.q_columns(),
                    n_out = 33 * heads.q_columns();
      Array qkv = normal(type, batch.rows() * heads.row(), 4), own(type, n);
      Array d_out = normal(type, batch.rows() * heads.q_columns(), 5), own_d_out(type, n_out);
      for (int64_t i = 0; i < qkv.size(); i++)
        if (i < first || i >= first + n) qkv.set(i, std::numeric_limits<float>::quiet_NaN());
      std::memcpy(own.data(), qkv.data(first), own.byte_size());
      std::memcpy(own_d_out.data(), d_out.data(first_out), own_d_out.byte_size());
      for (int threads = 1; threads <= 4; threads++)
        each_isa(threads, [&](const cpu::Context& context) {
          Array out = batch.out(), own_out = alone.out(), d = batch.qkv(), own_d = alone.qkv();
          std::vector<float> lse(batch.rows() * heads.heads), own_lse(33 * heads.heads);
          cpu::attention(context, type, heads, batch.cu, qkv.data(), out.data(), lse.data());
          cpu::attention(context, type, heads, alone.cu, own.data(), own_out.data(), own_lse.data());
          CHECK(std::memcmp(own_out.data(), out.data(first_out), own_out.byte_size()) == 0);
          CHECK(std::memcmp(own_lse.data(), lse.data() + 70 * heads.heads, own_lse.size() * 4) == 0);
          cpu::attention_backward(context, type, heads, batch.cu, qkv.data(), out.data(), lse.data(), d_out.data(),
                                  d.data());
          cpu::attention_backward(context, type, heads, alone.cu, own.data(), own_out.data(), own_lse.data(),
                                  own_d_out.data(), own_d.data());
          CHECK(std::memcmp(own_d.data(), d.data(first), own_d.byte_size()) == 0);
          CHECK(std::isfinite(own_d[0]));
          CHECK(std::isnan(out[0]));
        });
    }
}

TEST_CASE("attention: the number of threads changes no bit, forward or backward") {
  const FlushDenormals flush;
  for (const Dtype type : both_types) {
    const Batch batch = batch_of(type, {4, 2, 32}, {120, 300, 7, 64});
    const Array qkv = normal(type, batch.rows() * batch.heads.row(), 6), d_out = normal(type, batch.rows() * 128, 7);
    for (const Isa isa : supported_isas()) {
      std::vector<Array> outs, gradients;
      for (int threads : {1, 2, 3, 4}) {
        ThreadPool pool(threads);
        const cpu::Context context{cpu::level(isa), pool};
        Array out = batch.out(), d = batch.qkv();
        std::vector<float> lse(batch.rows() * 4);
        cpu::attention(context, type, batch.heads, batch.cu, qkv.data(), out.data(), lse.data());
        cpu::attention_backward(context, type, batch.heads, batch.cu, qkv.data(), out.data(), lse.data(), d_out.data(),
                                d.data());
        outs.push_back(std::move(out));
        gradients.push_back(std::move(d));
      }
      INFO(std::string(name_of(isa)));
      for (int i = 1; i < 4; i++) {
        CHECK(outs[i] == outs[0]);
        CHECK(gradients[i] == gradients[0]);
      }
    }
  }
}

TEST_CASE("attention: the gradient is that of the double reference") {
  for (const Dtype type : both_types)
    for (const Heads& heads : kShapes) {
      const Batch batch = batch_of(type, heads, {1, 16, 31, 0, 64, 97, 150});
      const int64_t stride = heads.row();
      const Array qkv = normal(type, batch.rows() * stride, 8),
                  d_out = normal(type, batch.rows() * heads.q_columns(), 9);
      const Reference exact = reference(batch, qkv, &d_out);
      each_isa(2, [&](const cpu::Context& context) {
        Array out = batch.out(), d = batch.qkv();
        std::vector<float> lse(batch.rows() * heads.heads);
        cpu::attention(context, type, heads, batch.cu, qkv.data(), out.data(), lse.data());
        cpu::attention_backward(context, type, heads, batch.cu, qkv.data(), out.data(), lse.data(), d_out.data(),
                                d.data());
        // For dq, dk and dv: the error's norm to the gradient's, and the largest error to the largest value.
        const int64_t ends[] = {heads.q_columns(), heads.q_columns() + heads.kv_columns(), stride};
        for (int part = 0; part < 3; part++) {
          double error = 0, size = 0, worst = 0, largest = 0;
          for (int64_t r = 0; r < batch.rows(); r++)
            for (int64_t c = part == 0 ? 0 : ends[part - 1]; c < ends[part]; c++) {
              const double e = d[r * stride + c] - exact.d_qkv[r * stride + c], x = exact.d_qkv[r * stride + c];
              error += e * e, size += x * x, worst = std::max(worst, std::fabs(e)),
                                             largest = std::max(largest, std::fabs(x));
            }
          INFO(std::string(name_of(type)), " heads ", heads.heads, "/", heads.kv_heads, " dim ", heads.dim, " part ",
               part);
          CHECK(std::sqrt(error / size) < (type == Dtype::f32 ? 2e-6 : 8e-3));
          CHECK(worst / largest < (type == Dtype::f32 ? 1e-5 : 1.5e-2));
        }
      });
    }
}

TEST_CASE("attention: the gradient is the slope of the output") {
  const Batch batch = batch_of(Dtype::f32, {4, 2, 12}, {9, 66});
  const auto qkv = normal(batch.rows() * batch.heads.row(), 10), d_out = normal(batch.rows() * 48, 11);
  each_isa(1, [&](const cpu::Context& context) {
    std::vector<float> out(d_out.size()), lse(batch.rows() * 4), d(qkv.size());
    const auto loss = [&](const std::vector<float>& at) {
      cpu::attention(context, Dtype::f32, batch.heads, batch.cu, at.data(), out.data(), lse.data());
      double sum = 0;
      for (size_t i = 0; i < out.size(); i++) sum += double(out[i]) * d_out[i];
      return sum;
    };
    loss(qkv);
    cpu::attention_backward(context, Dtype::f32, batch.heads, batch.cu, qkv.data(), out.data(), lse.data(),
                            d_out.data(), d.data());
    for (size_t i = 0; i < qkv.size(); i += 97) {
      auto up = qkv, down = qkv;
      up[i] += 0.02f, down[i] -= 0.02f;
      CHECK(d[i] == doctest::Approx((loss(up) - loss(down)) / (up[i] - down[i])).epsilon(5e-3).scale(1));
    }
  });
}

TEST_CASE("attention: bad shapes are refused") {
  each_isa(1, [](const cpu::Context& context) {
    const std::vector<int32_t> cu = {0, 1}, falling = {0, 2, 1}, late = {1, 2};
    std::vector<float> x(100);
    const auto run = [&](const Heads& heads, const std::vector<int32_t>& lengths) {
      cpu::attention(context, Dtype::f32, heads, lengths, x.data(), x.data(), nullptr);
    };
    CHECK_THROWS_AS(run({3, 2, 8}, cu), Error);
    CHECK_THROWS_AS(run({2, 2, 7}, cu), Error);
    CHECK_THROWS_AS(run({2, 2, 258}, cu), Error);
    CHECK_THROWS_AS(run({2, 2, 8}, falling), Error);
    CHECK_THROWS_AS(run({2, 2, 8}, late), Error);
  });
}
