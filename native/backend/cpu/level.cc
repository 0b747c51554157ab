#include "backend/cpu/level.h"

#include "core/error.h"

namespace srcode::cpu {

extern const Level level_portable, level_avx2, level_avx512, level_avx512_bf16, level_amx;

const Level& level(Isa isa) {
  for (const Level* each : {&level_portable, &level_avx2, &level_avx512, &level_avx512_bf16, &level_amx})
    if (each->isa == isa) return *each;
  fail("ERR_INVALID_ARG", "unknown instruction set ", static_cast<int>(isa));
}

}  // namespace srcode::cpu
