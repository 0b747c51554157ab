#include "model/adapter.h"

#include <cmath>
#include <optional>

#include "core/error.h"
#include "core/philox.h"
#include "core/safetensors.h"

namespace srcode {
namespace {

bool is_head(const Parameter& p) { return p.name.ends_with("_head.weight"); }

constexpr uint64_t kInitStream = uint64_t{1} << 32;  // apart from the streams of the base model's tensors

}  // namespace

Adapter::Adapter(Backend& backend, const ModelConfig& config, const Spec& spec, uint64_t seed)
    : backend_(backend), config_(config), spec_(spec) {
  if (spec.rank < 1 || spec.rank > 1024)
    fail("ERR_INVALID_ARG", "expected a LoRA rank between 1 and 1024, received ", spec.rank);
  if (!std::isfinite(spec.alpha)) fail("ERR_INVALID_ARG", "expected a finite LoRA alpha, received ", spec.alpha);
  layers_.resize(static_cast<size_t>(config.layers));
  for (int64_t l = 0; l < config.layers; l++) {
    for (int g = 0; g < kGroups; g++) {
      Lora& lora = layers_[static_cast<size_t>(l)][static_cast<size_t>(g)];
      const GroupShape shape = shape_of(config, static_cast<Group>(g));
      const auto name = [&](const Module& module, const char* matrix) {
        return text("base_model.model.model.layers.", l, ".", module.parent, ".", module.name, ".", matrix, ".weight");
      };
      std::vector<const Module*> present;
      for (size_t m = 0; m < kModules; m++) {
        if (kModuleTable[m].group == g && spec.targets[m]) present.push_back(&kModuleTable[m]);
      }
      // The A of a group form one matrix [columns, depth], so that x is read once for all of them.
      for (const Module* module : present) {
        const int64_t offset =
            layout_.add(name(*module, "lora_A"), {spec.rank, shape.depth}, true, false, module != present.back());
        if (lora.columns == 0) lora.a = offset;
        lora.column[static_cast<size_t>(module->part)] = lora.columns;
        lora.columns += spec.rank;
      }
      for (const Module* module : present) {
        const auto part = static_cast<size_t>(module->part);
        lora.bt[part] = layout_.add(name(*module, "lora_B"), {shape.columns[part], spec.rank}, true, true);
        lora.b_pack[part] = OwnedWeight(backend, config.dtype, spec.rank, shape.columns[part]);
      }
      if (lora.columns) lora.a_pack = OwnedWeight(backend, config.dtype, shape.depth, lora.columns);
    }
  }
  if (spec.value_head) value_head_ = layout_.add("value_head.weight", {1, config.hidden}, true);
  if (spec.reward_head) reward_head_ = layout_.add("reward_head.weight", {1, config.hidden}, true);
  if (layout_.total == 0) {
    fail("ERR_INVALID_ARG",
         "an adapter needs at least one target (q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj) or a "
         "head");
  }
  masters_ = DeviceMemory(backend, static_cast<size_t>(layout_.total) * sizeof(float));

  std::vector<float> values(static_cast<size_t>(layout_.total), 0.0f);
  for (size_t i = 0; i < layout_.parameters.size(); i++) {
    const Parameter& p = layout_.parameters[i];
    if (!p.name.ends_with("lora_A.weight")) continue;
    const float bound = 1.0f / std::sqrt(static_cast<float>(p.shape[1]));
    for (int64_t k = 0; k < p.size; k++) {
      const uint32x4 words = draw(seed, kInitStream + i, 0, static_cast<uint32_t>(k));
      values[static_cast<size_t>(p.offset + k)] = (2.0f * uniform(words[0]) - 1.0f) * bound;
    }
  }
  backend.copy_in(masters_.data(), values.data(), values.size() * sizeof(float));
  repack();
}

void Adapter::enable_backward() {
  if (backward_) return;
  backward_ = true;
  for (auto& layer : layers_) {
    for (size_t g = 0; g < kGroups; g++) {
      Lora& lora = layer[g];
      if (!lora.columns) continue;
      const GroupShape shape = shape_of(config_, static_cast<Group>(g));
      lora.a_back = OwnedWeight(backend_, config_.dtype, lora.columns, shape.depth);
      for (size_t part = 0; part < kMaxParts; part++) {
        if (lora.column[part] >= 0)
          lora.b_back[part] = OwnedWeight(backend_, config_.dtype, shape.columns[part], spec_.rank);
      }
    }
  }
  repack();
}

void Adapter::repack() {
  const float* values = masters_.floats();
  for (auto& layer : layers_) {
    for (size_t g = 0; g < kGroups; g++) {
      Lora& lora = layer[g];
      if (!lora.columns) continue;
      const GroupShape shape = shape_of(config_, static_cast<Group>(g));
      backend_.pack(*lora.a_pack, 0, values + lora.a, Dtype::f32, shape.depth);
      if (backward_) backend_.pack_transposed(*lora.a_back, 0, values + lora.a, shape.depth);
      for (size_t part = 0; part < kMaxParts; part++) {
        if (lora.column[part] < 0) continue;
        backend_.pack_transposed(*lora.b_pack[part], 0, values + lora.bt[part], shape.columns[part]);
        if (backward_) backend_.pack(*lora.b_back[part], 0, values + lora.bt[part], Dtype::f32, shape.columns[part]);
      }
    }
  }
}

void Adapter::copy(const Adapter& source, int64_t value_from, int64_t reward_from) {
  // Heads come last, so that with the same LoRA all its offsets agree.
  for (const Parameter& p : layout_.parameters) {
    const int64_t from = p.offset == value_head_ ? value_from : p.offset == reward_head_ ? reward_from : p.offset;
    if (from < 0) continue;
    backend_.copy(masters_.floats() + p.offset, source.masters() + from, static_cast<size_t>(p.size) * sizeof(float));
  }
  repack();
}

// The checkpoint's row-major form of a tensor, from the masters and back.
void Adapter::take(const Parameter& p, float* rows) const {
  std::vector<float> block(static_cast<size_t>(p.size));
  backend_.copy_out(block.data(), masters_.floats() + p.offset, block.size() * sizeof(float));
  to_checkpoint(p, block.data(), rows);
}

void Adapter::save(const std::string& folder) const {
  std::vector<std::vector<float>> rows(layout_.parameters.size());
  std::vector<SafetensorsEntry> lora, heads;
  for (size_t i = 0; i < rows.size(); i++) {
    const Parameter& p = layout_.parameters[i];
    rows[i].resize(static_cast<size_t>(p.size));
    take(p, rows[i].data());
    (is_head(p) ? heads : lora).push_back({p.name, "F32", p.shape, rows[i].data()});
  }
  write_safetensors(folder + "/adapter_model.safetensors", lora, {{"format", "pt"}});
  if (!heads.empty()) write_safetensors(folder + "/heads.safetensors", heads, {});
}

void Adapter::load(const std::string& folder) {
  const Safetensors lora(folder + "/adapter_model.safetensors");
  std::optional<Safetensors> heads;
  if (value_head_ >= 0 || reward_head_ >= 0) heads.emplace(folder + "/heads.safetensors");
  std::vector<float> rows, block;
  for (const Parameter& p : layout_.parameters) {
    const Safetensors& file = is_head(p) ? *heads : lora;
    file.get(p.name, p.shape);
    rows.resize(static_cast<size_t>(p.size));
    block.resize(rows.size());
    file.read_f32(p.name, rows.data());
    from_checkpoint(p, rows.data(), block.data());
    backend_.copy_in(masters_.floats() + p.offset, block.data(), block.size() * sizeof(float));
  }
  repack();
}

}  // namespace srcode
