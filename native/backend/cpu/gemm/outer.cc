#include <cstring>

#include "backend/cpu/gemm/gemm.h"
#include "backend/cpu/gemm/kernels.h"
#include "backend/cpu/gemm/layout.h"
#include "backend/cpu/gemm/scratch.h"
#include "backend/cpu/gemm/words.h"

namespace srcode::cpu {
namespace {

constexpr int64_t kBlock = 96;

// Columns of a that a task transposes at once. The fewer they are, the more often b is read; but they should stay near.
template <class T>
int64_t group_of(int64_t rows, int64_t columns) {
  constexpr int64_t bytes = 2 << 20;
  const int64_t most = std::clamp<int64_t>(bytes / (rows * sizeof(T) + 1) / kBlock, 2, 8);
  const int64_t blocks = (columns + kBlock - 1) / kBlock, groups = (blocks + most - 1) / most;
  return (blocks + groups - 1) / groups * kBlock;
}

template <class T>
struct Matrix {
  const T* data;
  int64_t stride, columns;
};

// to [columns, rows (stride to_stride)] = columns [column, column + columns) of from, transposed.
template <class T>
void turn(const Matrix<T>& from, int64_t rows, int64_t column, int64_t columns, T* to, int64_t to_stride) {
  constexpr int64_t side = 16;
  for (int64_t m = 0; m < rows; m += side)
    for (int64_t i = 0; i < columns; i += side) {
      const T* source = from.data + m * from.stride + column + i;
      T* target = to + i * to_stride + m;
      const int64_t height = std::min(side, rows - m), width = std::min(side, columns - i);
      if (height < side || width < side) {
        for (int64_t r = 0; r < height; r++)
          for (int64_t c = 0; c < width; c++) target[c * to_stride + r] = source[r * from.stride + c];
      } else if constexpr (sizeof(T) == 4) {
        transpose_words(source, from.stride, side, side, target, to_stride);
      } else {
        // Pairs of rows zipped are words; the words are then transposed.
        alignas(64) bf16 pairs[side / 2][2 * side], turned[side][side];
        for (int64_t r = 0; r < side; r += 2)
          zip(source + r * from.stride, source + (r + 1) * from.stride, side, pairs[r / 2]);
        transpose_words(pairs, side, side / 2, side, turned, side / 2);
        for (int64_t c = 0; c < side; c++) std::memcpy(target + c * to_stride, turned[c], sizeof turned[c]);
      }
    }
}

// Columns [column, column + columns) of b as a panel.
template <class T>
void panel_of(const Matrix<T>& b, int64_t rows, int64_t column, int columns, T* panel) {
  constexpr int64_t pair = sizeof(T) == 2 ? 2 : 1;
  static_assert(kPanelWidth % 8 == 0);
  for (int64_t m = 0; m < padded_depth<T>(rows); m += pair, panel += pair * kPanelWidth) {
    const T* source = b.data + m * b.stride + column;
    if (m + pair <= rows && columns == kPanelWidth) {
      if constexpr (sizeof(T) == 2)
        zip(source, source + b.stride, kPanelWidth, panel);
      else
        std::memcpy(panel, source, kPanelWidth * sizeof(T));
      continue;
    }
    std::memset(static_cast<void*>(panel), 0, pair * kPanelWidth * sizeof(T));
    for (int64_t half = 0; half < pair && m + half < rows; half++)
      for (int n = 0; n < columns; n++) panel[n * pair + half] = source[half * b.stride + n];
  }
}

// Where sums (i, j) go; `flip`: to out (j, i).
struct Out {
  Finish how;
  bool flip;
};

template <class T>
void outer_task(const Context& ctx, int64_t rows, const Matrix<T>& a, int64_t first, int64_t count, const Matrix<T>& b,
                int64_t begin, int64_t end, const Out& out) {
  const int64_t depth = padded_depth<T>(rows), turned_stride = (rows + 15) / 16 * 16;
  T* panel = scratch<T>(depth * kPanelWidth + count * turned_stride);
  T* turned = panel + depth * kPanelWidth;
  turn(a, rows, first, count, turned, turned_stride);
  for (int64_t p = begin; p < end; p++) {
    const int64_t column = p * kPanelWidth;
    const int columns = static_cast<int>(std::min<int64_t>(kPanelWidth, b.columns - column));
    panel_of(b, rows, column, columns, panel);
    PanelProduct<T> work;
    work.depth = rows;
    work.x = turned;
    work.x_stride = turned_stride;
    work.panel = panel;
    work.columns = columns;
    if (!out.flip) {
      work.finish = out.how.at(first, column);
      ctx.level.gemm->product<T>()(count, work);
      continue;
    }
    alignas(64) float sums[kBlock * kPanelWidth], flipped[kPanelWidth * kBlock];
    work.sums = sums;
    work.last = false;
    for (int64_t i = 0; i < count; i += kBlock) {
      const int n = static_cast<int>(std::min(kBlock, count - i));
      work.x = turned + i * turned_stride;
      ctx.level.gemm->product<T>()(n, work);
      transpose_words(sums, kPanelWidth, (n + 3) / 4 * 4, kPanelWidth, flipped, kBlock);
      ctx.level.gemm->finish(columns, n, flipped, kBlock, out.how.at(column, first + i));
    }
  }
}

template <class T>
void outer_typed(const Context& ctx, int64_t rows, const Matrix<T>& a, const Matrix<T>& b, const Out& out) {
  // The narrow side of a LoRA gradient is `a`: the wide side then is read once, as panels.
  if (b.columns < a.columns && b.columns <= kBlock) return outer_typed<T>(ctx, rows, b, a, {out.how, !out.flip});
  const int64_t group = group_of<T>(rows, a.columns), groups = (a.columns + group - 1) / group,
                panels = panels_of(b.columns);
  const double time =
      2.0 * rows * a.columns * b.columns / (sizeof(T) == 2 ? 400 : 200) + 1.0 * rows * b.columns * sizeof(T) / 10;
  const int threads = ctx.pool.threads();
  const int64_t wanted = threads == 1 ? 1 : std::clamp<int64_t>(static_cast<int64_t>(time / 5000), 1, threads * 4);
  const int64_t across = std::min(panels, (wanted + groups - 1) / groups);
  ctx.pool.run(groups * across, [&](int64_t task, int) {
    const int64_t first = task / across * group, j = task % across;
    outer_task(ctx, rows, a, first, std::min(group, a.columns - first), b, panels * j / across,
               panels * (j + 1) / across, out);
  });
}

}  // namespace

// The depth of this product is the rows of a and b: a's columns are transposed into rows, b's become panels, both by
// the task that uses them. Gradients are not under the law of rows, but every sum has one order whatever the threads.
void outer(const Context& ctx, Dtype type, int64_t rows, const void* a, int64_t a_stride, int64_t a_columns,
           const void* b, int64_t b_stride, int64_t b_columns, float* out, int64_t out_stride, float scale,
           bool accumulate) {
  if (a_columns <= 0 || b_columns <= 0 || (rows <= 0 && accumulate)) return;
  if (a_stride < a_columns || b_stride < b_columns || out_stride < b_columns)
    fail("ERR_SHAPE", "an outer product [", a_columns, ", ", b_columns, "] received rows of a ", a_stride, ", of b ",
         b_stride, " and of out ", out_stride, " apart");
  with_type(type, [&]<class T>(T*) {
    outer_typed<T>(ctx, rows, {static_cast<const T*>(a), a_stride, a_columns},
                   {static_cast<const T*>(b), b_stride, b_columns},
                   {{.scale = scale, .accumulate = accumulate, .out = out, .out_stride = out_stride}, false});
  });
}

}  // namespace srcode::cpu
