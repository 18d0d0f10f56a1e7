// SPDX-License-Identifier: Apache-2.0
// A frame's own copy of its pixels, in memory that is kept from frame to frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "segcore/image.h"

namespace segcore {

/// Memory that grows and is never set to anything: pages that are not used cost nothing.
class Bytes {
 public:
  std::uint8_t* data() const { return data_.get(); }

  /// What it held is lost when it grows.
  void Reserve(std::size_t bytes) {
    if (bytes <= capacity_) return;
    capacity_ = 0;
    data_.reset();
    data_.reset(new std::uint8_t[bytes]);
    capacity_ = bytes;
  }

 private:
  std::unique_ptr<std::uint8_t[]> data_;
  std::size_t capacity_ = 0;
};

/// The copy of a frame: rows without gaps, NV12's two planes one behind the other.
class FrameBuffer {
 public:
  /// Memory that a copy of a valid `image` takes.
  static std::size_t BytesOf(const ImageView& image) {
    return RowBytes(image) * static_cast<std::size_t>(image.height) + ChromaRowBytes(image) * ChromaRows(image);
  }

  void Reserve(std::size_t bytes) { bytes_.Reserve(bytes); }

  /// `image` is valid, see Validate().
  void Copy(const ImageView& image) {
    bytes_.Reserve(BytesOf(image));
    image_ = image;
    image_.data = bytes_.data();
    image_.stride = static_cast<std::ptrdiff_t>(RowBytes(image));
    std::uint8_t* end = CopyRows(image.data, image.stride, RowBytes(image), image.height, bytes_.data());
    if (image.format != PixelFormat::kNv12) return;
    image_.chroma = end;
    image_.chroma_stride = static_cast<std::ptrdiff_t>(ChromaRowBytes(image));
    CopyRows(image.chroma, image.chroma_stride, ChromaRowBytes(image), ChromaRows(image), end);
  }

  const ImageView& image() const { return image_; }

 private:
  static std::size_t RowBytes(const ImageView& image) {
    const int pixel = image.format == PixelFormat::kNv12 ? 1 : BytesPerPixel(image.format);
    return static_cast<std::size_t>(image.width) * static_cast<std::size_t>(pixel);
  }
  static std::size_t ChromaRowBytes(const ImageView& image) {
    return image.format == PixelFormat::kNv12 ? 2 * static_cast<std::size_t>((image.width + 1) / 2) : 0;
  }
  static std::size_t ChromaRows(const ImageView& image) { return static_cast<std::size_t>((image.height + 1) / 2); }

  static std::uint8_t* CopyRows(const std::uint8_t* from, std::ptrdiff_t stride, std::size_t row, std::size_t rows,
                                std::uint8_t* to) {
    if (stride == static_cast<std::ptrdiff_t>(row)) {
      std::memcpy(to, from, row * rows);
    } else {
      for (std::size_t y = 0; y < rows; ++y)
        std::memcpy(to + y * row, from + static_cast<std::ptrdiff_t>(y) * stride, row);
    }
    return to + row * rows;
  }

  Bytes bytes_;
  ImageView image_;
};

}  // namespace segcore
