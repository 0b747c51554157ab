#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/safetensors.h"
#include "temp_dir.h"

using namespace srcode;

namespace {
std::string code_of(const std::vector<SafetensorsEntry>& entries, const std::string& path) {
  try {
    write_safetensors(path, entries);
  } catch (const Error& e) {
    return e.code();
  }
  return "accepted";
}
}  // namespace

TEST_CASE("safetensors: the bytes of a file, spelt out") {
  TempDir dir;
  const uint16_t narrow[] = {0x3F80};
  const float wide[] = {1.0f, 2.0f};
  write_safetensors(dir.file("m"), {{"a", "BF16", {1}, narrow}, {"z", "F32", {1, 2}, wide}}, {{"k", "v"}});
  std::string header = R"({"__metadata__":{"k":"v"},"z":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
                       R"("a":{"dtype":"BF16","shape":[1],"data_offsets":[8,10]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const uint64_t length = header.size();
  std::string expected(reinterpret_cast<const char*>(&length), 8);
  expected += header;
  expected.append(reinterpret_cast<const char*>(wide), 8).append(reinterpret_cast<const char*>(narrow), 2);
  CHECK(dir.read("m") == expected);
  CHECK(dir.files() == 1);

  // Any order of the entries, and a second writing over the first, give the same bytes.
  write_safetensors(dir.file("m"), {{"z", "F32", {1, 2}, wide}, {"a", "BF16", {1}, narrow}}, {{"k", "v"}});
  CHECK(dir.read("m") == expected);
  CHECK(dir.files() == 1);
}

TEST_CASE("safetensors: rows that are made while writing give the same file as memory") {
  TempDir dir;
  constexpr int64_t rows = 700, columns = 1000;  // three chunks
  std::vector<float> values(rows * columns);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  write_safetensors(dir.file("memory"), {{"t", "F32", {rows, columns}, values.data()}});
  int calls = 0;
  write_safetensors(dir.file("rows"),
                    {{"t", "F32", {rows, columns}, nullptr, [&](int64_t first, int64_t count, std::byte* out) {
                        ++calls;
                        std::memcpy(out, values.data() + first * columns, count * columns * 4);
                      }}});
  CHECK(calls == 3);
  CHECK(dir.read("memory") == dir.read("rows"));
}

TEST_CASE("safetensors: what cannot be written is refused, and writes nothing") {
  TempDir dir;
  const std::string path = dir.file("m");
  const float value = 1;
  CHECK(code_of({{"a", "F32", {1}, &value}, {"a", "F32", {1}, &value}}, path) == "ERR_INVALID_ARG");
  CHECK(code_of({{"a", "F31", {1}, &value}}, path) == "ERR_INVALID_ARG");
  CHECK(code_of({{"a", "F32", {-1}, &value}}, path) == "ERR_INVALID_ARG");
  CHECK(code_of({{"a", "F32", {INT64_MAX, 2}, &value}}, path) == "ERR_INVALID_ARG");
  CHECK(code_of({{"__metadata__", "F32", {1}, &value}}, path) == "ERR_INVALID_ARG");
  CHECK(code_of({{"a", "F32", {1}}}, path) == "ERR_INVALID_ARG");
  CHECK(code_of({{"\xff", "F32", {1}, &value}}, path) == "ERR_INVALID_ARG");
  CHECK(code_of({{"a", "F32", {1}, &value}}, dir.file("none/m")) == "ERR_IO");
  const SafetensorsEntry failing{
      "a", "F32", {1}, nullptr, [](int64_t, int64_t, std::byte*) { fail("ERR_SHAPE", "no"); }};
  CHECK(code_of({failing}, path) == "ERR_SHAPE");
  CHECK(dir.files() == 0);
}

TEST_CASE("safetensors: a disk that fills up is an error with path and reason, and leaves the old file") {
  TempDir dir;
  const std::vector<float> small{1}, large(100'000);
  write_safetensors(dir.file("m"), {{"t", "F32", {1}, small.data()}});
  const std::string before = dir.read("m");

  // The limit on file sizes stands in for a full disk: write() fails in the middle with EFBIG instead of ENOSPC.
  rlimit saved;
  REQUIRE(getrlimit(RLIMIT_FSIZE, &saved) == 0);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{65536, saved.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  std::string code, message;
  try {
    write_safetensors(dir.file("m"), {{"t", "F32", {100'000}, large.data()}});
  } catch (const Error& e) {
    code = e.code(), message = e.what();
  }
  setrlimit(RLIMIT_FSIZE, &saved);
  signal(SIGXFSZ, handler);

  CHECK(code == "ERR_IO");
  CHECK(message == "cannot write " + dir.file("m") + ": File too large");
  CHECK(dir.read("m") == before);
  CHECK(dir.files() == 1);
}
