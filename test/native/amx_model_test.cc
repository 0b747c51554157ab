#include <doctest/doctest.h>

#include <string>

#include "backend/cpu/attention/attention_impl.h"
#include "backend/cpu/rows/rows_impl.h"
#include "backend/cpu/simd/vec_model.h"
#include "cpu_support.h"

// Row and attention kernels on the model of AMX, which the machine at hand may lack. But for bf16 products it is
// AVX512_BF16.
using namespace srcode;
using namespace srcode::test;

namespace {

using V = simd::ModelAmx;
const cpu::Level kModel = {Isa::amx, nullptr, &cpu::row_kernels<V>, &cpu::attention_kernels<V>, nullptr};

// body(context) on the hardware that has the model's vectors, if this machine does.
template <class Body>
void on_its_hardware(const Body& body) {
  each_isa(1, [&](const cpu::Context& context) {
    if (context.level.isa >= Isa::avx512_bf16) body(context);
  });
}

const Heads kShapes[] = {{2, 1, 12}, {3, 3, 16}, {2, 1, 32}, {1, 1, 80}};
const std::vector<int32_t> kLengths = {0, 1, 18, 67, 164};

struct Results {
  Array out, d;
  std::vector<float> lse;
};
Results attend(const cpu::Context& context, Dtype type, const Heads& heads, const Array& qkv, const Array& d_out) {
  const int64_t rows = kLengths.back();
  Results r{Array(type, rows * heads.q_columns()), Array(type, rows * heads.row()),
            std::vector<float>(rows * heads.heads)};
  cpu::attention(context, type, heads, kLengths, qkv.data(), r.out.data(), r.lse.data());
  cpu::attention_backward(context, type, heads, kLengths, qkv.data(), r.out.data(), r.lse.data(), d_out.data(),
                          r.d.data());
  return r;
}

}  // namespace

TEST_CASE("amx model: attention in f32 and its gradient have the bits of the hardware") {
  for (const Heads& heads : kShapes) {
    const Array qkv = normal(Dtype::f32, kLengths.back() * heads.row(), 1);
    const Array d_out = normal(Dtype::f32, kLengths.back() * heads.q_columns(), 2);
    on_its_hardware([&](const cpu::Context& context) {
      const Results a = attend(context, Dtype::f32, heads, qkv, d_out);
      const Results b = attend({kModel, context.pool}, Dtype::f32, heads, qkv, d_out);
      CHECK(a.out == b.out);
      CHECK(same_bits(a.lse, b.lse));
      CHECK(a.d == b.d);
    });
  }
}

TEST_CASE("amx model: attention by tiles agrees with attention by vectors, whole or through the cache") {
  const FlushDenormals flush;
  ThreadPool pool(1);
  const cpu::Context tiles{kModel, pool}, vectors{cpu::level(supported_isas().back()), pool};
  const Dtype type = Dtype::bf16;
  for (const Heads& heads : kShapes) {
    const int64_t rows = kLengths.back(), width = heads.q_columns();
    const Array qkv = normal(type, rows * heads.row(), 3), d_out = normal(type, rows * width, 4);
    const Results a = attend(tiles, type, heads, qkv, d_out), b = attend(vectors, type, heads, qkv, d_out);
    Distance out, lse, d;
    for (int64_t i = 0; i < a.out.size(); i++) out.check(i, type, a.out[i], b.out[i], 0.03);
    for (size_t i = 0; i < a.lse.size(); i++) lse.check(i, Dtype::f32, a.lse[i], b.lse[i], 1e-5);
    for (int64_t i = 0; i < a.d.size(); i++) d.check(i, type, a.d[i], b.d[i], 0.03);
    INFO("dim ", heads.dim, " out ", out, " lse ", lse, " gradient ", d);
    CHECK(out.bad == 0);
    CHECK(lse.bad == 0);
    CHECK(d.bad == 0);

    // The last sequence again through a cache: a chunk, then token by token. Its memory has room for whole pages and no
    // more.
    const int64_t first = kLengths[3], n = rows - first,
                  bytes = static_cast<int64_t>(cpu::cache_page_bytes(tiles, type, heads));
    std::vector<void*> pages;
    for (int64_t i = 0; i * kCachePage < n; i++) {
      pages.push_back(::operator new(bytes, std::align_val_t{64}));
      std::memset(pages.back(), 0xff, bytes);
    }
    int64_t wrong = 0;
    for (int64_t at = 0; at < n;) {
      const int64_t take = at == 0 ? 50 : 1;
      const CacheRun run{0, take, at, pages.data()};
      Array now(type, take * width);
      cpu::attention_cached(tiles, type, heads, {&run, 1}, qkv.data((first + at) * heads.row()), now.data());
      wrong += std::memcmp(now.data(), a.out.data((first + at) * width), now.byte_size()) != 0;
      at += take;
    }
    CHECK(wrong == 0);
    for (void* page : pages) ::operator delete(page, std::align_val_t{64});
  }
}

TEST_CASE("amx model: row kernels have the bits of the hardware") {
  const int64_t rows = 3, width = 77, vocab = 1000;
  for (const Dtype type : both_types)
    on_its_hardware([&](const cpu::Context& hardware) {
      const auto run = [&](const cpu::Context& context) {
        Array x = normal(type, rows * width, 5), y(type, rows * width),
              gate_up = normal(type, rows * 2 * width, 6, 4.0f), d_gate_up = gate_up;
        Array out(type, rows * width), qkv = normal(type, rows * 4 * 12, 7), d_logits(type, rows * vocab);
        const auto weight = normal(width, 8), table = normal(rows * 12, 9), logits = normal(rows * vocab, 10, 5.0f);
        std::vector<float> rstd(rows), dx(rows * width), dw(width), dot(rows), log_prob(rows), lse(rows), entropy(rows);
        const std::vector<int32_t> ids = {2, 0, 1};
        cpu::add_rms_norm(context, type, rows, width, x.data(), gate_up.data(), weight.data(), 1e-6f, y.data(),
                          rstd.data());
        cpu::rms_norm_backward(context, type, rows, width, y.data(), x.data(), weight.data(), rstd.data(), dx.data(),
                               dw.data());
        cpu::swiglu(context, type, rows, width, gate_up.data(), out.data());
        cpu::swiglu_backward(context, type, rows, width, gate_up.data(), y.data(), d_gate_up.data());
        cpu::rope(context, type, rows, {2, 1, 12}, qkv.data(), ids.data(), table.data(), false);
        cpu::row_dot(context, type, rows, width, x.data(), weight.data(), dot.data());
        cpu::log_softmax(context, rows, vocab, logits.data(), ids.data(), log_prob.data(), lse.data(), entropy.data());
        cpu::log_softmax_backward(context, type, rows, vocab, logits.data(), ids.data(), lse.data(), entropy.data(),
                                  dot.data(), rstd.data(), 0, vocab, d_logits.data(), vocab);
        std::string bits;
        for (const Array* a : {&x, &y, &out, &d_gate_up, &qkv, &d_logits}) bits.append(a->data(), a->byte_size());
        for (const auto* v : {&rstd, &dx, &dw, &dot, &log_prob, &lse, &entropy})
          bits.append(reinterpret_cast<const char*>(v->data()), v->size() * 4);
        return bits;
      };
      CHECK(run(hardware) == run({kModel, hardware.pool}));
    });
}
