#pragma once
#include "core/cpu.h"
#include "core/dtype.h"

// What this machine can do at most, so that a speed can be given as a share of it.
namespace srcode {

class ThreadPool;

// Floating-point operations a second of all threads together, in registers alone: the bound of matrix products of
// `type` (accumulated in f32) at this level. The best of what about `seconds` have room for, as with the functions
// below.
double measure_peak_flops(Isa isa, Dtype type, ThreadPool& pool, double seconds);

// Bytes a second read from memory, by all threads: the bound of a decode step.
double measure_read_bandwidth(ThreadPool& pool, double seconds);

// Bytes a second of a[i] = b[i] + s c[i], counted as STREAM does (McCalpin 1995): three arrays, no write-allocate.
double measure_triad_bandwidth(ThreadPool& pool, double seconds);

}  // namespace srcode
