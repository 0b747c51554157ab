#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/dtype.h"
#include "kernels/table.h"

// The seam. Everything above it (model/, train/) is written against this class and names no device. "T" below is the
// model's compute type (f32 or bf16); every pointer is device memory of this backend; all sums are f32 (CPU row
// reductions: a fixed order).
//
// The law of rows: in every forward call a row's result is bitwise independent of the other rows, of `rows`, and of the
// thread count. Every call returns when its result is ready (the CPU) or is ordered on the backend's stream (a GPU).
namespace srcode {

// A weight W [columns, depth] in the backend's own layout. It may hold several parts side by side along the columns
// (q|k|v, gate|up): each part begins at a fresh panel, but an output row has them without gaps.
struct PackedWeight {
  struct Part {
    int64_t column;   // first output column
    int64_t columns;  // number of output columns
  };
  Dtype dtype = Dtype::f32;
  int64_t depth = 0;    // K: the reduction
  int64_t columns = 0;  // N: all parts together
  std::vector<Part> parts;
  void* data = nullptr;  // packed_bytes(...) bytes, 64-byte aligned; owned by whoever allocated it
};

// x [rows, w->depth] times W transposed.
struct Term {
  const void* x = nullptr;  // T
  int64_t stride = 0;       // elements between rows of x
  const PackedWeight* weight = nullptr;
};

// out[i, n] = main.x[i] · W[n]  (+ lora[part of n].x[i] · B[n])  (+ bias[n]), all in one f32 accumulator chain in that
// order (the bias is added last), times `scale`, rounded once to out_type. With accumulate (f32 only) it is added to
// what out holds.
struct Product {
  int64_t rows = 0;
  Term main;
  // Empty, or one term for each part of main.weight; a term without weight adds nothing. A term's weight has one part,
  // whose columns are those of the part it belongs to.
  std::span<const Term> lora = {};
  const float* bias = nullptr;  // [columns]
  float scale = 1.0f;
  void* out = nullptr;  // [rows, columns]
  Dtype out_type = Dtype::f32;
  int64_t out_stride = 0;
  bool accumulate = false;
};

// The shape of one attention layer. A row of `qkv` is q [heads, dim] | k [kv_heads, dim] | v [kv_heads, dim].
struct Heads {
  int64_t heads = 0, kv_heads = 0, dim = 0;
  int64_t q_columns() const { return heads * dim; }
  int64_t kv_columns() const { return kv_heads * dim; }
  int64_t row() const { return (heads + 2 * kv_heads) * dim; }
};

// A run of new tokens of one sequence: rows [row, row + rows) of the batch are its positions [position, position +
// rows).
struct CacheRun {
  int64_t row = 0, rows = 0, position = 0;
  void* const* pages = nullptr;  // pages[position / kCachePage], each of cache_page_bytes(...) for this layer
};
constexpr int64_t kCachePage = 64;  // keys a page; also the key block of attention, counted from the sequence's start

struct SampleRule {
  float temperature = 1.0f;  // 0 is greedy (the lowest id among equals)
  int32_t top_k = 0;         // 0 is off
  float top_p = 1.0f;        // 1 is off
  uint64_t seed = 0, sequence = 0, sample = 0,
           position = 0;  // name the random number, so that it depends on no row's place
};
struct Sampled {
  int32_t token;
  float log_prob;           // of the untempered full softmax
  float behavior_log_prob;  // of the tempered, truncated law that it was drawn from
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual const char* isa() const = 0;
  virtual int threads() const = 0;
  // The RL kernels and the optimiser on this backend's memory, and the queue to run them on.
  virtual const KernelTable& kernels() const = 0;
  virtual Queue queue() const = 0;

  // --- memory
  // -------------------------------------------------------------------------------------------------------------
  virtual void* allocate(size_t bytes) = 0;  // 64-byte aligned, zeroed; ERR_OOM
  virtual void release(void* memory) = 0;
  virtual void copy_in(void* to, const void* host, size_t bytes) = 0;
  virtual void copy_out(void* host, const void* from, size_t bytes) = 0;
  virtual void fill_zero(void* memory, size_t bytes) = 0;
  virtual void copy(void* to, const void* from, size_t bytes) = 0;

  // --- weights
  // ------------------------------------------------------------------------------------------------------------
  virtual size_t packed_bytes(Dtype type, int64_t depth, std::span<const int64_t> part_columns) const = 0;
  // Host rows [columns of the part, depth], f32 or bf16, row-major with `stride` elements between rows, become the
  // part. Rounds to weight.dtype. weight.data must be allocated, all else set.
  virtual void pack(PackedWeight& weight, int part, const void* rows, Dtype rows_type, int64_t stride) = 0;
  // The same from the transposed matrix [depth, columns of the part] f32 with `stride` elements between its rows.
  virtual void pack_transposed(PackedWeight& weight, int part, const float* matrix, int64_t stride) = 0;
  virtual void unpack(const PackedWeight& weight, int part, void* rows, Dtype rows_type) const = 0;
  // out[i] = W[ids[i]] as T: the embedding of a tied head. One part only.
  virtual void gather(const PackedWeight& weight, const int32_t* ids, int64_t n, void* out) = 0;
  // to (already shaped: depth = columns of the range, columns = from.depth, one part, same dtype, data of packed_bytes)
  // becomes the transpose of the output columns [column, column + to.depth) of from, across parts: for dX = dY W.
  virtual void transpose(const PackedWeight& from, int64_t column, PackedWeight& to) = 0;

  // --- products
  // -----------------------------------------------------------------------------------------------------------
  virtual void product(const Product& product) = 0;
  // out[i, j] (+)= scale · Σ_m a[m, i] b[m, j]: a [rows, a_columns], b [rows, b_columns] as `type`, out f32 [a_columns,
  // b_columns].
  virtual void outer(Dtype type, int64_t rows, const void* a, int64_t a_stride, int64_t a_columns, const void* b,
                     int64_t b_stride, int64_t b_columns, float* out, int64_t out_stride, float scale,
                     bool accumulate) = 0;

  // --- rows (x, y: T unless said; a residual gradient is f32)
  // --------------------------------------------------------------- out[i] = table[ids[i]], table row-major [V, width]
  // T.
  virtual void embed(Dtype type, const void* table, const int32_t* ids, int64_t n, int64_t width, void* out) = 0;
  // d_table[ids[i]] += d_out[i], in the order of i for each table row (deterministic).
  virtual void embed_backward(const float* d_out, const int32_t* ids, int64_t n, int64_t width, float* d_table) = 0;
  // x += delta (rounded to T; delta may be null: x is left), then y = x / rms(x) · weight rounded once; rstd [rows] may
  // be null.
  virtual void add_rms_norm(Dtype type, int64_t rows, int64_t width, void* x, const void* delta, const float* weight,
                            float eps, void* y, float* rstd) = 0;
  // dx += d rms_norm; dy T, x T; dx f32 (holds the residual's own gradient already). d_weight [width] f32 is added to,
  // or null.
  virtual void rms_norm_backward(Dtype type, int64_t rows, int64_t width, const void* dy, const void* x,
                                 const float* weight, const float* rstd, float* dx, float* d_weight) = 0;
  // Rotates the q and k heads of qkv in place (half-split pairs, HF's rotate_half), rounding once. table [positions,
  // dim] f32: dim/2 cosines, then dim/2 sines. `inverse` rotates back: the backward pass.
  virtual void rope(Dtype type, int64_t rows, const Heads& heads, void* qkv, const int32_t* positions,
                    const float* table, bool inverse) = 0;
  // gate_up [rows, 2 width]: gate | up. out = silu(gate) · up, rounded once.
  virtual void swiglu(Dtype type, int64_t rows, int64_t width, const void* gate_up, void* out) = 0;
  // d_out [rows, width] T → d_gate_up [rows, 2 width] T.
  virtual void swiglu_backward(Dtype type, int64_t rows, int64_t width, const void* gate_up, const void* d_out,
                               void* d_gate_up) = 0;
  virtual void add(int64_t n, float* to, const float* from) = 0;               // to += from
  virtual void round(Dtype type, int64_t n, const float* from, void* to) = 0;  // f32 → T
  virtual void widen(Dtype type, int64_t n, const void* from, float* to) = 0;  // T → f32
  virtual void gather_rows(int64_t bytes, const void* from, const int32_t* rows, int64_t n,
                           void* to) = 0;  // to[i] = from[rows[i]]
  virtual void scatter_add_rows(int64_t width, const float* from, const int32_t* rows, int64_t n,
                                float* to) = 0;  // to[rows[i]] += from[i]
  // column sums of dy [rows, width] T added to d_bias [width] f32.
  virtual void sum_rows(Dtype type, int64_t rows, int64_t width, const void* dy, int64_t stride, float* d_bias) = 0;
  // out[i] = Σ_k x[i, k] w[k], f32 weight: a value or reward head. Backward: dx[i] += d_out[i] w; dw += Σ_i d_out[i]
  // x[i].
  virtual void row_dot(Dtype type, int64_t rows, int64_t width, const void* x, const float* weight, float* out) = 0;
  virtual void row_dot_backward(Dtype type, int64_t rows, int64_t width, const void* x, const float* weight,
                                const float* d_out, float* dx, float* d_weight) = 0;

  // --- head
  // ---------------------------------------------------------------------------------------------------------------
  // logits [rows, vocab] f32 → log_prob[i] = logits[i, target[i]] - lse[i]; entropy may be null. Log-sum-exp: (max,
  // sum) for each 64 columns, combined in order.
  virtual void log_softmax(int64_t rows, int64_t vocab, const float* logits, const int32_t* targets, float* log_prob,
                           float* lse, float* entropy) = 0;
  // d_logits[i, j] = d_log_prob[i] (1[j = target] - p_j) - d_entropy[i] p_j (log p_j + entropy[i]), columns [column,
  // column + columns) only, as T with `stride`; d_entropy and entropy may be null.
  virtual void log_softmax_backward(Dtype type, int64_t rows, int64_t vocab, const float* logits,
                                    const int32_t* targets, const float* lse, const float* entropy,
                                    const float* d_log_prob, const float* d_entropy, int64_t column, int64_t columns,
                                    void* d_logits, int64_t stride) = 0;
  virtual void sample(int64_t rows, int64_t vocab, const float* logits, std::span<const SampleRule> rules,
                      Sampled* out) = 0;

  // --- attention
  // ------------------------------------------------------------------------------------------------------------
  // Causal, over packed sequences: qkv [N, heads.row()] after rope, cu_seqlens [sequences + 1] (host), out [N, heads ·
  // dim] T, lse [N, heads] f32 (natural log-sum-exp of the scaled scores; null when no backward follows). Scores are
  // scaled by 1/sqrt(dim).
  virtual void attention(Dtype type, const Heads& heads, std::span<const int32_t> cu_seqlens, const void* qkv,
                         void* out, float* lse) = 0;
  // d_out T → d_qkv T [N, heads.row()] (gradient with respect to the rotated q, k).
  virtual void attention_backward(Dtype type, const Heads& heads, std::span<const int32_t> cu_seqlens, const void* qkv,
                                  const void* out, const float* lse, const void* d_out, void* d_qkv) = 0;
  virtual size_t cache_page_bytes(Dtype type,
                                  const Heads& heads) const = 0;  // k and v of 64 keys, all kv heads, one layer
  // Writes the runs' k and v into their pages (zeroed when allocated), then attends over pages 0 … position: the same
  // kernel and the same bits as attention().
  virtual void attention_cached(Dtype type, const Heads& heads, std::span<const CacheRun> runs, const void* qkv,
                                void* out) = 0;
};

enum class Isa : uint8_t;
// threads 0 = one for each online CPU.
std::unique_ptr<Backend> make_cpu_backend(Isa isa, int threads);

}  // namespace srcode
