#include "model/config.h"

#include "core/error.h"

namespace srcode {

void check(const ModelConfig& c) {
  const auto positive = [](const char* name, int64_t value) {
    if (value < 1 || value > int64_t{1} << 30)
      fail("ERR_SHAPE", "expected ", name, " between 1 and 2^30, received ", value);
  };
  positive("vocab_size", c.vocab);
  positive("hidden_size", c.hidden);
  positive("intermediate_size", c.intermediate);
  positive("num_hidden_layers", c.layers);
  positive("num_attention_heads", c.heads);
  positive("num_key_value_heads", c.kv_heads);
  positive("head_dim", c.head_dim);
  positive("max_position_embeddings", c.context);
  if (c.heads % c.kv_heads) {
    fail("ERR_SHAPE", "expected num_attention_heads to be a multiple of num_key_value_heads, received ", c.heads,
         " and ", c.kv_heads);
  }
  if (c.head_dim % 2 || c.head_dim > 256)
    fail("ERR_SHAPE", "expected an even head_dim up to 256, received ", c.head_dim);
  if (!(c.rope_theta > 0) || !(c.rope_factor > 0)) {
    fail("ERR_SHAPE", "expected a positive rope_theta and scaling factor, received ", c.rope_theta, " and ",
         c.rope_factor);
  }
}

}  // namespace srcode
