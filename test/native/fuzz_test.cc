// Random damage to valid files, the same in every run: whatever the bytes, the readers accept or throw ERR_FILE_FORMAT.
// SRCODE_FUZZ_SECONDS=600 srcode_native_tests -tc='fuzz*' looks longer. Best run in a build with -DSRCODE_SANITIZE=ON.
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/json.h"
#include "core/philox.h"
#include "core/safetensors.h"
#include "temp_dir.h"

using namespace srcode;

namespace {

class Dice {
 public:
  Dice(uint64_t target, uint64_t round) : target_(target), round_(round) {}
  // In [0, n); 0 when n is.
  size_t below(size_t n) { return n ? draw(20240101, target_, static_cast<uint32_t>(round_), at_++)[0] % n : 0; }

 private:
  uint64_t target_, round_;
  uint32_t at_ = 0;
};

const std::vector<std::string> kPieces{"{",
                                       "}",
                                       "[",
                                       "]",
                                       ",",
                                       ":",
                                       "\"",
                                       "\\",
                                       "\\u",
                                       "\\ud800",
                                       "\\udc00",
                                       "null",
                                       "true",
                                       "false",
                                       "-",
                                       "-1",
                                       "0",
                                       "1",
                                       "4",
                                       "8",
                                       "0.5",
                                       "1e5",
                                       "1e400",
                                       "9223372036854775807",
                                       "9223372036854775808",
                                       "18446744073709551615",
                                       "4294967296",
                                       "\"F32\"",
                                       "\"BF16\"",
                                       "\"F16\"",
                                       "\"I64\"",
                                       "\"F4\"",
                                       "\"shape\"",
                                       "\"dtype\"",
                                       "\"data_offsets\"",
                                       "\"__metadata__\"",
                                       "\"a\"",
                                       "[[[[[[[[",
                                       "{\"a\":",
                                       "\xC3",
                                       "\xA9",
                                       "\xED\xA0\x80",
                                       "\xF4\x90\x80\x80",
                                       std::string(1, '\0'),
                                       " ",
                                       "\n"};

void damage(std::string& bytes, Dice& dice) {
  const size_t at = dice.below(bytes.size() + 1), n = dice.below(std::min<size_t>(bytes.size() - at, 12) + 1);
  switch (dice.below(7)) {
    case 0:
      if (at < bytes.size()) bytes[at] ^= static_cast<char>(1 << dice.below(8));
      break;
    case 1:
      if (at < bytes.size()) bytes[at] = static_cast<char>(dice.below(256));
      break;
    case 2:
      bytes.erase(at, n);
      break;
    case 3:
      bytes.insert(dice.below(bytes.size() + 1), bytes.substr(at, n));
      break;
    case 4:
      bytes.insert(at, kPieces[dice.below(kPieces.size())]);
      break;
    case 5:
      bytes.replace(at, n, kPieces[dice.below(kPieces.size())]);
      break;
    default:
      if (dice.below(8) == 0) bytes.resize(at);
  }
}

// Calls one(round) until the time is up. `one` says whether the reader accepted; some of both must occur, or the damage
// would be too large or too small to prove anything.
template <class F>
void fuzz(F one) {
  const char* wish = std::getenv("SRCODE_FUZZ_SECONDS");
  const std::chrono::duration<double> span(wish ? std::atof(wish) : 1.0);
  const auto start = std::chrono::steady_clock::now();
  int64_t accepted = 0, refused = 0;
  for (uint64_t round = 0; std::chrono::steady_clock::now() - start < span; ++round) {
    CAPTURE(round);
    try {
      one(round);
      ++accepted;
    } catch (const Error& e) {
      ++refused;
      if (std::strcmp(e.code(), "ERR_FILE_FORMAT") != 0) FAIL("round " << round << ": " << e.code() << " " << e.what());
    } catch (const std::exception& e) {
      FAIL("round " << round << ": " << e.what());
    }
  }
  MESSAGE(accepted << " accepted, " << refused << " refused");
  CHECK(accepted > 0);
  CHECK(refused > 0);
}

// A file in memory with a path: on a disk, each round would take milliseconds.
class MemoryFile {
 public:
  ~MemoryFile() { close(descriptor_); }
  std::string write(const std::string& bytes) const {
    REQUIRE(ftruncate(descriptor_, 0) == 0);
    REQUIRE(pwrite(descriptor_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    return text("/proc/self/fd/", descriptor_);
  }

 private:
  int descriptor_ = memfd_create("fuzz", MFD_CLOEXEC);
};

// A valid file of four tensors, its header apart from its data.
struct Parts {
  std::string header, data;
};
Parts valid_parts() {
  TempDir dir;
  const std::vector<float> values(12, 1.0f);
  write_safetensors(dir.file("m"),
                    {{"model.norm", "F32", {3}, values.data()},
                     {"lm_head.weight", "BF16", {2, 3}, values.data()},
                     {"half", "F16", {2}, values.data()},
                     {"steps", "I64", {}, values.data()}},
                    {{"format", "pt"}});
  const std::string file = dir.read("m");
  uint64_t length;
  std::memcpy(&length, file.data(), 8);
  return {file.substr(8, length), file.substr(8 + length)};
}

// Reads all that an accepted file offers, so that a wrong range would be touched.
void read_all(const Safetensors& file) {
  std::vector<float> floats;
  unsigned sum = 0;
  for (const auto& [name, tensor] : file.tensors()) {
    REQUIRE(tensor.data + tensor.bytes <= tensor.file->data() + tensor.file->size());
    REQUIRE(static_cast<size_t>(tensor.elements) * safetensors_bits(tensor.dtype) == tensor.bytes * 8);
    for (size_t i = 0; i < tensor.bytes; ++i) sum += static_cast<unsigned>(tensor.data[i]);
    if (tensor.dtype != "F32" && tensor.dtype != "BF16" && tensor.dtype != "F16") continue;
    floats.resize(tensor.elements);
    file.read_f32(name, floats.data());
  }
  __asm__ volatile("" : : "r"(sum));  // or the reads would be left out
}

}  // namespace

TEST_CASE("fuzz: damaged safetensors never harm the process") {
  const Parts valid = valid_parts();
  const MemoryFile file;
  fuzz([&](uint64_t round) {
    Dice dice(1, round);
    std::string header = valid.header, data = valid.data;
    for (size_t i = dice.below(4); i > 0; --i) damage(dice.below(8) ? header : data, dice);
    uint64_t length = header.size();
    // Mostly true, else the damage of the header would hide behind the length.
    if (dice.below(8) == 0) length = dice.below(2) ? dice.below(2 * header.size()) : ~uint64_t{0} << dice.below(64);
    std::string bytes(reinterpret_cast<const char*>(&length), 8);
    bytes += header + data;
    if (dice.below(16) == 0) bytes.resize(dice.below(bytes.size()));
    read_all(Safetensors(file.write(bytes)));
  });
}

TEST_CASE("fuzz: damaged JSON never harms the process") {
  const std::string valid =
      R"({"hidden_size":64,"rope_theta":1000000.0,"rope_scaling":{"type":"linear","factor":4.0},"tie_word_embeddings":true,)"
      R"("eos_token_id":[151643,151645],"name":"\u00e9\ud83d\ude00 é","nothing":null,"empty":{},"list":[[1,[2]],-3.5e-2]})";
  fuzz([&](uint64_t round) {
    Dice dice(2, round);
    std::string text = valid;
    for (size_t i = dice.below(4); i > 0; --i) damage(text, dice);
    // A copy of its own length: the sanitizer sees a read past its end.
    const std::vector<char> exact(text.begin(), text.end());
    parse_json({exact.data(), exact.size()}, "fuzz.json");
  });
}
