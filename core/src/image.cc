// SPDX-License-Identifier: Apache-2.0
#include "segcore/image.h"

#include <cstdlib>
#include <string>

namespace segcore {
namespace {

Status Invalid(const char* what, const std::string& problem) {
  return Status(Code::kInvalidArgument, std::string(what) + ": " + problem);
}

Status ValidatePixels(const char* what, const std::uint8_t* data, int width, int height, std::ptrdiff_t stride,
                      std::ptrdiff_t row) {
  if (data == nullptr) return Invalid(what, "no pixels (null pointer)");
  if (width < 1 || height < 1 || width > kMaxSide || height > kMaxSide) {
    return Invalid(what, "the size is " + std::to_string(width) + " x " + std::to_string(height) +
                             ", expected sides from 1 to " + std::to_string(kMaxSide));
  }
  if ((stride < 0 ? stride > -row : stride < row)) {
    return Invalid(what, "a stride of " + std::to_string(stride) + " bytes does not hold a row of " +
                             std::to_string(row) + " bytes");
  }
  return {};
}

}  // namespace

int BytesPerPixel(PixelFormat format) {
  switch (format) {
    case PixelFormat::kRgb:
    case PixelFormat::kBgr:
      return 3;
    case PixelFormat::kRgba:
    case PixelFormat::kBgra:
      return 4;
    case PixelFormat::kNv12:
      return 0;
  }
  return 0;
}

Status Validate(const ImageView& image, const char* what) {
  if (image.format == PixelFormat::kNv12) {
    SEGCORE_RETURN_IF_ERROR(ValidatePixels(what, image.data, image.width, image.height, image.stride, image.width));
    if (image.chroma == nullptr) return Invalid(what, "NV12 without its chroma plane (null pointer)");
    const std::ptrdiff_t row = 2 * ((image.width + 1) / 2);
    if (image.chroma_stride < 0 ? image.chroma_stride > -row : image.chroma_stride < row) {
      return Invalid(what, "a chroma stride of " + std::to_string(image.chroma_stride) +
                               " bytes does not hold a row of " + std::to_string(row) + " bytes");
    }
    if (image.matrix < YuvMatrix::kBt601Limited || image.matrix > YuvMatrix::kBt709Full) {
      return Invalid(what, "unknown YUV matrix " + std::to_string(static_cast<int>(image.matrix)));
    }
    return {};
  }
  const int bytes = BytesPerPixel(image.format);
  if (bytes == 0) return Invalid(what, "unknown pixel format " + std::to_string(static_cast<int>(image.format)));
  return ValidatePixels(what, image.data, image.width, image.height, image.stride,
                        static_cast<std::ptrdiff_t>(image.width) * bytes);
}

Status Validate(const MutableImageView& image, const char* what) {
  if (image.format == PixelFormat::kNv12) return Invalid(what, "NV12 cannot be drawn to; use BGRA, RGBA, BGR or RGB");
  return Validate(ImageView(image), what);
}

Status Validate(const PlaneView& plane, const char* what) {
  return ValidatePixels(what, plane.data, plane.width, plane.height, plane.stride, plane.width);
}

Status Validate(const MutablePlaneView& plane, const char* what) { return Validate(PlaneView(plane), what); }

Status Validate(Orientation orientation) {
  if (orientation.rotation == 0 || orientation.rotation == 90 || orientation.rotation == 180 ||
      orientation.rotation == 270) {
    return {};
  }
  return Invalid("orientation", "rotation is " + std::to_string(orientation.rotation) + ", allowed: 0, 90, 180, 270");
}

Size Upright(Size stored, Orientation orientation) {
  if (orientation.rotation % 180 == 0) return stored;
  return {stored.height, stored.width};
}

}  // namespace segcore
