// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <random>

#include "allocations.h"
#include "reference.h"
#include "segcore/segmenter.h"

namespace segcore {
namespace {

using reference::AtEveryLevel;
using reference::Picture;

Mask MakeMask(Size size, Rect content, Size frame, Orientation orientation) {
  Mask mask;
  mask.size = size;
  mask.alpha = reference::Noise(size, 1, size.width).bytes;
  mask.content = content;
  mask.frame = frame;
  mask.orientation = orientation;
  return mask;
}

/// The definition: cut to the content, turn back, resize.
Picture Expected(const Mask& mask) {
  Picture content({mask.content.width, mask.content.height}, 1);
  for (int y = 0; y < mask.content.height; ++y) {
    for (int x = 0; x < mask.content.width; ++x) {
      content.at(x, y, 0) = mask.alpha[(mask.content.top + y) * mask.size.width + mask.content.left + x];
    }
  }
  return reference::Resize(reference::TurnBack(content, mask.orientation), mask.frame);
}

void ExpectExact(AlphaResizer& resizer, const Mask& mask) {
  const std::ptrdiff_t stride = mask.frame.width + 3;
  std::vector<std::uint8_t> memory(stride * mask.frame.height, 77);

  const Status status = resizer.Run(mask, {memory.data(), mask.frame.width, mask.frame.height, stride});

  ASSERT_TRUE(status.ok()) << status.message();
  const Picture expected = Expected(mask);
  for (int y = 0; y < mask.frame.height; ++y) {
    const std::uint8_t* row = memory.data() + y * stride;
    ASSERT_TRUE(std::equal(row, row + mask.frame.width, &expected.bytes[std::size_t(y) * mask.frame.width])) << y;
    for (int x = mask.frame.width; x < stride; ++x) ASSERT_EQ(row[x], 77) << "between rows nothing is written";
  }
}

TEST(Alpha, IsExactForEveryOrientationAndLetterbox) {
  AtEveryLevel([] {
    AlphaResizer resizer;
    for (const Orientation orientation : reference::Orientations()) {
      SCOPED_TRACE("rotation " + std::to_string(orientation.rotation));
      for (const Size frame : {Size{160, 90}, Size{91, 163}, Size{20, 11}, Size{1, 1}, Size{1, 200}, Size{28, 28}}) {
        ExpectExact(resizer, MakeMask({28, 28}, {0, 0, 28, 28}, frame, orientation));
        ExpectExact(resizer, MakeMask({28, 20}, {2, 0, 16, 28}, frame, orientation));
        ExpectExact(resizer, MakeMask({17, 28}, {3, 8, 19, 1}, frame, orientation));
      }
    }
  });
}

TEST(Alpha, IsExactForSizesDrawnAtRandom) {
  std::mt19937 random(3);
  AtEveryLevel([&] {
    AlphaResizer resizer;
    for (int i = 0; i < 60; ++i) {
      const auto side = [&] { return static_cast<int>(1 + random() % 40); };
      const Size size{side(), side()};
      const int top = static_cast<int>(random() % size.height), left = static_cast<int>(random() % size.width);
      const Rect content{top, left, size.height - top, size.width - left};
      ExpectExact(resizer, MakeMask(size, content, {side() * 5, side() * 2}, reference::Orientations()[random() % 8]));
    }
  });
}

TEST(Alpha, NothingIsAllocatedAfterTheFirstMaskOfASize) {
  std::vector<std::uint8_t> memory(std::size_t{160} * 90);
  for (const Orientation orientation : reference::Orientations()) {
    AlphaResizer resizer;
    const Mask mask = MakeMask({28, 28}, {2, 0, 20, 28}, {160, 90}, orientation);
    const MutablePlaneView alpha{memory.data(), 160, 90, 160};
    ASSERT_TRUE(resizer.Run(mask, alpha).ok());
    const std::uint64_t before = Allocations();
    ASSERT_TRUE(resizer.Run(mask, alpha).ok());
    EXPECT_EQ(Allocations(), before) << "rotation " << orientation.rotation;
  }
}

TEST(Alpha, AMaskThatContradictsItselfIsRefused) {
  AlphaResizer resizer;
  std::vector<std::uint8_t> memory(100);
  const MutablePlaneView alpha{memory.data(), 10, 10, 10};
  const Mask good = MakeMask({4, 4}, {0, 0, 4, 4}, {10, 10}, {});
  const auto code = [&](auto spoil) {
    Mask mask = good;
    spoil(mask);
    return resizer.Run(mask, alpha).code();
  };

  EXPECT_EQ(code([](Mask& mask) { mask.alpha.pop_back(); }), Code::kInvalidArgument);
  EXPECT_EQ(code([](Mask& mask) { mask.size = {-4, -4}; }), Code::kInvalidArgument);
  EXPECT_EQ(code([](Mask& mask) { mask.content.top = 1; }), Code::kInvalidArgument);
  EXPECT_EQ(code([](Mask& mask) { mask.content.left = -1; }), Code::kInvalidArgument);
  EXPECT_EQ(code([](Mask& mask) { mask.content.width = 0; }), Code::kInvalidArgument);
  EXPECT_EQ(code([](Mask& mask) { mask.frame = {11, 10}; }), Code::kInvalidArgument);
  EXPECT_EQ(code([](Mask& mask) { mask.orientation.rotation = 1; }), Code::kInvalidArgument);
  EXPECT_EQ(resizer.Run(good, {nullptr, 10, 10, 10}).code(), Code::kInvalidArgument);
  EXPECT_TRUE(resizer.Run(good, alpha).ok());
}

}  // namespace
}  // namespace segcore
