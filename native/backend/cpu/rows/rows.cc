#include "backend/cpu/rows/rows.h"

#include <cstring>

#include "backend/cpu/level.h"
#include "backend/cpu/split.h"

// Row kernels on threads. Forward work and dx are split over rows, sums over rows are split over columns: no number
// depends on the split.
namespace srcode::cpu {
namespace {

const char* at(const void* p, Dtype type, int64_t i) {
  return static_cast<const char*>(p) + i * static_cast<int64_t>(size_of(type));
}
char* at(void* p, Dtype type, int64_t i) { return static_cast<char*>(p) + i * static_cast<int64_t>(size_of(type)); }

constexpr int64_t kColumns = 64;  // columns a piece is a multiple of, so that no two threads write one cache line

}  // namespace

double log_of(double x) {
  if (!(x == x)) return x;
  uint64_t bits;
  std::memcpy(&bits, &x, 8);
  // x = 2^e f, f in [sqrt 1/2, sqrt 2).
  int64_t e = static_cast<int64_t>(bits - 0x3fe6a09e667f3bcd) >> 52;
  bits -= static_cast<uint64_t>(e) << 52;
  double f;
  std::memcpy(&f, &bits, 8);
  // log f = 2 atanh t, |t| < 0.172.
  const double t = (f - 1) / (f + 1), u = t * t;
  double sum = 1.0 / 19;
  for (int n = 17; n >= 1; n -= 2) sum = sum * u + 1.0 / n;
  return static_cast<double>(e) * 0.69314718055994530942 + 2 * t * sum;
}

void embed(const Context& context, Dtype type, const void* table, const int32_t* ids, int64_t n, int64_t width,
           void* out) {
  gather_rows(context, width * static_cast<int64_t>(size_of(type)), table, ids, n, out);
}

void embed_backward(const Context& context, const float* d_out, const int32_t* ids, int64_t n, int64_t width,
                    float* d_table) {
  scatter_add_rows(context, width, d_out, ids, n, d_table);
}

void add_rms_norm(const Context& context, Dtype type, int64_t rows, int64_t width, void* x, const void* delta,
                  const float* weight, float eps, void* y, float* rstd) {
  const auto kernel = context.level.rows->of(type).add_rms_norm;
  split(context, rows, width * 12, [&](int64_t begin, int64_t end) {
    kernel(end - begin, width, at(x, type, begin * width), delta != nullptr ? at(delta, type, begin * width) : nullptr,
           weight, eps, at(y, type, begin * width), rstd != nullptr ? rstd + begin : nullptr);
  });
}

void rms_norm_backward(const Context& context, Dtype type, int64_t rows, int64_t width, const void* dy, const void* x,
                       const float* weight, const float* rstd, float* dx, float* d_weight) {
  const RowKernels::Typed& kernels = context.level.rows->of(type);
  split(context, rows, width * 12, [&](int64_t begin, int64_t end) {
    kernels.rms_norm_dx(end - begin, width, at(dy, type, begin * width), at(x, type, begin * width), weight,
                        rstd + begin, dx + begin * width);
  });
  if (d_weight == nullptr) return;
  split(
      context, width, rows * 8,
      [&](int64_t begin, int64_t end) { kernels.rms_norm_dw(rows, width, dy, x, rstd, begin, end, d_weight); },
      kColumns);
}

void rope(const Context& context, Dtype type, int64_t rows, const Heads& heads, void* qkv, const int32_t* positions,
          const float* table, bool inverse) {
  const auto kernel = context.level.rows->of(type).rope;
  const int64_t stride = heads.row();
  split(context, rows, stride * 8, [&](int64_t begin, int64_t end) {
    kernel(end - begin, heads.heads + heads.kv_heads, heads.dim, stride, at(qkv, type, begin * stride),
           positions + begin, table, inverse);
  });
}

void swiglu(const Context& context, Dtype type, int64_t rows, int64_t width, const void* gate_up, void* out) {
  const auto kernel = context.level.rows->of(type).swiglu;
  split(context, rows, width * 24, [&](int64_t begin, int64_t end) {
    kernel(end - begin, width, at(gate_up, type, begin * 2 * width), at(out, type, begin * width));
  });
}

void swiglu_backward(const Context& context, Dtype type, int64_t rows, int64_t width, const void* gate_up,
                     const void* d_out, void* d_gate_up) {
  const auto kernel = context.level.rows->of(type).swiglu_backward;
  split(context, rows, width * 24, [&](int64_t begin, int64_t end) {
    kernel(end - begin, width, at(gate_up, type, begin * 2 * width), at(d_out, type, begin * width),
           at(d_gate_up, type, begin * 2 * width));
  });
}

void add(const Context& context, int64_t n, float* to, const float* from) {
  split(
      context, n, 8,
      [&](int64_t begin, int64_t end) { context.level.rows->add_scaled(end - begin, 1.0f, from + begin, to + begin); },
      kColumns);
}

void round(const Context& context, Dtype type, int64_t n, const float* from, void* to) {
  const auto kernel = context.level.rows->of(type).round;
  split(
      context, n, 8, [&](int64_t begin, int64_t end) { kernel(end - begin, from + begin, at(to, type, begin)); },
      kColumns);
}

void widen(const Context& context, Dtype type, int64_t n, const void* from, float* to) {
  const auto kernel = context.level.rows->of(type).widen;
  split(
      context, n, 8, [&](int64_t begin, int64_t end) { kernel(end - begin, at(from, type, begin), to + begin); },
      kColumns);
}

void gather_rows(const Context& context, int64_t bytes, const void* from, const int32_t* rows, int64_t n, void* to) {
  split(context, n, bytes, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      std::memcpy(static_cast<char*>(to) + i * bytes, static_cast<const char*>(from) + rows[i] * bytes,
                  static_cast<size_t>(bytes));
    }
  });
}

void scatter_add_rows(const Context& context, int64_t width, const float* from, const int32_t* rows, int64_t n,
                      float* to) {
  const auto kernel = context.level.rows->add_scaled;
  split(
      context, width, n * 8,
      [&](int64_t begin, int64_t end) {
        for (int64_t i = 0; i < n; i++)
          kernel(end - begin, 1.0f, from + i * width + begin, to + rows[i] * width + begin);
      },
      kColumns);
}

void sum_rows(const Context& context, Dtype type, int64_t rows, int64_t width, const void* dy, int64_t stride,
              float* d_bias) {
  const auto kernel = context.level.rows->of(type).sum_columns;
  split(
      context, width, rows * 4,
      [&](int64_t begin, int64_t end) { kernel(rows, dy, stride, nullptr, begin, end, d_bias); }, kColumns);
}

void row_dot(const Context& context, Dtype type, int64_t rows, int64_t width, const void* x, const float* weight,
             float* out) {
  const auto kernel = context.level.rows->of(type).row_dot;
  split(context, rows, width * 4, [&](int64_t begin, int64_t end) {
    kernel(end - begin, width, at(x, type, begin * width), weight, out + begin);
  });
}

void row_dot_backward(const Context& context, Dtype type, int64_t rows, int64_t width, const void* x,
                      const float* weight, const float* d_out, float* dx, float* d_weight) {
  const RowKernels& kernels = *context.level.rows;
  split(context, rows, width * 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) kernels.add_scaled(width, d_out[i], weight, dx + i * width);
  });
  split(
      context, width, rows * 4,
      [&](int64_t begin, int64_t end) { kernels.of(type).sum_columns(rows, x, width, d_out, begin, end, d_weight); },
      kColumns);
}

void log_softmax(const Context& context, int64_t rows, int64_t vocab, const float* logits, const int32_t* targets,
                 float* log_prob, float* lse, float* entropy) {
  split(context, rows, vocab * 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const float* x = logits + i * vocab;
      const LogSum row = context.level.rows->log_sum(vocab, x, entropy != nullptr, nullptr);
      const double log_sum = log_of(row.sum);
      log_prob[i] = static_cast<float>(log_prob_of(row, x[targets[i]]));
      lse[i] = static_cast<float>(row.max + log_sum);
      if (entropy != nullptr) entropy[i] = static_cast<float>(log_sum - static_cast<double>(row.moment) / row.sum);
    }
  });
}

void log_softmax_backward(const Context& context, Dtype type, int64_t rows, int64_t vocab, const float* logits,
                          const int32_t* targets, const float* lse, const float* entropy, const float* d_log_prob,
                          const float* d_entropy, int64_t column, int64_t columns, void* d_logits, int64_t stride) {
  const auto kernel = context.level.rows->of(type).log_softmax_backward;
  const bool with_entropy = entropy != nullptr && d_entropy != nullptr;
  split(context, rows, columns * 12, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      kernel(logits + i * vocab, targets[i], lse[i], with_entropy ? entropy[i] : 0.0f, d_log_prob[i],
             with_entropy ? d_entropy[i] : 0.0f, column, columns, at(d_logits, type, i * stride));
    }
  });
}

}  // namespace srcode::cpu
