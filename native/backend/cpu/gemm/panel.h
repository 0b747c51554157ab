#pragma once
#include <cstdint>

namespace srcode::cpu {

// A panel holds depth × width values of a weight, width a multiple of 16 up to 64: f32 as [depth][width], bf16 in pairs
// of k as [padded_depth / 2][width][2] with zeros beyond depth. 32 k fill the row of an AMX tile; a step (one k of f32,
// a pair of bf16) of a whole panel is 256 bytes.
constexpr int kPanelWidth = 64;

template <class T>
constexpr int64_t padded_depth(int64_t depth) {
  return sizeof(T) == 2 ? (depth + 31) / 32 * 32 : depth;
}

// Up to this many rows a product is bound by the stream of its weight's panels from memory.
constexpr int kStreamRows = 16;

// out (+)= x [rows, depth] times a panel.
template <class T>
struct Block {
  int64_t depth;
  const T* x;
  int64_t x_stride;
  const T* panel;
  int64_t panel_width;
  float* out;
  int64_t out_stride;
  bool accumulate;
};

// Memory to ask for while computing: `advance` bytes further at each step.
struct Ahead {
  const char* from = nullptr;
  int64_t advance = 0;
};

}  // namespace srcode::cpu
