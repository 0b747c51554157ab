#include "kernels/token_kernels.h"

#include "backend/cpu/level.h"

namespace srcode {

const TokenKernels& token_kernels() {
  static const TokenKernels& kernels = *cpu::level(best_isa()).tokens;
  return kernels;
}

}  // namespace srcode
