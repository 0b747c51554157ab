#include <algorithm>
#include <bit>

#include "core/error.h"
#include "core/json.h"
#include "core/safetensors.h"

namespace srcode {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian, and so are we");

int64_t bytes_of(const SafetensorsEntry& entry) {
  return safetensors_bytes(safetensors_bits(entry.dtype), entry.shape);
}

void check(const SafetensorsEntry& entry) {
  const auto error = [&](const auto&... args) { fail("ERR_INVALID_ARG", "tensor ", quote_json(entry.name), args...); };
  if (entry.name == "__metadata__") error(" has a name that the format reserves");
  if (safetensors_bits(entry.dtype) == 0) error(": unknown dtype ", quote_json(entry.dtype));
  if (bytes_of(entry) < 0) error(": impossible shape ", shape_text(entry.shape), " of ", entry.dtype);
  if (bytes_of(entry) > 0 && !entry.data && !entry.rows) error(": has no data");
  if (safetensors_bits(entry.dtype) < 8 && entry.rows) error(": rows of ", entry.dtype, " are no whole bytes");
}

std::string header(const std::vector<SafetensorsEntry>& entries, const std::map<std::string, std::string>& metadata) {
  std::string json = "{";
  const auto comma = [&] { return json.back() == '{' ? "" : ","; };
  if (!metadata.empty()) {
    json += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) json += text(comma(), quote_json(key), ':', quote_json(value));
    json += '}';
  }
  int64_t offset = 0;
  for (const SafetensorsEntry& entry : entries) {
    const int64_t end = offset + bytes_of(entry);
    std::string shape = shape_text(entry.shape);
    std::erase(shape, ' ');
    json += text(comma(), quote_json(entry.name), ":{\"dtype\":\"", entry.dtype, "\",\"shape\":", shape,
                 ",\"data_offsets\":[", offset, ',', end, "]}");
    offset = end;
  }
  json += '}';
  json.resize((json.size() + 7) / 8 * 8, ' ');  // the data begin at a multiple of 8
  return json;
}

void write_rows(DurableFile& file, const SafetensorsEntry& entry) {
  constexpr int64_t chunk = 1 << 20;
  const int64_t rows = entry.shape.empty() ? 1 : entry.shape[0], row_bytes = bytes_of(entry) / rows;
  const int64_t step = std::clamp<int64_t>(chunk / row_bytes, 1, rows);
  std::vector<std::byte> buffer(static_cast<size_t>(step * row_bytes));
  for (int64_t first = 0; first < rows; first += step) {
    const int64_t count = std::min(step, rows - first);
    entry.rows(first, count, buffer.data());
    file.write(buffer.data(), static_cast<size_t>(count * row_bytes));
  }
}

}  // namespace

void write_safetensors(const std::string& path, std::vector<SafetensorsEntry> entries,
                       const std::map<std::string, std::string>& metadata) {
  for (const SafetensorsEntry& entry : entries) check(entry);
  std::sort(entries.begin(), entries.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
    const int a_bits = safetensors_bits(a.dtype), b_bits = safetensors_bits(b.dtype);
    return a_bits != b_bits ? a_bits > b_bits : a.name < b.name;
  });
  std::vector<std::string_view> names;
  for (const SafetensorsEntry& entry : entries) names.push_back(entry.name);
  std::sort(names.begin(), names.end());
  if (const auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end())
    fail("ERR_INVALID_ARG", "tensor ", quote_json(*twice), " is given twice");

  DurableFile file(path);
  const std::string json = header(entries, metadata);
  const uint64_t length = json.size();
  file.write(&length, 8);
  file.write(json.data(), json.size());
  for (const SafetensorsEntry& entry : entries) {
    if (bytes_of(entry) == 0) continue;
    entry.data ? file.write(entry.data, static_cast<size_t>(bytes_of(entry))) : write_rows(file, entry);
  }
  file.commit();
}

}  // namespace srcode
