// SPDX-License-Identifier: Apache-2.0
#include "resize.h"

#include <gtest/gtest.h>

#include <random>

#include "reference.h"

namespace segcore {
namespace {

using reference::AtEveryLevel;
using reference::Noise;
using reference::Picture;

std::string Text(Size size) { return std::to_string(size.width) + " x " + std::to_string(size.height); }

/// Resizes with `resampler` into memory with a gap between rows; the fourth byte of a pixel is dropped.
Picture Resize(Resampler& resampler, const Picture& in, Size to) {
  const int lanes = in.channels == 1 ? 1 : 4;
  const std::ptrdiff_t stride = to.width * lanes + 5;
  std::vector<std::uint8_t> memory(stride * to.height);
  PlaneRows rows({in.bytes.data(), in.size.width, in.size.height, std::ptrdiff_t{in.size.width} * in.channels});
  resampler.Prepare(in.size, to, in.channels);
  resampler.Run(rows, memory.data(), stride);
  Picture out(to, std::min(in.channels, 3));
  for (int y = 0; y < to.height; ++y) {
    for (int x = 0; x < to.width; ++x) {
      for (int c = 0; c < out.channels; ++c) out.at(x, y, c) = memory[y * stride + x * lanes + c];
    }
  }
  return out;
}

Picture Expected(const Picture& in, Size to) {
  const Picture all = reference::Resize(in, to);
  if (in.channels < 4) return all;
  Picture colours(to, 3);
  for (int y = 0; y < to.height; ++y) {
    for (int x = 0; x < to.width; ++x) {
      for (int c = 0; c < 3; ++c) colours.at(x, y, c) = all.at(x, y, c);
    }
  }
  return colours;
}

void ExpectExact(Size from, Size to) {
  SCOPED_TRACE(Text(from) + " to " + Text(to));
  Resampler resampler;
  for (const int channels : {1, 3, 4}) {
    const Picture in = Noise(from, channels, from.width * 31 + to.height);
    EXPECT_EQ(Resize(resampler, in, to).bytes, Expected(in, to).bytes) << channels << " bytes";
  }
}

TEST(Resize, IsExactForAllSmallSizes) {
  AtEveryLevel([] {
    for (int in = 1; in <= 9; ++in) {
      for (int out = 1; out <= 9; ++out) {
        ExpectExact({in, 10 - out}, {out, in});
        ExpectExact({in, in}, {out, out});
      }
    }
  });
}

TEST(Resize, IsExactWhereSidesShareFactorsAndWhereTheyDoNot) {
  AtEveryLevel([] {
    ExpectExact({160, 90}, {28, 28});   // 1280 x 720 to 224, an eighth of each
    ExpectExact({28, 28}, {160, 90});   // and back
    ExpectExact({28, 28}, {240, 135});  // 1080p: the denominator of both axes needs more than a float's half
    ExpectExact({161, 89}, {28, 27});   // no factor in common
    ExpectExact({27, 29}, {160, 91});
    ExpectExact({97, 300}, {96, 299});  // sums over rows beyond 16 bits
    ExpectExact({131, 13}, {17, 40});   // one axis shrinks, the other grows
    ExpectExact({13, 131}, {40, 17});
  });
}

TEST(Resize, IsExactForHugeRatios) {
  AtEveryLevel([] {
    ExpectExact({1, kMaxSide}, {1, 1});
    ExpectExact({kMaxSide, 1}, {1, 1});
    ExpectExact({kMaxSide - 1, 2}, {2, 3});
    ExpectExact({2, 4099}, {5, 4098});
    ExpectExact({1, 1}, {513, 67});
    ExpectExact({2, 3}, {1031, 257});
  });
}

TEST(Resize, IsExactForSizesDrawnAtRandom) {
  std::mt19937 random(4);
  AtEveryLevel([&] {
    for (int i = 0; i < 100; ++i) {
      const auto side = [&] { return static_cast<int>(1 + random() % (random() % 2 == 0 ? 20 : 90)); };
      const Size from{side(), side()}, to{side(), side()};
      ExpectExact(from, to);
    }
  });
}

TEST(Resize, WhiteStaysWhiteAndTheSameSizeIsTheSamePicture) {
  AtEveryLevel([] {
    Resampler resampler;
    for (const Size to : {Size{224, 224}, Size{1279, 719}, Size{1280, 720}, Size{1920, 1080}}) {
      Picture white({320, 240}, 1);
      std::fill(white.bytes.begin(), white.bytes.end(), std::uint8_t{255});
      const Picture out = Resize(resampler, white, to);
      EXPECT_EQ(std::count(out.bytes.begin(), out.bytes.end(), 255), to.width * to.height) << Text(to);
    }
    const Picture noise = Noise({123, 45}, 3, 1);
    EXPECT_EQ(Resize(resampler, noise, noise.size).bytes, noise.bytes);
  });
}

TEST(Resize, ASecondPictureOfTheSameSizeKeepsNothingOfTheFirst) {
  for (const Size to : {Size{7, 5}, Size{50, 60}, Size{50, 5}, Size{7, 60}}) {
    Resampler resampler;
    for (const unsigned seed : {1, 2}) {
      const Picture in = Noise({20, 31}, 1, seed);
      EXPECT_EQ(Resize(resampler, in, to).bytes, Expected(in, to).bytes) << Text(to);
    }
  }
}

TEST(Resize, OneResamplerServesOneSizeAfterAnother) {
  Resampler resampler;
  for (const Size to : {Size{7, 5}, Size{50, 60}, Size{7, 5}, Size{20, 60}}) {
    const Picture in = Noise({20, 31}, 3, 2);
    EXPECT_EQ(Resize(resampler, in, to).bytes, Expected(in, to).bytes) << Text(to);
  }
}

}  // namespace
}  // namespace segcore
