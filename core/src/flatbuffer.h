// SPDX-License-Identifier: Apache-2.0
// Reads FlatBuffers that nobody vouches for: every offset is checked, nothing is copied. What is missing or out of
// bounds reads as absent; the latter also marks the file as damaged, so a reader asks once, at the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace segcore::flatbuffer {

/// The bytes of one buffer and whether they made sense so far. Outlives the views into it.
class File {
 public:
  explicit File(std::string_view bytes) : bytes_(bytes) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool damaged() const { return damaged_; }

  /// `size` bytes at `position`; null, and damaged, where they do not lie inside.
  const char* At(std::uint64_t position, std::uint64_t size) const {
    if (position > bytes_.size() || size > bytes_.size() - position) {
      damaged_ = true;
      return nullptr;
    }
    return bytes_.data() + position;
  }

  /// The number at `position`; 0 where it does not lie inside. FlatBuffers are little-endian, as are the machines the
  /// core runs on.
  template <typename T>
  T Read(std::uint64_t position) const {
    T value{};
    if (const char* source = At(position, sizeof(T)); source != nullptr) std::memcpy(&value, source, sizeof(T));
    return value;
  }

 private:
  std::string_view bytes_;
  mutable bool damaged_ = false;
};

class Table;

/// A vector of numbers.
template <typename T>
class Numbers {
 public:
  Numbers() = default;
  Numbers(const char* data, std::size_t size) : data_(data), size_(size) {}

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T operator[](std::size_t index) const {
    T value;
    std::memcpy(&value, data_ + index * sizeof(T), sizeof(T));
    return value;
  }

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

/// A vector of tables.
class Tables {
 public:
  Tables() = default;
  Tables(const File* file, std::uint64_t position, std::size_t size) : file_(file), position_(position), size_(size) {}

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  inline Table operator[](std::size_t index) const;

 private:
  const File* file_ = nullptr;
  std::uint64_t position_ = 0;
  std::size_t size_ = 0;
};

class Table {
 public:
  Table() = default;  ///< absent: every field is missing
  Table(const File* file, std::uint64_t position) : file_(file), position_(position) {}

  static Table Root(const File& file) { return {&file, file.Read<std::uint32_t>(0)}; }

  explicit operator bool() const { return file_ != nullptr; }
  bool Has(int field) const { return Field(field) != 0; }

  template <typename T>
  T Number(int field, T missing) const {
    const std::uint64_t position = Field(field);
    return position == 0 ? missing : file_->Read<T>(position);
  }

  Table Child(int field) const {
    const std::uint64_t position = Target(field);
    return position == 0 ? Table() : Table(file_, position);
  }

  template <typename T>
  Numbers<T> Vector(int field) const {
    const std::uint64_t position = Target(field);
    if (position == 0) return {};
    const std::uint64_t size = file_->Read<std::uint32_t>(position);
    const char* data = file_->At(position + 4, size * sizeof(T));
    return data == nullptr ? Numbers<T>() : Numbers<T>(data, size);
  }

  Tables Children(int field) const {
    const std::uint64_t position = Target(field);
    if (position == 0) return {};
    const std::uint64_t size = file_->Read<std::uint32_t>(position);
    return file_->At(position + 4, size * 4) == nullptr ? Tables() : Tables(file_, position + 4, size);
  }

  /// A string, or a vector of bytes.
  std::string_view Bytes(int field) const {
    const std::uint64_t position = Target(field);
    if (position == 0) return {};
    const std::uint64_t size = file_->Read<std::uint32_t>(position);
    const char* data = file_->At(position + 4, size);
    return data == nullptr ? std::string_view() : std::string_view(data, size);
  }

 private:
  /// Where a field lies; 0 where it is missing. The first bytes of a table are the distance back to its list of fields.
  std::uint64_t Field(int field) const {
    if (file_ == nullptr) return 0;
    const std::int64_t list = static_cast<std::int64_t>(position_) - file_->Read<std::int32_t>(position_);
    const std::uint64_t start = static_cast<std::uint64_t>(list);  // a negative one is far outside
    const std::uint64_t entry = 4 + 2 * static_cast<std::uint64_t>(field);
    if (entry + 2 > file_->Read<std::uint16_t>(start)) return 0;
    const std::uint64_t offset = file_->Read<std::uint16_t>(start + entry);
    return offset == 0 ? 0 : position_ + offset;
  }

  /// Where the vector, string or table lies that a field points to; 0 where it is missing.
  std::uint64_t Target(int field) const {
    const std::uint64_t position = Field(field);
    if (position == 0) return 0;
    const std::uint64_t distance = file_->Read<std::uint32_t>(position);
    return distance == 0 ? 0 : position + distance;
  }

  const File* file_ = nullptr;
  std::uint64_t position_ = 0;
};

inline Table Tables::operator[](std::size_t index) const {
  const std::uint64_t position = position_ + 4 * index;
  return {file_, position + file_->Read<std::uint32_t>(position)};
}

}  // namespace segcore::flatbuffer
