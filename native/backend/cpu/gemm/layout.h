#pragma once
#include <algorithm>

#include "backend/backend.h"
#include "backend/cpu/gemm/panel.h"
#include "core/error.h"

// Where things are in a PackedWeight.
namespace srcode::cpu {

inline int64_t panels_of(int64_t columns) { return (columns + kPanelWidth - 1) / kPanelWidth; }
inline int64_t padded_depth(Dtype type, int64_t depth) {
  return type == Dtype::bf16 ? padded_depth<bf16>(depth) : padded_depth<float>(depth);
}
template <class T>
constexpr Dtype dtype_of = sizeof(T) == 2 ? Dtype::bf16 : Dtype::f32;

// One panel: `columns` output columns from `column` of its part on.
struct Panel {
  int part;
  int64_t index;  // within its part
  int64_t column;
  int columns;
};

// The panels of a weight, numbered through its parts.
class Panels {
 public:
  explicit Panels(const PackedWeight& weight) : weight_(weight) {}

  int64_t count() const {
    int64_t n = 0;
    for (const auto& part : weight_.parts) n += panels_of(part.columns);
    return n;
  }
  Panel at(int64_t panel) const {
    int part = 0;
    while (panel >= panels_of(weight_.parts[part].columns)) panel -= panels_of(weight_.parts[part++].columns);
    const int64_t column = panel * kPanelWidth;
    return {part, panel, column,
            static_cast<int>(std::min<int64_t>(kPanelWidth, weight_.parts[part].columns - column))};
  }
  // The number of the part's first panel.
  int64_t first(int part) const {
    int64_t n = 0;
    for (int i = 0; i < part; i++) n += panels_of(weight_.parts[i].columns);
    return n;
  }
  template <class T>
  T* data(int64_t panel) const {
    return static_cast<T*>(weight_.data) + panel * padded_depth<T>(weight_.depth) * kPanelWidth;
  }

 private:
  const PackedWeight& weight_;
};

// Element k of column n of a panel.
template <class T>
constexpr int64_t panel_index(int64_t k, int64_t n) {
  return sizeof(T) == 2 ? (k / 2 * kPanelWidth + n) * 2 + k % 2 : k * kPanelWidth + n;
}

// Calls f with a null pointer of the element type.
template <class F>
void with_type(Dtype type, F f) {
  if (type == Dtype::bf16)
    f(static_cast<bf16*>(nullptr));
  else
    f(static_cast<float*>(nullptr));
}

}  // namespace srcode::cpu
