#include "backend/cpu/gemm/gemm.h"
#include "backend/cpu/gemm/kernels.h"
#include "backend/cpu/gemm/layout.h"

namespace srcode::cpu {
namespace {

// Rows that go through a panel in one call of the kernel: their sums wait in L1 for what is added to them.
constexpr int64_t kBlockRows = 96;
// A stretch of a panel (of all 64 columns) that stays in L2 while the rows pass: a longer depth is cut, and the sums of
// kStretchRows rows wait between the cuts.
constexpr int64_t kStretchBytes = 320 << 10, kStretchRows = 288;

template <class T>
class PanelProduct {
 public:
  PanelProduct(const Context& ctx, const Product& product)
      : kernels_(*ctx.level.gemm),
        multiply_(kernels_.multiply<T>()),
        product_(product),
        panels_(*product.main.weight) {}

  // Panels [begin, end) × rows [row, end_row).
  void run(int64_t begin, int64_t end, int64_t row, int64_t end_row) const {
    for (int64_t number = begin; number < end; number++) {
      const Panel panel = panels_.at(number);
      const T* data = panels_.data<T>(number);
      if (end_row - row <= kAheadRows)
        few_rows(panel, data, row, static_cast<int>(end_row - row));
      else
        many_rows(panel, data, row, end_row);
    }
  }

 private:
  // How far ahead of its use a panel that streams from memory is asked for.
  static constexpr int64_t kStreamAhead = 8 << 10;

  void few_rows(const Panel& panel, const T* data, int64_t row, int rows) const {
    alignas(64) float acc[kAheadRows * kPanelWidth];
    const Term& main = product_.main;
    multiply_.ahead(rows, main.weight->depth, x_of(main, row), main.stride, data, acc, kPanelWidth, false,
                    reinterpret_cast<const char*>(data) + kStreamAhead);
    finish(panel, row, rows, acc);
  }

  void many_rows(const Panel& panel, const T* data, int64_t row, int64_t end_row) const {
    const Term& main = product_.main;
    const int64_t depth = main.weight->depth, stretch = kStretchBytes / int64_t{sizeof(T)} / kPanelWidth / 32 * 32;
    const int64_t cuts = std::max<int64_t>(1, (depth + stretch - 1) / stretch);
    alignas(64) float acc[kStretchRows * kPanelWidth];
    const int64_t group = cuts == 1 ? kBlockRows : kStretchRows;
    for (int64_t first = row; first < end_row; first += group) {
      const int64_t last = std::min(first + group, end_row);
      for (int64_t cut = 0; cut < cuts; cut++) {
        const int64_t k = cut * stretch, length = std::min(stretch, depth - k);
        for (int64_t i = first; i < last; i += kBlockRows) {
          const int64_t rows = std::min(kBlockRows, last - i);
          float* sums = acc + (i - first) * kPanelWidth;
          const T* x = x_of(main, i) + k;
          const T* from = data + k * kPanelWidth;
          // The first rows of a pass fetch the stretch that comes next, so that it waits in L2.
          const bool fetches = i == first && rows > kAheadRows && (cuts > 1 || first == row);
          const int64_t done = fetches ? kAheadRows : 0;
          if (fetches) {
            const bool again = cut + 1 == cuts && last < end_row && cuts > 1;
            multiply_.ahead(kAheadRows, length, x, main.stride, from, sums, kPanelWidth, cut > 0,
                            again ? data : from + padded_depth<T>(length) * kPanelWidth);
          }
          multiply_.rows(rows - done, length, x + done * main.stride, main.stride, from, kPanelWidth, kPanelWidth,
                         sums + done * kPanelWidth, kPanelWidth, cut > 0);
          if (cut + 1 == cuts) finish(panel, i, rows, sums);
        }
      }
    }
  }

  // Adds the LoRA term to the sums of one block, and writes it out.
  void finish(const Panel& panel, int64_t row, int64_t rows, float* acc) const {
    if (!product_.lora.empty() && product_.lora[panel.part].weight != nullptr) {
      const Term& lora = product_.lora[panel.part];
      multiply_.rows(rows, lora.weight->depth, x_of(lora, row), lora.stride, Panels(*lora.weight).data<T>(panel.index),
                     kPanelWidth, kPanelWidth, acc, kPanelWidth, true);
    }
    const int64_t column = product_.main.weight->parts[panel.part].column + panel.column;
    const Finish how{product_.bias == nullptr ? nullptr : product_.bias + column, product_.scale, product_.accumulate};
    const int64_t at = row * product_.out_stride + column;
    if (product_.out_type == Dtype::bf16)
      kernels_.finish_bf16(rows, panel.columns, acc, kPanelWidth, how, static_cast<bf16*>(product_.out) + at,
                           product_.out_stride);
    else
      kernels_.finish_f32(rows, panel.columns, acc, kPanelWidth, how, static_cast<float*>(product_.out) + at,
                          product_.out_stride);
  }

  static const T* x_of(const Term& term, int64_t row) { return static_cast<const T*>(term.x) + row * term.stride; }

  const GemmKernels& kernels_;
  const Multiply<T>& multiply_;
  const Product& product_;
  Panels panels_;
};

void check(const Product& product) {
  const PackedWeight& weight = *product.main.weight;
  if (product.rows > 1 && (product.main.stride < weight.depth || product.out_stride < weight.columns))
    fail("ERR_SHAPE", "a product with W [", weight.columns, ", ", weight.depth, "] received rows of x ",
         product.main.stride, " and rows of out ", product.out_stride, " apart");
  if (product.accumulate && product.out_type != Dtype::f32) fail("ERR_INVALID_ARG", "only f32 products can accumulate");
  if (!product.lora.empty() && product.lora.size() != weight.parts.size())
    fail("ERR_SHAPE", "expected a LoRA term for each of ", weight.parts.size(), " parts, received ",
         product.lora.size());
  for (size_t i = 0; i < product.lora.size(); i++) {
    const PackedWeight* b = product.lora[i].weight;
    if (b && (b->dtype != weight.dtype || b->columns != weight.parts[i].columns || b->parts.size() != 1))
      fail("ERR_SHAPE", "the LoRA term of part ", i, " expects B [", weight.parts[i].columns, ", rank] as ",
           name_of(weight.dtype), " in one part, received [", b->columns, ", ", b->depth, "] as ", name_of(b->dtype));
  }
}

// Roughly how long a product takes on one core, in nanoseconds: its arithmetic or its weights' bytes.
double estimate(const Product& product) {
  const double values = static_cast<double>(product.main.weight->depth) * product.main.weight->columns;
  const double arithmetic = 2 * values * product.rows / (product.main.weight->dtype == Dtype::bf16 ? 400 : 200);
  return std::max(arithmetic, values * size_of(product.main.weight->dtype) / 20);
}

}  // namespace

// Threads take panels, or rows too when panels are few; never parts of a sum. So a weight is read once by one thread.
void product(const Context& ctx, const Product& product) {
  if (product.rows <= 0 || product.main.weight->columns <= 0) return;
  check(product);
  const int64_t panels = Panels(*product.main.weight).count();
  // A few tasks a thread, so that a thread that was held up holds nobody up; none shorter than a wake-up is worth.
  const int threads = ctx.pool.threads();
  const int64_t wanted =
      threads == 1 ? 1 : std::clamp<int64_t>(static_cast<int64_t>(estimate(product) / 5000), 1, threads * 4);
  const int64_t across = std::min(panels, wanted);
  const int64_t down = std::clamp<int64_t>(product.rows / kBlockRows, 1, (wanted + across - 1) / across);
  with_type(product.main.weight->dtype, [&]<class T>(T*) {
    const PanelProduct<T> work(ctx, product);
    ctx.pool.run(across * down, [&](int64_t task, int) {
      const int64_t i = task / across, j = task % across, blocks = (product.rows + kBlockRows - 1) / kBlockRows;
      work.run(panels * j / across, panels * (j + 1) / across, blocks * i / down * kBlockRows,
               std::min(product.rows, blocks * (i + 1) / down * kBlockRows));
    });
  });
}

}  // namespace srcode::cpu
