#include <cstring>

#include "backend/cpu/gemm/gemm.h"
#include "backend/cpu/gemm/kernels.h"
#include "backend/cpu/gemm/layout.h"
#include "backend/cpu/gemm/words.h"
#include "backend/cpu/split.h"

// Everything goes through a square of 64 output columns × 64 k, row-major in L1: packing is "fill the square, write it
// as panel rows", unpacking the reverse, transposing both.
namespace srcode::cpu {
namespace {

constexpr int64_t kSide = 64, kSquareBytes = kSide * kSide * 4;
static_assert(kSide == kPanelWidth && kSide % 32 == 0);

template <class T>
struct alignas(64) Square {
  T at[kSide][kSide];  // [column, k]
};
template <class T>
constexpr int64_t words = kSide * sizeof(T) / 4;  // of a row

// The square's columns as a panel's steps, `depth` of its 64 k (whole steps).
template <class T>
void write_panel(const Square<T>& square, int64_t depth, T* panel) {
  transpose_words(square.at, words<T>, kSide, depth * int64_t{sizeof(T)} / 4, panel, kPanelWidth);
}
template <class T>
void read_panel(const T* panel, int64_t depth, Square<T>& square) {
  transpose_words(panel, kPanelWidth, depth * int64_t{sizeof(T)} / 4, kSide, square.at, words<T>);
}

void convert(const Context&, int64_t n, const float* from, float* to) { std::memcpy(to, from, n * sizeof(float)); }
void convert(const Context&, int64_t n, const bf16* from, bf16* to) { std::memcpy(to, from, n * sizeof(bf16)); }
void convert(const Context& ctx, int64_t n, const float* from, bf16* to) { ctx.level.gemm->narrow(n, from, to); }
void convert(const Context&, int64_t n, const bf16* from, float* to) {
  for (int64_t i = 0; i < n; i++) to[i] = to_float(from[i]);
}

void check_part(const PackedWeight& weight, int part) {
  if (part < 0 || part >= static_cast<int>(weight.parts.size()))
    fail("ERR_INVALID_ARG", "expected a part below ", weight.parts.size(), ", received ", part);
}

// Calls f(panel of the part, first k, k's up to 64) for all squares of a part.
template <class F>
void for_squares(const Context& ctx, const PackedWeight& weight, int part, F f) {
  check_part(weight, part);
  const Panels panels(weight);
  const int64_t first = panels.first(part), count = panels_of(weight.parts[part].columns);
  const int64_t down = (padded_depth(weight.dtype, weight.depth) + kSide - 1) / kSide;
  split(ctx, count * down, kSquareBytes, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) f(first + i / down, panels.at(first + i / down), i % down * kSide);
  });
}

template <class T, class From>
void pack_rows(const Context& ctx, PackedWeight& weight, int part, const From* rows, int64_t stride) {
  const int64_t padded = padded_depth<T>(weight.depth);
  for_squares(ctx, weight, part, [&](int64_t number, const Panel& panel, int64_t k) {
    Square<T> square{};
    const int64_t filled = std::min(kSide, weight.depth - k);
    for (int n = 0; n < panel.columns && filled > 0; n++)
      convert(ctx, filled, rows + (panel.column + n) * stride + k, square.at[n]);
    T* to = Panels(weight).data<T>(number) + k * kPanelWidth;
    // An f32 depth need not be whole fours: then the square's words are stored by hand.
    const int64_t depth = std::min(kSide, padded - k);
    if (depth % 4 == 0) return write_panel(square, depth, to);
    for (int64_t d = 0; d < depth; d++)
      for (int64_t n = 0; n < kSide; n++) to[panel_index<T>(d, n)] = square.at[n][d];
  });
}

template <class T>
void pack_columns(const Context& ctx, PackedWeight& weight, int part, const float* matrix, int64_t stride) {
  constexpr int64_t pair = sizeof(T) == 2 ? 2 : 1;
  const int64_t padded = padded_depth<T>(weight.depth);
  for_squares(ctx, weight, part, [&](int64_t number, const Panel& panel, int64_t k0) {
    T* to = Panels(weight).data<T>(number) + k0 * kPanelWidth;
    for (int64_t k = k0; k < std::min(k0 + kSide, padded); k += pair, to += pair * kPanelWidth) {
      alignas(64) T row[2][kSide] = {};
      for (int64_t half = 0; half < pair && k + half < weight.depth; half++)
        convert(ctx, panel.columns, matrix + (k + half) * stride + panel.column, row[half]);
      if constexpr (sizeof(T) == 2)
        zip(row[0], row[1], kSide, to);
      else
        std::memcpy(to, row[0], sizeof row[0]);
    }
  });
}

// Fills the square from k on with the weight's output columns [column, column + columns), across parts; the rest is
// zero.
template <class T>
void read_square(const PackedWeight& weight, int64_t column, int64_t columns, int64_t k, Square<T>& square) {
  const Panels panels(weight);
  const int64_t padded = padded_depth<T>(weight.depth), depth = std::min(kSide, padded - k);
  if (depth < kSide || columns < kSide) square = {};
  if (depth <= 0) return;
  for (int64_t n = 0; n < columns;) {
    int part = 0;
    while (column + n >= weight.parts[part].column + weight.parts[part].columns) part++;
    const int64_t within = column + n - weight.parts[part].column, start = within % kPanelWidth;
    const int64_t run = std::min({columns - n, kPanelWidth - start, weight.parts[part].columns - within});
    const T* panel = panels.data<T>(panels.first(part) + within / kPanelWidth) + k * kPanelWidth;
    if (n == 0 && run == kSide && depth % 4 == 0) return read_panel(panel, depth, square);
    for (int64_t i = 0; i < run; i++)
      for (int64_t d = 0; d < depth; d++) square.at[n + i][d] = panel[panel_index<T>(d, start + i)];
    n += run;
  }
}

template <class T, class To>
void unpack_rows(const Context& ctx, const PackedWeight& weight, int part, To* rows) {
  for_squares(ctx, weight, part, [&](int64_t, const Panel& panel, int64_t k) {
    if (k >= weight.depth) return;
    Square<T> square;
    read_square(weight, weight.parts[part].column + panel.column, panel.columns, k, square);
    for (int n = 0; n < panel.columns; n++)
      convert(ctx, std::min(kSide, weight.depth - k), square.at[n], rows + (panel.column + n) * weight.depth + k);
  });
}

template <class T>
void transpose_typed(const Context& ctx, const PackedWeight& from, int64_t column, PackedWeight& to) {
  const int64_t down = (padded_depth<T>(to.depth) + kSide - 1) / kSide;
  const Panels panels(to);
  split(ctx, panels.count() * down, kSquareBytes, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t panel = i / down, n = i % down * kSide;
      const int64_t depth = std::min(kSide, padded_depth<T>(to.depth) - n);
      Square<T> square;  // [column of from = k of to, k of from = column of to]
      read_square(from, column + n, std::min(kSide, to.depth - n), panel * kSide, square);
      T* out = panels.data<T>(panel) + n * kPanelWidth;
      if constexpr (sizeof(T) == 2)
        for (int64_t k = 0; k < depth; k += 2) zip(square.at[k], square.at[k + 1], kSide, out + k * kPanelWidth);
      else
        std::memcpy(out, square.at, depth * sizeof square.at[0]);
    }
  });
}

template <class T>
void gather_typed(const Context& ctx, const PackedWeight& weight, const int32_t* ids, int64_t n, T* out) {
  using Step = std::conditional_t<sizeof(T) == 2, uint32_t, float>;  // one k, or a pair
  constexpr int64_t pair = sizeof(Step) / sizeof(T);
  const Panels panels(weight);
  split(ctx, n, weight.depth * 32, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const T* from = panels.data<T>(ids[i] / kPanelWidth) + ids[i] % kPanelWidth * pair;
      T* to = out + i * weight.depth;
      for (int64_t k = 0; k + pair <= weight.depth; k += pair)
        std::memcpy(to + k, from + k * kPanelWidth, sizeof(Step));
      if (weight.depth % pair) to[weight.depth - 1] = from[(weight.depth - 1) * kPanelWidth];
    }
  });
}

}  // namespace

size_t packed_bytes(Dtype type, int64_t depth, std::span<const int64_t> part_columns) {
  int64_t panels = 0;
  for (int64_t columns : part_columns) panels += panels_of(columns);
  return static_cast<size_t>(panels * padded_depth(type, depth) * kPanelWidth) * size_of(type);
}

void pack(const Context& ctx, PackedWeight& weight, int part, const void* rows, Dtype rows_type, int64_t stride) {
  with_type(weight.dtype, [&]<class T>(T*) {
    with_type(rows_type,
              [&]<class From>(From*) { pack_rows<T>(ctx, weight, part, static_cast<const From*>(rows), stride); });
  });
}

void pack_transposed(const Context& ctx, PackedWeight& weight, int part, const float* matrix, int64_t stride) {
  with_type(weight.dtype, [&]<class T>(T*) { pack_columns<T>(ctx, weight, part, matrix, stride); });
}

void unpack(const Context& ctx, const PackedWeight& weight, int part, void* rows, Dtype rows_type) {
  with_type(weight.dtype, [&]<class T>(T*) {
    with_type(rows_type, [&]<class To>(To*) { unpack_rows<T>(ctx, weight, part, static_cast<To*>(rows)); });
  });
}

void gather(const Context& ctx, const PackedWeight& weight, const int32_t* ids, int64_t n, void* out) {
  if (weight.parts.size() != 1)
    fail("ERR_SHAPE", "gather expects a weight of one part, received ", weight.parts.size());
  for (int64_t i = 0; i < n; i++)
    if (ids[i] < 0 || ids[i] >= weight.columns)
      fail("ERR_INVALID_ARG", "expected ids below ", weight.columns, ", received ", ids[i], " at place ", i);
  with_type(weight.dtype, [&]<class T>(T*) { gather_typed(ctx, weight, ids, n, static_cast<T*>(out)); });
}

void transpose(const Context& ctx, const PackedWeight& from, int64_t column, PackedWeight& to) {
  if (to.dtype != from.dtype || to.columns != from.depth || to.parts.size() != 1 || column < 0 ||
      column + to.depth > from.columns)
    fail("ERR_SHAPE", "the transpose of columns [", column, ", ", column + to.depth, ") of a ", name_of(from.dtype),
         " [", from.columns, ", ", from.depth, "] weight cannot be a ", name_of(to.dtype), " [", to.columns, ", ",
         to.depth, "]");
  with_type(from.dtype, [&]<class T>(T*) { transpose_typed<T>(ctx, from, column, to); });
}

}  // namespace srcode::cpu
