#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/table.h"

namespace srcode {

// One comparison: the largest |a - b| / (1 + |b|) over all outputs of one call.
struct SelftestRow {
  std::string name;   // kernel and output, such as "gae advantages"
  std::string shape;  // "B 19, N 3020, longest 1025"
  double max_error, tolerance;
  bool ok;
};

// Runs every RL kernel of a table over odd shapes. The CPU's are held against the definitions in double, one token at a
// time; those of any other device against the CPU's.
std::vector<SelftestRow> selftest(const KernelTable& kernels, Queue queue);

}  // namespace srcode
