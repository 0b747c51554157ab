#include "backend/cpu/gemm/table.h"
#include "backend/cpu/level.h"
#include "backend/cpu/simd/vec_portable.h"

namespace srcode::cpu {

using V = simd::Portable;
extern const Level level_portable;
constinit const Level level_portable = {Isa::portable, &gemm_kernels<V>, nullptr, nullptr};

}  // namespace srcode::cpu
