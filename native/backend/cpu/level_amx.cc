#include "backend/cpu/attention/attention_impl.h"
#include "backend/cpu/gemm/table.h"
#include "backend/cpu/level.h"
#include "backend/cpu/rows/rows_impl.h"
#include "backend/cpu/simd/vec_amx.h"
#include "kernels/token_kernels_impl.h"

namespace srcode::cpu {

using V = simd::Amx;
extern const Level level_amx;
constinit const Level level_amx = {Isa::amx, &gemm_kernels<V>, &row_kernels<V>, &attention_kernels<V>,
                                   &token_kernels_of<16>};

}  // namespace srcode::cpu
