#include "core/safetensors.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "core/error.h"
#include "temp_dir.h"

using namespace srcode;
using namespace std::string_literals;

namespace {

// A file of the given header and data, its length field true unless said otherwise.
std::string file_of(const std::string& header, const std::string& data = "", uint64_t length = ~uint64_t{0}) {
  if (length == ~uint64_t{0}) length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

// The error of opening `path`, after its code; "accepted" when there is none.
std::string refusal_of(const std::string& path) {
  try {
    Safetensors file(path);
  } catch (const Error& e) {
    return srcode::text(e.code(), " ", e.what());
  }
  return "accepted";
}
std::string refusal(const std::string& content) {
  TempDir dir;
  const std::string path = dir.write("m.safetensors", content), message = refusal_of(path);
  if (message == "accepted") return message;
  const std::string prefix = "ERR_FILE_FORMAT " + path + ": ";
  REQUIRE_MESSAGE(message.starts_with(prefix), message);
  return message.substr(prefix.size());
}

// {"a": F32 [2], "b": F32 [1]} over 12 bytes, with one part replaced.
std::string two(const std::string& a_offsets, const std::string& b_offsets, size_t bytes = 12) {
  return file_of(srcode::text(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":)", a_offsets,
                              R"(},"b":{"dtype":"F32","shape":[1],"data_offsets":)", b_offsets, "}}"),
                 std::string(bytes, 'x'));
}
std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets, size_t bytes) {
  return file_of(srcode::text(R"({"t":{"dtype":)", dtype, R"(,"shape":)", shape, R"(,"data_offsets":)", offsets, "}}"),
                 std::string(bytes, 'x'));
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

}  // namespace

TEST_CASE("safetensors: what is written is read back, in every dtype that floats are read from") {
  TempDir dir;
  const std::vector<float> f32{1.5f, -2.25f, 3e38f, 1e-3f, 0.0f, -0.0f};
  const std::vector<bf16> bf{to_bf16(1.5f), to_bf16(-2.0f)};
  const std::vector<int64_t> ids{7, 8};
  const float scalar = 4;
  write_safetensors(dir.file("m.safetensors"),
                    {{"w", "F32", {2, 3}, f32.data()},
                     {"h", "BF16", {2, 1}, bf.data()},
                     {"ids", "I64", {2}, ids.data()},
                     {"scalar", "F32", {}, &scalar},
                     {"none", "F32", {0, 4}}},
                    {{"format", "pt"}, {"a \"b\"", "é"}});
  const Safetensors file(dir.file("m.safetensors"));
  CHECK(file.tensors().size() == 5);
  CHECK(file.metadata() == std::map<std::string, std::string>{{"format", "pt"}, {"a \"b\"", "é"}});

  const auto& w = file.get("w", {2, 3});
  CHECK((w.dtype == "F32" && w.elements == 6 && w.bytes == 24));
  std::vector<float> values(6);
  file.read_f32("w", values.data());
  CHECK(bytes_of(values) == bytes_of(f32));
  std::vector<bf16> narrow(6);
  file.read_bf16("w", narrow.data());
  for (int i = 0; i < 6; ++i) CHECK(narrow[i].bits == to_bf16(f32[i]).bits);
  file.read(w, 2, 3, values.data());
  CHECK((values[0] == f32[2] && values[2] == f32[4]));
  file.release(w);
  file.read_f32("w", values.data());
  CHECK(bytes_of(values) == bytes_of(f32));

  file.read_f32("h", values.data());
  CHECK((values[0] == 1.5f && values[1] == -2.0f));
  file.read_bf16("h", narrow.data());
  CHECK((narrow[0].bits == bf[0].bits && narrow[1].bits == bf[1].bits));
  file.read_f32("scalar", values.data());
  CHECK((values[0] == 4 && file.get("scalar").shape.empty() && file.get("scalar").elements == 1));
  file.read_f32("none", values.data());
  CHECK(file.get("none").elements == 0);
  CHECK(std::memcmp(file.get("ids").data, ids.data(), 16) == 0);
}

TEST_CASE("safetensors: half precision is converted exactly") {
  TempDir dir;
  const std::vector<uint16_t> half{0x3C00, 0xC000, 0x7BFF, 0x0001, 0x03FF, 0x0400, 0x8000, 0x7C00, 0xFC00, 0x7E00};
  write_safetensors(dir.file("h"), {{"t", "F16", {10}, half.data()}});
  const Safetensors file(dir.file("h"));
  std::vector<float> v(10);
  file.read_f32("t", v.data());
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> expected{1, -2, 65504, 0x1p-24f, 1023 * 0x1p-24f, 0x1p-14f, -0.0f, infinity, -infinity};
  CHECK(bytes_of(std::vector<float>(v.begin(), v.begin() + 9)) == bytes_of(expected));
  CHECK(std::isnan(v[9]));
  std::vector<bf16> b(10);
  file.read_bf16("t", b.data());
  CHECK(b[2].bits == to_bf16(65504.0f).bits);
}

TEST_CASE("safetensors: asking for what a file does not give names file and tensor") {
  TempDir dir;
  const std::vector<int64_t> ids{7, 8};
  const std::string path = dir.file("m.safetensors");
  write_safetensors(path, {{"ids", "I64", {2}, ids.data()}});
  const Safetensors file(path);
  float out[2];
  const auto message = [&](auto call) {
    try {
      call();
    } catch (const Error& e) {
      return srcode::text(e.code(), " ", e.what());
    }
    return "no error"s;
  };
  CHECK(file.find("lm_head.weight") == nullptr);
  CHECK(message([&] { file.get("lm_head.weight"); }) ==
        "ERR_FILE_FORMAT " + path + ": tensor \"lm_head.weight\" is missing");
  CHECK(message([&] { file.get("ids", {2, 1}); }) ==
        "ERR_SHAPE " + path + ": tensor \"ids\": expected shape [2, 1], received [2]");
  CHECK(message([&] { file.read_f32("ids", out); }) ==
        "ERR_UNSUPPORTED " + path + ": tensor \"ids\" holds I64, only F32, BF16 and F16 can be read as floats");
  for (auto [first, count] :
       {std::pair<int64_t, int64_t>{-1, 1}, {0, 3}, {2, 1}, {0, -1}, {INT64_MAX, 1}, {1, INT64_MAX}})
    CHECK(message([&, f = first, c = count] { file.read(file.get("ids"), f, c, out); }).starts_with("ERR_INVALID_ARG"));
}

TEST_CASE("safetensors: files that break off are refused") {
  CHECK(refusal("") == "expected at least 8 bytes, the file has 0");
  CHECK(refusal("1234567") == "expected at least 8 bytes, the file has 7");
  CHECK(refusal(file_of("{}", "", 3)) ==
        "the header should take 3 bytes, after its length the file has 2; it may be truncated");
  CHECK(refusal(file_of("{}", "", 1ull << 63)).starts_with("the header should take 9223372036854775808 bytes"));
  CHECK(refusal(file_of("{}", "", ~0ull - 1)).starts_with("the header should take"));
  CHECK(refusal(file_of("", "")) == "the header is not a JSON object");
  CHECK(refusal(two("[0,8]", "[8,12]", 11)) ==
        "tensor \"b\": data_offsets [8, 12] reach beyond the 11 bytes of data; the file may be truncated");
  const std::string whole = two("[0,8]", "[8,12]");
  CHECK(refusal(whole) == "accepted");
  for (size_t n = 0; n < whole.size(); ++n) CHECK(refusal(whole.substr(0, n)) != "accepted");
  CHECK(refusal(file_of("{}")) == "accepted");
  CHECK(refusal(file_of("{}      ")) == "accepted");
}

TEST_CASE("safetensors: a header of more than 100 MB is refused before it is parsed") {
  TempDir dir;
  const std::string path = dir.write("m.safetensors", file_of("{", "", 100'000'001));
  REQUIRE(truncate(path.c_str(), 200'000'000) == 0);  // sparse
  CHECK(refusal_of(path) ==
        "ERR_FILE_FORMAT " + path + ": the header takes 100000001 bytes, at most 100000000 are read");
}

TEST_CASE("safetensors: headers that are not the format's are refused") {
  CHECK(refusal(file_of("[]")) == "the header is not a JSON object");
  CHECK(refusal(file_of(" {}")) == "the header is not a JSON object");
  CHECK(refusal(file_of("{\"t\":1}")) == "tensor \"t\": expected an object with dtype, shape and data_offsets");
  CHECK(refusal(file_of("{\"t\":{}}")) == "tensor \"t\": expected a string \"dtype\"");
  CHECK(refusal(file_of("{\"__metadata__\":[]}")) == "__metadata__ is not an object");
  CHECK(refusal(file_of("{\"__metadata__\":{\"a\":1}}")) == "__metadata__ \"a\" is not a string");
  CHECK(refusal(file_of("{\"t\":{},\"t\":{}}")) == "byte 15: key \"t\" occurs twice in the object that ends here");
  CHECK(refusal(file_of("{\"t\":" + std::string(200, '['))) == "byte 36: nested too deeply");
  CHECK(refusal(one("\"F31\"", "[1]", "[0,4]", 4)) == "tensor \"t\": unknown dtype \"F31\"");
  CHECK(refusal(one("4", "[1]", "[0,4]", 4)) == "tensor \"t\": expected a string \"dtype\"");
}

TEST_CASE("safetensors: sizes that are negative, fractional, huge or wrong are refused") {
  const std::string whole = "tensor \"t\": \"shape\" may only hold whole numbers from 0 to 2^63-1";
  for (const char* shape : {"[-1]", "[1.0]", "[1e0]", "[9223372036854775808]", "[\"1\"]", "[null]", "[[1]]"})
    CHECK(refusal(one("\"F32\"", shape, "[0,4]", 4)) == whole);
  CHECK(refusal(one("\"F32\"", "1", "[0,4]", 4)) == "tensor \"t\": expected an array \"shape\"");
  CHECK(refusal(one("\"F32\"", "[9223372036854775807]", "[0,4]", 4)) ==
        "tensor \"t\": impossible shape [9223372036854775807] of F32");
  // 2^62 · 4 = 2^64 = 0 in 64 bits; and an overflow that a size of 0 would hide.
  CHECK(refusal(one("\"F32\"", "[4294967296,4294967296]", "[0,0]", 0)).find("impossible shape") != std::string::npos);
  CHECK(refusal(one("\"F32\"", "[4294967296,4294967296,0]", "[0,0]", 0)).find("impossible shape") != std::string::npos);
  CHECK(refusal(one("\"F32\"", "[3]", "[0,8]", 8)) ==
        "tensor \"t\": shape [3] of F32 takes 12 bytes, data_offsets [0, 8] give 8");
  CHECK(refusal(one("\"F4\"", "[3]", "[0,1]", 1)) == "tensor \"t\": impossible shape [3] of F4");
  CHECK(refusal(one("\"F4\"", "[4]", "[0,2]", 2)) == "accepted");
}

TEST_CASE("safetensors: byte ranges that overlap, leave holes or lie outside are refused") {
  CHECK(refusal(two("[0,8]", "[4,8]", 8)) == "tensor \"b\": byte 4 of the data belongs to another tensor too");
  CHECK(refusal(two("[0,8]", "[12,16]", 16)) == "tensor \"b\": bytes 8 to 12 before it belong to no tensor");
  CHECK(refusal(two("[4,12]", "[12,16]", 16)) == "tensor \"a\": bytes 0 to 4 before it belong to no tensor");
  CHECK(refusal(two("[0,8]", "[8,12]", 13)) == "the last 1 bytes belong to no tensor");
  CHECK(refusal(two("[4,12]", "[0,4]")) == "accepted");  // the header's order is free
  CHECK(refusal(two("[8,0]", "[8,12]")) == "tensor \"a\": expected data_offsets [begin, end], received [8, 0]");
  CHECK(refusal(two("[0]", "[8,12]")) == "tensor \"a\": expected data_offsets [begin, end], received [0]");
  CHECK(refusal(two("[-8,0]", "[8,12]")).find("\"data_offsets\" may only hold") != std::string::npos);
  CHECK(refusal(two("[0,9223372036854775807]", "[8,12]")).find("reach beyond") != std::string::npos);
  CHECK(refusal(two("{}", "[8,12]")) == "tensor \"a\": expected an array \"data_offsets\"");
}

TEST_CASE("safetensors: paths that are no files are refused with the system's reason") {
  TempDir dir;
  CHECK(refusal_of(dir.file("none")) == "ERR_IO cannot open " + dir.file("none") + ": No such file or directory");
  REQUIRE(mkfifo(dir.file("pipe").c_str(), 0600) == 0);
  CHECK(refusal_of(dir.file("pipe")) == "ERR_IO cannot map " + dir.file("pipe") + ": not a regular file");
}

TEST_CASE("safetensors: a folder is read by its index, or model.safetensors, or all its files") {
  TempDir dir;
  const float one_value = 1, two_value = 2;
  CHECK(refusal_of(dir.path()) == "ERR_IO " + dir.path() + " holds no *.safetensors");
  write_safetensors(dir.file("model-1.safetensors"), {{"a", "F32", {1}, &one_value}}, {{"format", "pt"}});
  write_safetensors(dir.file("model-2.safetensors"), {{"b", "F32", {1}, &two_value}}, {{"format", "pt"}});
  {
    const Safetensors all(dir.path());
    CHECK(all.tensors().size() == 2);
    float b;
    all.read_f32("b", &b);
    CHECK(b == 2);
    CHECK(all.get("b").file->path() == dir.file("model-2.safetensors"));
  }
  write_safetensors(dir.file("extra.safetensors"), {{"a", "F32", {1}, &one_value}});
  CHECK(refusal_of(dir.path()) == "ERR_FILE_FORMAT " + dir.file("model-1.safetensors") + ": tensor \"a\": is in " +
                                      dir.file("extra.safetensors") + " too");
  const std::string index =
      dir.write("model.safetensors.index.json",
                R"({"metadata":{},"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}})");
  CHECK(Safetensors(dir.path()).tensors().size() == 2);

  const auto with_map = [&](const std::string& map) {
    dir.write("model.safetensors.index.json", "{\"weight_map\":" + map + "}");
    return refusal_of(dir.path());
  };
  const std::string at = "ERR_FILE_FORMAT " + index + ": ";
  CHECK(with_map(R"({"b":"model-1.safetensors"})") == at + "tensor \"b\": is not in model-1.safetensors");
  CHECK(with_map(R"({"a":"model-2.safetensors","b":"model-1.safetensors"})") ==
        at + "tensor \"a\": is not in model-2.safetensors");
  CHECK(with_map(R"({"a":"../m.safetensors"})") ==
        at + "tensor \"a\": expected a file name without folder, received \"../m.safetensors\"");
  CHECK(with_map(R"({"a":1})") == at + "tensor \"a\": expected the name of its file");
  CHECK(with_map("[]") == at + "expected an object \"weight_map\"");
  CHECK(with_map("{").starts_with(at + "byte "));
  CHECK(with_map(R"({"a":"gone.safetensors"})").starts_with("ERR_IO cannot open " + dir.file("gone.safetensors")));
  CHECK(with_map(R"({"a":".."})").starts_with("ERR_IO cannot map"));

  std::filesystem::remove(index);
  write_safetensors(dir.file("model.safetensors"), {{"c", "F32", {1}, &one_value}});
  CHECK(Safetensors(dir.path()).tensors().size() == 1);
}

TEST_CASE("safetensors: a file that shrinks while it is open is an error, not a signal") {
  TempDir dir;
  const std::vector<float> values(100'000, 1.0f);
  write_safetensors(dir.file("m.safetensors"), {{"t", "F32", {100'000}, values.data()}});
  const Safetensors file(dir.file("m.safetensors"));
  REQUIRE(truncate(dir.file("m.safetensors").c_str(), 5000) == 0);
  std::vector<float> out(100'000);
  CHECK_THROWS_WITH_AS(
      file.read_f32("t", out.data()),
      (dir.file("m.safetensors") + " was cut from 400072 to 5000 bytes while it was being read").c_str(), Error);
}
