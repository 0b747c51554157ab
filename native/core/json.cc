#include "core/json.h"

#include <algorithm>
#include <charconv>

#include "core/error.h"

namespace srcode {
namespace {

// Bytes of the UTF-8 character at the front of `text`; 0 when there is none. The Unicode Standard, table 3-7.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto continues = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const unsigned first = byte(0), second = byte(1);
  if (first < 0x80) return !text.empty();
  if (first < 0xC2 || first > 0xF4 || !continues(1)) return 0;
  if (first < 0xE0) return 2;
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F)) return 0;  // overlong; surrogates
  if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) return 0;  // overlong; above U+10FFFF
  if (!continues(2)) return 0;
  if (first < 0xF0) return 3;
  return continues(3) ? 4 : 0;
}

void append_utf8(std::string& out, uint32_t code) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (code >> shift & 0x3F)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6), tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | code >> 12), tail(6), tail(0);
  } else {
    out += static_cast<char>(0xF0 | code >> 18), tail(12), tail(6), tail(0);
  }
}

class Parser {
 public:
  Parser(std::string_view text, const std::string& name, int depth) : text_(text), name_(name), depth_(depth) {}

  Json document() {
    Json json = value();
    skip_space();
    if (at_ < text_.size()) error("expected the end of the text");
    return json;
  }

 private:
  template <class... Args>
  [[noreturn]] void error(const Args&... args) const {
    fail("ERR_FILE_FORMAT", name_, ": byte ", at_, ": ", args...);
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool digit() const { return peek() >= '0' && peek() <= '9'; }
  bool accept(char c) {
    if (peek() != c || at_ == text_.size()) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) error("expected '", c, "'");
  }
  void skip_space() {
    while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t') ++at_;
  }

  Json value() {
    skip_space();
    switch (peek()) {
      case '{':
        return nested([&] { return Json{object()}; });
      case '[':
        return nested([&] { return Json{array()}; });
      case '"':
        return {string()};
      case 't':
        return word("true", {true});
      case 'f':
        return word("false", {false});
      case 'n':
        return word("null", {nullptr});
      default:
        return {number()};
    }
  }

  template <class F>
  Json nested(F parse) {
    if (depth_-- == 0) error("nested too deeply");
    Json json = parse();
    ++depth_;
    return json;
  }

  Json word(std::string_view expected, Json json) {
    if (text_.substr(at_, expected.size()) != expected) error("expected a value");
    at_ += expected.size();
    return json;
  }

  Json::Array array() {
    Json::Array items;
    expect('[');
    skip_space();
    if (accept(']')) return items;
    do {
      items.push_back(value());
      skip_space();
    } while (accept(','));
    expect(']');
    return items;
  }

  Json::Object object() {
    Json::Object members;
    expect('{');
    skip_space();
    if (accept('}')) return members;
    do {
      skip_space();
      std::string key = string();
      skip_space();
      expect(':');
      members.emplace_back(std::move(key), value());
      skip_space();
    } while (accept(','));
    expect('}');
    check_keys(members);
    return members;
  }

  // Sorted, because comparing each key with each would take a hostile file's reader hours.
  void check_keys(const Json::Object& members) const {
    std::vector<std::string_view> keys;
    for (const auto& [key, json] : members) keys.push_back(key);
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice != keys.end()) error("key ", quote_json(*twice), " occurs twice in the object that ends here");
  }

  std::string string() {
    expect('"');
    std::string out;
    while (!accept('"')) {
      if (at_ == text_.size()) error("unterminated string");
      if (accept('\\')) {
        escape(out);
        continue;
      }
      if (static_cast<unsigned char>(peek()) < 0x20) error("control character in a string");
      const size_t length = utf8_length(text_.substr(at_, 4));
      if (length == 0) error("invalid UTF-8");
      out += text_.substr(at_, length);
      at_ += length;
    }
    return out;
  }

  void escape(std::string& out) {
    constexpr std::string_view names = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
    if (const size_t i = names.find(peek()); i != names.npos && at_ < text_.size()) {
      out += meanings[i];
      ++at_;
    } else if (accept('u')) {
      uint32_t code = hex4();
      if (code >= 0xDC00 && code < 0xE000) error("unpaired surrogate");
      if (code >= 0xD800 && code < 0xDC00) {
        if (!accept('\\') || !accept('u')) error("unpaired surrogate");
        const uint32_t low = hex4();
        if (low < 0xDC00 || low >= 0xE000) error("unpaired surrogate");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      }
      append_utf8(out, code);
    } else {
      error("invalid escape");
    }
  }

  uint32_t hex4() {
    uint32_t code = 0;
    const std::string_view digits = text_.substr(at_, 4);
    const auto [end, status] = std::from_chars(digits.begin(), digits.end(), code, 16);
    if (digits.size() < 4 || end != digits.end()) error("expected four hexadecimal digits");
    at_ += 4;
    return code;
  }

  void digits() {
    if (!digit()) error("expected a digit");
    while (digit()) ++at_;
  }

  Json::Number number() {
    const size_t start = at_;
    const bool negative = accept('-');
    if (!digit()) error(negative ? "expected a digit" : "expected a value");
    if (!accept('0')) digits();
    bool integral = true;
    if (accept('.')) integral = false, digits();
    if (accept('e') || accept('E')) {
      integral = false;
      if (!accept('+')) accept('-');
      digits();
    }
    const char *begin = text_.data() + start, *end = text_.data() + at_;
    Json::Number number{};
    if (std::from_chars(begin, end, number.value).ec != std::errc()) error("number outside the range of a double");
    if (int64_t exact; integral && std::from_chars(begin, end, exact).ec == std::errc()) number.integer = exact;
    return number;
  }

  std::string_view text_;
  const std::string& name_;
  int depth_;
  size_t at_ = 0;
};

}  // namespace

const Json* Json::find(std::string_view key) const {
  if (const Object* members = object())
    for (const auto& [name, json] : *members)
      if (name == key) return &json;
  return nullptr;
}

Json parse_json(std::string_view text, const std::string& name, JsonLimits limits) {
  if (text.size() > limits.bytes)
    fail("ERR_FILE_FORMAT", name, ": ", text.size(), " bytes of JSON, at most ", limits.bytes, " are read");
  return Parser(text, name, limits.depth).document();
}

std::string quote_json(std::string_view text) {
  constexpr char hex[] = "0123456789abcdef";
  std::string out = "\"";
  for (size_t length; !text.empty(); text.remove_prefix(length)) {
    length = utf8_length(text);
    if (length == 0) fail("ERR_INVALID_ARG", "a string for JSON is not UTF-8: ", out, "…");
    const auto c = static_cast<unsigned char>(text[0]);
    if (c == '"' || c == '\\') {
      (out += '\\') += text[0];
    } else if (c < 0x20) {
      ((out += "\\u00") += hex[c >> 4]) += hex[c & 15];
    } else {
      out += text.substr(0, length);
    }
  }
  return out += '"';
}

}  // namespace srcode
