#include "core/cpu.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <algorithm>
#include <string>

#include "core/error.h"

using namespace srcode;

namespace {
struct IsaVariable {
  std::string saved = getenv("SRCODE_ISA") ? getenv("SRCODE_ISA") : "";
  explicit IsaVariable(const char* value) { setenv("SRCODE_ISA", value, 1); }
  ~IsaVariable() { saved.empty() ? unsetenv("SRCODE_ISA") : setenv("SRCODE_ISA", saved.c_str(), 1); }
};

// volatile: the compiler would fold the product to a denormal.
float half_of_smallest_normal() {
  volatile float smallest = 1.17549435e-38f, half = 0.5f;
  return smallest * half;
}
}  // namespace

TEST_CASE("cpu: the levels start at portable, are in order, and agree with the compiler's own detection") {
  const auto levels = supported_isas();
  REQUIRE_FALSE(levels.empty());
  CHECK(levels.front() == Isa::portable);
  CHECK(std::is_sorted(levels.begin(), levels.end()));
  const auto has = [&](Isa isa) { return std::find(levels.begin(), levels.end(), isa) != levels.end(); };
  CHECK(has(Isa::avx2) == (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")));
  CHECK(has(Isa::avx512) == (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")));
  CHECK(has(Isa::avx512_bf16) == (has(Isa::avx512) && __builtin_cpu_supports("avx512bf16")));
  if (has(Isa::amx)) CHECK(has(Isa::avx512_bf16));
}

TEST_CASE("cpu: SRCODE_ISA chooses among the supported levels and no others") {
  for (Isa isa : supported_isas()) {
    IsaVariable set(name_of(isa));
    CHECK(best_isa() == isa);
  }
  {
    IsaVariable set("");
    CHECK(best_isa() == supported_isas().back());
  }
  IsaVariable set("sse9");
  try {
    best_isa();
    FAIL("an unknown level was accepted");
  } catch (const Error& e) {
    CHECK(std::string(e.code()) == "ERR_UNSUPPORTED");
    CHECK(std::string(e.what()).find("sse9") != std::string::npos);
    CHECK(std::string(e.what()).find("portable") != std::string::npos);
  }
}

TEST_CASE("cpu: FlushDenormals flushes inside its scope and restores what was set before") {
  const bool before = half_of_smallest_normal() == 0;
  {
    FlushDenormals outer;
    CHECK(half_of_smallest_normal() == 0);
    {
      FlushDenormals inner;
    }
    CHECK(half_of_smallest_normal() == 0);
  }
  CHECK((half_of_smallest_normal() == 0) == before);
}

TEST_CASE("cpu: at least one CPU is usable") { CHECK(usable_cpus() >= 1); }
