#include <doctest/doctest.h>

#include <cstdlib>

#include "core/error.h"
#include "emulator/cuda.h"
#include "emulator/emulator.h"
#include "kernels/selftest/selftest.h"

namespace srcode::cuda {
extern const KernelTable kernels;
}
using namespace srcode;

// SRCODE_SEEDS=n tries n schedules; a failing one replays with the same number.
TEST_CASE("cuda: every kernel agrees with its CPU twin over odd shapes, under several schedules") {
  const char* wanted = std::getenv("SRCODE_SEEDS");
  const int seeds = wanted != nullptr ? std::atoi(wanted) : 2;
  for (int seed = 0; seed < seeds; ++seed) {
    emulator::options.seed = static_cast<uint64_t>(seed);
    cudaStream_t stream;
    REQUIRE(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
    const size_t before = emulator::allocations();
    std::vector<SelftestRow> rows;
    try {
      rows = selftest(cuda::kernels, {nullptr, stream});
    } catch (const Error& error) {
      FAIL(std::string(error.code()) << ": " << std::string(error.what()));
    }
    for (const SelftestRow& row : rows) {
      INFO(row.name << " (" << row.shape << "), seed " << seed << ": error " << row.max_error << ", tolerance "
                    << row.tolerance);
      CHECK(row.ok);
    }
    CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
    CHECK(emulator::allocations() == before);
    cudaStreamDestroy(stream);
  }
  emulator::options.seed = 0;
}
