#include "backend/cpu/gemm/gemm.h"
#include "backend/cpu/gemm/kernels.h"
#include "backend/cpu/gemm/layout.h"
#include "backend/cpu/gemm/scratch.h"

namespace srcode::cpu {
namespace {

// A product in pieces that fit the caches. A chunk of x's rows waits in L2 while the panels of the weight pass, each
// fetched while the one before is at work; a depth that is too long for that is cut, and the chunk's sums wait between
// the cuts.
struct Plan {
  static constexpr int64_t kPanelBytes = 240 << 10, kChunkBytes = 448 << 10, kUnit = 32;

  int64_t cuts = 1, stretch, chunks = 1, units;

  Plan(int64_t rows, int64_t depth, int64_t size) : stretch(depth), units((rows + kUnit - 1) / kUnit) {
    if (rows <= kStreamRows) return;
    const int64_t longest = kPanelBytes / size / kPanelWidth;
    cuts = std::max<int64_t>(1, (depth + longest - 1) / longest);
    stretch = (depth + cuts * 32 - 1) / (cuts * 32) * 32;
    cuts = std::max<int64_t>(1, (depth + stretch - 1) / stretch);
    const int64_t most = std::clamp<int64_t>(kChunkBytes / (std::max<int64_t>(1, stretch) * size * kUnit), 1, 24);
    chunks = (units + most - 1) / most;
  }
  int64_t row(int64_t chunk, int64_t rows) const { return std::min(rows, units * chunk / chunks * kUnit); }
};

template <class T>
class Work {
 public:
  Work(const Context& ctx, const Product& product, const Plan& plan)
      : kernel_(ctx.level.gemm->product<T>()), product_(product), plan_(plan), panels_(*product.main.weight) {}

  // Panels [begin, end) × rows [row, end_row), a chunk.
  void run(int64_t begin, int64_t end, int64_t row, int64_t end_row) const {
    if (plan_.cuts == 1) return cut(begin, end, row, end_row, 0, nullptr);
    for (int64_t first = begin; first < end; first += kGroup) {
      float* sums = scratch<float>(kGroup * (end_row - row) * kPanelWidth);
      for (int64_t i = 0; i < plan_.cuts; i++) cut(first, std::min(end, first + kGroup), row, end_row, i, sums);
    }
  }

 private:
  static constexpr int64_t kGroup = 16;  // panels whose sums wait

  void cut(int64_t begin, int64_t end, int64_t row, int64_t end_row, int64_t index, float* sums) const {
    const Term& main = product_.main;
    const int64_t k = index * plan_.stretch, rows = end_row - row;
    for (int64_t number = begin; number < end; number++) {
      const Panel panel = panels_.at(number);
      PanelProduct<T> work;
      work.depth = std::min(plan_.stretch, main.weight->depth - k);
      work.x = x_of(main, row) + k;
      work.x_stride = main.stride;
      work.panel = panels_.data<T>(number) + k * kPanelWidth;
      if (!product_.lora.empty() && product_.lora[panel.part].weight != nullptr) {
        const Term& lora = product_.lora[panel.part];
        work.rank = lora.weight->depth;
        work.xa = x_of(lora, row);
        work.xa_stride = lora.stride;
        work.b = Panels(*lora.weight).data<T>(panel.index);
      }
      const Finish how{product_.bias, product_.scale,      product_.accumulate,
                       product_.out,  product_.out_stride, product_.out_type};
      work.finish = how.at(row, main.weight->parts[panel.part].column + panel.column);
      work.columns = panel.columns;
      if (sums != nullptr) work.sums = sums + (number - begin) * rows * kPanelWidth;
      work.first = index == 0;
      work.last = index + 1 == plan_.cuts;
      work.next = panels_.data<T>(number + 1) + k * kPanelWidth;
      if (number + 1 < end) work.next_bytes = padded_depth<T>(work.depth) * kPanelWidth * sizeof(T);
      kernel_(rows, work);
    }
  }

  static const T* x_of(const Term& term, int64_t row) { return static_cast<const T*>(term.x) + row * term.stride; }

  void (*kernel_)(int64_t, const PanelProduct<T>&);
  const Product& product_;
  const Plan& plan_;
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

// Threads take panels or chunks of rows, never parts of a sum.
void product(const Context& ctx, const Product& product) {
  if (product.rows <= 0 || product.main.weight->columns <= 0) return;
  check(product);
  const int64_t panels = Panels(*product.main.weight).count();
  const Plan plan(product.rows, product.main.weight->depth, static_cast<int64_t>(size_of(product.main.weight->dtype)));
  // A few tasks a thread, so that a thread that was held up holds nobody up; none shorter than a wake-up is worth.
  const int threads = ctx.pool.threads();
  const auto most = std::clamp<int64_t>(static_cast<int64_t>(estimate(product) / 5000), 1, threads * 4);
  const int64_t across = threads == 1 ? 1 : std::clamp<int64_t>((most + plan.chunks - 1) / plan.chunks, 1, panels);
  with_type(product.main.weight->dtype, [&]<class T>(T*) {
    const Work<T> work(ctx, product, plan);
    ctx.pool.run(plan.chunks * across, [&](int64_t task, int) {
      const int64_t chunk = task / across, i = task % across;
      work.run(panels * i / across, panels * (i + 1) / across, plan.row(chunk, product.rows),
               plan.row(chunk + 1, product.rows));
    });
  });
}

}  // namespace srcode::cpu
