// SPDX-License-Identifier: Apache-2.0
// Reads the part of TOML that a contract can be written in: `key = value` with strings, numbers and arrays of numbers,
// comments and blank lines. Tables, truth values and dates have no place in a contract, so they are refused at once.
#include "segcore/contract.h"

#include <locale.h>
#include <stdlib.h>
#if defined(__APPLE__)
#include <xlocale.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <map>
#include <utility>
#include <variant>
#include <vector>

namespace segcore {
namespace {

constexpr std::string_view kSchema = "segmentation-contract/1";
constexpr double kMaxNumber = 1e30;

__extension__ typedef __int128 Integer;  // holds every whole number in the allowed range exactly

using Number = std::variant<Integer, double>;
using Value = std::variant<std::string, Number, std::vector<Number>>;
using ValueTable = std::map<std::string, Value>;

// --- text to values ----------------------------------------------------------------------------------------------

/// The double nearest to a decimal text, in whatever locale the process runs.
double ToDouble(const std::string& decimal) {
  static const locale_t c_locale = newlocale(LC_ALL_MASK, "C", nullptr);
  return strtod_l(decimal.c_str(), nullptr, c_locale);
}

bool IsControl(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// The value of a digit, 99 for what is none.
int Digit(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 99;
}

/// Length of the UTF-8 sequence at the front of `text`; 0 where there is none.
std::size_t Utf8Length(std::string_view text) {
  const auto byte = [&](std::size_t index) {
    return index < text.size() ? static_cast<unsigned char>(text[index]) : 0u;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  // The second byte keeps out overlong forms, surrogates and what lies beyond U+10FFFF.
  const unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t index = 2; index < length; ++index) {
    if (byte(index) < 0x80 || byte(index) > 0xbf) return 0;
  }
  return length;
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = Utf8Length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

void AppendUtf8(std::uint32_t code, std::string* text) {
  const auto put = [&](std::uint32_t byte) { text->push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | (code >> 6));
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | (code >> 12));
    put(0x80 | ((code >> 6) & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3f));
    put(0x80 | ((code >> 6) & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

/// Reads one text. Every function leaves the position behind what it took, or says what is wrong there.
class Reader {
 public:
  explicit Reader(std::string_view text) {
    for (std::size_t index = 0; index < text.size(); ++index) {
      if (text[index] != '\r' || text.substr(index, 2) != "\r\n") text_.push_back(text[index]);
    }
  }

  Expected<ValueTable> Read();

 private:
  bool AtEnd() const { return position_ == text_.size(); }
  char Peek() const { return AtEnd() ? '\0' : text_[position_]; }
  bool Ahead(std::string_view what) const { return text_.compare(position_, what.size(), what) == 0; }
  bool Take(std::string_view what) {
    if (!Ahead(what)) return false;
    position_ += what.size();
    return true;
  }
  void SkipSpaces() {
    while (!AtEnd() && (Peek() == ' ' || Peek() == '\t')) ++position_;
  }
  Status Wrong(const std::string& problem) const;
  Status SkipComment();
  Status SkipLines();
  Status EndLine();
  Expected<std::string> ReadKey();
  Expected<Value> ReadValue();
  Expected<std::string> ReadString();
  Status ReadEscape(bool lines, std::string* result);
  Expected<Number> ReadNumber();
  Expected<Integer> ToInteger(int base, const std::string& digits) const;
  Status TakeDigits(int base, std::string* digits);
  Expected<Value> ReadArray();

  std::string text_;
  std::size_t position_ = 0;
};

Status Reader::Wrong(const std::string& problem) const {
  const auto line = 1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(position_), '\n');
  return Status(Code::kInvalidModel, "not readable as TOML: line " + std::to_string(line) + ": " + problem);
}

Status Reader::SkipComment() {
  if (Peek() != '#') return {};
  for (; !AtEnd() && Peek() != '\n'; ++position_) {
    if (IsControl(Peek())) return Wrong("a control character in a comment");
  }
  return {};
}

/// Blanks, comments and ends of lines.
Status Reader::SkipLines() {
  do {
    SkipSpaces();
    SEGCORE_RETURN_IF_ERROR(SkipComment());
  } while (Take("\n"));
  return {};
}

Status Reader::EndLine() {
  SkipSpaces();
  SEGCORE_RETURN_IF_ERROR(SkipComment());
  if (!AtEnd() && !Take("\n")) return Wrong("something follows the value");
  return {};
}

Expected<ValueTable> Reader::Read() {
  if (!IsUtf8(text_)) return Wrong("not UTF-8");
  ValueTable table;
  for (;;) {
    SEGCORE_RETURN_IF_ERROR(SkipLines());
    if (AtEnd()) return table;
    SEGCORE_ASSIGN_OR_RETURN(std::string key, ReadKey());
    SkipSpaces();
    if (!Take("=")) return Wrong("expected `key = value`");
    SkipSpaces();
    SEGCORE_ASSIGN_OR_RETURN(Value value, ReadValue());
    if (!table.emplace(key, std::move(value)).second) return Wrong(key + " is given twice");
    SEGCORE_RETURN_IF_ERROR(EndLine());
  }
}

Expected<std::string> Reader::ReadKey() {
  if (Peek() == '"' || Peek() == '\'') {
    if (Ahead("\"\"\"") || Ahead("'''")) return Wrong("a key in triple quotes");
    return ReadString();
  }
  std::string key;
  while (!AtEnd() && (Digit(Peek()) < 99 || (Peek() >= 'g' && Peek() <= 'z') || (Peek() >= 'G' && Peek() <= 'Z') ||
                      Peek() == '_' || Peek() == '-')) {
    key.push_back(text_[position_++]);
  }
  if (key.empty()) return Wrong("expected `key = value`");
  return key;
}

Expected<Value> Reader::ReadValue() {
  if (Peek() == '"' || Peek() == '\'') {
    SEGCORE_ASSIGN_OR_RETURN(std::string text, ReadString());
    return Value(std::move(text));
  }
  if (Peek() == '[') return ReadArray();
  SEGCORE_ASSIGN_OR_RETURN(Number number, ReadNumber());
  return Value(number);
}

/// "basic" with escapes or 'literal', on one line or in three quotes.
Expected<std::string> Reader::ReadString() {
  const char quote = Peek();
  std::string end(3, quote);
  const bool lines = Take(end);
  if (lines) {
    Take("\n");
  } else {
    end.resize(1);
    ++position_;
  }
  std::string result;
  for (;;) {
    if (AtEnd()) return Wrong("a string without its end");
    if (Take(end)) {
      // Up to two quotes may stand before the three that end it.
      for (int extra = 0; lines && extra < 2 && Peek() == quote; ++extra) result.push_back(text_[position_++]);
      return result;
    }
    if (quote == '"' && Take("\\")) {
      SEGCORE_RETURN_IF_ERROR(ReadEscape(lines, &result));
      continue;
    }
    if (IsControl(Peek()) && !(lines && Peek() == '\n')) return Wrong("a control character in a string");
    result.push_back(text_[position_++]);
  }
}

Status Reader::ReadEscape(bool lines, std::string* result) {
  constexpr std::pair<char, char> kEscapes[] = {{'b', '\b'}, {'t', '\t'}, {'n', '\n'}, {'f', '\f'},
                                                {'r', '\r'}, {'"', '"'},  {'\\', '\\'}};
  for (const auto& [name, character] : kEscapes) {
    if (Take(std::string_view(&name, 1))) {
      result->push_back(character);
      return {};
    }
  }
  const int length = Take("u") ? 4 : Take("U") ? 8 : 0;
  if (length != 0) {
    std::uint32_t code = 0;
    for (int digit = 0; digit < length; ++digit) {
      if (Digit(Peek()) >= 16) return Wrong("an escape with too few digits");
      code = code * 16 + static_cast<std::uint32_t>(Digit(text_[position_++]));
    }
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return Wrong("an escape that is no character");
    AppendUtf8(code, result);
    return {};
  }
  // A backslash at the end of a line takes the blanks with it that follow.
  const std::size_t start = position_;
  SkipSpaces();
  if (lines && Take("\n")) {
    do SkipSpaces();
    while (Take("\n"));
    return {};
  }
  position_ = start;
  return Wrong("an unknown escape");
}

/// Digits of a base, single underscores between them.
Status Reader::TakeDigits(int base, std::string* digits) {
  if (Digit(Peek()) >= base) return Wrong("expected a digit");
  do {
    digits->push_back(text_[position_++]);
    if (Peek() == '_' && position_ + 1 < text_.size() && Digit(text_[position_ + 1]) < base) ++position_;
  } while (Digit(Peek()) < base);
  return {};
}

Expected<Integer> Reader::ToInteger(int base, const std::string& digits) const {
  Integer value = 0;
  for (const char digit : digits) {
    value = value * base + Digit(digit);
    if (value > static_cast<Integer>(kMaxNumber)) return Wrong("a number beyond 1e30");
  }
  return value;
}

Expected<Number> Reader::ReadNumber() {
  std::string text;
  for (const auto& [prefix, base] : {std::pair("0x", 16), std::pair("0o", 8), std::pair("0b", 2)}) {
    if (!Take(prefix)) continue;
    SEGCORE_RETURN_IF_ERROR(TakeDigits(base, &text));
    SEGCORE_ASSIGN_OR_RETURN(const Integer value, ToInteger(base, text));
    return Number(value);
  }
  const bool negative = Take("-");
  if (!negative) Take("+");
  if (!IsDigit(Peek())) return Wrong("expected a string, a number or an array of numbers");
  if (Take("0")) {
    text = "0";  // no digits follow a leading zero
  } else {
    SEGCORE_RETURN_IF_ERROR(TakeDigits(10, &text));
  }
  const std::size_t whole = text.size();
  if (Take(".")) {
    text += ".";
    SEGCORE_RETURN_IF_ERROR(TakeDigits(10, &text));
  }
  if (Take("e") || Take("E")) {
    text += Take("-") ? "e-" : "e";
    if (text.back() == 'e') Take("+");
    SEGCORE_RETURN_IF_ERROR(TakeDigits(10, &text));
  }
  if (text.size() > whole) return Number(negative ? -ToDouble(text) : ToDouble(text));
  SEGCORE_ASSIGN_OR_RETURN(const Integer value, ToInteger(10, text));
  return Number(negative ? -value : value);
}

Expected<Value> Reader::ReadArray() {
  Take("[");
  std::vector<Number> numbers;
  for (;;) {
    SEGCORE_RETURN_IF_ERROR(SkipLines());
    if (Take("]")) return Value(std::move(numbers));
    SEGCORE_ASSIGN_OR_RETURN(Number number, ReadNumber());
    numbers.push_back(number);
    SEGCORE_RETURN_IF_ERROR(SkipLines());
    if (!Take(",") && Peek() != ']') return Wrong("expected , or ] in an array");
  }
}

// --- values to a contract ----------------------------------------------------------------------------------------

Status Invalid(const std::string& problem) { return Status(Code::kInvalidModel, problem); }

/// The position of the text of `key` in `allowed`.
template <std::size_t kCount>
Expected<int> Choice(const ValueTable& table, const char* key, const std::string_view (&allowed)[kCount]) {
  const std::string* text = std::get_if<std::string>(&table.at(key));
  const auto found = text == nullptr ? std::end(allowed) : std::find(std::begin(allowed), std::end(allowed), *text);
  if (found != std::end(allowed)) return static_cast<int>(found - std::begin(allowed));
  std::string message = std::string(key) + " is " + (text == nullptr ? "no text" : '"' + *text + '"') + ", allowed:";
  for (const std::string_view choice : allowed) message += " " + std::string(choice);
  return Invalid(message);
}

Expected<int> WholeNumber(const ValueTable& table, const char* key, int low, int high) {
  const Number* number = std::get_if<Number>(&table.at(key));
  const Integer* value = number == nullptr ? nullptr : std::get_if<Integer>(number);
  if (value != nullptr && *value >= low && *value <= high) return static_cast<int>(*value);
  return Invalid(std::string(key) + ": expected a whole number from " + std::to_string(low) + " to " +
                 std::to_string(high));
}

Expected<double> RealNumber(const Number& number, const char* key, double low, double high) {
  const Integer* whole = std::get_if<Integer>(&number);
  const double value = whole == nullptr ? std::get<double>(number) : static_cast<double>(*whole);
  if (value >= low && value <= high) return value;
  char range[64];
  std::snprintf(range, sizeof(range), "from %g to %g", low, high);
  return Invalid(std::string(key) + ": expected a number " + range);
}

Expected<std::array<double, 3>> Triple(const ValueTable& table, const char* key) {
  const Value& value = table.at(key);
  std::array<double, 3> result{};
  if (const Number* number = std::get_if<Number>(&value)) {
    SEGCORE_ASSIGN_OR_RETURN(const double all, RealNumber(*number, key, -kMaxNumber, kMaxNumber));
    result.fill(all);
    return result;
  }
  const std::vector<Number>* numbers = std::get_if<std::vector<Number>>(&value);
  if (numbers == nullptr || numbers->size() != 3) {
    return Invalid(std::string(key) + ": expected one number or three: [r, g, b]");
  }
  for (std::size_t colour = 0; colour < 3; ++colour) {
    SEGCORE_ASSIGN_OR_RETURN(result[colour], RealNumber((*numbers)[colour], key, -kMaxNumber, kMaxNumber));
  }
  return result;
}

Status CheckKeys(const ValueTable& table) {
  constexpr const char* kKeys[] = {"schema", "input_height", "input_width", "channels",   "fit",      "resize",
                                   "scale",  "offset",       "output",      "foreground", "threshold"};
  const auto schema = table.find("schema");
  const std::string* text = schema == table.end() ? nullptr : std::get_if<std::string>(&schema->second);
  if (text == nullptr || *text != kSchema) {
    return Invalid("schema is " + (text == nullptr ? std::string("missing") : '"' + *text + '"') +
                   ", this version reads \"" + std::string(kSchema) + "\"");
  }
  for (const char* key : kKeys) {
    if (table.count(key) == 0) return Invalid("missing " + std::string(key));
  }
  for (const auto& [key, value] : table) {
    if (std::find(std::begin(kKeys), std::end(kKeys), key) == std::end(kKeys)) return Invalid("unknown key " + key);
  }
  return {};
}

Expected<Contract> FromTable(const ValueTable& table) {
  SEGCORE_RETURN_IF_ERROR(CheckKeys(table));
  Contract contract;
  SEGCORE_ASSIGN_OR_RETURN(const int channels, Choice(table, "channels", {"rgb", "bgr"}));
  SEGCORE_ASSIGN_OR_RETURN(const int fit, Choice(table, "fit", {"stretch", "letterbox"}));
  SEGCORE_RETURN_IF_ERROR(Choice(table, "resize", {"area"}).status());
  SEGCORE_ASSIGN_OR_RETURN(const int output, Choice(table, "output", {"probability", "logit", "softmax2"}));
  contract.channels = static_cast<Contract::Channels>(channels);
  contract.fit = static_cast<Contract::Fit>(fit);
  contract.output = static_cast<Contract::Output>(output);
  SEGCORE_ASSIGN_OR_RETURN(contract.input_height, WholeNumber(table, "input_height", 1, kMaxSide));
  SEGCORE_ASSIGN_OR_RETURN(contract.input_width, WholeNumber(table, "input_width", 1, kMaxSide));
  SEGCORE_ASSIGN_OR_RETURN(contract.scale, Triple(table, "scale"));
  SEGCORE_ASSIGN_OR_RETURN(contract.offset, Triple(table, "offset"));
  const int channel_limit = contract.output == Contract::Output::kSoftmax2 ? 1 : 255;
  SEGCORE_ASSIGN_OR_RETURN(contract.foreground, WholeNumber(table, "foreground", 0, channel_limit));
  const Number* threshold = std::get_if<Number>(&table.at("threshold"));
  if (threshold == nullptr) return Invalid("threshold: expected a number from 0 to 1");
  SEGCORE_ASSIGN_OR_RETURN(contract.threshold, RealNumber(*threshold, "threshold", 0, 1));
  return contract;
}

}  // namespace

Expected<Contract> ParseContract(std::string_view text, std::string_view where) {
  const Expected<ValueTable> table = Reader(text).Read();
  Expected<Contract> contract = table.ok() ? FromTable(table.value()) : Expected<Contract>(table.status());
  if (contract.ok()) return contract;
  return Status(contract.status().code(), std::string(where) + ": " + contract.status().message());
}

Rect ContentRect(const Contract& contract, Size tensor, Size frame) {
  if (contract.fit == Contract::Fit::kStretch) return {0, 0, tensor.height, tensor.width};
  const std::int64_t w = tensor.width, h = tensor.height, W = frame.width, H = frame.height;
  std::int64_t width = w, height = h;
  if (W * h >= H * w) {
    height = std::max<std::int64_t>(1, (2 * H * w + W) / (2 * W));
  } else {
    width = std::max<std::int64_t>(1, (2 * W * h + H) / (2 * H));
  }
  return {static_cast<int>((h - height) / 2), static_cast<int>((w - width) / 2), static_cast<int>(height),
          static_cast<int>(width)};
}

}  // namespace segcore
