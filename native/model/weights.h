#pragma once
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "backend/memory.h"
#include "model/config.h"
#include "model/parameters.h"

namespace srcode {

// The base model: one packed copy of every matrix (a tied embedding is gathered from the head's panels), norms and
// biases in f32.
class Weights final : public Trainable {
 public:
  struct Layer {
    std::array<OwnedWeight, kGroups> product;
    DeviceMemory attention_norm, mlp_norm;  // [hidden] f32
    DeviceMemory qkv_bias;                  // [q + 2 kv columns] f32, or none
  };
  // Where a layer's tensors lie in the masters and in the gradients.
  struct Offsets {
    std::array<int64_t, kGroups> product{};
    int64_t attention_norm = 0, mlp_norm = 0, qkv_bias = -1;
  };

  // An HF folder's *.safetensors; every tensor is read, packed and let go before the next, and no mapping outlives the
  // call.
  static std::unique_ptr<Weights> load(Backend& backend, const ModelConfig& config, const std::string& folder);
  // Normal(0, 0.02) matrices (residual outputs divided by √(2 layers), as GPT-2), zero biases, norms of one.
  static std::unique_ptr<Weights> random(Backend& backend, const ModelConfig& config, uint64_t seed);
  void save(const std::string& folder) const;

  const ModelConfig& config() const { return config_; }
  const Layer& layer(int64_t i) const { return layers_[i]; }
  const PackedWeight& head() const { return *head_; }
  const float* final_norm() const { return final_norm_.floats(); }
  size_t bytes() const;
  void embed(const int32_t* ids, int64_t n, void* out) const;

  // Full-parameter training: f32 masters of everything. enable_training() makes them from the packed copies once.
  void enable_training();
  bool training() const { return static_cast<bool>(masters_); }
  const Offsets& offsets(int64_t layer) const { return offsets_[layer]; }
  int64_t embedding_offset() const { return embedding_offset_; }
  int64_t head_offset() const { return head_offset_; }  // the embedding's when tied
  int64_t final_norm_offset() const { return final_norm_offset_; }
  const ParameterLayout& layout() const override { return layout_; }
  float* masters() override { return masters_.floats(); }
  void repack() override;

 private:
  Weights(Backend& backend, const ModelConfig& config);
  // Where a tensor of the checkpoint lives: a part of a packed product, an f32 vector, or the untied embedding's table.
  struct Slot {
    PackedWeight* weight = nullptr;
    int part = 0;
    float* vector = nullptr;
  };
  void put(size_t parameter, const void* rows, Dtype type);  // row-major, as the checkpoint has it
  void take(size_t parameter, float* rows) const;

  Backend& backend_;
  ModelConfig config_;
  std::vector<Layer> layers_;
  OwnedWeight head_;
  DeviceMemory embedding_;  // [vocab, hidden] T; none when tied
  DeviceMemory final_norm_;

  ParameterLayout layout_;
  std::vector<Offsets> offsets_;
  std::vector<Slot> slots_;  // one for each parameter of the layout
  int64_t embedding_offset_ = 0, head_offset_ = 0, final_norm_offset_ = 0;
  DeviceMemory masters_;
};

}  // namespace srcode
