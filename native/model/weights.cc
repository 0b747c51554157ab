#include "model/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "core/philox.h"
#include "core/safetensors.h"
#include "core/thread_pool.h"

namespace srcode {

Weights::Weights(Backend& backend, const ModelConfig& config) : backend_(backend), config_(config) {
  check(config);
  const ModelConfig& c = config_;
  const auto vector = [&](int64_t size) { return DeviceMemory(backend, static_cast<size_t>(size) * sizeof(float)); };
  head_ = OwnedWeight(backend, c.dtype, c.hidden, c.vocab);
  if (!c.tied) embedding_ = DeviceMemory(backend, static_cast<size_t>(c.vocab * c.hidden) * size_of(c.dtype));
  final_norm_ = vector(c.hidden);
  layers_.resize(static_cast<size_t>(c.layers));
  offsets_.resize(static_cast<size_t>(c.layers));

  embedding_offset_ = layout_.add("model.embed_tokens.weight", {c.vocab, c.hidden}, true);
  slots_.push_back(c.tied ? Slot{.weight = &*head_} : Slot{});
  for (int64_t l = 0; l < c.layers; l++) {
    Layer& layer = layers_[static_cast<size_t>(l)];
    Offsets& offsets = offsets_[static_cast<size_t>(l)];
    const std::string prefix = text("model.layers.", l, ".");
    layer.attention_norm = vector(c.hidden);
    layer.mlp_norm = vector(c.hidden);
    offsets.attention_norm = layout_.add(prefix + "input_layernorm.weight", {c.hidden}, false);
    slots_.push_back({.vector = layer.attention_norm.floats()});
    offsets.mlp_norm = layout_.add(prefix + "post_attention_layernorm.weight", {c.hidden}, false);
    slots_.push_back({.vector = layer.mlp_norm.floats()});
    for (int g = 0; g < kGroups; g++) {
      const GroupShape shape = shape_of(c, static_cast<Group>(g));
      layer.product[static_cast<size_t>(g)] = OwnedWeight(backend, c.dtype, shape.depth, shape.part_columns());
    }
    for (const Module& module : kModuleTable) {
      const GroupShape shape = shape_of(c, module.group);
      const int64_t offset = layout_.add(text(prefix, module.parent, ".", module.name, ".weight"),
                                         {shape.columns[static_cast<size_t>(module.part)], shape.depth}, true, false,
                                         module.part + 1 < shape.parts);
      if (module.part == 0) offsets.product[module.group] = offset;
      slots_.push_back({.weight = &*layer.product[module.group], .part = module.part});
    }
    if (c.qkv_bias) {
      const GroupShape shape = shape_of(c, kQkv);
      layer.qkv_bias = vector(shape.total());
      int64_t column = 0;
      for (int part = 0; part < shape.parts; part++) {
        const int64_t columns = shape.columns[static_cast<size_t>(part)];
        const int64_t offset =
            layout_.add(text(prefix, "self_attn.", kModuleTable[static_cast<size_t>(part)].name, ".bias"), {columns},
                        false, false, part + 1 < shape.parts);
        if (part == 0) offsets.qkv_bias = offset;
        slots_.push_back({.vector = layer.qkv_bias.floats() + column});
        column += columns;
      }
    }
  }
  final_norm_offset_ = layout_.add("model.norm.weight", {c.hidden}, false);
  slots_.push_back({.vector = final_norm_.floats()});
  head_offset_ = embedding_offset_;
  if (!c.tied) {
    head_offset_ = layout_.add("lm_head.weight", {c.vocab, c.hidden}, true);
    slots_.push_back({.weight = &*head_});
  }
}

void Weights::put(size_t parameter, const void* rows, Dtype type) {
  const Slot& slot = slots_[parameter];
  const Parameter& p = layout_.parameters[parameter];
  if (slot.weight) {
    backend_.pack(*slot.weight, slot.part, rows, type, slot.weight->depth);
  } else if (slot.vector) {
    if (type == Dtype::f32) {
      backend_.copy_in(slot.vector, rows, static_cast<size_t>(p.size) * sizeof(float));
    } else {
      backend_.widen(type, p.size, rows, slot.vector);
    }
  } else if (type == config_.dtype) {
    backend_.copy_in(embedding_.data(), rows, embedding_.bytes());
  } else if (type == Dtype::f32) {
    backend_.round(config_.dtype, p.size, static_cast<const float*>(rows), embedding_.data());
  } else {
    backend_.widen(type, p.size, rows, embedding_.floats());
  }
}

void Weights::take(size_t parameter, float* rows) const {
  const Slot& slot = slots_[parameter];
  const Parameter& p = layout_.parameters[parameter];
  if (slot.weight) {
    backend_.unpack(*slot.weight, slot.part, rows, Dtype::f32);
  } else if (slot.vector) {
    backend_.copy_out(rows, slot.vector, static_cast<size_t>(p.size) * sizeof(float));
  } else {
    backend_.widen(config_.dtype, p.size, embedding_.data(), rows);
  }
}

std::unique_ptr<Weights> Weights::load(Backend& backend, const ModelConfig& config, const std::string& folder) {
  std::unique_ptr<Weights> weights(new Weights(backend, config));
  const Safetensors files(folder);
  std::vector<bf16> half;
  std::vector<float> single;
  for (size_t i = 0; i < weights->slots_.size(); i++) {
    const Parameter& p = weights->layout_.parameters[i];
    const Safetensors::Tensor& tensor = files.get(p.name, p.shape);
    // bf16 stays as it is; everything else passes through f32.
    if (tensor.dtype == "BF16") {
      half.resize(static_cast<size_t>(p.size));
      files.read_bf16(p.name, half.data());
      weights->put(i, half.data(), Dtype::bf16);
    } else {
      single.resize(static_cast<size_t>(p.size));
      files.read_f32(p.name, single.data());
      weights->put(i, single.data(), Dtype::f32);
    }
    files.release(tensor);
  }
  return weights;
}

std::unique_ptr<Weights> Weights::random(Backend& backend, const ModelConfig& config, uint64_t seed) {
  std::unique_ptr<Weights> weights(new Weights(backend, config));
  const float sd = 0.02f, residual_sd = sd / std::sqrt(2.0f * static_cast<float>(config.layers));
  std::vector<float> rows;
  for (size_t i = 0; i < weights->slots_.size(); i++) {
    const Parameter& p = weights->layout_.parameters[i];
    rows.assign(static_cast<size_t>(p.size), 0.0f);
    if (p.shape.size() == 1) {
      if (p.name.ends_with("norm.weight")) std::fill(rows.begin(), rows.end(), 1.0f);
    } else {
      const bool writes_residual = p.name.ends_with("o_proj.weight") || p.name.ends_with("down_proj.weight");
      constexpr int64_t kPiece = 1 << 16;
      backend.queue().pool->run((p.size + kPiece - 1) / kPiece, [&](int64_t piece, int) {
        const int64_t first = piece * kPiece;
        fill_normal(rows.data() + first, std::min(kPiece, p.size - first), writes_residual ? residual_sd : sd, seed, i,
                    first);
      });
    }
    weights->put(i, rows.data(), Dtype::f32);
  }
  return weights;
}

void Weights::save(const std::string& folder) const {
  const bool half = config_.dtype == Dtype::bf16;
  std::vector<float> rows;  // of the tensor that is being written: one at a time
  std::vector<SafetensorsEntry> entries;
  for (size_t i = 0; i < slots_.size(); i++) {
    const Parameter& p = layout_.parameters[i];
    const auto write = [this, i, half, &p, &rows](int64_t first, int64_t count, std::byte* out) {
      const int64_t width = p.size / p.shape[0];
      if (first == 0) {
        rows.resize(static_cast<size_t>(p.size));
        take(i, rows.data());
      }
      const float* from = rows.data() + first * width;
      if (half) {
        for (int64_t k = 0; k < count * width; k++) {
          const bf16 value = to_bf16(from[k]);
          std::memcpy(out + k * 2, &value, 2);
        }
      } else {
        std::memcpy(out, from, static_cast<size_t>(count * width) * sizeof(float));
      }
    };
    entries.push_back({.name = p.name, .dtype = half ? "BF16" : "F32", .shape = p.shape, .rows = write});
  }
  write_safetensors(folder + "/model.safetensors", std::move(entries), {{"format", "pt"}});
}

size_t Weights::bytes() const {
  size_t total = head_.bytes() + embedding_.bytes() + final_norm_.bytes() + masters_.bytes();
  for (const Layer& layer : layers_) {
    for (const OwnedWeight& product : layer.product) total += product.bytes();
    total += layer.attention_norm.bytes() + layer.mlp_norm.bytes() + layer.qkv_bias.bytes();
  }
  return total;
}

void Weights::embed(const int32_t* ids, int64_t n, void* out) const {
  if (config_.tied) {
    backend_.gather(*head_, ids, n, out);
  } else {
    backend_.embed(config_.dtype, embedding_.data(), ids, n, config_.hidden, out);
  }
}

void Weights::enable_training() {
  if (masters_) return;
  masters_ = DeviceMemory(backend_, static_cast<size_t>(layout_.total) * sizeof(float));
  for (size_t i = 0; i < slots_.size(); i++) take(i, masters_.floats() + layout_.parameters[i].offset);
}

void Weights::repack() {
  for (size_t i = 0; i < slots_.size(); i++) put(i, masters_.floats() + layout_.parameters[i].offset, Dtype::f32);
}

}  // namespace srcode
