// SPDX-License-Identifier: Apache-2.0
// Views of pixels that somebody else owns: camera frames, 8-bit planes, and how a frame lies.
#pragma once

#include <cstddef>
#include <cstdint>

#include "segcore/status.h"

namespace segcore {

/// Order of the bytes of a pixel; kNv12 is a plane of luma and a plane of interleaved Cb, Cr at half the size each way.
enum class PixelFormat : int { kRgb = 0, kBgr = 1, kRgba = 2, kBgra = 3, kNv12 = 4 };

/// How the luma and chroma of an NV12 frame stand for colours.
enum class YuvMatrix : int { kBt601Limited = 0, kBt601Full = 1, kBt709Limited = 2, kBt709Full = 3 };

constexpr int kMaxSide = 16384;  ///< pixels; larger frames are refused

struct Size {
  int width = 0;
  int height = 0;
  friend bool operator==(Size a, Size b) { return a.width == b.width && a.height == b.height; }
  friend bool operator!=(Size a, Size b) { return !(a == b); }
};

/// Rows top … top+height, columns left … left+width.
struct Rect {
  int top = 0;
  int left = 0;
  int height = 0;
  int width = 0;
};

/// How a stored frame is to be turned for its content to stand upright: clockwise by `rotation` degrees
/// (0, 90, 180, 270), then flipped left to right if `mirrored`. The network sees the upright picture; masks and
/// composites lie as the stored frame does.
struct Orientation {
  int rotation = 0;
  bool mirrored = false;
  friend bool operator==(Orientation a, Orientation b) { return a.rotation == b.rotation && a.mirrored == b.mirrored; }
};

/// A frame to read. `stride` is the distance of two rows in bytes; it may be negative, and is never less than a row.
struct ImageView {
  const std::uint8_t* data = nullptr;
  int width = 0;
  int height = 0;
  std::ptrdiff_t stride = 0;
  PixelFormat format = PixelFormat::kBgr;
  const std::uint8_t* chroma = nullptr;         ///< NV12 only: ceil(height / 2) rows of ceil(width / 2) pairs
  std::ptrdiff_t chroma_stride = 0;             ///< NV12 only
  YuvMatrix matrix = YuvMatrix::kBt601Limited;  ///< NV12 only

  Size size() const { return {width, height}; }
};

/// A frame to write; every format but NV12.
struct MutableImageView {
  std::uint8_t* data = nullptr;
  int width = 0;
  int height = 0;
  std::ptrdiff_t stride = 0;
  PixelFormat format = PixelFormat::kBgr;

  Size size() const { return {width, height}; }
  operator ImageView() const { return {data, width, height, stride, format}; }
};

/// An 8-bit plane to read, such as an alpha mask.
struct PlaneView {
  const std::uint8_t* data = nullptr;
  int width = 0;
  int height = 0;
  std::ptrdiff_t stride = 0;

  Size size() const { return {width, height}; }
};

/// An 8-bit plane to write.
struct MutablePlaneView {
  std::uint8_t* data = nullptr;
  int width = 0;
  int height = 0;
  std::ptrdiff_t stride = 0;

  Size size() const { return {width, height}; }
  operator PlaneView() const { return {data, width, height, stride}; }
};

/// Bytes of a pixel of the packed formats; 0 for NV12.
int BytesPerPixel(PixelFormat format);

/// Error unless there are pixels, the sides are 1 … kMaxSide, the strides hold a row and the format is known.
/// `what` names the image in the message.
Status Validate(const ImageView& image, const char* what);
Status Validate(const MutableImageView& image, const char* what);
Status Validate(const PlaneView& plane, const char* what);
Status Validate(const MutablePlaneView& plane, const char* what);
Status Validate(Orientation orientation);

/// The size of a frame once it stands upright.
Size Upright(Size stored, Orientation orientation);

}  // namespace segcore
