#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "backend/backend.h"
#include "backend/cpu/attention/attention.h"
#include "backend/cpu/gemm/gemm.h"
#include "backend/cpu/level.h"
#include "backend/cpu/rows/rows.h"
#include "core/cpu.h"
#include "core/error.h"
#include "kernels/sampler/sampler.h"

namespace srcode {
namespace {

constexpr size_t kLine = 64, kHugePage = 2 << 20;

// The CPU behind the seam: every call goes to the function of its name in gemm/, rows/, attention/ or kernels/sampler/.
class CpuBackend final : public Backend {
 public:
  CpuBackend(Isa isa, int threads)
      : pool_(threads > 0 ? threads : usable_cpus()), context_{cpu::level(isa), pool_}, isa_(isa) {}

  const char* isa() const override { return name_of(isa_); }
  int threads() const override { return pool_.threads(); }
  const KernelTable& kernels() const override { return cpu_kernels(); }
  Queue queue() const override { return {.pool = &pool_}; }

  // Large memory lies on huge pages where the system has them: weights are read from end to end, and a table walk every
  // 4 KiB costs a tenth of that.
  void* allocate(size_t bytes) override {
    const size_t unit = bytes >= kHugePage ? kHugePage : kLine;
    const size_t size = (std::max(bytes, kLine) + unit - 1) / unit * unit;
    void* memory = size < bytes ? nullptr : std::aligned_alloc(unit, size);
    if (memory == nullptr) fail("ERR_OOM", "cannot allocate ", bytes, " bytes; use a smaller model, batch or context");
    if (unit == kHugePage) madvise(memory, size, MADV_HUGEPAGE);
    std::memset(memory, 0, size);
    return memory;
  }
  void release(void* memory) override { std::free(memory); }
  void copy_in(void* to, const void* host, size_t bytes) override { copy(to, host, bytes); }
  void copy_out(void* host, const void* from, size_t bytes) override { copy(host, from, bytes); }
  void fill_zero(void* memory, size_t bytes) override {
    if (bytes) std::memset(memory, 0, bytes);
  }
  void copy(void* to, const void* from, size_t bytes) override {
    if (bytes) std::memcpy(to, from, bytes);
  }

  size_t packed_bytes(Dtype type, int64_t depth, std::span<const int64_t> part_columns) const override {
    return cpu::packed_bytes(type, depth, part_columns);
  }
  void pack(PackedWeight& weight, int part, const void* rows, Dtype rows_type, int64_t stride) override {
    cpu::pack(context_, weight, part, rows, rows_type, stride);
  }
  void pack_transposed(PackedWeight& weight, int part, const float* matrix, int64_t stride) override {
    cpu::pack_transposed(context_, weight, part, matrix, stride);
  }
  void unpack(const PackedWeight& weight, int part, void* rows, Dtype rows_type) const override {
    cpu::unpack(context_, weight, part, rows, rows_type);
  }
  void gather(const PackedWeight& weight, const int32_t* ids, int64_t n, void* out) override {
    cpu::gather(context_, weight, ids, n, out);
  }
  void transpose(const PackedWeight& from, int64_t column, PackedWeight& to) override {
    cpu::transpose(context_, from, column, to);
  }

  void product(const Product& product) override {
    const FlushDenormals flush;
    cpu::product(context_, product);
  }
  void outer(Dtype type, int64_t rows, const void* a, int64_t a_stride, int64_t a_columns, const void* b,
             int64_t b_stride, int64_t b_columns, float* out, int64_t out_stride, float scale,
             bool accumulate) override {
    const FlushDenormals flush;
    cpu::outer(context_, type, rows, a, a_stride, a_columns, b, b_stride, b_columns, out, out_stride, scale,
               accumulate);
  }

  void embed(Dtype type, const void* table, const int32_t* ids, int64_t n, int64_t width, void* out) override {
    cpu::embed(context_, type, table, ids, n, width, out);
  }
  void embed_backward(const float* d_out, const int32_t* ids, int64_t n, int64_t width, float* d_table) override {
    const FlushDenormals flush;
    cpu::embed_backward(context_, d_out, ids, n, width, d_table);
  }
  void add_rms_norm(Dtype type, int64_t rows, int64_t width, void* x, const void* delta, const float* weight, float eps,
                    void* y, float* rstd) override {
    const FlushDenormals flush;
    cpu::add_rms_norm(context_, type, rows, width, x, delta, weight, eps, y, rstd);
  }
  void rms_norm_backward(Dtype type, int64_t rows, int64_t width, const void* dy, const void* x, const float* weight,
                         const float* rstd, float* dx, float* d_weight) override {
    const FlushDenormals flush;
    cpu::rms_norm_backward(context_, type, rows, width, dy, x, weight, rstd, dx, d_weight);
  }
  void rope(Dtype type, int64_t rows, const Heads& heads, void* qkv, const int32_t* positions, const float* table,
            bool inverse) override {
    const FlushDenormals flush;
    cpu::rope(context_, type, rows, heads, qkv, positions, table, inverse);
  }
  void swiglu(Dtype type, int64_t rows, int64_t width, const void* gate_up, void* out) override {
    const FlushDenormals flush;
    cpu::swiglu(context_, type, rows, width, gate_up, out);
  }
  void swiglu_backward(Dtype type, int64_t rows, int64_t width, const void* gate_up, const void* d_out,
                       void* d_gate_up) override {
    const FlushDenormals flush;
    cpu::swiglu_backward(context_, type, rows, width, gate_up, d_out, d_gate_up);
  }
  void add(int64_t n, float* to, const float* from) override {
    const FlushDenormals flush;
    cpu::add(context_, n, to, from);
  }
  void round(Dtype type, int64_t n, const float* from, void* to) override {
    const FlushDenormals flush;
    cpu::round(context_, type, n, from, to);
  }
  void widen(Dtype type, int64_t n, const void* from, float* to) override { cpu::widen(context_, type, n, from, to); }
  void gather_rows(int64_t bytes, const void* from, const int32_t* rows, int64_t n, void* to) override {
    cpu::gather_rows(context_, bytes, from, rows, n, to);
  }
  void scatter_add_rows(int64_t width, const float* from, const int32_t* rows, int64_t n, float* to) override {
    const FlushDenormals flush;
    cpu::scatter_add_rows(context_, width, from, rows, n, to);
  }
  void sum_rows(Dtype type, int64_t rows, int64_t width, const void* dy, int64_t stride, float* d_bias) override {
    const FlushDenormals flush;
    cpu::sum_rows(context_, type, rows, width, dy, stride, d_bias);
  }
  void row_dot(Dtype type, int64_t rows, int64_t width, const void* x, const float* weight, float* out) override {
    const FlushDenormals flush;
    cpu::row_dot(context_, type, rows, width, x, weight, out);
  }
  void row_dot_backward(Dtype type, int64_t rows, int64_t width, const void* x, const float* weight, const float* d_out,
                        float* dx, float* d_weight) override {
    const FlushDenormals flush;
    cpu::row_dot_backward(context_, type, rows, width, x, weight, d_out, dx, d_weight);
  }

  void log_softmax(int64_t rows, int64_t vocab, const float* logits, const int32_t* targets, float* log_prob,
                   float* lse, float* entropy) override {
    const FlushDenormals flush;
    cpu::log_softmax(context_, rows, vocab, logits, targets, log_prob, lse, entropy);
  }
  void log_softmax_backward(Dtype type, int64_t rows, int64_t vocab, const float* logits, const int32_t* targets,
                            const float* lse, const float* entropy, const float* d_log_prob, const float* d_entropy,
                            int64_t column, int64_t columns, void* d_logits, int64_t stride) override {
    const FlushDenormals flush;
    cpu::log_softmax_backward(context_, type, rows, vocab, logits, targets, lse, entropy, d_log_prob, d_entropy, column,
                              columns, d_logits, stride);
  }
  void sample(int64_t rows, int64_t vocab, const float* logits, std::span<const SampleRule> rules,
              Sampled* out) override {
    const FlushDenormals flush;
    cpu::sample(context_, rows, vocab, logits, rules, out);
  }

  void attention(Dtype type, const Heads& heads, std::span<const int32_t> cu_seqlens, const void* qkv, void* out,
                 float* lse) override {
    const FlushDenormals flush;
    cpu::attention(context_, type, heads, cu_seqlens, qkv, out, lse);
  }
  void attention_backward(Dtype type, const Heads& heads, std::span<const int32_t> cu_seqlens, const void* qkv,
                          const void* out, const float* lse, const void* d_out, void* d_qkv) override {
    const FlushDenormals flush;
    cpu::attention_backward(context_, type, heads, cu_seqlens, qkv, out, lse, d_out, d_qkv);
  }
  size_t cache_page_bytes(Dtype type, const Heads& heads) const override {
    return cpu::cache_page_bytes(context_, type, heads);
  }
  void attention_cached(Dtype type, const Heads& heads, std::span<const CacheRun> runs, const void* qkv,
                        void* out) override {
    const FlushDenormals flush;
    cpu::attention_cached(context_, type, heads, runs, qkv, out);
  }

 private:
  mutable ThreadPool pool_;
  cpu::Context context_;
  Isa isa_;
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(Isa isa, int threads) {
  for (Isa offered : supported_isas())
    if (offered == isa) return std::make_unique<CpuBackend>(isa, threads);
  fail("ERR_UNSUPPORTED", "this machine does not offer the instruction set ", name_of(isa));
}

}  // namespace srcode
