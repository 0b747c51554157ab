#pragma once
#include <cstdint>
#include <span>

#include "backend/backend.h"
#include "core/dtype.h"

// Causal attention over packed sequences, its gradient, and the same over the pages of a KV cache. The functions below
// are Backend's, said there.
namespace srcode::cpu {

struct Context;

// One level's kernels, single-threaded. A page holds the keys and values of kCachePage positions as multiply() wants
// them, for each kv head: a panel of keys (columns: keys, reduction: dim) and panels of values (columns: up to 64 of
// dim, reduction: keys).
struct AttentionKernels {
  struct Typed {
    int64_t (*page_bytes)(const Heads& heads);
    // Writes k and v of `rows` tokens, the first at `qkv`, as keys [key, key + rows) of the page. Writing key 0 clears
    // the page first.
    void (*write_page)(const Heads& heads, int64_t kv_head, const void* qkv, int64_t key, int64_t rows, void* page);

    int64_t (*forward_scratch)(const Heads& heads);
    // The positions [position, position + rows) of a sequence, at most up to the next multiple of query_block(heads),
    // for the query heads of one kv head. qkv, out, lse: the row of the first of these positions; lse may be null.
    void (*forward)(const Heads& heads, int64_t kv_head, int64_t position, int64_t rows, const void* qkv,
                    void* const* pages, void* out, float* lse, char* scratch);

    int64_t (*backward_scratch)(const Heads& heads, int64_t rows);
    // A whole sequence of `rows` tokens for the query heads of one kv head; all pointers at its first row.
    void (*backward)(const Heads& heads, int64_t kv_head, int64_t rows, const void* qkv, const void* out,
                     const float* lse, const void* d_out, void* d_qkv, char* scratch);
  };
  Typed typed[2];  // indexed by Dtype

  const Typed& of(Dtype type) const { return typed[static_cast<int>(type)]; }
};

// Positions that forward() takes at once: about 64 rows with all heads of a group, and a divisor of the key block.
constexpr int64_t query_block(const Heads& heads) {
  const int64_t group = heads.heads / heads.kv_heads;
  return group == 1 ? 64 : group < 4 ? 32 : 16;
}

size_t cache_page_bytes(const Context&, Dtype, const Heads&);
void attention(const Context&, Dtype, const Heads&, std::span<const int32_t> cu_seqlens, const void* qkv, void* out,
               float* lse);
void attention_backward(const Context&, Dtype, const Heads&, std::span<const int32_t> cu_seqlens, const void* qkv,
                        const void* out, const float* lse, const void* d_out, void* d_qkv);
void attention_cached(const Context&, Dtype, const Heads&, std::span<const CacheRun> runs, const void* qkv, void* out);

}  // namespace srcode::cpu
