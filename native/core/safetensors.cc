#include "core/safetensors.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <set>
#include <system_error>
#include <tuple>

#include "core/error.h"
#include "core/json.h"

namespace srcode {
namespace {

namespace fs = std::filesystem;

// The limit of the reference implementation.
constexpr size_t kMaxHeader = 100'000'000;
constexpr const char* kIndex = "model.safetensors.index.json";

std::string_view text_of(const std::byte* data, size_t n) { return {reinterpret_cast<const char*>(data), n}; }

// Every error of a header begins with the file, and with the tensor when there is one.
struct Place {
  const std::string& file;
  std::string tensor = {};

  template <class... Args>
  [[noreturn]] void error(const Args&... args) const {
    if (tensor.empty()) fail("ERR_FILE_FORMAT", file, ": ", args...);
    fail("ERR_FILE_FORMAT", file, ": tensor ", tensor, ": ", args...);
  }
};

struct Range {
  uint64_t begin, end;
};

std::string_view header_of(const MappedFile& file) {
  const Place place{file.path()};
  if (file.size() < 8) place.error("expected at least 8 bytes, the file has ", file.size());
  uint64_t length;
  std::memcpy(&length, file.data(), 8);
  if (length > file.size() - 8)
    place.error("the header should take ", length, " bytes, after its length the file has ", file.size() - 8,
                "; it may be truncated");
  if (length > kMaxHeader) place.error("the header takes ", length, " bytes, at most ", kMaxHeader, " are read");
  const std::string_view header = text_of(file.data() + 8, length);
  if (!header.starts_with('{')) place.error("the header is not a JSON object");
  return header;
}

// `[a, b, …]` of sizes or offsets.
std::vector<int64_t> integers(const Json* json, const char* key, const Place& place) {
  const Json::Array* items = json ? json->array() : nullptr;
  if (!items) place.error("expected an array \"", key, "\"");
  std::vector<int64_t> numbers;
  for (const Json& item : *items) {
    const Json::Number* number = item.number();
    if (!number || number->integer.value_or(-1) < 0)
      place.error("\"", key, "\" may only hold whole numbers from 0 to 2^63-1");
    numbers.push_back(*number->integer);
  }
  return numbers;
}

std::pair<Safetensors::Tensor, Range> tensor_of(const std::string& name, const Json& json, const MappedFile& file,
                                                size_t data_begin) {
  const Place place{file.path(), quote_json(name)};
  if (!json.object()) place.error("expected an object with dtype, shape and data_offsets");
  const std::string* dtype = json.find("dtype") ? json.find("dtype")->string() : nullptr;
  if (!dtype) place.error("expected a string \"dtype\"");
  const int bits = safetensors_bits(*dtype);
  if (bits == 0) place.error("unknown dtype ", quote_json(*dtype));

  std::vector<int64_t> shape = integers(json.find("shape"), "shape", place);
  const int64_t bytes = safetensors_bytes(bits, shape);
  if (bytes < 0) place.error("impossible shape ", shape_text(shape), " of ", *dtype);

  const auto offsets = integers(json.find("data_offsets"), "data_offsets", place);
  if (offsets.size() != 2 || offsets[0] > offsets[1])
    place.error("expected data_offsets [begin, end], received ", shape_text(offsets));
  const size_t available = file.size() - data_begin;
  const Range range{static_cast<uint64_t>(offsets[0]), static_cast<uint64_t>(offsets[1])};
  if (range.end > available)
    place.error("data_offsets ", shape_text(offsets), " reach beyond the ", available,
                " bytes of data; the file may be truncated");
  if (range.end - range.begin != static_cast<uint64_t>(bytes))
    place.error("shape ", shape_text(shape), " of ", *dtype, " takes ", bytes, " bytes, data_offsets ",
                shape_text(offsets), " give ", range.end - range.begin);

  const int64_t elements = bytes * 8 / bits;
  return {{name, *dtype, std::move(shape), elements, file.data() + data_begin + range.begin, static_cast<size_t>(bytes),
           &file},
          range};
}

// The format's last rule: the tensors cover the data, without overlap and without holes.
void check_cover(std::vector<std::pair<Range, const std::string*>> parts, uint64_t size, const std::string& path) {
  std::sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) {
    return std::tie(a.first.begin, a.first.end, *a.second) < std::tie(b.first.begin, b.first.end, *b.second);
  });
  uint64_t covered = 0;
  for (const auto& [range, name] : parts) {
    const Place place{path, quote_json(*name)};
    if (range.begin < covered) place.error("byte ", range.begin, " of the data belongs to another tensor too");
    if (range.begin > covered) place.error("bytes ", covered, " to ", range.begin, " before it belong to no tensor");
    covered = range.end;
  }
  if (covered != size) Place{path}.error("the last ", size - covered, " bytes belong to no tensor");
}

float from_half(uint16_t half) {
  const uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 31, mantissa = half & 0x3FF;
  if (exponent == 0) {  // 2^-24 is normal as a float, so nothing is flushed
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  const uint32_t bits = sign | (exponent == 31 ? 255 : exponent + 112) << 23 | mantissa << 13;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

void put(float value, float& out) { out = value; }
void put(float value, bf16& out) { out = to_bf16(value); }

template <class In, class Out, class Convert>
void convert(const std::byte* data, int64_t count, Out* out, Convert to_f32) {
  for (int64_t i = 0; i < count; ++i) {
    In element;
    std::memcpy(&element, data + i * static_cast<int64_t>(sizeof element), sizeof element);
    put(to_f32(element), out[i]);
  }
}

template <class Out>
void read_elements(const Safetensors::Tensor& t, int64_t first, int64_t count, Out* out) {
  if (first < 0 || count < 0 || first > t.elements - count)
    fail("ERR_INVALID_ARG", "tensor ", t.name, " has ", t.elements, " elements, asked for ", count, " from ", first);
  const int bits = safetensors_bits(t.dtype);
  const std::byte* data = t.data + first * (bits / 8);
  const bool same = t.dtype == (sizeof(Out) == 4 ? "F32" : "BF16");
  if (!same && t.dtype != "F32" && t.dtype != "BF16" && t.dtype != "F16")
    fail("ERR_UNSUPPORTED", t.file->path(), ": tensor ", quote_json(t.name), " holds ", t.dtype,
         ", only F32, BF16 and F16 can be read as floats");
  t.file->check_size();
  if (count == 0) return;
  if (same) {
    std::memcpy(out, data, static_cast<size_t>(count) * sizeof(Out));
  } else if (t.dtype == "F32") {
    convert<float>(data, count, out, [](float x) { return x; });
  } else if (t.dtype == "BF16") {
    convert<bf16>(data, count, out, [](bf16 x) { return to_float(x); });
  } else {
    convert<uint16_t>(data, count, out, from_half);
  }
}

}  // namespace

Safetensors::Safetensors(const std::string& path) : path_(path) {
  std::error_code ignored;
  fs::is_directory(path, ignored) ? add_folder(path) : add_file(path);
}

void Safetensors::add_folder(const std::string& folder) {
  const fs::path base(folder);
  std::error_code status;
  std::set<std::string> shards;
  if (fs::exists(base / kIndex, status)) {
    const MappedFile file(base / kIndex);
    const Json index = parse_json(text_of(file.data(), file.size()), file.path(), {.bytes = kMaxHeader});
    const Json* map = index.find("weight_map");
    const Place place{file.path()};
    if (!map || !map->object()) place.error("expected an object \"weight_map\"");
    for (const auto& [name, shard] : *map->object()) {
      const Place at{file.path(), quote_json(name)};
      if (!shard.string()) at.error("expected the name of its file");
      // Shards lie in the folder: an index must not make us read elsewhere.
      if (shard.string()->empty() || shard.string()->find('/') != std::string::npos)
        at.error("expected a file name without folder, received ", quote_json(*shard.string()));
      shards.insert(*shard.string());
    }
    for (const std::string& shard : shards) add_file(base / shard);
    for (const auto& [name, shard] : *map->object())
      if (const Tensor* tensor = find(name); !tensor || fs::path(tensor->file->path()).filename() != *shard.string())
        Place{file.path(), quote_json(name)}.error("is not in ", *shard.string());
    return;
  }
  if (fs::exists(base / "model.safetensors", status)) return add_file(base / "model.safetensors");
  fs::directory_iterator files(base, status);
  if (status) fail("ERR_IO", "cannot list ", folder, ": ", status.message());
  for (const fs::directory_entry& file : files)
    if (file.path().extension() == ".safetensors") shards.insert(file.path().filename());
  if (shards.empty()) fail("ERR_IO", folder, " holds no *.safetensors");
  for (const std::string& shard : shards) add_file(base / shard);
}

void Safetensors::add_file(const std::string& path) {
  const MappedFile& file = *files_.emplace_back(std::make_unique<MappedFile>(path));
  const std::string_view header = header_of(file);
  const size_t data_begin = 8 + header.size();
  const Json json = parse_json(header, path, {.bytes = kMaxHeader});
  std::vector<std::pair<Range, const std::string*>> parts;
  for (const auto& [name, value] : *json.object()) {
    if (name == "__metadata__") {
      if (!value.object()) Place{path}.error("__metadata__ is not an object");
      for (const auto& [key, entry] : *value.object()) {
        if (!entry.string()) Place{path}.error("__metadata__ ", quote_json(key), " is not a string");
        metadata_.emplace(key, *entry.string());
      }
      continue;
    }
    auto [tensor, range] = tensor_of(name, value, file, data_begin);
    parts.emplace_back(range, &name);
    const auto [place, added] = tensors_.emplace(name, std::move(tensor));
    if (!added) Place{path, quote_json(name)}.error("is in ", place->second.file->path(), " too");
  }
  check_cover(std::move(parts), file.size() - data_begin, path);
}

const Safetensors::Tensor* Safetensors::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

const Safetensors::Tensor& Safetensors::get(std::string_view name) const {
  if (const Tensor* tensor = find(name)) return *tensor;
  fail("ERR_FILE_FORMAT", path_, ": tensor ", quote_json(name), " is missing");
}

const Safetensors::Tensor& Safetensors::get(std::string_view name, const std::vector<int64_t>& shape) const {
  const Tensor& tensor = get(name);
  if (tensor.shape != shape)
    fail("ERR_SHAPE", tensor.file->path(), ": tensor ", quote_json(name), ": expected shape ", shape_text(shape),
         ", received ", shape_text(tensor.shape));
  return tensor;
}

void Safetensors::read(const Tensor& tensor, int64_t first, int64_t count, float* out) const {
  read_elements(tensor, first, count, out);
}
void Safetensors::read(const Tensor& tensor, int64_t first, int64_t count, bf16* out) const {
  read_elements(tensor, first, count, out);
}
void Safetensors::read_f32(std::string_view name, float* out) const {
  const Tensor& tensor = get(name);
  read(tensor, 0, tensor.elements, out);
}
void Safetensors::read_bf16(std::string_view name, bf16* out) const {
  const Tensor& tensor = get(name);
  read(tensor, 0, tensor.elements, out);
}

}  // namespace srcode
