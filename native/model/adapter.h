#pragma once
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "backend/memory.h"
#include "model/config.h"
#include "model/parameters.h"

namespace srcode {

// LoRA (Hu et al. 2021) on a subset of the linear layers, y = x Wᵀ + (alpha / rank) (x Aᵀ) Bᵀ, with optional scalar
// heads on the final hidden state. Several live beside one frozen base; none is ever merged into it. Masters are f32;
// the packed copies have the model's compute type.
class Adapter final : public Trainable {
 public:
  struct Spec {
    int64_t rank = 8;
    double alpha = 16;
    std::array<bool, kModules> targets{};
    bool value_head = false, reward_head = false;
  };

  // A group's share of one layer. `present[part]` says which parts have LoRA; their ranks lie side by side in `columns`
  // columns of xa.
  struct Lora {
    int64_t columns = 0;                                // rank × present parts; 0: no LoRA here
    std::array<int64_t, kMaxParts> column{-1, -1, -1};  // first column of the part in xa, -1 if absent
    int64_t a = 0;                                      // offset of A [columns, depth]
    std::array<int64_t, kMaxParts> bt{};                // offset of Bᵀ [rank, columns of the part]
    OwnedWeight a_pack;                                 // depth → columns
    std::array<OwnedWeight, kMaxParts> b_pack;          // rank → columns of the part
    OwnedWeight a_back;                                 // columns → depth: d_xa · A
    std::array<OwnedWeight, kMaxParts> b_back;          // columns of the part → rank: d_y · B
  };

  // A is drawn from Kaiming-uniform(a = √5), i.e. U(±1/√depth), as peft does, B is zero; heads start at zero.
  // Reproducible from seed.
  Adapter(Backend& backend, const ModelConfig& config, const Spec& spec, uint64_t seed);

  const Spec& spec() const { return spec_; }
  float scale() const { return static_cast<float>(spec_.alpha / static_cast<double>(spec_.rank)); }
  const Lora& lora(int64_t layer, Group group) const { return layers_[layer][group]; }
  int64_t value_head() const { return value_head_; }  // offset in masters(), -1 without one
  int64_t reward_head() const { return reward_head_; }

  const ParameterLayout& layout() const override { return layout_; }
  float* masters() override { return masters_.floats(); }
  const float* masters() const { return masters_.floats(); }
  void repack() override;
  // The packs that only a backward pass reads are made when training starts, and follow repack() from then on.
  void enable_backward();

  // The LoRA weights of a source with the same rank, alpha and targets. A head starts as the source's head at that
  // offset of its masters, or at -1 stays zero.
  void copy(const Adapter& source, int64_t value_from, int64_t reward_from);

  // PEFT's folder: adapter_model.safetensors, beside it heads.safetensors when there are heads. (adapter_config.json is
  // the caller's.)
  void save(const std::string& folder) const;
  void load(const std::string& folder);

 private:
  void take(const Parameter& parameter, float* rows) const;

  Backend& backend_;
  ModelConfig config_;
  Spec spec_;
  ParameterLayout layout_;
  std::vector<std::array<Lora, kGroups>> layers_;
  int64_t value_head_ = -1, reward_head_ = -1;
  bool backward_ = false;
  DeviceMemory masters_;
};

}  // namespace srcode
