#include "backend/cpu/attention/attention.h"

#include <algorithm>
#include <new>
#include <vector>

#include "backend/cpu/level.h"
#include "core/error.h"

// Attention on threads: the work is cut by sequence, kv head and block of queries, never by keys.
namespace srcode::cpu {
namespace {

// Working memory of this thread: grows, and stays for the next layer.
char* scratch(int64_t bytes) {
  struct Buffer {
    char* data = nullptr;
    int64_t bytes = 0;
    ~Buffer() { ::operator delete(data, std::align_val_t{64}); }
  };
  thread_local Buffer buffer;
  if (bytes > buffer.bytes) {
    ::operator delete(buffer.data, std::align_val_t{64});
    buffer = {};
    buffer.data = static_cast<char*>(::operator new(bytes, std::align_val_t{64}));
    buffer.bytes = bytes;
  }
  return buffer.data;
}

void check(const Heads& heads) {
  if (heads.dim < 2 || heads.dim > 256 || heads.dim % 2 != 0)
    fail("ERR_SHAPE", "expected an even head dim in [2, 256], received ", heads.dim);
  if (heads.kv_heads < 1 || heads.heads < 1 || heads.heads % heads.kv_heads != 0)
    fail("ERR_SHAPE", "expected heads to be a multiple of kv heads, received ", heads.heads, " and ", heads.kv_heads);
}

void check(std::span<const int32_t> cu_seqlens) {
  if (cu_seqlens.empty() || cu_seqlens[0] != 0) fail("ERR_SHAPE", "expected cu_seqlens to begin with 0");
  for (size_t i = 1; i < cu_seqlens.size(); i++)
    if (cu_seqlens[i] < cu_seqlens[i - 1])
      fail("ERR_SHAPE", "expected ascending cu_seqlens, received ", cu_seqlens[i], " after ", cu_seqlens[i - 1], " at ",
           i);
}

// Below about a million operations waking a thread costs more than it brings.
void run_tasks(const Context& context, int64_t tasks, double operations, FunctionRef<void(int64_t)> body) {
  if (operations < 1e6 || tasks == 1) {
    for (int64_t task = 0; task < tasks; task++) body(task);
  } else {
    context.pool.run(tasks, [&](int64_t task, int) { body(task); });
  }
}

const char* row_of(const void* p, Dtype type, int64_t row, int64_t width) {
  return static_cast<const char*>(p) + row * width * static_cast<int64_t>(size_of(type));
}
char* row_of(void* p, Dtype type, int64_t row, int64_t width) {
  return static_cast<char*>(p) + row * width * static_cast<int64_t>(size_of(type));
}

// Writes the runs' keys and values into their pages, then attends.
void attend(const Context& context, Dtype type, const Heads& heads, std::span<const CacheRun> runs, const void* qkv,
            void* out, float* lse) {
  const AttentionKernels::Typed& kernels = context.level.attention->of(type);
  struct Piece {  // of a run: rows [row, row + rows) of the batch, from `position`
    const CacheRun* run;
    int64_t row, rows, position;
  };
  // The pieces of the runs between multiples of `unit` positions.
  const auto pieces = [&](int64_t unit) {
    std::vector<Piece> all;
    for (const CacheRun& run : runs) {
      for (int64_t i = 0; i < run.rows;) {
        const int64_t position = run.position + i, n = std::min(run.rows - i, unit - position % unit);
        all.push_back({&run, run.row + i, n, position});
        i += n;
      }
    }
    return all;
  };

  const std::vector<Piece> written = pieces(kCachePage);
  int64_t tokens = 0;
  for (const Piece& piece : written) tokens += piece.rows;
  run_tasks(context, static_cast<int64_t>(written.size()) * heads.kv_heads, 4.0 * tokens * heads.kv_columns(),
            [&](int64_t task) {
              const Piece& piece = written[task / heads.kv_heads];
              kernels.write_page(heads, task % heads.kv_heads, row_of(qkv, type, piece.row, heads.row()),
                                 piece.position % kCachePage, piece.rows,
                                 piece.run->pages[piece.position / kCachePage]);
            });

  // Longest first, so that the threads end together.
  std::vector<Piece> queries = pieces(query_block(heads));
  std::stable_sort(queries.begin(), queries.end(),
                   [](const Piece& a, const Piece& b) { return a.position > b.position; });
  double operations = 0;
  for (const Piece& piece : queries) operations += 4.0 * piece.rows * (piece.position + piece.rows) * heads.q_columns();
  const int64_t bytes = kernels.forward_scratch(heads);
  run_tasks(context, static_cast<int64_t>(queries.size()) * heads.kv_heads, operations, [&](int64_t task) {
    const Piece& piece = queries[task / heads.kv_heads];
    kernels.forward(heads, task % heads.kv_heads, piece.position, piece.rows, row_of(qkv, type, piece.row, heads.row()),
                    piece.run->pages, row_of(out, type, piece.row, heads.q_columns()),
                    lse != nullptr ? lse + piece.row * heads.heads : nullptr, scratch(bytes));
  });
}

}  // namespace

size_t cache_page_bytes(const Context& context, Dtype type, const Heads& heads) {
  check(heads);
  return static_cast<size_t>(context.level.attention->of(type).page_bytes(heads));
}

void attention_cached(const Context& context, Dtype type, const Heads& heads, std::span<const CacheRun> runs,
                      const void* qkv, void* out) {
  check(heads);
  attend(context, type, heads, runs, qkv, out, nullptr);
}

void attention(const Context& context, Dtype type, const Heads& heads, std::span<const int32_t> cu_seqlens,
               const void* qkv, void* out, float* lse) {
  check(heads);
  check(cu_seqlens);
  const int64_t sequences = static_cast<int64_t>(cu_seqlens.size()) - 1;
  const auto length = [&](int64_t sequence) { return cu_seqlens[sequence + 1] - cu_seqlens[sequence]; };
  const auto blocks = [&](int64_t sequence) { return (length(sequence) + kCachePage - 1) / kCachePage; };
  int64_t count = 0;
  for (int64_t i = 0; i < sequences; i++) count += blocks(i);

  // A cache of its own for the length of the call.
  const int64_t bytes = context.level.attention->of(type).page_bytes(heads);
  thread_local std::vector<char> memory;
  memory.resize(std::max<size_t>(memory.size(), static_cast<size_t>(count * bytes + 64)));
  char* page = memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64) % 64;
  std::vector<void*> pages(count);
  for (void*& each : pages) each = page, page += bytes;

  std::vector<CacheRun> runs;
  void* const* first = pages.data();
  for (int64_t i = 0; i < sequences; i++) {
    runs.push_back({cu_seqlens[i], length(i), 0, first});
    first += blocks(i);
  }
  attend(context, type, heads, runs, qkv, out, lse);
}

void attention_backward(const Context& context, Dtype type, const Heads& heads, std::span<const int32_t> cu_seqlens,
                        const void* qkv, const void* out, const float* lse, const void* d_out, void* d_qkv) {
  check(heads);
  check(cu_seqlens);
  const AttentionKernels::Typed& kernels = context.level.attention->of(type);
  std::vector<int64_t> order;  // sequences, longest first
  double operations = 0;
  for (size_t i = 0; i + 1 < cu_seqlens.size(); i++) {
    const double rows = cu_seqlens[i + 1] - cu_seqlens[i];
    if (rows > 0) order.push_back(static_cast<int64_t>(i));
    operations += 5 * rows * rows * heads.q_columns();
  }
  const auto length = [&](int64_t sequence) { return cu_seqlens[sequence + 1] - cu_seqlens[sequence]; };
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return length(a) > length(b); });
  run_tasks(context, static_cast<int64_t>(order.size()) * heads.kv_heads, operations, [&](int64_t task) {
    const int64_t sequence = order[task / heads.kv_heads], row = cu_seqlens[sequence];
    kernels.backward(heads, task % heads.kv_heads, length(sequence), row_of(qkv, type, row, heads.row()),
                     row_of(out, type, row, heads.q_columns()), lse + row * heads.heads,
                     row_of(d_out, type, row, heads.q_columns()), row_of(d_qkv, type, row, heads.row()),
                     scratch(kernels.backward_scratch(heads, length(sequence))));
  });
}

}  // namespace srcode::cpu
