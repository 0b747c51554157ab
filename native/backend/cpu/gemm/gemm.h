#pragma once
#include <span>

#include "backend/backend.h"
#include "backend/cpu/level.h"

// Matrix products on the CPU: the weights and products of backend.h, where their contracts are.
//
// A packed weight: its parts one after another, each in panels (panel.h) of 64 output columns, the last one padded with
// zeros.
namespace srcode::cpu {

size_t packed_bytes(Dtype type, int64_t depth, std::span<const int64_t> part_columns);
void pack(const Context& ctx, PackedWeight& weight, int part, const void* rows, Dtype rows_type, int64_t stride);
void pack_transposed(const Context& ctx, PackedWeight& weight, int part, const float* matrix, int64_t stride);
void unpack(const Context& ctx, const PackedWeight& weight, int part, void* rows, Dtype rows_type);
void gather(const Context& ctx, const PackedWeight& weight, const int32_t* ids, int64_t n, void* out);
void transpose(const Context& ctx, const PackedWeight& from, int64_t column, PackedWeight& to);

void product(const Context& ctx, const Product& product);
void outer(const Context& ctx, Dtype type, int64_t rows, const void* a, int64_t a_stride, int64_t a_columns,
           const void* b, int64_t b_stride, int64_t b_columns, float* out, int64_t out_stride, float scale,
           bool accumulate);

}  // namespace srcode::cpu
