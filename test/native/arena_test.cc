#include "core/arena.h"

#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <string>

#include "core/error.h"

using namespace srcode;

namespace {
struct Layout {
  float* hidden;
  uint16_t* cache;
  float* scores[2];
};
Layout lay_out(Arena& arena) {
  Layout l{};
  l.hidden = arena.take<float>("hidden", 3);  // 12 bytes, padded to 64
  for (int layer = 0; layer < 2; ++layer) {
    Scratch scratch(arena);
    l.scores[layer] = arena.take<float>("scores", 16 * (layer + 1));  // 64, then 128 bytes in the same place
  }
  l.cache = arena.take<uint16_t>("cache", 10);
  return l;
}
}  // namespace

TEST_CASE("arena: the same layout code measures, then takes") {
  Arena measuring;
  CHECK(measuring.measuring());
  CHECK(lay_out(measuring).hidden == nullptr);
  CHECK(measuring.peak() == 64 + 128);
  CHECK(measuring.used() == 64 + 64);

  Arena arena(measuring.peak());
  const Layout l = lay_out(arena);
  CHECK(reinterpret_cast<uintptr_t>(l.hidden) % 64 == 0);
  CHECK(reinterpret_cast<uintptr_t>(l.cache) % 64 == 0);
  CHECK(l.scores[0] == l.hidden + 16);
  CHECK(l.scores[1] == l.scores[0]);
  CHECK(static_cast<void*>(l.cache) == l.scores[0]);
  std::memset(l.hidden, 1, 192);  // all of it is ours
  CHECK(arena.peak() == measuring.peak());
}

TEST_CASE("arena: the plan lists what was in use at the peak and sums to it") {
  Arena measuring;
  lay_out(measuring);
  measuring.take<char>("hidden",
                       1);  // a second region of this name, and a new peak's equal: 64 + 64 + 64 = 192 is no more
  auto plan = measuring.plan();
  REQUIRE(plan.size() == 2);
  CHECK((plan[0].name == "hidden" && plan[0].bytes == 64));
  CHECK((plan[1].name == "scores" && plan[1].bytes == 128));
  measuring.take<char>("tail", 1);
  plan = measuring.plan();
  REQUIRE(plan.size() == 3);
  CHECK((plan[0].name == "hidden" && plan[0].bytes == 128));
  CHECK((plan[1].name == "cache" && plan[1].bytes == 64));
  CHECK((plan[2].name == "tail" && plan[2].bytes == 64));
  CHECK(measuring.peak() == 256);
}

TEST_CASE("arena: more than was planned is an error that names the region") {
  Arena arena(128);
  arena.take<float>("first", 17);
  try {
    arena.take<float>("second", 1);
    FAIL("the arena gave more than it has");
  } catch (const Error& e) {
    CHECK(std::string(e.code()) == "ERR_OOM");
    CHECK(std::string(e.what()).find("second") != std::string::npos);
  }
  CHECK(arena.used() == 128);  // the failed request took nothing
}

TEST_CASE("arena: impossible counts are refused, empty regions are not") {
  Arena arena(64);
  CHECK_THROWS_AS(arena.take<float>("negative", -1), Error);
  CHECK_THROWS_AS(arena.take<double>("huge", std::numeric_limits<int64_t>::max()), Error);
  CHECK(arena.take<float>("empty", 0) != nullptr);
  CHECK(arena.used() == 0);
  Arena measuring;
  measuring.take<char>("nearly everything", std::numeric_limits<int64_t>::max());
  CHECK_THROWS_AS(measuring.take<char>("past the end", std::numeric_limits<int64_t>::max()), Error);
}

TEST_CASE("page buffer: zeroed, moved without copying, and an error when the system has no room") {
  PageBuffer a(5'000'000);
  CHECK(a.data()[4'999'999] == std::byte{0});
  std::byte* data = a.data();
  PageBuffer b(std::move(a));
  CHECK(b.data() == data);
  CHECK(a.data() == nullptr);
  PageBuffer c(1);
  c = std::move(b);
  CHECK(c.data() == data);
  CHECK(c.size() == 5'000'000);
  CHECK(PageBuffer(0).data() == nullptr);
  CHECK_THROWS_AS(PageBuffer(size_t{1} << 60), Error);
}
