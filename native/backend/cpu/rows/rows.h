#pragma once
#include <cstdint>

#include "backend/backend.h"
#include "core/dtype.h"

// The row kernels: what a layer does between its products. The functions below are Backend's, said there; each gives
// the same bits for any number of threads.
namespace srcode::cpu {

struct Context;

// Of one row of logits: its maximum, Σ e^(x - max), and Σ e^(x - max) (x - max). Log-sum-exp = max + log sum;
// entropy = log sum - moment / sum.
struct LogSum {
  float max, sum, moment;
};

// One level's kernels, single-threaded, each on a range of rows, columns or elements.
struct RowKernels {
  struct Typed {
    void (*add_rms_norm)(int64_t rows, int64_t width, void* x, const void* delta, const float* weight, float eps,
                         void* y, float* rstd);
    void (*rms_norm_dx)(int64_t rows, int64_t width, const void* dy, const void* x, const float* weight,
                        const float* rstd, float* dx);
    void (*rms_norm_dw)(int64_t rows, int64_t width, const void* dy, const void* x, const float* rstd, int64_t begin,
                        int64_t end, float* d_weight);
    void (*rope)(int64_t rows, int64_t heads, int64_t dim, int64_t stride, void* qkv, const int32_t* positions,
                 const float* table, bool inverse);
    void (*swiglu)(int64_t rows, int64_t width, const void* gate_up, void* out);
    void (*swiglu_backward)(int64_t rows, int64_t width, const void* gate_up, const void* d_out, void* d_gate_up);
    void (*round)(int64_t n, const float* from, void* to);
    void (*widen)(int64_t n, const void* from, float* to);
    // to[begin, end) += Σ_i scale[i] x[i, begin, end), in the order of i; scale may be null (1).
    void (*sum_columns)(int64_t rows, const void* x, int64_t stride, const float* scale, int64_t begin, int64_t end,
                        float* to);
    void (*row_dot)(int64_t rows, int64_t width, const void* x, const float* weight, float* out);
    // d_logits[i, j] for one row i and j in [column, column + columns): see Backend::log_softmax_backward.
    void (*log_softmax_backward)(const float* logits, int32_t target, float lse, float entropy, float d_log_prob,
                                 float d_entropy, int64_t column, int64_t columns, void* d_logits);
  };
  Typed typed[2];                                                            // indexed by Dtype
  void (*add_scaled)(int64_t n, float scale, const float* from, float* to);  // to += scale · from
  // panel_max: null, or the maxima of each 64 columns.
  LogSum (*log_sum)(int64_t vocab, const float* logits, bool moment, float* panel_max);
  // weights[j] = e^((logits[j] - max) / temperature), 0 below e^-87; panel_sum: their sums over each 64 columns.
  void (*temper)(int64_t n, const float* logits, float max, float temperature, float* weights, float* panel_sum);

  const Typed& of(Dtype type) const { return typed[static_cast<int>(type)]; }
};
constexpr int64_t kLogPanel = 64;  // columns a panel of log-sum-exp

// log(x), x > 0 finite, within 1e-14: of plain double operations, so that it is the same on each machine. NaN for NaN.
double log_of(double x);
inline double log_prob_of(const LogSum& row, float logit) {
  return static_cast<double>(logit) - row.max - log_of(row.sum);
}

void embed(const Context&, Dtype, const void* table, const int32_t* ids, int64_t n, int64_t width, void* out);
void embed_backward(const Context&, const float* d_out, const int32_t* ids, int64_t n, int64_t width, float* d_table);
void add_rms_norm(const Context&, Dtype, int64_t rows, int64_t width, void* x, const void* delta, const float* weight,
                  float eps, void* y, float* rstd);
void rms_norm_backward(const Context&, Dtype, int64_t rows, int64_t width, const void* dy, const void* x,
                       const float* weight, const float* rstd, float* dx, float* d_weight);
void rope(const Context&, Dtype, int64_t rows, const Heads&, void* qkv, const int32_t* positions, const float* table,
          bool inverse);
void swiglu(const Context&, Dtype, int64_t rows, int64_t width, const void* gate_up, void* out);
void swiglu_backward(const Context&, Dtype, int64_t rows, int64_t width, const void* gate_up, const void* d_out,
                     void* d_gate_up);
void add(const Context&, int64_t n, float* to, const float* from);
void round(const Context&, Dtype, int64_t n, const float* from, void* to);
void widen(const Context&, Dtype, int64_t n, const void* from, float* to);
void gather_rows(const Context&, int64_t bytes, const void* from, const int32_t* rows, int64_t n, void* to);
void scatter_add_rows(const Context&, int64_t width, const float* from, const int32_t* rows, int64_t n, float* to);
void sum_rows(const Context&, Dtype, int64_t rows, int64_t width, const void* dy, int64_t stride, float* d_bias);
void row_dot(const Context&, Dtype, int64_t rows, int64_t width, const void* x, const float* weight, float* out);
void row_dot_backward(const Context&, Dtype, int64_t rows, int64_t width, const void* x, const float* weight,
                      const float* d_out, float* dx, float* d_weight);
void log_softmax(const Context&, int64_t rows, int64_t vocab, const float* logits, const int32_t* targets,
                 float* log_prob, float* lse, float* entropy);
void log_softmax_backward(const Context&, Dtype, int64_t rows, int64_t vocab, const float* logits,
                          const int32_t* targets, const float* lse, const float* entropy, const float* d_log_prob,
                          const float* d_entropy, int64_t column, int64_t columns, void* d_logits, int64_t stride);

}  // namespace srcode::cpu
