#include "core/json.h"

#include <doctest/doctest.h>

#include <string>

#include "core/error.h"

using namespace srcode;
using namespace std::string_literals;

namespace {
std::string refusal(std::string_view text, JsonLimits limits = {}) {
  try {
    parse_json(text, "x.json", limits);
  } catch (const Error& e) {
    return e.code() == "ERR_FILE_FORMAT"s ? e.what() : srcode::text("wrong code: ", e.code());
  }
  return "accepted";
}
std::string string_of(std::string_view text) { return *parse_json(text, "x.json").string(); }
}  // namespace

TEST_CASE("json: every kind of value") {
  const Json json =
      parse_json(" { \"b\" : [ 1 , -2.5e1, true,false,null ], \"a\":{}, \"c\":[],\"d\":\"x\"}\r\n\t", "x.json");
  REQUIRE(json.object());
  const auto& members = *json.object();
  REQUIRE(members.size() == 4);
  CHECK((members[0].first == "b" && members[1].first == "a"));  // in the order of the text
  const auto& items = *json.find("b")->array();
  REQUIRE(items.size() == 5);
  CHECK(items[0].number()->integer == 1);
  CHECK(items[1].number()->value == -25.0);
  CHECK_FALSE(items[1].number()->integer);
  CHECK(*items[2].boolean() == true);
  CHECK(*items[3].boolean() == false);
  CHECK(std::holds_alternative<std::nullptr_t>(items[4].value));
  CHECK(json.find("a")->object()->empty());
  CHECK(json.find("c")->array()->empty());
  CHECK(*json.find("d")->string() == "x");
  CHECK(json.find("e") == nullptr);
  CHECK(items[0].find("e") == nullptr);
  CHECK(items[0].string() == nullptr);
}

TEST_CASE("json: integers are exact to the ends of int64") {
  const auto integer = [](const char* text) { return parse_json(text, "x.json").number()->integer; };
  CHECK(integer("9223372036854775807") == INT64_MAX);
  CHECK(integer("-9223372036854775808") == INT64_MIN);
  CHECK_FALSE(integer("9223372036854775808"));
  CHECK(parse_json("9223372036854775808", "x.json").number()->value == 0x1p63);
  CHECK(integer("9007199254740993") == 9007199254740993);  // 2^53 + 1, which a double cannot hold
  CHECK_FALSE(integer("1.0"));
  CHECK(integer("-0") == 0);
}

TEST_CASE("json: escapes and UTF-8") {
  CHECK(string_of(R"("\"\\\/\b\f\n\r\t")") == "\"\\/\b\f\n\r\t");
  CHECK(string_of(R"("\u0041\u00e9\u20AC\uD83D\uDE00")") == "Aé€😀");
  CHECK(string_of("\"é€😀\"") == "é€😀");
  CHECK(string_of(R"("a\u0000b")") == "a\0b"s);
  for (const char* text : {"plain", "quote \" back \\ tab \t", "é€😀", ""}) CHECK(string_of(quote_json(text)) == text);
  CHECK_THROWS_AS(quote_json("\xff"), Error);
}

TEST_CASE("json: what is not JSON is refused with the byte where it goes wrong") {
  CHECK(refusal("") == "x.json: byte 0: expected a value");
  CHECK(refusal("[1,2") == "x.json: byte 4: expected ']'");
  CHECK(refusal("{\"a\" 1}") == "x.json: byte 5: expected ':'");
  CHECK(refusal("[1] 2") == "x.json: byte 4: expected the end of the text");
  CHECK(refusal("{\"a\":1,\"b\":2,\"a\":3}") == "x.json: byte 19: key \"a\" occurs twice in the object that ends here");
  CHECK(refusal("\"abc") == "x.json: byte 4: unterminated string");
  for (std::string_view text : {"{",
                                "}",
                                "[",
                                "]",
                                ",",
                                "[,]",
                                "[1,]",
                                "{,}",
                                "{\"a\":1,}",
                                "{\"a\"}",
                                "{a:1}",
                                "{1:1}",
                                "[1 2]",
                                "tru",
                                "True",
                                "nul",
                                "NaN",
                                "Infinity",
                                "01",
                                "-",
                                "-a",
                                "+1",
                                "1.",
                                ".5",
                                "1e",
                                "1e+",
                                "0x10",
                                "1e999",
                                "-1e999",
                                "'a'",
                                "\"\\x\"",
                                "\"\\",
                                "\"\\u12\"",
                                "\"\\u12g4\"",
                                "\"\\u-123\"",
                                "\"\\ud800\"",
                                "\"\\ud800\\n\"",
                                "\"\\ud800\\u0041\"",
                                "\"\\udc00\"",
                                "\"a\nb\"",
                                "// no\n1",
                                "\xEF\xBB\xBF[]"})
    CHECK_MESSAGE(refusal(text).starts_with("x.json: byte "), text);
  CHECK(refusal("[1]\0"s) == "x.json: byte 3: expected the end of the text");
  CHECK(refusal("\0"s) == "x.json: byte 0: expected a value");
  CHECK(refusal("\"\0\""s) == "x.json: byte 1: control character in a string");
}

TEST_CASE("json: bytes that are not UTF-8 are refused") {
  for (std::string_view bytes :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xC3", "\xC3\x28", "\xE0\x80\x80", "\xE2\x82", "\xED\xA0\x80",
        "\xF0\x80\x80\x80", "\xF0\x9F\x98", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    const std::string open = srcode::text("\"", bytes);
    CHECK(refusal(open + "\"") == "x.json: byte 1: invalid UTF-8");
    CHECK(refusal(open) == "x.json: byte 1: invalid UTF-8");
  }
}

TEST_CASE("json: depth and size are limited") {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(refusal(nested(32)) == "accepted");
  CHECK(refusal(nested(33)) == "x.json: byte 32: nested too deeply");
  CHECK(refusal(std::string(1 << 20, '[')) == "x.json: byte 32: nested too deeply");
  CHECK(refusal("[[1],[2],[3]]", {.depth = 2}) == "accepted");  // siblings are not depth
  CHECK(refusal("[1, 2]", {.bytes = 5}) == "x.json: 6 bytes of JSON, at most 5 are read");
}

TEST_CASE("json: an object of very many keys is read in reasonable time") {
  std::string text = "{";
  for (int i = 0; i < 200000; ++i) text += (i ? ",\"" : "\"") + std::to_string(i) + "\":0";
  CHECK(parse_json(text + "}", "x.json").object()->size() == 200000);
}
