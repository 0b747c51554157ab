#pragma once
#include <array>
#include <cstdint>
#include <span>

#include "backend/backend.h"

namespace srcode {

// The decoder that Qwen2/Qwen2.5, CodeLlama and DeepSeek-Coder share: RMSNorm, RoPE, GQA, SwiGLU.
struct ModelConfig {
  int64_t vocab = 0, hidden = 0, intermediate = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0;
  int64_t context = 0;  // longest sequence
  double rope_theta = 10000;
  double rope_factor = 1;  // linear scaling: positions are divided by it
  float rms_eps = 1e-6f;
  bool tied = false;      // the head is the embedding
  bool qkv_bias = false;  // Qwen2
  Dtype dtype = Dtype::f32;

  Heads attention() const { return {heads, kv_heads, head_dim}; }
};

// The four products of a block. Each merges the linear layers that read the same input.
enum Group { kQkv, kOut, kGateUp, kDown, kGroups };

// One linear layer of HF's naming, and its place in a group.
struct Module {
  const char* name;    // "q_proj"
  const char* parent;  // "self_attn"
  Group group;
  int part;
};
constexpr int kModules = 7;
constexpr std::array<Module, kModules> kModuleTable = {{
    {"q_proj", "self_attn", kQkv, 0},
    {"k_proj", "self_attn", kQkv, 1},
    {"v_proj", "self_attn", kQkv, 2},
    {"o_proj", "self_attn", kOut, 0},
    {"gate_proj", "mlp", kGateUp, 0},
    {"up_proj", "mlp", kGateUp, 1},
    {"down_proj", "mlp", kDown, 0},
}};
constexpr int kMaxParts = 3;

// The shape of a group: its input width and the columns of its parts.
struct GroupShape {
  int64_t depth = 0;
  int parts = 0;
  std::array<int64_t, kMaxParts> columns{};
  int64_t total() const { return columns[0] + columns[1] + columns[2]; }
  std::span<const int64_t> part_columns() const { return {columns.data(), static_cast<size_t>(parts)}; }
};

inline GroupShape shape_of(const ModelConfig& c, Group group) {
  const int64_t q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  switch (group) {
    case kQkv:
      return {c.hidden, 3, {q, kv, kv}};
    case kOut:
      return {q, 1, {c.hidden, 0, 0}};
    case kGateUp:
      return {c.hidden, 2, {c.intermediate, c.intermediate, 0}};
    default:
      return {c.intermediate, 1, {c.hidden, 0, 0}};
  }
}

// Throws ERR_SHAPE when the numbers make no decoder.
void check(const ModelConfig& config);

}  // namespace srcode
