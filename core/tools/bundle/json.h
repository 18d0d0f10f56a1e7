// SPDX-License-Identifier: Apache-2.0
// JSON values: a strict reader (RFC 8259, no duplicate keys, bounded depth) and a writer that keeps the keys' order.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "segcore/status.h"

namespace segcore::bundle {

class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;

  Json() = default;  ///< null
  Json(std::nullptr_t) {}
  Json(bool value) : value_(value) {}
  Json(int value) : value_(std::int64_t{value}) {}
  Json(long value) : value_(std::int64_t{value}) {}
  Json(long long value) : value_(std::int64_t{value}) {}
  Json(unsigned long value) : value_(static_cast<std::int64_t>(value)) {}
  Json(unsigned long long value) : value_(static_cast<std::int64_t>(value)) {}
  Json(double value) : value_(value) {}  ///< finite; anything else is written as null
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(Array value) : value_(std::move(value)) {}
  Json(Object value) : value_(std::move(value)) {}

  /// Reads a whole text; the error says `where`, the line and what is wrong.
  static Expected<Json> Parse(std::string_view text, const std::string& where);

  /// `indent` spaces a level, or everything on one line without spaces if negative. UTF-8 is written as it is.
  std::string Dump(int indent = -1) const;

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  /// The value if it is of that kind, else null.
  const bool* boolean() const { return std::get_if<bool>(&value_); }
  const std::int64_t* integer() const { return std::get_if<std::int64_t>(&value_); }
  const std::string* string() const { return std::get_if<std::string>(&value_); }
  const Array* array() const { return std::get_if<Array>(&value_); }
  const Object* object() const { return std::get_if<Object>(&value_); }
  /// An integer or a real number.
  bool number(double* value) const;

  /// The member of an object; null where there is none, or this is no object.
  const Json* Find(std::string_view key) const;
  /// The member of an object, made where there is none; anything but an object becomes one.
  Json& operator[](std::string_view key);
  void Append(Json value);

 private:
  void Write(std::string* out, int indent, int level) const;

  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

}  // namespace segcore::bundle
