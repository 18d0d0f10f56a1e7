// SPDX-License-Identifier: Apache-2.0
#include "bundle/json.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace segcore::bundle {
namespace {

constexpr int kMaxDepth = 64;

/// A text as it is read; the first problem stops it.
class Reader {
 public:
  Reader(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  Expected<Json> Read() {
    Json value;
    if (Value(&value, 0)) {
      Space();
      if (at_ == text_.size()) return value;
      Fail("something stands after the value");
    }
    std::size_t line = 1;
    for (std::size_t i = 0; i < at_ && i < text_.size(); ++i) line += text_[i] == '\n';
    return Status(Code::kInvalidArgument,
                  where_ + ": not readable JSON: line " + std::to_string(line) + ": " + problem_);
  }

 private:
  bool Fail(const char* problem) {
    problem_ = problem;
    return false;
  }

  int Peek() const { return at_ < text_.size() ? static_cast<unsigned char>(text_[at_]) : -1; }

  void Space() {
    while (Peek() == ' ' || Peek() == '\t' || Peek() == '\n' || Peek() == '\r') ++at_;
  }

  bool Take(char c) {
    Space();
    if (Peek() != c) return false;
    ++at_;
    return true;
  }

  bool Word(std::string_view word, Json value, Json* out) {
    if (text_.substr(at_, word.size()) != word) return Fail("expected a value");
    at_ += word.size();
    *out = std::move(value);
    return true;
  }

  bool Value(Json* out, int depth) {
    if (depth > kMaxDepth) return Fail("nested too deeply");
    Space();
    switch (Peek()) {
      case '{':
        return Object(out, depth);
      case '[':
        return Array(out, depth);
      case '"': {
        std::string text;
        if (!String(&text)) return false;
        *out = Json(std::move(text));
        return true;
      }
      case 't':
        return Word("true", Json(true), out);
      case 'f':
        return Word("false", Json(false), out);
      case 'n':
        return Word("null", Json(), out);
      case -1:
        return Fail("the text ends too early");
      default:
        return Number(out);
    }
  }

  bool Object(Json* out, int depth) {
    ++at_;
    Json::Object members;
    if (!Take('}')) {
      do {
        Space();
        std::string key;
        if (Peek() != '"') return Fail("expected a key in double quotes");
        if (!String(&key)) return false;
        for (const Json::Member& member : members) {
          if (member.first == key) return Fail("a key stands twice");
        }
        if (!Take(':')) return Fail("expected a colon after the key");
        Json value;
        if (!Value(&value, depth + 1)) return false;
        members.emplace_back(std::move(key), std::move(value));
      } while (Take(','));
      if (!Take('}')) return Fail(Peek() < 0 ? "the text ends too early" : "expected a comma or a closing brace");
    }
    *out = Json(std::move(members));
    return true;
  }

  bool Array(Json* out, int depth) {
    ++at_;
    Json::Array values;
    if (!Take(']')) {
      do {
        values.emplace_back();
        if (!Value(&values.back(), depth + 1)) return false;
      } while (Take(','));
      if (!Take(']')) return Fail(Peek() < 0 ? "the text ends too early" : "expected a comma or a closing bracket");
    }
    *out = Json(std::move(values));
    return true;
  }

  bool Digits() {
    const std::size_t first = at_;
    while (Peek() >= '0' && Peek() <= '9') ++at_;
    return at_ > first;
  }

  bool Number(Json* out) {
    const std::size_t first = at_;
    if (Peek() == '-') ++at_;
    const bool zero = Peek() == '0';
    const std::size_t digits = at_;
    if (!Digits()) return Fail("expected a value");
    if (zero && at_ - digits > 1) return Fail("a number does not begin with 0");
    bool integral = true;
    if (Peek() == '.') {
      integral = false;
      ++at_;
      if (!Digits()) return Fail("expected digits after the point");
    }
    if (Peek() == 'e' || Peek() == 'E') {
      integral = false;
      ++at_;
      if (Peek() == '+' || Peek() == '-') ++at_;
      if (!Digits()) return Fail("expected digits in the exponent");
    }
    const std::string number(text_.substr(first, at_ - first));
    std::int64_t whole = 0;
    if (integral && std::from_chars(number.data(), number.data() + number.size(), whole).ec == std::errc()) {
      *out = Json(static_cast<long long>(whole));
      return true;
    }
    const double real = std::strtod(number.c_str(), nullptr);
    if (!std::isfinite(real)) return Fail("a number is too large");
    *out = Json(real);
    return true;
  }

  bool Hex4(unsigned* out) {
    *out = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const int c = Peek();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return Fail("expected four hexadecimal digits after \\u");
      *out = *out * 16 + static_cast<unsigned>(digit);
    }
    return true;
  }

  bool Escape(std::string* out) {
    const int c = Peek();
    ++at_;
    switch (c) {
      case '"':
      case '\\':
      case '/':
        out->push_back(static_cast<char>(c));
        return true;
      case 'b':
        out->push_back('\b');
        return true;
      case 'f':
        out->push_back('\f');
        return true;
      case 'n':
        out->push_back('\n');
        return true;
      case 'r':
        out->push_back('\r');
        return true;
      case 't':
        out->push_back('\t');
        return true;
      case 'u':
        break;
      default:
        return Fail("an unknown escape in a string");
    }
    unsigned code = 0;
    if (!Hex4(&code)) return false;
    if (code >= 0xD800 && code < 0xE000) {  // two escapes make a character beyond the first 65536
      unsigned low = 0;
      if (code >= 0xDC00 || text_.substr(at_, 2) != "\\u") return Fail("half of a surrogate pair in a string");
      at_ += 2;
      if (!Hex4(&low)) return false;
      if (low < 0xDC00 || low >= 0xE000) return Fail("half of a surrogate pair in a string");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    AppendUtf8(code, out);
    return true;
  }

  static void AppendUtf8(unsigned code, std::string* out) {
    if (code < 0x80) {
      out->push_back(static_cast<char>(code));
      return;
    }
    const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static constexpr unsigned kLead[] = {0, 0xC0, 0xE0, 0xF0};
    out->push_back(static_cast<char>(kLead[more] | (code >> (6 * more))));
    for (int i = more - 1; i >= 0; --i) out->push_back(static_cast<char>(0x80 | ((code >> (6 * i)) & 0x3F)));
  }

  /// One character of more than seven bits, checked.
  bool Utf8(std::string* out) {
    const auto lead = static_cast<unsigned>(Peek());
    const int more = lead >= 0xC2 && lead < 0xE0 ? 1 : (lead & 0xF0) == 0xE0 ? 2 : lead >= 0xF0 && lead < 0xF5 ? 3 : 0;
    if (more == 0 || at_ + static_cast<std::size_t>(more) >= text_.size()) return Fail("a string is not UTF-8");
    unsigned code = lead & (0x3Fu >> more);
    for (int i = 1; i <= more; ++i) {
      const auto next = static_cast<unsigned char>(text_[at_ + static_cast<std::size_t>(i)]);
      if ((next & 0xC0) != 0x80) return Fail("a string is not UTF-8");
      code = code << 6 | (next & 0x3F);
    }
    static constexpr unsigned kLeast[] = {0, 0x80, 0x800, 0x10000};
    if (code < kLeast[more] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
      return Fail("a string is not UTF-8");
    }
    out->append(text_.substr(at_, static_cast<std::size_t>(more) + 1));
    at_ += static_cast<std::size_t>(more) + 1;
    return true;
  }

  bool String(std::string* out) {
    for (++at_; Peek() != '"';) {
      const int c = Peek();
      if (c < 0) return Fail("a string has no end");
      if (c < 0x20) return Fail("a control character in a string");
      if (c == '\\') {
        ++at_;
        if (!Escape(out)) return false;
      } else if (c < 0x80) {
        out->push_back(static_cast<char>(c));
        ++at_;
      } else if (!Utf8(out)) {
        return false;
      }
    }
    ++at_;
    return true;
  }

  std::string_view text_;
  const std::string& where_;
  std::size_t at_ = 0;
  const char* problem_ = "";
};

void WriteString(const std::string& text, std::string* out) {
  out->push_back('"');
  for (const char c : text) {
    switch (c) {
      case '"':
        *out += "\\\"";
        break;
      case '\\':
        *out += "\\\\";
        break;
      case '\b':
        *out += "\\b";
        break;
      case '\f':
        *out += "\\f";
        break;
      case '\n':
        *out += "\\n";
        break;
      case '\r':
        *out += "\\r";
        break;
      case '\t':
        *out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          char escape[8];
          std::snprintf(escape, sizeof escape, "\\u%04x", c);
          *out += escape;
        } else {
          out->push_back(c);
        }
    }
  }
  out->push_back('"');
}

/// The shortest text that reads back as the same number; with a point, so that it stays a real number.
void WriteReal(double value, std::string* out) {
  if (!std::isfinite(value)) {
    *out += "null";
    return;
  }
  char text[32];
  for (int precision = 15; precision <= 17; ++precision) {
    std::snprintf(text, sizeof text, "%.*g", precision, value);
    if (std::strtod(text, nullptr) == value) break;
  }
  *out += text;
  if (std::string_view(text).find_first_of(".e") == std::string_view::npos) *out += ".0";
}

}  // namespace

Expected<Json> Json::Parse(std::string_view text, const std::string& where) { return Reader(text, where).Read(); }

std::string Json::Dump(int indent) const {
  std::string out;
  Write(&out, indent, 0);
  return out;
}

bool Json::number(double* value) const {
  if (const auto* real = std::get_if<double>(&value_)) {
    *value = *real;
    return true;
  }
  if (const std::int64_t* whole = integer()) {
    *value = static_cast<double>(*whole);
    return true;
  }
  return false;
}

const Json* Json::Find(std::string_view key) const {
  if (const Object* members = object()) {
    for (const Member& member : *members) {
      if (member.first == key) return &member.second;
    }
  }
  return nullptr;
}

Json& Json::operator[](std::string_view key) {
  if (object() == nullptr) value_ = Object();
  auto& members = std::get<Object>(value_);
  for (Member& member : members) {
    if (member.first == key) return member.second;
  }
  return members.emplace_back(std::string(key), Json()).second;
}

void Json::Append(Json value) {
  if (array() == nullptr) value_ = Array();
  std::get<Array>(value_).push_back(std::move(value));
}

void Json::Write(std::string* out, int indent, int level) const {
  const auto line = [&](int depth) {
    if (indent >= 0) out->append("\n").append(static_cast<std::size_t>(indent * depth), ' ');
  };
  if (is_null()) {
    *out += "null";
  } else if (const bool* truth = boolean()) {
    *out += *truth ? "true" : "false";
  } else if (const std::int64_t* whole = integer()) {
    *out += std::to_string(*whole);
  } else if (const auto* real = std::get_if<double>(&value_)) {
    WriteReal(*real, out);
  } else if (const std::string* text = string()) {
    WriteString(*text, out);
  } else if (const Array* values = array()) {
    *out += '[';
    for (std::size_t i = 0; i < values->size(); ++i) {
      if (i > 0) *out += ',';
      line(level + 1);
      (*values)[i].Write(out, indent, level + 1);
    }
    if (!values->empty()) line(level);
    *out += ']';
  } else if (const Object* members = object()) {
    *out += '{';
    for (std::size_t i = 0; i < members->size(); ++i) {
      if (i > 0) *out += ',';
      line(level + 1);
      WriteString((*members)[i].first, out);
      *out += indent >= 0 ? ": " : ":";
      (*members)[i].second.Write(out, indent, level + 1);
    }
    if (!members->empty()) line(level);
    *out += '}';
  }
}

}  // namespace segcore::bundle
