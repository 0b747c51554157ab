#include "model/decoder.h"

#include <cmath>

namespace srcode {
namespace {

int64_t lora_columns(const Adapter* adapter, int64_t layer, Group group) {
  return adapter ? adapter->lora(layer, group).columns : 0;
}

// Element `column` of a row-major matrix of T.
const void* at(const void* matrix, Dtype type, int64_t column) {
  return static_cast<const char*>(matrix) + column * static_cast<int64_t>(size_of(type));
}
void* at(void* matrix, Dtype type, int64_t column) {
  return static_cast<char*>(matrix) + column * static_cast<int64_t>(size_of(type));
}

}  // namespace

void Tape::lay_out(Arena& arena, const ModelConfig& c, const Adapter* adapter, int64_t n, bool keep_all) {
  rows = n;
  keep = keep_all;
  const auto t = static_cast<int64_t>(size_of(c.dtype));
  const auto matrix = [&](const char* name, int64_t columns) -> void* {
    return arena.take<std::byte>(name, n * columns * t);
  };
  const auto floats = [&](const char* name, int64_t columns) { return arena.take<float>(name, n * columns); };
  tokens = arena.take<int32_t>("tokens", n);
  positions = arena.take<int32_t>("tokens", n);
  layers.assign(static_cast<size_t>(c.layers), {});
  x = keep ? nullptr : matrix("residual", c.hidden);
  for (int64_t l = 0; l < c.layers; l++) {
    LayerTape& layer = layers[static_cast<size_t>(l)];
    if (!keep && l > 0) {
      layer = layers[0];
      continue;
    }
    layer.x_in = keep ? matrix("saved residuals", c.hidden) : x;
    layer.x_mid = keep ? matrix("saved residuals", c.hidden) : x;
    layer.qkv = matrix("q, k, v", c.attention().row());
    layer.attention = matrix("attention outputs", c.attention().q_columns());
    layer.gate_up = matrix("gate and up", 2 * c.intermediate);
    if (keep) {
      layer.attention_rstd = floats("norm statistics", 1);
      layer.mlp_rstd = floats("norm statistics", 1);
      layer.lse = floats("attention log-sum-exp", c.heads);
    }
    for (int g = 0; g < kGroups; g++) {
      const int64_t columns = lora_columns(adapter, l, static_cast<Group>(g));
      if (columns) layer.xa[static_cast<size_t>(g)] = matrix("LoRA inner products", columns);
    }
  }
  if (keep) x = matrix("saved residuals", c.hidden);
  delta = matrix("layer output", c.hidden);
  normed = matrix("normed", c.hidden);
  activated = matrix("activated", c.intermediate);
}

void Hidden::lay_out(Arena& arena, const ModelConfig& c, int64_t n) {
  rows = n;
  const auto matrix = [&]() -> void* {
    return arena.take<std::byte>("final hidden states", n * c.hidden * static_cast<int64_t>(size_of(c.dtype)));
  };
  index = arena.take<int32_t>("final hidden states", n);
  x = matrix();
  delta = matrix();
  normed = matrix();
  rstd = arena.take<float>("final hidden states", n);
}

void BackwardScratch::lay_out(Arena& arena, const Backend& backend, const ModelConfig& c, const Adapter* adapter,
                              int64_t n, int64_t hidden_rows) {
  const auto matrix = [&](const char* name, int64_t height, int64_t columns) -> void* {
    return arena.take<std::byte>(name, height * columns * static_cast<int64_t>(size_of(c.dtype)));
  };
  dx = arena.take<float>("d residual", n * c.hidden);
  dx_rows = arena.take<float>("d final hidden states", hidden_rows * c.hidden);
  d_hidden_t = matrix("d final hidden states", hidden_rows, c.hidden);
  d_out = matrix("d layer output", n, c.hidden);
  d_act = matrix("d activated", n, c.intermediate);
  d_gate_up = matrix("d gate and up", n, 2 * c.intermediate);
  d_normed = matrix("d normed", n, c.hidden);
  d_attention = matrix("d attention outputs", n, c.attention().q_columns());
  d_qkv = matrix("d q, k, v", n, c.attention().row());
  int64_t widest = 0;
  size_t pack = 0;
  for (int g = 0; g < kGroups; g++) {
    const GroupShape shape = shape_of(c, static_cast<Group>(g));
    widest = std::max(widest, lora_columns(adapter, 0, static_cast<Group>(g)));
    pack = std::max(pack, backend.packed_bytes(c.dtype, shape.total(), std::span<const int64_t>(&shape.depth, 1)));
  }
  d_xa = matrix("d LoRA inner products", n, widest);
  transposed = arena.take<std::byte>("transposed weights of one product", static_cast<int64_t>(pack));
}

Decoder::Decoder(Backend& backend, const Weights& weights)
    : backend_(backend),
      weights_(weights),
      rope_(backend, static_cast<size_t>(weights.config().context * weights.config().head_dim) * sizeof(float)) {
  const ModelConfig& c = config();
  const int64_t half = c.head_dim / 2;
  std::vector<float> table(static_cast<size_t>(c.context * c.head_dim));
  for (int64_t i = 0; i < half; i++) {
    // In the order of HF's f32 arithmetic: the inverse frequency is rounded to f32, then divided by the scaling factor.
    const float inverse =
        static_cast<float>(1.0 / std::pow(c.rope_theta, static_cast<double>(2 * i) / static_cast<double>(c.head_dim))) /
        static_cast<float>(c.rope_factor);
    for (int64_t p = 0; p < c.context; p++) {
      const double angle = static_cast<float>(p) * inverse;
      table[static_cast<size_t>(p * c.head_dim + i)] = static_cast<float>(std::cos(angle));
      table[static_cast<size_t>(p * c.head_dim + half + i)] = static_cast<float>(std::sin(angle));
    }
  }
  backend.copy_in(rope_.data(), table.data(), table.size() * sizeof(float));
}

void Decoder::product(int64_t layer, Group group, const Adapter* adapter, int64_t rows, const void* x, void* xa,
                      const float* bias, void* out) const {
  const PackedWeight& weight = *weights_.layer(layer).product[group];
  const Dtype type = config().dtype;
  Product p{.rows = rows,
            .main = {x, weight.depth, &weight},
            .bias = bias,
            .out = out,
            .out_type = type,
            .out_stride = weight.columns};
  std::array<Term, kMaxParts> terms;
  const int64_t columns = lora_columns(adapter, layer, group);
  if (columns) {
    const Adapter::Lora& lora = adapter->lora(layer, group);
    backend_.product({.rows = rows,
                      .main = {x, weight.depth, lora.a_pack.get()},
                      .scale = adapter->scale(),
                      .out = xa,
                      .out_type = type,
                      .out_stride = columns});
    for (size_t part = 0; part < weight.parts.size(); part++) {
      if (lora.column[part] >= 0) terms[part] = {at(xa, type, lora.column[part]), columns, lora.b_pack[part].get()};
    }
    p.lora = std::span<const Term>(terms.data(), weight.parts.size());
  }
  backend_.product(p);
}

void Decoder::blocks(const Adapter* adapter, Tape& tape, Attend attend, const Cancel& cancel) const {
  const ModelConfig& c = config();
  const int64_t n = tape.rows;
  const size_t bytes = static_cast<size_t>(n * c.hidden) * size_of(c.dtype);
  // The residual stream moves to a fresh buffer where it is kept for the backward pass, and stays in place otherwise.
  const auto move = [&](void* to, const void* from) {
    if (to != from) backend_.copy(to, from, bytes);
  };
  weights_.embed(tape.tokens, n, tape.layers[0].x_in);
  for (int64_t l = 0; l < c.layers; l++) {
    cancel.check();
    const Weights::Layer& w = weights_.layer(l);
    LayerTape& t = tape.layers[static_cast<size_t>(l)];
    if (l > 0) move(t.x_in, tape.layers[static_cast<size_t>(l - 1)].x_mid);
    backend_.add_rms_norm(c.dtype, n, c.hidden, t.x_in, l > 0 ? tape.delta : nullptr, w.attention_norm.floats(),
                          c.rms_eps, tape.normed, t.attention_rstd);
    product(l, kQkv, adapter, n, tape.normed, t.xa[kQkv], w.qkv_bias.floats(), t.qkv);
    backend_.rope(c.dtype, n, c.attention(), t.qkv, tape.positions, rope_.floats(), false);
    attend(l, t.qkv, t.attention, t.lse);
    product(l, kOut, adapter, n, t.attention, t.xa[kOut], nullptr, tape.delta);
    move(t.x_mid, t.x_in);
    backend_.add_rms_norm(c.dtype, n, c.hidden, t.x_mid, tape.delta, w.mlp_norm.floats(), c.rms_eps, tape.normed,
                          t.mlp_rstd);
    product(l, kGateUp, adapter, n, tape.normed, t.xa[kGateUp], nullptr, t.gate_up);
    backend_.swiglu(c.dtype, n, c.intermediate, t.gate_up, tape.activated);
    product(l, kDown, adapter, n, tape.activated, t.xa[kDown], nullptr, tape.delta);
  }
  move(tape.x, tape.layers.back().x_mid);
}

void Decoder::forward(const Batch& batch, const Adapter* adapter, Tape& tape, const Cancel& cancel) const {
  backend_.copy_in(tape.tokens, batch.tokens.data(), batch.tokens.size() * sizeof(int32_t));
  backend_.copy_in(tape.positions, batch.positions.data(), batch.positions.size() * sizeof(int32_t));
  const auto attend = [&](int64_t, const void* qkv, void* out, float* lse) {
    backend_.attention(config().dtype, config().attention(), batch.cu_seqlens, qkv, out, lse);
  };
  blocks(adapter, tape, attend, cancel);
}

void Decoder::forward_cached(std::span<const int32_t> tokens, std::span<const int32_t> positions, Runs runs,
                             const Adapter* adapter, Tape& tape, const Cancel& cancel) const {
  backend_.copy_in(tape.tokens, tokens.data(), tokens.size() * sizeof(int32_t));
  backend_.copy_in(tape.positions, positions.data(), positions.size() * sizeof(int32_t));
  const auto attend = [&](int64_t layer, const void* qkv, void* out, float*) {
    backend_.attention_cached(config().dtype, config().attention(), runs(layer), qkv, out);
  };
  blocks(adapter, tape, attend, cancel);
}

void Decoder::hidden(const Tape& tape, std::span<const int32_t> rows, Hidden& hidden) const {
  const ModelConfig& c = config();
  const int64_t bytes = c.hidden * static_cast<int64_t>(size_of(c.dtype));
  const int64_t n = static_cast<int64_t>(rows.size());
  backend_.copy_in(hidden.index, rows.data(), rows.size() * sizeof(int32_t));
  backend_.gather_rows(bytes, tape.x, hidden.index, n, hidden.x);
  backend_.gather_rows(bytes, tape.delta, hidden.index, n, hidden.delta);
  backend_.add_rms_norm(c.dtype, n, c.hidden, hidden.x, hidden.delta, weights_.final_norm(), c.rms_eps, hidden.normed,
                        hidden.rstd);
}

void Decoder::product_backward(int64_t layer, Group group, const Adapter* adapter, int64_t rows, const void* x,
                               const void* xa, const void* d_y, void* d_x, BackwardScratch& scratch,
                               float* gradients) const {
  const PackedWeight& weight = *weights_.layer(layer).product[group];
  const Dtype type = config().dtype;
  const int64_t columns = lora_columns(adapter, layer, group);
  const Adapter::Lora* lora = columns ? &adapter->lora(layer, group) : nullptr;
  if (lora) {
    const int64_t rank = adapter->spec().rank;
    for (size_t part = 0; part < weight.parts.size(); part++) {
      if (lora->column[part] < 0) continue;
      const PackedWeight::Part& range = weight.parts[part];
      const void* d_y_part = at(d_y, type, range.column);
      backend_.product({.rows = rows,
                        .main = {d_y_part, weight.columns, lora->b_back[part].get()},
                        .scale = adapter->scale(),
                        .out = at(scratch.d_xa, type, lora->column[part]),
                        .out_type = type,
                        .out_stride = columns});
      backend_.outer(type, rows, at(xa, type, lora->column[part]), columns, rank, d_y_part, weight.columns,
                     range.columns, gradients + lora->bt[part], range.columns, 1.0f, true);
    }
    backend_.outer(type, rows, scratch.d_xa, columns, columns, x, weight.depth, weight.depth, gradients + lora->a,
                   weight.depth, 1.0f, true);
  }
  if (!adapter) {
    backend_.outer(type, rows, d_y, weight.columns, weight.columns, x, weight.depth, weight.depth,
                   gradients + weights_.offsets(layer).product[group], weight.depth, 1.0f, true);
  }
  if (!d_x) return;
  PackedWeight back{.dtype = type,
                    .depth = weight.columns,
                    .columns = weight.depth,
                    .parts = {{0, weight.depth}},
                    .data = scratch.transposed};
  backend_.transpose(weight, 0, back);
  Product p{
      .rows = rows, .main = {d_y, weight.columns, &back}, .out = d_x, .out_type = type, .out_stride = weight.depth};
  Term term;
  if (lora) {
    term = {scratch.d_xa, columns, lora->a_back.get()};
    p.lora = std::span<const Term>(&term, 1);
  }
  backend_.product(p);
}

void Decoder::backward(const Batch& batch, const Adapter* adapter, Tape& tape, const Hidden& hidden, BackwardScratch& s,
                       float* gradients, const Cancel& cancel) const {
  const ModelConfig& c = config();
  const int64_t n = tape.rows, width = c.hidden;
  const bool full = adapter == nullptr;
  const auto vector_gradient = [&](int64_t offset) { return full ? gradients + offset : nullptr; };

  // The last norm, on the rows that anything was asked of; all other rows start with no gradient.
  backend_.round(c.dtype, hidden.rows * width, s.d_hidden, s.d_hidden_t);
  backend_.fill_zero(s.dx_rows, static_cast<size_t>(hidden.rows * width) * sizeof(float));
  backend_.rms_norm_backward(c.dtype, hidden.rows, width, s.d_hidden_t, hidden.x, weights_.final_norm(), hidden.rstd,
                             s.dx_rows, vector_gradient(weights_.final_norm_offset()));
  backend_.fill_zero(s.dx, static_cast<size_t>(n * width) * sizeof(float));
  backend_.scatter_add_rows(width, s.dx_rows, hidden.index, hidden.rows, s.dx);

  for (int64_t l = c.layers - 1; l >= 0; l--) {
    cancel.check();
    const Weights::Layer& w = weights_.layer(l);
    const Weights::Offsets& at_offset = weights_.offsets(l);
    LayerTape& t = tape.layers[static_cast<size_t>(l)];
    // Nothing trainable lies below the first layer's q, k, v unless the embedding is trained too.
    const bool bottom = l == 0 && !full;

    backend_.round(c.dtype, n * width, s.dx, s.d_out);
    backend_.swiglu(c.dtype, n, c.intermediate, t.gate_up, tape.activated);
    product_backward(l, kDown, adapter, n, tape.activated, t.xa[kDown], s.d_out, s.d_act, s, gradients);
    backend_.swiglu_backward(c.dtype, n, c.intermediate, t.gate_up, s.d_act, s.d_gate_up);
    backend_.add_rms_norm(c.dtype, n, width, t.x_mid, nullptr, w.mlp_norm.floats(), c.rms_eps, tape.normed, nullptr);
    product_backward(l, kGateUp, adapter, n, tape.normed, t.xa[kGateUp], s.d_gate_up, s.d_normed, s, gradients);
    backend_.rms_norm_backward(c.dtype, n, width, s.d_normed, t.x_mid, w.mlp_norm.floats(), t.mlp_rstd, s.dx,
                               vector_gradient(at_offset.mlp_norm));

    backend_.round(c.dtype, n * width, s.dx, s.d_out);
    product_backward(l, kOut, adapter, n, t.attention, t.xa[kOut], s.d_out, s.d_attention, s, gradients);
    backend_.attention_backward(c.dtype, c.attention(), batch.cu_seqlens, t.qkv, t.attention, t.lse, s.d_attention,
                                s.d_qkv);
    backend_.rope(c.dtype, n, c.attention(), s.d_qkv, tape.positions, rope_.floats(), true);
    if (full && c.qkv_bias) {
      const int64_t row = c.attention().row();
      backend_.sum_rows(c.dtype, n, row, s.d_qkv, row, gradients + at_offset.qkv_bias);
    }
    backend_.add_rms_norm(c.dtype, n, width, t.x_in, nullptr, w.attention_norm.floats(), c.rms_eps, tape.normed,
                          nullptr);
    product_backward(l, kQkv, adapter, n, tape.normed, t.xa[kQkv], s.d_qkv, bottom ? nullptr : s.d_normed, s,
                     gradients);
    if (bottom) break;
    backend_.rms_norm_backward(c.dtype, n, width, s.d_normed, t.x_in, w.attention_norm.floats(), t.attention_rstd, s.dx,
                               vector_gradient(at_offset.attention_norm));
  }
  if (full) backend_.embed_backward(s.dx, tape.tokens, n, width, gradients + weights_.embedding_offset());
}

}  // namespace srcode
