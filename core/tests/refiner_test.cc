// SPDX-License-Identifier: Apache-2.0
#include "segcore/refiner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <random>
#include <vector>

#include "allocations.h"
#include "reference.h"

namespace segcore {
namespace {

using reference::AtEveryLevel;

constexpr Size kSize{48, 40};
constexpr int kBand = 24;  // changes of alpha up to this are held where the picture is still

Mask MakeMask(Size size, const std::function<int(int, int)>& alpha, const std::function<int(int, int)>& grey) {
  Mask mask;
  mask.size = mask.picture_size = size;
  mask.content = {0, 0, size.height, size.width};
  mask.frame = {160, 90};
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      mask.alpha.push_back(static_cast<std::uint8_t>(std::clamp(alpha(x, y), 0, 255)));
      mask.picture.insert(mask.picture.end(), 3, static_cast<std::uint8_t>(std::clamp(grey(x, y), 0, 255)));
    }
  }
  return mask;
}

/// A person, bright on dark, whose left edge is a column of the mask.
Mask Person(int column) {
  return MakeMask(
      kSize, [=](int x, int) { return x >= column ? 255 : 0; }, [=](int x, int) { return x >= column ? 190 : 60; });
}

/// The same seen by a noisy sensor and a network that passes the noise on.
Mask Noisy(Mask mask, std::mt19937& random, double picture, double alpha) {
  std::normal_distribution<double> normal;
  const auto add = [&](std::vector<std::uint8_t>& values, double sigma) {
    for (std::uint8_t& value : values) {
      value = static_cast<std::uint8_t>(std::clamp<long>(std::lround(value + sigma * normal(random)), 0, 255));
    }
  };
  add(mask.picture, picture);
  add(mask.alpha, alpha);
  return mask;
}

std::vector<std::uint8_t> Smoothed(Refiner& refiner, Mask mask) {
  const Status status = refiner.Smooth(&mask);
  EXPECT_TRUE(status.ok()) << status.message();
  return mask.alpha;
}

/// Mean absolute difference of two alphas.
double Difference(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]);
  return sum / static_cast<double>(a.size());
}

int LargestDifference(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b) {
  int largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

std::vector<std::uint8_t> Upsampled(Refiner& refiner, const Mask& mask, const ImageView& frame) {
  std::vector<std::uint8_t> alpha(static_cast<std::size_t>(frame.width) * frame.height, 99);
  const Status status = refiner.Upsample(mask, frame, {alpha.data(), frame.width, frame.height, frame.width});
  EXPECT_TRUE(status.ok()) << status.message();
  return alpha;
}

// --- smoothing ---------------------------------------------------------------------------------------------------

TEST(Smooth, OffLeavesTheMaskAsItIs) {
  Refiner refiner({false, false});
  std::mt19937 random(1);
  for (int frame = 0; frame < 4; ++frame) {
    const Mask mask = Noisy(Person(20 + frame), random, 3, 20);
    EXPECT_EQ(Smoothed(refiner, mask), mask.alpha);
  }
}

TEST(Smooth, WhatDoesNotChangeIsKeptToTheBit) {
  Refiner refiner({});
  const Mask mask = MakeMask(kSize, [](int x, int y) { return x * 7 + y; }, [](int x, int y) { return x * 3 + y * 2; });
  for (int frame = 0; frame < 50; ++frame) ASSERT_EQ(Smoothed(refiner, mask), mask.alpha) << frame;
}

TEST(Smooth, AMaskThatMovesWithItsPictureIsFollowedWithinTheFrame) {
  Refiner refiner({});
  for (const int column : {10, 20, 21, 14, 30}) {
    EXPECT_EQ(Smoothed(refiner, Person(column)), Person(column).alpha) << column;
  }
}

TEST(Smooth, NoiseIsHeldToATenthWhileThePictureIsStill) {
  Refiner refiner({});
  std::mt19937 random(7);
  std::vector<std::uint8_t> raw, smoothed;
  double off = 0, on = 0;
  for (int frame = 0; frame < 40; ++frame) {
    const Mask mask = Noisy(Person(20), random, 2, 6);
    const std::vector<std::uint8_t> alpha = Smoothed(refiner, mask);
    if (frame > 0) {
      off += Difference(mask.alpha, raw);
      on += Difference(alpha, smoothed);
    }
    raw = mask.alpha;
    smoothed = alpha;
  }
  EXPECT_LT(on, off / 10);
}

TEST(Smooth, AMovementBelowTheNoiseOfOneFrameAddsUpUntilItIsFollowed) {
  Refiner refiner({});
  std::mt19937 random(3);
  for (int frame = 0; frame <= 120; ++frame) {  // an edge that takes ten frames for a column
    const double edge = 10 + frame / 10.0;
    const Mask mask = MakeMask(
        kSize, [=](int x, int) { return static_cast<int>(255 * std::clamp(x + 1 - edge, 0.0, 1.0)); },
        [=](int x, int) { return static_cast<int>(60 + 90 * std::clamp(x + 1 - edge, 0.0, 1.0)); });
    const std::vector<std::uint8_t> alpha = Smoothed(refiner, Noisy(mask, random, 1.5, 0));
    ASSERT_LE(LargestDifference(alpha, mask.alpha), 2 * kBand) << frame;
  }
}

TEST(Smooth, AMaskThatTurnsOverAStillPictureComesToTheRightSideInThreeFramesAndFadesOut) {
  Refiner refiner({});
  const auto still = [](int value) {
    return MakeMask(kSize, [=](int, int) { return value; }, [](int, int) { return 100; });
  };
  Smoothed(refiner, still(255));
  std::uint8_t before = 255;
  for (int frame = 1; frame <= 120; ++frame) {
    const std::uint8_t now = Smoothed(refiner, still(0))[0];
    ASSERT_LE(now, before) << "never away from it";
    ASSERT_TRUE(frame < 3 || now <= 127) << frame;
    before = now;
  }
  EXPECT_LE(before, 2 * kBand);
}

TEST(Smooth, AnUncertainMaskMovesWhatIsHeldLessThanACertainOne) {
  const auto after = [](int value) {
    Refiner refiner({});
    const auto still = [](int alpha) {
      return MakeMask(kSize, [=](int, int) { return alpha; }, [](int, int) { return 100; });
    };
    Smoothed(refiner, still(value + 80));
    std::uint8_t alpha = 0;
    for (int frame = 0; frame < 10; ++frame) alpha = Smoothed(refiner, still(value))[0];
    return value + 80 - alpha;
  };
  EXPECT_LT(2 * after(130), after(175)) << "towards 130 it moves less than half as far as towards 175";
}

TEST(Smooth, ABrighterPictureIsNoMovement) {
  Refiner refiner({});
  std::mt19937 random(5);
  const auto lit = [&](int exposure) {
    return Noisy(MakeMask(
                     kSize, [](int x, int) { return x >= 20 ? 255 : 0; },
                     [=](int x, int) { return exposure + (x >= 20 ? 150 : 60); }),
                 random, 0, 6);
  };
  Mask first = lit(0);
  const std::vector<std::uint8_t> start = Smoothed(refiner, first);
  for (const int exposure : {12, -8, 20, 0}) {
    EXPECT_LT(Difference(Smoothed(refiner, lit(exposure)), start), 0.5) << exposure;
  }
}

TEST(Smooth, StartsAnewWithAnotherSizeContentOrOrientationAndAfterReset) {
  const auto change = [](const char* what, const std::function<void(Refiner&, Mask&)>& apply) {
    SCOPED_TRACE(what);
    Refiner refiner({});
    Mask before = Person(20), after = Person(20);
    std::fill(after.alpha.begin(), after.alpha.end(), 90);  // over a still picture this would be held
    EXPECT_EQ(Smoothed(refiner, before), before.alpha);
    apply(refiner, after);
    EXPECT_EQ(Smoothed(refiner, after), after.alpha);
  };
  change("orientation", [](Refiner&, Mask& mask) { mask.orientation = {180, false}; });
  change("mirrored", [](Refiner&, Mask& mask) { mask.orientation = {0, true}; });
  change("content", [](Refiner&, Mask& mask) { mask.content = {2, 0, 30, 48}; });
  change("frame", [](Refiner&, Mask& mask) { mask.frame = {320, 180}; });
  change("reset", [](Refiner& refiner, Mask&) { refiner.Reset(); });
  change("size", [](Refiner&, Mask& mask) {
    mask = MakeMask({40, 48}, [](int, int) { return 90; }, [](int, int) { return 60; });
  });
}

TEST(Smooth, WorksWithAMaskOfAnotherSizeThanThePicture) {
  Refiner refiner({});
  const auto half = [](int column) {
    Mask mask = Person(2 * column);
    mask.size = {24, 20};
    mask.content = {0, 0, 20, 24};
    mask.alpha.assign(24 * 20, 0);
    for (int i = 0; i < 24 * 20; ++i) mask.alpha[static_cast<std::size_t>(i)] = i % 24 >= column ? 255 : 0;
    return mask;
  };
  for (const int column : {10, 4, 15}) EXPECT_EQ(Smoothed(refiner, half(column)), half(column).alpha);
}

TEST(Smooth, EveryLevelOfVectorsGivesTheSameBits) {
  std::vector<std::vector<std::uint8_t>> expected;
  AtEveryLevel([&] {
    Refiner refiner({});
    std::mt19937 random(11);
    for (std::size_t frame = 0; frame < 12; ++frame) {
      const int column = 20 + static_cast<int>(frame % 5);
      const std::vector<std::uint8_t> alpha = Smoothed(refiner, Noisy(Person(column), random, 4, 40));
      if (expected.size() <= frame) expected.push_back(alpha);
      ASSERT_EQ(alpha, expected[frame]) << frame;
    }
  });
}

TEST(Smooth, RefusesAMaskThatIsNotWhatItSays) {
  Refiner refiner({});
  EXPECT_EQ(refiner.Smooth(nullptr).code(), Code::kInvalidArgument);
  for (const auto& spoil : std::vector<std::function<void(Mask&)>>{
           [](Mask& mask) { mask.alpha.pop_back(); },
           [](Mask& mask) { mask.picture.clear(); },
           [](Mask& mask) { mask.size = {}; },
           [](Mask& mask) { mask.picture_size = {-1, -1}; },
           [](Mask& mask) { mask.content.left = 1; },
           [](Mask& mask) { mask.content = {-1, 0, 1, 1}; },
       }) {
    Mask mask = Person(20);
    spoil(mask);
    EXPECT_EQ(refiner.Smooth(&mask).code(), Code::kInvalidArgument);
  }
  EXPECT_EQ(Smoothed(refiner, Person(20)), Person(20).alpha) << "and goes on";
}

// --- enlarging ---------------------------------------------------------------------------------------------------

/// A frame whose person is larger than the mask knows to a pixel: grey on grey.
reference::Frame FrameOf(const Mask& mask, PixelFormat format, const std::function<int(int, int)>& grey) {
  reference::Frame frame = reference::MakeFrame(mask.frame, format, 5, false, 1, YuvMatrix::kBt601Full);
  const int bytes = format == PixelFormat::kNv12 ? 1 : BytesPerPixel(format);
  for (int y = 0; y < mask.frame.height; ++y) {
    for (int x = 0; x < mask.frame.width; ++x) {
      std::uint8_t* pixel = frame.memory.data() + y * frame.view.stride + x * bytes;
      std::fill(pixel, pixel + bytes, static_cast<std::uint8_t>(grey(x, y)));
    }
  }
  std::fill(frame.chroma.begin(), frame.chroma.end(), 128);
  return frame;
}

TEST(Upsample, PlainIsTheAlphaResizer) {
  Refiner refiner({true, false});
  const Mask mask = Person(13);
  const reference::Frame frame = FrameOf(mask, PixelFormat::kBgr, [](int x, int) { return x; });
  std::vector<std::uint8_t> expected(160 * 90);
  ASSERT_TRUE(AlphaResizer().Run(mask, {expected.data(), 160, 90, 160}).ok());
  EXPECT_EQ(Upsampled(refiner, mask, frame.view), expected);
}

TEST(Upsample, GuidedByAFlatPictureIsPlain) {
  Refiner plain({true, false}), guided({true, true});
  for (const int grey : {0, 100, 255}) {
    const Mask mask =
        MakeMask(kSize, [](int x, int y) { return 5 * x + (y > 20 ? 60 : 0); }, [=](int, int) { return grey; });
    const reference::Frame frame = FrameOf(mask, PixelFormat::kRgb, [=](int, int) { return grey; });
    EXPECT_EQ(Upsampled(guided, mask, frame.view), Upsampled(plain, mask, frame.view)) << grey;
  }
}

TEST(Upsample, GuidedLeavesWhatIsCertainAsItIs) {
  Refiner guided({true, true});
  for (const int value : {0, 255}) {
    const Mask mask =
        MakeMask(kSize, [=](int, int) { return value; }, [](int x, int y) { return (x * 37 + y * 91) % 256; });
    const reference::Frame frame = FrameOf(mask, PixelFormat::kBgra, [](int x, int y) { return (x * y) % 256; });
    EXPECT_EQ(Upsampled(guided, mask, frame.view), std::vector<std::uint8_t>(160 * 90, value));
  }
}

/// How many pixels of a frame lie on the wrong side of an edge at a column of it.
int Wrong(const std::vector<std::uint8_t>& alpha, int width, int edge) {
  int wrong = 0;
  for (std::size_t i = 0; i < alpha.size(); ++i) {
    wrong += (alpha[i] > 127) != (static_cast<int>(i % static_cast<std::size_t>(width)) >= edge);
  }
  return wrong;
}

TEST(Upsample, GuidedDrawsASoftMasksEdgeToThePicturesEdge) {
  Refiner plain({true, false}), guided({true, true});
  for (const PixelFormat format : {PixelFormat::kBgr, PixelFormat::kRgb, PixelFormat::kRgba, PixelFormat::kNv12}) {
    // The picture's edge lies at column 24 of 48, or 80 of 160; the network is off by a pixel and a half, and soft.
    const Mask mask =
        MakeMask(kSize, [](int x, int) { return 128 + (x - 25) * 32; }, [](int x, int) { return x >= 24 ? 200 : 50; });
    const reference::Frame frame = FrameOf(mask, format, [](int x, int) { return x >= 80 ? 200 : 50; });
    const int off = Wrong(Upsampled(plain, mask, frame.view), 160, 80);
    ASSERT_GT(off, 300);
    EXPECT_LT(Wrong(Upsampled(guided, mask, frame.view), 160, 80), off / 10) << static_cast<int>(format);
  }
}

TEST(Upsample, GuidedIsTheSameFromEverySide) {
  const auto value = [](int x, int y) { return 128 + (x - 20) * 24 + (y - 18) * 9; };
  const auto grey = [](int x, int y) { return x + y / 2 >= 30 ? 200 : 50; };
  const Mask upright = MakeMask(kSize, value, grey);
  const auto picture = [](int x, int y) { return x + y >= 100 ? 190 : 60; };
  for (const Orientation orientation : reference::Orientations()) {
    Mask mask = upright;
    mask.orientation = orientation;
    mask.content = {4, 3, 30, 40};
    const Size shown{160, 120};  // 40 x 30, four times
    mask.frame = Upright(shown, orientation);
    reference::Picture seen(shown, 1);
    for (int y = 0; y < shown.height; ++y) {
      for (int x = 0; x < shown.width; ++x) seen.at(x, y, 0) = static_cast<std::uint8_t>(picture(x, y));
    }
    const reference::Picture stored = reference::TurnBack(seen, orientation);
    const reference::Frame frame =
        FrameOf(mask, PixelFormat::kRgb, [&](int x, int y) { return int{stored.at(x, y, 0)}; });
    Refiner refiner({true, true});
    reference::Picture result(mask.frame, 1);
    result.bytes = Upsampled(refiner, mask, frame.view);
    static std::vector<std::uint8_t> expected;
    const std::vector<std::uint8_t> turned = reference::TurnUpright(result, orientation).bytes;
    if (expected.empty()) expected = turned;
    EXPECT_LE(LargestDifference(turned, expected), 2) << orientation.rotation << orientation.mirrored;
  }
}

TEST(Upsample, GuidedGivesTheSameBitsAtEveryLevelOfVectorsAndSize) {
  for (const Size size : {Size{160, 90}, Size{97, 61}, Size{20, 30}, Size{1, 1}}) {
    Mask mask = MakeMask(
        kSize, [](int x, int y) { return 128 + (x - 25) * 24 - y; },
        [](int x, int y) { return (x * 31 + y * 17) % 256; });
    mask.frame = size;
    const reference::Frame frame = reference::MakeFrame(size, PixelFormat::kNv12, 3, true, 4);
    std::vector<std::uint8_t> expected;
    AtEveryLevel([&] {
      Refiner refiner({true, true});
      const std::vector<std::uint8_t> alpha = Upsampled(refiner, mask, frame.view);
      if (expected.empty()) expected = alpha;
      EXPECT_EQ(alpha, expected);
    });
  }
}

TEST(Upsample, GuidedWorksWithAMaskOfAnotherSizeThanThePicture) {
  Refiner guided({true, true});
  Mask mask = Person(24);
  mask.size = {24, 20};
  mask.content = {0, 0, 20, 24};
  mask.alpha.assign(24 * 20, 0);
  for (int i = 0; i < 24 * 20; ++i) {
    mask.alpha[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(std::clamp(128 + (i % 24 - 12) * 40, 0, 255));
  }
  const reference::Frame frame = FrameOf(mask, PixelFormat::kBgr, [](int x, int) { return x >= 80 ? 190 : 60; });
  EXPECT_LT(Wrong(Upsampled(guided, mask, frame.view), 160, 80), 90);
}

TEST(Upsample, RefusesAFrameThatTheMaskWasNotMadeFrom) {
  Refiner guided({true, true});
  const Mask mask = Person(20);
  std::vector<std::uint8_t> alpha(160 * 90);
  const MutablePlaneView out{alpha.data(), 160, 90, 160};
  EXPECT_EQ(guided.Upsample(mask, ImageView{}, out).code(), Code::kInvalidArgument);
  Mask other = mask;
  other.frame = {80, 45};
  const reference::Frame small = FrameOf(other, PixelFormat::kBgr, [](int, int) { return 0; });
  EXPECT_EQ(guided.Upsample(mask, small.view, out).code(), Code::kInvalidArgument);
  Mask without = mask;
  without.picture.clear();
  const reference::Frame frame = FrameOf(mask, PixelFormat::kBgr, [](int, int) { return 0; });
  EXPECT_EQ(guided.Upsample(without, frame.view, out).code(), Code::kInvalidArgument);
}

TEST(Refine, AllocatesNothingAfterTheFirstFrame) {
  for (const PixelFormat format : {PixelFormat::kBgr, PixelFormat::kNv12}) {
    Refiner refiner({true, true});
    Mask mask = Person(20);
    const reference::Frame frame = FrameOf(mask, format, [](int x, int) { return x; });
    std::vector<std::uint8_t> alpha(160 * 90);
    const MutablePlaneView out{alpha.data(), 160, 90, 160};
    ASSERT_TRUE(refiner.Smooth(&mask).ok() && refiner.Upsample(mask, frame.view, out).ok());
    const std::uint64_t before = Allocations();
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(refiner.Smooth(&mask).ok() && refiner.Upsample(mask, frame.view, out).ok());
    }
    EXPECT_EQ(Allocations() - before, 0u);
  }
}

}  // namespace
}  // namespace segcore
