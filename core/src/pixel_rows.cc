// SPDX-License-Identifier: Apache-2.0
#include "pixel_rows.h"

#include <algorithm>

#include "simd.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "pixels are put together as little-endian words"
#endif

namespace segcore {
namespace {

/// In units of 2^-13, rounded to the nearest; products of 16 bits each, sums of 32.
struct YuvCoefficients {
  std::int16_t black, luma, red_cr, green_cb, green_cr, blue_cb;
};

constexpr int kShift = 13;
constexpr YuvCoefficients kYuv[4] = {
    {16, 9539, 13075, -3209, -6660, 16525},  // BT.601, limited range
    {0, 8192, 11485, -2819, -5850, 14516},   // BT.601, full range
    {16, 9539, 14686, -1747, -4366, 17305},  // BT.709, limited range
    {0, 8192, 12901, -1535, -3835, 15201},   // BT.709, full range
};

/// Two bytes, wherever they lie.
typedef std::uint16_t Pair __attribute__((aligned(1), may_alias));

/// What a pair of chroma adds to red, green and blue.
struct Tint {
  int red, green, blue;
};

SEGCORE_INLINE Tint TintOf(Pair chroma, YuvCoefficients c) {
  const auto cb = static_cast<std::int16_t>((chroma & 255) - 128);
  const auto cr = static_cast<std::int16_t>((chroma >> 8) - 128);
  constexpr int kHalf = 1 << (kShift - 1);
  return {cr * c.red_cr + kHalf, cb * c.green_cb + cr * c.green_cr + kHalf, cb * c.blue_cb + kHalf};
}

SEGCORE_INLINE std::uint32_t Byte(int value) {
  return static_cast<std::uint32_t>(std::min(std::max(value >> kShift, 0), 255));
}

SEGCORE_INLINE std::uint32_t Pixel(int luma, Tint tint, YuvCoefficients c) {
  const int grey = static_cast<std::int16_t>(luma - c.black) * c.luma;
  return Byte(grey + tint.red) | Byte(grey + tint.green) << 8 | Byte(grey + tint.blue) << 16;
}

SEGCORE_INLINE void ConvertRowBody(const std::uint8_t* luma, const std::uint8_t* chroma, int width, YuvCoefficients c,
                                   std::uint32_t* __restrict out) {
  const Pair* __restrict lumas = reinterpret_cast<const Pair*>(luma);
  const Pair* __restrict chromas = reinterpret_cast<const Pair*>(chroma);
  const int pairs = width / 2;
  for (int i = 0; i < pairs; ++i) {
    const Tint tint = TintOf(chromas[i], c);
    out[2 * i] = Pixel(lumas[i] & 255, tint, c);
    out[2 * i + 1] = Pixel(lumas[i] >> 8, tint, c);
  }
  if (width % 2 == 1) out[width - 1] = Pixel(luma[width - 1], TintOf(chromas[pairs], c), c);
}
SEGCORE_KERNEL(ConvertRow,
               (const std::uint8_t* luma, const std::uint8_t* chroma, int width, YuvCoefficients c, std::uint32_t* out),
               (luma, chroma, width, c, out))

}  // namespace

void PixelRows::Open(const ImageView& frame) {
  frame_ = frame;
  const bool nv12 = frame.format == PixelFormat::kNv12;
  bytes_ = nv12 ? 4 : BytesPerPixel(frame.format);
  blue_first_ = frame.format == PixelFormat::kBgr || frame.format == PixelFormat::kBgra;
  converted_ = -1;
  if (nv12 && buffer_.size() < static_cast<std::size_t>(frame.width)) buffer_.resize(frame.width);
}

const std::uint8_t* PixelRows::Row(int y) {
  const std::uint8_t* row = frame_.data + y * frame_.stride;
  if (frame_.format != PixelFormat::kNv12) return row;
  if (y != converted_) {
    ConvertRow(row, frame_.chroma + y / 2 * frame_.chroma_stride, frame_.width, kYuv[static_cast<int>(frame_.matrix)],
               buffer_.data());
    converted_ = y;
  }
  return reinterpret_cast<const std::uint8_t*>(buffer_.data());
}

}  // namespace segcore
