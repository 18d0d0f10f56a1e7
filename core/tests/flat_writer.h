// SPDX-License-Identifier: Apache-2.0
// Writes FlatBuffers from plain values, right or wrong ones: the tests' other side of src/flatbuffer.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace segcore {

struct FlatTable;
using FlatValue = std::variant<std::int8_t, std::int32_t, std::uint64_t, std::string, std::vector<std::int32_t>,
                               std::vector<std::int64_t>, std::vector<float>, std::vector<FlatTable>>;

/// Fields by their number in the schema. A single table is a field whose vector holds one and whose key is in `single`.
struct FlatTable {
  std::map<int, FlatValue> fields;
  std::map<int, std::vector<FlatTable>> single;
};

/// The bytes of a buffer with this root. Every field takes eight bytes; what it points to comes after it.
class FlatWriter {
 public:
  static std::string Write(const FlatTable& root, const char* identifier) {
    FlatWriter writer;
    writer.bytes_.assign(8, '\0');
    std::memcpy(&writer.bytes_[4], identifier, 4);
    writer.Point(0, writer.Table(root));
    return writer.bytes_;
  }

 private:
  template <typename T>
  void Put(std::size_t position, T value) {
    if (bytes_.size() < position + sizeof(T)) bytes_.resize(position + sizeof(T));
    std::memcpy(&bytes_[position], &value, sizeof(T));
  }
  void Point(std::size_t from, std::size_t to) { Put(from, static_cast<std::uint32_t>(to - from)); }
  std::size_t End() {
    bytes_.resize((bytes_.size() + 7) / 8 * 8);
    return bytes_.size();
  }

  std::size_t Table(const FlatTable& table) {
    int count = 0;
    for (const auto& entry : table.fields) count = std::max(count, entry.first + 1);
    for (const auto& entry : table.single) count = std::max(count, entry.first + 1);
    const std::size_t list = End();
    const std::size_t start = (list + 4 + 2 * static_cast<std::size_t>(count) + 7) / 8 * 8;
    Put(list, static_cast<std::uint16_t>(4 + 2 * count));
    Put(list + 2, static_cast<std::uint16_t>(8 + 8 * count));
    Put(start, static_cast<std::int32_t>(start - list));
    Put(start + 8 * static_cast<std::size_t>(count), std::uint64_t{0});
    const auto place = [&](int field) {
      const std::size_t offset = 8 + 8 * static_cast<std::size_t>(field);
      Put(list + 4 + 2 * static_cast<std::size_t>(field), static_cast<std::uint16_t>(offset));
      return start + offset;
    };
    for (const auto& [field, value] : table.fields) Value(place(field), value);
    for (const auto& [field, tables] : table.single) Point(place(field), Table(tables[0]));
    return start;
  }

  void Value(std::size_t position, const FlatValue& value) {
    std::visit(
        [&](const auto& content) {
          using T = std::decay_t<decltype(content)>;
          if constexpr (std::is_arithmetic_v<T>) {
            Put(position, content);
          } else if constexpr (std::is_same_v<T, std::vector<FlatTable>>) {
            const std::size_t vector = End();
            Point(position, vector);
            Put(vector, static_cast<std::uint32_t>(content.size()));
            bytes_.resize(vector + 4 + 4 * content.size());
            for (std::size_t i = 0; i < content.size(); ++i) Point(vector + 4 + 4 * i, Table(content[i]));
          } else {
            // The length lies four bytes before the data, which is aligned to eight.
            const std::size_t vector = End() + 4;
            Point(position, vector);
            Put(vector, static_cast<std::uint32_t>(content.size()));
            bytes_.append(reinterpret_cast<const char*>(content.data()), content.size() * sizeof(content[0]));
          }
        },
        value);
  }

  std::string bytes_;
};

}  // namespace segcore
