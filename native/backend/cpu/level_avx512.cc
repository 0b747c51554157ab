#include "backend/cpu/attention/attention_impl.h"
#include "backend/cpu/gemm/table.h"
#include "backend/cpu/level.h"
#include "backend/cpu/rows/rows_impl.h"
#include "backend/cpu/simd/vec_avx512.h"
#include "kernels/token_kernels_impl.h"

namespace srcode::cpu {

using V = simd::Avx512;
extern const Level level_avx512;
constinit const Level level_avx512 = {Isa::avx512, &gemm_kernels<V>, &row_kernels<V>, &attention_kernels<V>,
                                      &token_kernels_of<16>};

}  // namespace srcode::cpu
