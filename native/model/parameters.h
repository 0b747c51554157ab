#pragma once
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace srcode {

// One named trainable tensor inside a flat f32 block. Values, gradients and both AdamW moments use the same offsets.
struct Parameter {
  std::string name;            // of the checkpoint format: HF's or PEFT's
  std::vector<int64_t> shape;  // as the checkpoint has it
  int64_t offset = 0;          // floats
  int64_t size = 0;
  bool decay = true;        // weight decay: matrices yes, norms and biases no
  bool transposed = false;  // the block holds the matrix as [shape[1], shape[0]]
};

// A tensor's block (host memory) to the checkpoint's row-major form, and back.
inline void to_checkpoint(const Parameter& p, const float* block, float* rows) {
  if (!p.transposed) {
    std::copy(block, block + p.size, rows);
    return;
  }
  for (int64_t i = 0; i < p.shape[0]; i++) {
    for (int64_t j = 0; j < p.shape[1]; j++) rows[i * p.shape[1] + j] = block[j * p.shape[0] + i];
  }
}
inline void from_checkpoint(const Parameter& p, const float* rows, float* block) {
  if (!p.transposed) {
    std::copy(rows, rows + p.size, block);
    return;
  }
  for (int64_t i = 0; i < p.shape[0]; i++) {
    for (int64_t j = 0; j < p.shape[1]; j++) block[j * p.shape[0] + i] = rows[i * p.shape[1] + j];
  }
}

struct ParameterLayout {
  std::vector<Parameter> parameters;
  int64_t total = 0;  // floats

  // Appends a tensor and returns its offset. The next one starts at a multiple of 16, unless `adjacent`: then it
  // follows without a gap, so that the parts of a merged product form one matrix.
  int64_t add(std::string name, std::vector<int64_t> shape, bool decay, bool transposed = false,
              bool adjacent = false) {
    int64_t size = 1;
    for (int64_t extent : shape) size *= extent;
    const int64_t offset = total;
    parameters.push_back({std::move(name), std::move(shape), offset, size, decay, transposed});
    total = adjacent ? total + size : (total + size + 15) / 16 * 16;
    return offset;
  }
};

// The trainable tensors of an adapter or of a whole model: f32 masters in host-visible order, from which the packed
// copies that the products read are remade after every update.
class Trainable {
 public:
  virtual ~Trainable() = default;
  virtual const ParameterLayout& layout() const = 0;
  virtual float* masters() = 0;  // device memory, layout().total floats
  virtual void repack() = 0;
};

}  // namespace srcode
