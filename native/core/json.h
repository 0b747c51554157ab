#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace srcode {

// A JSON value (RFC 8259). Objects keep the order of the text.
class Json {
 public:
  struct Number {
    double value;
    std::optional<int64_t> integer;  // exact, when written without fraction and exponent and within range
  };
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;

  std::variant<std::nullptr_t, bool, Number, std::string, Array, Object> value = nullptr;

  // The value as one kind; nullptr when it is another.
  const bool* boolean() const { return std::get_if<bool>(&value); }
  const Number* number() const { return std::get_if<Number>(&value); }
  const std::string* string() const { return std::get_if<std::string>(&value); }
  const Array* array() const { return std::get_if<Array>(&value); }
  const Object* object() const { return std::get_if<Object>(&value); }

  // The member of an object; nullptr when there is none, or no object.
  const Json* find(std::string_view key) const;
};

struct JsonLimits {
  size_t bytes = 16 << 20;
  int depth = 32;
};

// Strict: one value, UTF-8 without byte order mark, unpaired surrogates or control characters, no key twice in an
// object. `name` is the file's, for the ERR_FILE_FORMAT that says at which byte the text goes wrong.
Json parse_json(std::string_view text, const std::string& name, JsonLimits limits = {});

// `text` as a JSON string, quotes included. ERR_INVALID_ARG when it is not UTF-8.
std::string quote_json(std::string_view text);

}  // namespace srcode
