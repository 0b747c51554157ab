#pragma once
#include <array>
#include <functional>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "core/arena.h"
#include "core/cancel.h"
#include "core/thread_pool.h"
#include "model/adapter.h"
#include "model/weights.h"

namespace srcode {

// Packed sequences: no pad token exists.
struct Batch {
  std::vector<int32_t> tokens;         // [N]
  std::vector<int32_t> positions;      // [N], from 0 in each sequence
  std::vector<int32_t> cu_seqlens{0};  // [B + 1]

  void append(std::span<const int32_t> sequence) {
    for (size_t i = 0; i < sequence.size(); i++) positions.push_back(static_cast<int32_t>(i));
    tokens.insert(tokens.end(), sequence.begin(), sequence.end());
    cu_seqlens.push_back(static_cast<int32_t>(tokens.size()));
  }
  int64_t rows() const { return static_cast<int64_t>(tokens.size()); }
  int64_t sequences() const { return static_cast<int64_t>(cu_seqlens.size()) - 1; }
};

// What a forward pass leaves of one layer. Without a backward pass all layers share one.
struct LayerTape {
  void* x_in = nullptr;       // [N, H] T: the residual stream at the layer's door
  void* qkv = nullptr;        // [N, row] T, rotated
  void* attention = nullptr;  // [N, heads · dim] T
  void* x_mid = nullptr;      // [N, H] T: after attention
  void* gate_up = nullptr;    // [N, 2 F] T
  float* attention_rstd = nullptr;
  float* mlp_rstd = nullptr;
  float* lse = nullptr;             // [N, heads]
  std::array<void*, kGroups> xa{};  // [N, rank × parts] T: the inputs of LoRA's B
};

// The buffers of a pass over `rows` tokens, laid out in an arena: measured with a dry arena, then taken from a real
// one.
struct Tape {
  int64_t rows = 0;
  bool keep = false;
  int32_t* tokens = nullptr;
  int32_t* positions = nullptr;
  std::vector<LayerTape> layers;
  void* x = nullptr;          // [N, H] T: the residual stream before the last layer's output is added
  void* delta = nullptr;      // [N, H] T: that output
  void* normed = nullptr;     // [N, H] T scratch
  void* activated = nullptr;  // [N, F] T scratch

  void lay_out(Arena& arena, const ModelConfig& config, const Adapter* adapter, int64_t rows, bool keep);
};

// Rows of the final hidden state (after the last norm), and what its backward pass needs.
struct Hidden {
  int64_t rows = 0;
  int32_t* index = nullptr;  // [S] rows of the pass
  void* x = nullptr;         // [S, H] T
  void* delta = nullptr;     // [S, H] T
  void* normed = nullptr;    // [S, H] T: the hidden state itself
  float* rstd = nullptr;     // [S]

  void lay_out(Arena& arena, const ModelConfig& config, int64_t rows);
};

// The buffers of a backward pass.
struct BackwardScratch {
  float* dx = nullptr;          // [N, H] gradient of the residual stream
  float* d_hidden = nullptr;    // [S, H] f32; laid out by the caller, because it outlives the head's scratch
  float* dx_rows = nullptr;     // [S, H] f32
  void* d_hidden_t = nullptr;   // [S, H] T
  void* d_out = nullptr;        // [N, H] T
  void* d_act = nullptr;        // [N, F] T
  void* d_gate_up = nullptr;    // [N, 2 F] T
  void* d_normed = nullptr;     // [N, H] T
  void* d_attention = nullptr;  // [N, heads · dim] T
  void* d_qkv = nullptr;        // [N, row] T
  void* d_xa = nullptr;         // [N, rank × parts] T
  void* transposed = nullptr;   // the largest product's transpose

  void lay_out(Arena& arena, const Backend& backend, const ModelConfig& config, const Adapter* adapter, int64_t rows,
               int64_t hidden_rows);
};

// The block stack, forward and backward. It owns no weights; one lives for each model.
class Decoder {
 public:
  Decoder(Backend& backend, const Weights& weights);

  const ModelConfig& config() const { return weights_.config(); }
  Backend& backend() const { return backend_; }

  // Packed sequences through all layers.
  void forward(const Batch& batch, const Adapter* adapter, Tape& tape, const Cancel& cancel) const;
  // New tokens of sequences whose past is in the cache. `runs(layer)` gives their pages there.
  using Runs = FunctionRef<std::span<const CacheRun>(int64_t layer)>;
  void forward_cached(std::span<const int32_t> tokens, std::span<const int32_t> positions, Runs runs,
                      const Adapter* adapter, Tape& tape, const Cancel& cancel) const;
  // hidden.normed = norm(x + delta) of the rows.
  void hidden(const Tape& tape, std::span<const int32_t> rows, Hidden& hidden) const;

  // From scratch.d_hidden (gradient of hidden.normed, f32) down to every trainable tensor: `gradients` has the layout
  // of the adapter, or of the weights when adapter is null (full-parameter training), and is added to.
  void backward(const Batch& batch, const Adapter* adapter, Tape& tape, const Hidden& hidden, BackwardScratch& scratch,
                float* gradients, const Cancel& cancel) const;

 private:
  using Attend = FunctionRef<void(int64_t layer, const void* qkv, void* out, float* lse)>;
  void blocks(const Adapter* adapter, Tape& tape, Attend attend, const Cancel& cancel) const;
  void product(int64_t layer, Group group, const Adapter* adapter, int64_t rows, const void* x, void* xa,
               const float* bias, void* out) const;
  // d_x of a product, with its LoRA and weight gradients on the way. d_x may be null: nothing trainable lies below.
  void product_backward(int64_t layer, Group group, const Adapter* adapter, int64_t rows, const void* x, const void* xa,
                        const void* d_y, void* d_x, BackwardScratch& scratch, float* gradients) const;

  Backend& backend_;
  const Weights& weights_;
  DeviceMemory rope_;  // [context, dim]
};

}  // namespace srcode
