#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"
#include "core/file.h"

namespace srcode {

// The safetensors format (github.com/huggingface/safetensors): an 8-byte little-endian header length, a JSON header
// that gives each tensor's dtype, shape and byte range, and the tensors' bytes without holes.

// Reads one file or a folder of shards, and refuses what breaks the format with ERR_FILE_FORMAT, which names file and
// tensor. The files stay mapped while the object lives; reading is safe from several threads.
class Safetensors {
 public:
  struct Tensor {
    std::string name;
    std::string dtype;  // as the format spells it: "F32", "BF16", "I64", …
    std::vector<int64_t> shape;
    int64_t elements;
    const std::byte* data;  // not aligned
    size_t bytes;
    const MappedFile* file;
  };

  // A file; or a folder: the shards of model.safetensors.index.json, else model.safetensors, else every *.safetensors.
  explicit Safetensors(const std::string& path);

  const std::string& path() const { return path_; }
  const std::map<std::string, Tensor, std::less<>>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }  // of shards: the first to say a key

  const Tensor* find(std::string_view name) const;                                    // nullptr when missing
  const Tensor& get(std::string_view name) const;                                     // ERR_FILE_FORMAT when missing
  const Tensor& get(std::string_view name, const std::vector<int64_t>& shape) const;  // ERR_SHAPE for another shape

  // Converts elements [first, first + count) of an F32, BF16 or F16 tensor (ERR_UNSUPPORTED for others). Narrowing to
  // bf16 rounds to nearest even.
  void read(const Tensor& tensor, int64_t first, int64_t count, float* out) const;
  void read(const Tensor& tensor, int64_t first, int64_t count, bf16* out) const;
  // The whole of a tensor.
  void read_f32(std::string_view name, float* out) const;
  void read_bf16(std::string_view name, bf16* out) const;

  // Lets go of a tensor's pages, so that a model read tensor by tensor is not in memory twice. It can be read again.
  void release(const Tensor& tensor) const { tensor.file->release(tensor.data, tensor.bytes); }

 private:
  void add_folder(const std::string& folder);
  void add_file(const std::string& path);

  std::string path_;
  std::vector<std::unique_ptr<MappedFile>> files_;
  std::map<std::string, Tensor, std::less<>> tensors_;
  std::map<std::string, std::string> metadata_;
};

struct SafetensorsEntry {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  const void* data = nullptr;  // the bytes, row-major
  // Or, for a tensor that memory holds in another layout: writes rows [first, first + rows) of the leading dimension to
  // `out`, a few at a time. A scalar is one row.
  std::function<void(int64_t first, int64_t rows, std::byte* out)> rows = {};
};

// Writes a file whose bytes follow from the arguments alone, in the order that the reference implementation uses: wider
// dtypes first, which aligns all, then by name. The file appears whole or not at all (DurableFile).
// ERR_INVALID_ARG names the entry that is wrong; ERR_IO.
void write_safetensors(const std::string& path, std::vector<SafetensorsEntry> entries,
                       const std::map<std::string, std::string>& metadata = {});

// Bits of an element of a dtype of the format; 0 for an unknown dtype.
int safetensors_bits(std::string_view dtype);

// Bytes of a tensor; -1 when a size is negative, the product leaves int64, or it is no whole number of bytes.
int64_t safetensors_bytes(int bits, const std::vector<int64_t>& shape);

// "[2, 3]"
std::string shape_text(const std::vector<int64_t>& shape);

}  // namespace srcode
