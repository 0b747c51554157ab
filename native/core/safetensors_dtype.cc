#include <sstream>

#include "core/safetensors.h"

namespace srcode {

int safetensors_bits(std::string_view dtype) {
  struct Known {
    std::string_view name;
    int bits;
  };
  constexpr Known known[] = {{"F32", 32}, {"BF16", 16}, {"F16", 16},    {"F64", 64},    {"I64", 64},
                             {"I32", 32}, {"I16", 16},  {"I8", 8},      {"U64", 64},    {"U32", 32},
                             {"U16", 16}, {"U8", 8},    {"BOOL", 8},    {"F8_E5M2", 8}, {"F8_E4M3", 8},
                             {"C64", 64}, {"F4", 4},    {"F8_E8M0", 8}, {"F6_E2M3", 6}, {"F6_E3M2", 6}};
  for (const Known& each : known)
    if (each.name == dtype) return each.bits;
  return 0;
}

int64_t safetensors_bytes(int bits, const std::vector<int64_t>& shape) {
  int64_t total = bits;
  for (int64_t size : shape)
    if (size < 0 || __builtin_mul_overflow(total, size, &total)) return -1;
  return total % 8 == 0 ? total / 8 : -1;
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::ostringstream out;
  for (size_t i = 0; i < shape.size(); ++i) out << (i ? ", " : "[") << shape[i];
  return shape.empty() ? "[]" : out.str() + "]";
}

}  // namespace srcode
