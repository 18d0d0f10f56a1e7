// SPDX-License-Identifier: Apache-2.0
#include "segcore/image.h"

#include <gtest/gtest.h>

#include <vector>

namespace segcore {
namespace {

TEST(Image, AFrameWithoutPixelsIsRefused) { EXPECT_EQ(Validate(ImageView{}, "frame").code(), Code::kInvalidArgument); }

TEST(Image, AbsurdSizesAreRefused) {
  const std::uint8_t pixel[4] = {};
  for (const Size size : {Size{0, 1}, Size{1, 0}, Size{-1, 1}, Size{kMaxSide + 1, 1}, Size{1, 1 << 30}}) {
    EXPECT_FALSE(Validate(ImageView{pixel, size.width, size.height, 1LL << 40, PixelFormat::kBgr}, "frame").ok());
  }
}

TEST(Image, AStrideHoldsARowUpwardsOrDownwards) {
  std::vector<std::uint8_t> pixels(64);
  for (const std::ptrdiff_t stride : {9, 10, -9, -16}) {
    EXPECT_TRUE(Validate(ImageView{pixels.data(), 3, 2, stride, PixelFormat::kRgb}, "frame").ok()) << stride;
  }
  for (const std::ptrdiff_t stride : {0, 8, -8}) {
    EXPECT_FALSE(Validate(ImageView{pixels.data(), 3, 2, stride, PixelFormat::kRgb}, "frame").ok()) << stride;
  }
}

TEST(Image, Nv12NeedsItsChromaAndCannotBeDrawnTo) {
  std::uint8_t pixels[64] = {};
  ImageView frame{pixels, 5, 3, 5, PixelFormat::kNv12};
  EXPECT_FALSE(Validate(frame, "frame").ok());
  frame.chroma = pixels + 15;
  frame.chroma_stride = 5;
  EXPECT_FALSE(Validate(frame, "frame").ok()) << "three pairs need six bytes";
  frame.chroma_stride = 6;
  EXPECT_TRUE(Validate(frame, "frame").ok());
  EXPECT_FALSE(Validate(MutableImageView{pixels, 5, 3, 5, PixelFormat::kNv12}, "out").ok());
}

TEST(Image, OnlyQuarterTurnsAreOrientations) {
  for (const int rotation : {0, 90, 180, 270}) EXPECT_TRUE(Validate(Orientation{rotation, true}).ok());
  for (const int rotation : {-90, 45, 360}) EXPECT_FALSE(Validate(Orientation{rotation, false}).ok());
  EXPECT_EQ(Upright({640, 480}, {90, false}), (Size{480, 640}));
}

}  // namespace
}  // namespace segcore
