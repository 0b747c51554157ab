#pragma once
#include <cstdint>
#include <vector>

namespace srcode {

// Instruction-set levels, each of which includes those before it. One translation unit a level:
// backend/cpu/level_<name>.cc.
enum class Isa : uint8_t { portable, avx2, avx512, avx512_bf16, amx };

const char* name_of(Isa isa);

// The levels that the processor and the operating system offer, lowest first. The first call asks the kernel for
// permission to use AMX tiles, which holds for all threads of the process.
std::vector<Isa> supported_isas();

// The highest supported level, or the one that the environment variable SRCODE_ISA names.
// ERR_UNSUPPORTED when that is unknown or not offered here.
Isa best_isa();

// CPUs that this process may run on (its affinity mask).
int usable_cpus();

// Results and operands below the smallest normal number count as zero on the calling thread (MXCSR.FTZ and .DAZ):
// denormals cost a hundred cycles each, and forward results must not depend on which thread computed them.
void set_flush_denormals();

// set_flush_denormals for a scope; the thread's former setting comes back at its end.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  unsigned saved_;
};

}  // namespace srcode
