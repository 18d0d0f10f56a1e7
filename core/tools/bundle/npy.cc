// SPDX-License-Identifier: Apache-2.0
#include "bundle/npy.h"

#include <limits>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "NPY files are written as little-endian float32");

namespace segcore::bundle {
namespace {

constexpr std::string_view kMagic("\x93NUMPY\x01\x00", 8);

/// The header: a Python dictionary of three known keys in any order.
class Header {
 public:
  explicit Header(std::string_view text) : text_(text) {}

  bool Parse() {
    if (!Take('{')) return false;
    while (!Take('}')) {
      std::string_view key;
      if (!Text(&key) || !Take(':') || !Entry(key)) return false;
      if (!Take(',')) {
        if (!Take('}')) return false;
        break;
      }
    }
    Space();
    return text_.empty() && seen_ == 7;
  }

  std::string_view descr;
  bool fortran_order = false;
  std::vector<std::size_t> shape;

 private:
  bool Entry(std::string_view key) {
    const unsigned bit = key == "descr" ? 1 : key == "fortran_order" ? 2 : key == "shape" ? 4 : 0;
    if (bit == 0 || (seen_ & bit) != 0) return false;
    seen_ |= bit;
    if (bit == 1) return Text(&descr);
    if (bit == 4) return Shape();
    fortran_order = Word("True");
    return fortran_order || Word("False");
  }

  void Space() {
    while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\n')) text_.remove_prefix(1);
  }

  bool Take(char c) {
    Space();
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  bool Word(std::string_view word) {
    Space();
    if (text_.substr(0, word.size()) != word) return false;
    text_.remove_prefix(word.size());
    return true;
  }

  bool Text(std::string_view* out) {
    const char quote = Take('\'') ? '\'' : Take('"') ? '"' : '\0';
    if (quote == '\0') return false;
    const std::size_t end = text_.find(quote);
    if (end == std::string_view::npos) return false;
    *out = text_.substr(0, end);
    text_.remove_prefix(end + 1);
    return true;
  }

  bool Shape() {
    if (!Take('(')) return false;
    while (!Take(')')) {
      std::size_t side = 0, digits = 0;
      Space();
      for (; !text_.empty() && text_[0] >= '0' && text_[0] <= '9'; ++digits, text_.remove_prefix(1)) {
        if (digits == 9) return false;
        side = side * 10 + static_cast<std::size_t>(text_[0] - '0');
      }
      if (digits == 0) return false;
      shape.push_back(side);
      if (!Take(',')) {
        if (!Take(')')) return false;
        break;
      }
    }
    return true;
  }

  std::string_view text_;
  unsigned seen_ = 0;
};

}  // namespace

Expected<NpyBytes> ParseNpy(std::string_view file, const std::string& where) {
  const auto error = [&](const std::string& problem) {
    return Status(Code::kInvalidArgument, where + ": not a readable NPY file: " + problem);
  };
  if (file.substr(0, kMagic.size()) != kMagic) return error("it does not begin as NPY version 1.0 does");
  if (file.size() < 10) return error("it is cut short");
  const std::size_t length =
      static_cast<unsigned char>(file[8]) | static_cast<std::size_t>(static_cast<unsigned char>(file[9])) << 8;
  if (file.size() < 10 + length) return error("it is cut short");
  Header header(file.substr(10, length));
  if (!header.Parse()) return error("its header is damaged");
  if (header.descr != "|u1") return error("it holds " + std::string(header.descr) + ", expected |u1 (uint8)");
  if (header.fortran_order) return error("it is in Fortran order, expected C order");
  std::size_t bytes = 1;
  for (const std::size_t side : header.shape) {
    if (side != 0 && bytes > std::numeric_limits<std::size_t>::max() / side) return error("its header is damaged");
    bytes *= side;
  }
  file.remove_prefix(10 + length);
  if (file.size() != bytes) {
    return error("it holds " + std::to_string(file.size()) + " bytes of pixels, its shape says " +
                 std::to_string(bytes));
  }
  return NpyBytes{std::move(header.shape), file};
}

std::string EncodeNpy(const float* map, int height, int width) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(height) + ", " +
                       std::to_string(width) + "), }";
  // The numbers begin at a multiple of 64 bytes.
  header.append(63 - (kMagic.size() + 2 + header.size()) % 64, ' ').push_back('\n');
  std::string file(kMagic);
  file.push_back(static_cast<char>(header.size() & 0xFF));
  file.push_back(static_cast<char>(header.size() >> 8));
  file += header;
  const std::size_t bytes = sizeof(float) * static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  file.append(reinterpret_cast<const char*>(map), bytes);
  return file;
}

}  // namespace segcore::bundle
