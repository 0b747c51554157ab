#include "core/cpu.h"

#include <cpuid.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xmmintrin.h>

#include <cstdlib>
#include <string>
#include <thread>

#include "core/error.h"

namespace srcode {
namespace {

struct Cpuid {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  Cpuid(unsigned leaf, unsigned subleaf) { __get_cpuid_count(leaf, subleaf, &eax, &ebx, &ecx, &edx); }
};

constexpr bool has(uint64_t word, std::initializer_list<int> bits) {
  for (int bit : bits)
    if (!(word >> bit & 1)) return false;
  return true;
}

// XCR0: which register files the operating system saves. The instructions of the others fault.
uint64_t enabled_state() {
  unsigned low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

// Linux hands out the 8 KiB of tile registers only to processes that ask: arch_prctl(ARCH_REQ_XCOMP_PERM, XTILEDATA).
bool tiles_granted() { return syscall(SYS_arch_prctl, 0x1023, 18) == 0; }

// Bit numbers are those of CPUID in Intel's manual, volume 2.
std::vector<Isa> detect() {
  std::vector<Isa> found{Isa::portable};
  const Cpuid one(1, 0), seven(7, 0), seven_one(7, 1);
  if (!has(one.ecx, {12, 27, 28, 29})) return found;  // FMA, OSXSAVE, AVX, F16C
  const uint64_t state = enabled_state();
  if (!has(state, {1, 2}) || !has(seven.ebx, {5})) return found;  // xmm, ymm; AVX2
  found.push_back(Isa::avx2);
  if (!has(state, {5, 6, 7}) || !has(seven.ebx, {16, 17, 30, 31})) return found;  // masks, zmm; F, DQ, BW, VL
  found.push_back(Isa::avx512);
  if (!has(seven_one.eax, {5})) return found;  // AVX512_BF16
  found.push_back(Isa::avx512_bf16);
  if (!has(state, {17, 18}) || !has(seven.edx, {22, 24})) return found;  // tile state; AMX_BF16, AMX_TILE
  if (tiles_granted()) found.push_back(Isa::amx);
  return found;
}

const std::vector<Isa>& detected() {
  static const std::vector<Isa> levels = detect();
  return levels;
}

constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;

}  // namespace

const char* name_of(Isa isa) {
  constexpr const char* names[] = {"portable", "avx2", "avx512", "avx512_bf16", "amx"};
  return names[static_cast<int>(isa)];
}

std::vector<Isa> supported_isas() { return detected(); }

Isa best_isa() {
  const char* wish = std::getenv("SRCODE_ISA");
  if (!wish || !*wish) return detected().back();
  std::string names;
  for (Isa isa : detected()) {
    if (std::string(wish) == name_of(isa)) return isa;
    names += std::string(names.empty() ? "" : ", ") + name_of(isa);
  }
  fail("ERR_UNSUPPORTED", "SRCODE_ISA=", wish, " is not available on this machine; use one of: ", names);
}

int usable_cpus() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));  // more CPUs than cpu_set_t holds
}

void set_flush_denormals() { _mm_setcsr(_mm_getcsr() | kFlushToZero | kDenormalsAreZero); }

FlushDenormals::FlushDenormals() : saved_(_mm_getcsr()) { set_flush_denormals(); }
FlushDenormals::~FlushDenormals() {
  // Only the two bits: the scope's exception flags stay raised.
  constexpr unsigned both = kFlushToZero | kDenormalsAreZero;
  _mm_setcsr((_mm_getcsr() & ~both) | (saved_ & both));
}

}  // namespace srcode
