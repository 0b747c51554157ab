#include "backend/cpu/machine.h"

#include <emmintrin.h>

#include <algorithm>
#include <chrono>

#include "backend/backend.h"
#include "backend/cpu/gemm/kernels.h"
#include "backend/cpu/level.h"
#include "backend/memory.h"
#include "core/error.h"

namespace srcode {
namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// The best rate of body(), which returns how much it did: the first call warms up, others follow until the time is
// over.
template <class Body>
double best_rate(double seconds, const Body& body) {
  double best = 0;
  body();
  for (const double end = now() + seconds; best == 0 || now() < end;) {
    const double start = now(), amount = body();
    best = std::max(best, amount / (now() - start));
  }
  return best;
}

// Beyond what caches hold.
constexpr size_t kBytes = size_t{256} << 20;
constexpr int64_t kPieces = 64;  // of memory; a thread that was held up takes fewer

struct Arrays {
  std::unique_ptr<Backend> backend = make_cpu_backend(Isa::portable, 1);
  DeviceMemory memory{*backend, kBytes};
  float* at(int64_t index) const { return memory.floats() + index; }
};

float sum(const float* from, const float* end) {
  __m128 a = _mm_setzero_ps(), b = a, c = a, d = a;
  for (; from < end; from += 16) {
    _mm_prefetch(reinterpret_cast<const char*>(from) + 8192, _MM_HINT_T0);
    a = _mm_add_ps(a, _mm_load_ps(from));
    b = _mm_add_ps(b, _mm_load_ps(from + 4));
    c = _mm_add_ps(c, _mm_load_ps(from + 8));
    d = _mm_add_ps(d, _mm_load_ps(from + 12));
  }
  return _mm_cvtss_f32(_mm_add_ps(_mm_add_ps(a, b), _mm_add_ps(c, d)));
}

}  // namespace

double measure_peak_flops(Isa isa, Dtype type, ThreadPool& pool, double seconds) {
  const auto offered = supported_isas();
  if (std::find(offered.begin(), offered.end(), isa) == offered.end())
    fail("ERR_UNSUPPORTED", "this machine does not offer the instruction set ", name_of(isa));
  const cpu::GemmKernels& kernels = *cpu::level(isa).gemm;
  const auto arithmetic = type == Dtype::bf16 ? kernels.arithmetic_bf16 : kernels.arithmetic_f32;
  const int64_t tasks = pool.threads() * 8, repeats = 20000;
  return best_rate(seconds, [&] {
    pool.run(tasks, [&](int64_t, int) {
      alignas(64) const float operands[16] = {};
      alignas(64) float out[16];
      arithmetic(repeats, operands, out);
    });
    alignas(64) const float operands[16] = {};
    alignas(64) float out[16];
    return static_cast<double>(tasks) * repeats * arithmetic(1, operands, out);
  });
}

double measure_read_bandwidth(ThreadPool& pool, double seconds) {
  const Arrays arrays;
  const int64_t piece = kBytes / sizeof(float) / kPieces;
  float sums[kPieces];
  return best_rate(seconds, [&] {
    pool.run(kPieces, [&](int64_t i, int) { sums[i] = sum(arrays.at(i * piece), arrays.at((i + 1) * piece)); });
    return static_cast<double>(kBytes) + static_cast<double>(sums[0]);
  });
}

double measure_triad_bandwidth(ThreadPool& pool, double seconds) {
  const Arrays arrays;
  const int64_t piece = kBytes / sizeof(float) / kPieces / 4, whole = piece * kPieces;
  return best_rate(seconds, [&] {
    pool.run(kPieces, [&](int64_t i, int) {
      float* a = arrays.at(i * piece);
      const float *b = a + whole, *c = b + whole;
      const __m128 scale = _mm_set1_ps(3.0f);
      for (int64_t j = 0; j < piece; j += 4)
        _mm_store_ps(a + j, _mm_add_ps(_mm_load_ps(b + j), _mm_mul_ps(scale, _mm_load_ps(c + j))));
    });
    return 3.0 * static_cast<double>(whole) * sizeof(float);
  });
}

}  // namespace srcode
