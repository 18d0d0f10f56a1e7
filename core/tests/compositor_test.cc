// SPDX-License-Identifier: Apache-2.0
#include "segcore/compositor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "allocations.h"
#include "reference.h"

namespace segcore {
namespace {

using reference::AtEveryLevel;
using reference::Frame;
using reference::MakeFrame;
using reference::Picture;

constexpr PixelFormat kPacked[] = {PixelFormat::kRgb, PixelFormat::kBgr, PixelFormat::kRgba, PixelFormat::kBgra};
constexpr PixelFormat kFormats[] = {PixelFormat::kRgb, PixelFormat::kBgr, PixelFormat::kRgba, PixelFormat::kBgra,
                                    PixelFormat::kNv12};
constexpr Background kBackgrounds[] = {Background::kNone, Background::kBlur, Background::kColour, Background::kImage};
constexpr std::array<std::uint8_t, 3> kColour{17, 130, 201};

CompositorOptions Options(Background background, int feather = 0) {
  CompositorOptions options;
  options.background = background;
  options.feather = feather;
  options.colour = kColour;
  return options;
}

CompositorOptions Blurred(int permille, int feather = 0) {
  CompositorOptions options = Options(Background::kBlur, feather);
  options.blur_permille = permille;
  return options;
}

PlaneView Plane(const Picture& alpha) {
  return {alpha.bytes.data(), alpha.size.width, alpha.size.height, alpha.size.width};
}

ImageView Rgb(const Picture& picture) {
  return {picture.bytes.data(), picture.size.width, picture.size.height, picture.size.width * 3, PixelFormat::kRgb};
}

MutableImageView Rgb(Picture& picture) {
  return {picture.bytes.data(), picture.size.width, picture.size.height, picture.size.width * 3, PixelFormat::kRgb};
}

Picture Paint(Size size, int channels, const std::function<int(int x, int y)>& value) {
  Picture picture(size, channels);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      for (int c = 0; c < channels; ++c) picture.at(x, y, c) = static_cast<std::uint8_t>(value(x, y));
    }
  }
  return picture;
}

/// How far (x, y) is outside a disc in the middle that fills a third of the frame; negative within.
double OutsideDisc(Size size, double x, double y) {
  return std::hypot(x + 0.5 - size.width / 2.0, y + 0.5 - size.height / 2.0) - std::min(size.width, size.height) / 3.0;
}

/// A mask of that disc whose edge is `softness` pixels wide. It is plain in most tiles, as real masks are.
Picture Disc(Size size, double softness) {
  return Paint(size, 1, [=](int x, int y) {
    return std::lround(255 * std::clamp(0.5 - OutsideDisc(size, x, y) / softness, 0.0, 1.0));
  });
}

/// An image to write somewhere inside a larger memory.
struct Canvas {
  Canvas(Size size, PixelFormat format, int gap, bool upwards)
      : memory(static_cast<std::size_t>(size.width * BytesPerPixel(format) + gap) * size.height, 77), row_gap(gap) {
    const std::ptrdiff_t row = size.width * BytesPerPixel(format) + gap;
    view = {memory.data() + (upwards ? row * (size.height - 1) : 0), size.width, size.height, upwards ? -row : row,
            format};
  }

  /// What it shows. Opacity must be 255, and bytes between the rows as they were.
  Picture Show() const {
    Picture picture(view.size(), 3);
    const int bytes = BytesPerPixel(view.format);
    const bool blue_first = view.format == PixelFormat::kBgr || view.format == PixelFormat::kBgra;
    for (int y = 0; y < view.height; ++y) {
      const std::uint8_t* row = view.data + y * view.stride;
      for (int x = 0; x < view.width; ++x) {
        for (int c = 0; c < 3; ++c) picture.at(x, y, c) = row[x * bytes + (blue_first ? 2 - c : c)];
        EXPECT_EQ(bytes == 4 ? row[x * 4 + 3] : 255, 255) << x << ", " << y;
      }
      for (int i = 0; i < row_gap; ++i) EXPECT_EQ(row[view.width * bytes + i], 77) << "written beyond row " << y;
    }
    return picture;
  }

  std::vector<std::uint8_t> memory;
  int row_gap;
  MutableImageView view;
};

Picture Drawn(Compositor& compositor, const Picture& frame, const Picture& alpha) {
  Picture out(frame.size, 3);
  const Status status = compositor.Run(Rgb(frame), Plane(alpha), {}, Rgb(out));
  EXPECT_TRUE(status.ok()) << status.message();
  return out;
}

Picture Hidden(const CompositorOptions& options, const Picture& frame) {
  Compositor compositor(options);
  Picture out(frame.size, 3);
  const Status status = compositor.Hide(Rgb(frame), {}, Rgb(out));
  EXPECT_TRUE(status.ok()) << status.message();
  return out;
}

Picture Drawn(const CompositorOptions& options, const Picture& frame, const Picture& alpha) {
  Compositor compositor(options);
  return Drawn(compositor, frame, alpha);
}

int BlendOne(int alpha, int person, int background) {
  return (alpha * person + (255 - alpha) * background + 127) / 255;
}

// --- The blend ---------------------------------------------------------------------------------------------------

TEST(Compositor, TheBlendIsExactForEveryAlphaPersonAndBackground) {
  const Size size{256, 256};
  const Picture frame = Paint(size, 3, [](int x, int) { return x; });
  const Picture alpha = Paint(size, 1, [](int, int y) { return y; });
  AtEveryLevel([&] {
    CompositorOptions options = Options(Background::kColour);
    Compositor compositor(options);
    for (int background = 0; background < 256; ++background) {
      options.colour.fill(static_cast<std::uint8_t>(background));
      ASSERT_TRUE(compositor.SetOptions(options).ok());
      const Picture out = Drawn(compositor, frame, alpha);
      for (int y = 0; y < 256; ++y) {
        for (int x = 0; x < 256; ++x) ASSERT_EQ(out.at(x, y, 1), BlendOne(y, x, background)) << x << y << background;
      }
    }
  });
}

TEST(Compositor, TheFeatherIsARampBetweenPlainBackgroundAndPlainPerson) {
  const Picture alpha = Paint({256, 1}, 1, [](int x, int) { return x; });
  const Picture white = Paint({256, 1}, 3, [](int, int) { return 255; });
  CompositorOptions options = Options(Background::kColour);
  options.colour = {0, 0, 0};
  for (options.feather = 0; options.feather <= 127; ++options.feather) {
    const Picture out = Drawn(options, white, alpha);
    const int feather = options.feather;
    for (int a = 0; a < 256; ++a) {
      const double ramp = std::clamp((a - feather) / (255.0 - 2 * feather), 0.0, 1.0);
      ASSERT_EQ(out.at(a, 0, 0), static_cast<int>(std::floor(255 * ramp + 0.5))) << "alpha " << a << ", " << feather;
    }
  }
}

TEST(Compositor, EveryFormatSizeAndStrideGivesTheSamePicture) {
  AtEveryLevel([] {
    unsigned seed = 0;
    for (const Size size : {Size{1, 1}, Size{3, 2}, Size{31, 9}, Size{33, 17}, Size{150, 41}}) {
      const Picture alpha = Disc(size, 9);
      for (const PixelFormat in : kFormats) {
        for (const PixelFormat to : kPacked) {
          for (const bool upwards : {false, true}) {
            const Frame frame = MakeFrame(size, in, upwards ? 5 : 0, upwards, ++seed);
            Canvas out(size, to, upwards ? 0 : 7, !upwards);
            Compositor compositor(Options(Background::kColour));
            ASSERT_TRUE(compositor.Run(frame.view, Plane(alpha), {}, out.view).ok());
            const Picture shown = out.Show();
            for (int i = 0; i < size.width * size.height * 3; ++i) {
              ASSERT_EQ(shown.bytes[i], BlendOne(alpha.bytes[i / 3], frame.rgb.bytes[i], kColour[i % 3])) << i;
            }
          }
        }
      }
    }
  });
}

TEST(Compositor, TheOutputMayBeTheFrameItself) {
  const Size size{150, 90};
  const Picture alpha = Disc(size, 9), image = reference::Noise({20, 30}, 3, 4);
  for (const PixelFormat format : kPacked) {
    for (const Background background : kBackgrounds) {
      Compositor compositor({});
      ASSERT_TRUE(compositor.SetImage(Rgb(image)).ok());
      ASSERT_TRUE(compositor.SetOptions(Options(background, 20)).ok());
      Frame frame = MakeFrame(size, format, 0, false, 7);
      Canvas apart(size, format, 0, false), same(size, format, 0, false);
      same.memory = frame.memory;
      ASSERT_TRUE(compositor.Run(frame.view, Plane(alpha), {}, apart.view).ok());
      ASSERT_TRUE(compositor.Run(same.view, Plane(alpha), {}, same.view).ok());
      EXPECT_EQ(apart.Show().bytes, same.Show().bytes) << static_cast<int>(background);
    }
  }
}

// --- Blur --------------------------------------------------------------------------------------------------------

TEST(Compositor, EveryLevelOfVectorsAndEveryFormatBlursToTheSameBits) {
  for (const Size size : {Size{97, 61}, Size{640, 360}}) {
    const Picture alpha = Disc(size, 30);
    for (const int permille : {1, 25, 60, 200}) {
      Picture first({1, 1}, 3);
      AtEveryLevel([&] {
        for (const PixelFormat format : kPacked) {
          const Frame noise = MakeFrame(size, PixelFormat::kRgb, 0, false, 11);
          Canvas frame(size, format, 3, false), out(size, format, 0, true);
          Compositor convert(Options(Background::kNone)), compositor(Blurred(permille, 32));
          ASSERT_TRUE(convert.Run(noise.view, Plane(alpha), {}, frame.view).ok());
          ASSERT_TRUE(compositor.Run(frame.view, Plane(alpha), {}, out.view).ok());
          const Picture shown = out.Show();
          if (first.size != size) first = shown;
          EXPECT_EQ(shown.bytes, first.bytes) << permille;
        }
      });
    }
  }
}

TEST(Compositor, AnEvenBackgroundStaysAsItIs) {
  for (const int permille : {1, 7, 25, 70, 200}) {
    for (const int value : {0, 1, 127, 254, 255}) {
      for (const Size size : {Size{1, 1}, Size{1, 40}, Size{37, 3}, Size{200, 117}}) {
        const Picture even = Paint(size, 3, [&](int, int) { return value; });
        EXPECT_EQ(Hidden(Blurred(permille), even).bytes, even.bytes) << permille;
      }
      const Size size{200, 117};
      const Picture person = Paint(size, 3, [&](int x, int y) { return OutsideDisc(size, x, y) < 0 ? 99 : value; });
      const Picture alpha = Disc(size, 20), out = Drawn(Blurred(permille), person, alpha);
      for (int i = 0; i < size.width * size.height * 3; ++i) {
        ASSERT_EQ(out.bytes[i], BlendOne(alpha.bytes[i / 3], person.bytes[i], value)) << i << ", " << permille;
      }
    }
  }
}

TEST(Compositor, AWhitePersonOnBlackLeavesNoHalo) {
  // The mask has a soft edge, and so has the person.
  const Size size{640, 360};
  for (const double softness : {1.0, 6.0, 16.0, 40.0}) {
    const Picture alpha = Disc(size, softness);
    const Picture frame = Paint(size, 3, [&](int x, int y) { return alpha.at(x, y, 0); });
    for (const int permille : {5, 12, 25, 60, 200}) {
      const Picture out = Drawn(Blurred(permille), frame, alpha);
      for (int y = 0; y < size.height; ++y) {
        for (int x = 0; x < size.width; ++x) {
          const int a = alpha.at(x, y, 0);
          ASSERT_LE(out.at(x, y, 0), BlendOne(a, a, 0) + 1) << x << ", " << y << ", " << softness << ", " << permille;
        }
      }
    }
  }
}

TEST(Compositor, AMaskThatIsACellTooSmallLeavesNoHaloEither) {
  const Size size{1280, 720};  // cells of 8 pixels
  const Picture frame = Paint(size, 3, [&](int x, int y) { return OutsideDisc(size, x, y) < 0 ? 255 : 0; });
  const Picture alpha = Paint(size, 1, [&](int x, int y) { return OutsideDisc(size, x, y) < -7 ? 255 : 0; });
  const Picture out = Drawn(Blurred(25), frame, alpha);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      ASSERT_TRUE(OutsideDisc(size, x, y) < 0 || out.at(x, y, 0) <= 1) << x << ", " << y;
    }
  }
}

TEST(Compositor, FarFromAnyBackgroundTheNearestIsCarriedOn) {
  // All but a strip is a black person whom the mask calls half a person: what shines through is white.
  const Size size{640, 360};
  const Picture frame = Paint(size, 3, [](int x, int) { return x < 40 ? 255 : 0; });
  const Picture alpha = Paint(size, 1, [](int x, int) { return x < 40 ? 0 : 128; });
  const Picture out = Drawn(Blurred(25), frame, alpha);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 40; x < size.width; ++x) ASSERT_EQ(out.at(x, y, 0), BlendOne(128, 0, 255)) << x << ", " << y;
  }
}

TEST(Compositor, WithoutAnyBackgroundItIsGrey) {
  const Size size{64, 48};
  const Picture frame = Paint(size, 3, [](int, int) { return 255; });
  const Picture alpha = Paint(size, 1, [](int, int) { return 100; });
  const Picture out = Drawn(Blurred(25), frame, alpha);
  EXPECT_TRUE(std::all_of(out.bytes.begin(), out.bytes.end(), [](int v) { return v == BlendOne(100, 255, 128); }));
}

TEST(Compositor, TheBlurHasTheStandardDeviationThatWasAskedFor) {
  const int length = 1600;
  for (const int permille : {2, 4, 10, 25, 40, 60}) {
    for (const bool upright : {false, true}) {
      const Size size = upright ? Size{24, length} : Size{length, 24};
      const Picture edge = Paint(size, 3, [&](int x, int y) { return (upright ? y : x) < length / 2 ? 0 : 255; });
      const Picture out = Hidden(Blurred(permille), edge);
      double total = 0, mean = 0, square = 0;
      for (int i = 1; i < length; ++i) {
        const int step = upright ? out.at(9, i, 0) - out.at(9, i - 1, 0) : out.at(i, 9, 0) - out.at(i - 1, 9, 0);
        ASSERT_GE(step, 0) << "an edge becomes a slope";
        total += step;
        mean += step * (i - length / 2.0);
        square += step * (i - length / 2.0) * (i - length / 2.0);
      }
      const double deviation = std::sqrt(square / total - mean / total * mean / total);
      const double wanted = permille * length / 1000.0;
      EXPECT_NEAR(deviation, wanted, 0.06 * wanted + 0.2) << permille;
      EXPECT_NEAR(mean / total, 0, 0.6) << "nothing is moved";
    }
  }
}

TEST(Compositor, TheDefaultBlurMakesTextIllegible) {
  // Strokes 4 pixels wide in lines 32 pixels high, black on white: what remains is an even grey.
  const Size size{1280, 720};
  const Picture random = reference::Noise({320, 180}, 1, 5);
  const Picture text =
      Paint(size, 3, [&](int x, int y) { return y % 32 < 24 && random.at(x / 4, y / 4, 0) % 2 == 0 ? 0 : 255; });
  const Picture out = Hidden(Blurred(CompositorOptions{}.blur_permille), text);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 16; x < size.width; ++x) ASSERT_LE(std::abs(out.at(x, y, 0) - out.at(x - 16, y, 0)), 8) << x << y;
  }
}

TEST(Compositor, TheBlurIsSmooth) {
  // The slope of a blurred edge changes little from pixel to pixel: no grid of the reduced resolution shows.
  const Size size{1280, 96};
  const Picture edge = Paint(size, 3, [](int x, int) { return x < 643 ? 0 : 255; });
  for (const int permille : {25, 40, 60}) {
    const Picture out = Hidden(Blurred(permille), edge);
    for (int y = 0; y < size.height; ++y) {
      for (int x = 1; x + 1 < size.width; ++x) {
        ASSERT_LE(std::abs(out.at(x - 1, y, 0) - 2 * out.at(x, y, 0) + out.at(x + 1, y, 0)), 2)
            << x << ", " << permille;
      }
    }
  }
}

TEST(Compositor, TheBlurMovesWithThePictureAndDoesNotShimmer) {
  const Size size{640, 360};
  const Picture texture = reference::Noise({800, 400}, 3, 9);
  const auto cut = [&](int shift) {
    Picture picture(size, 3);
    for (int y = 0; y < size.height; ++y) {
      for (int x = 0; x < size.width; ++x) {
        for (int c = 0; c < 3; ++c) picture.at(x, y, c) = texture.at((x + shift) / 4, y / 4, c);
      }
    }
    return picture;
  };
  const Picture still = Hidden(Blurred(25), cut(0));
  for (int shift = 1; shift < 8; ++shift) {
    const Picture moved = Hidden(Blurred(25), cut(shift));
    for (int y = 80; y < size.height - 80; ++y) {
      for (int x = 80; x < size.width - 80; ++x) {
        ASSERT_LE(std::abs(moved.at(x, y, 0) - still.at(x + shift, y, 0)), 2) << x << ", " << y << ", " << shift;
      }
    }
  }
}

TEST(Compositor, TheBordersAreCarriedOn) {
  const Size size{230, 130};
  const Picture slope = Paint(size, 3, [](int, int y) { return y * 255 / 129; });
  const Picture out = Hidden(Blurred(40), slope);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) ASSERT_EQ(out.at(x, y, 0), out.at(0, y, 0)) << x << ", " << y;
  }
}

// --- Image, none, hidden -----------------------------------------------------------------------------------------

Picture Cut(const Picture& picture, Rect rect) {
  Picture part({rect.width, rect.height}, picture.channels);
  for (int y = 0; y < rect.height; ++y) {
    for (int x = 0; x < rect.width; ++x) {
      for (int c = 0; c < picture.channels; ++c) part.at(x, y, c) = picture.at(rect.left + x, rect.top + y, c);
    }
  }
  return part;
}

TEST(Compositor, AnImageCoversTheUprightFrameAndIsTurnedAsTheFrameLies) {
  const Picture nobody(Size{48, 30}, 1);
  const Frame frame = MakeFrame({48, 30}, PixelFormat::kBgr, 0, false, 1);
  // 60 x 90 covers 48 x 30 by its middle 38 rows (37.5), 30 x 48 by its middle 56 columns (56.25).
  const Picture image = reference::Noise({60, 90}, 3, 2);
  for (const Orientation orientation : reference::Orientations()) {
    const bool lying = orientation.rotation % 180 == 0;
    const Picture part = Cut(image, lying ? Rect{26, 0, 38, 60} : Rect{0, 2, 90, 56});
    const Picture expected =
        reference::TurnBack(reference::Resize(part, lying ? Size{48, 30} : Size{30, 48}), orientation);
    for (const PixelFormat format : kPacked) {
      Compositor compositor({});
      ASSERT_TRUE(compositor.SetImage(Rgb(image)).ok());
      ASSERT_TRUE(compositor.SetOptions(Options(Background::kImage)).ok());
      Canvas out({48, 30}, format, 0, false);
      ASSERT_TRUE(compositor.Run(frame.view, Plane(nobody), orientation, out.view).ok());
      EXPECT_EQ(out.Show().bytes, expected.bytes) << orientation.rotation << orientation.mirrored;
    }
  }
}

TEST(Compositor, ImagesAndOptionsTakeEffectWithTheNextFrame) {
  const Picture frame = reference::Noise({40, 30}, 3, 1), nobody({40, 30}, 1);
  Compositor compositor(Options(Background::kColour));
  EXPECT_EQ(Drawn(compositor, frame, nobody).at(5, 5, 0), kColour[0]);
  for (const int value : {50, 90}) {
    const Picture image = Paint({8, 8}, 3, [&](int, int) { return value; });
    ASSERT_TRUE(compositor.SetImage(Rgb(image)).ok());
    ASSERT_TRUE(compositor.SetOptions(Options(Background::kImage)).ok());
    EXPECT_EQ(Drawn(compositor, frame, nobody).at(5, 5, 0), value);
  }
  CompositorOptions other = Options(Background::kColour);
  other.colour = {1, 2, 3};
  ASSERT_TRUE(compositor.SetOptions(other).ok());
  EXPECT_EQ(Drawn(compositor, frame, nobody).at(5, 5, 0), 1);
  ASSERT_TRUE(compositor.SetOptions(Options(Background::kNone)).ok());
  EXPECT_EQ(Drawn(compositor, frame, nobody).bytes, frame.bytes);
}

TEST(Compositor, WithoutABackgroundTheFrameIsShown) {
  for (const PixelFormat in : kFormats) {
    for (const PixelFormat to : kPacked) {
      const Frame frame = MakeFrame({67, 5}, in, 3, true, 3);
      const Picture alpha = Disc({67, 5}, 3);
      Canvas run({67, 5}, to, 2, false), hidden({67, 5}, to, 2, false);
      Compositor compositor(Options(Background::kNone));
      ASSERT_TRUE(compositor.Run(frame.view, Plane(alpha), {}, run.view).ok());
      ASSERT_TRUE(compositor.Hide(frame.view, {}, hidden.view).ok());
      EXPECT_EQ(run.Show().bytes, frame.rgb.bytes);
      EXPECT_EQ(hidden.Show().bytes, frame.rgb.bytes);
    }
  }
}

TEST(Compositor, HidingIsRunningWithoutAPerson) {
  const Picture nobody(Size{150, 90}, 1), image = reference::Noise({20, 30}, 3, 4);
  for (const PixelFormat format : kFormats) {
    const Frame frame = MakeFrame({150, 90}, format, 0, false, 3);
    for (const Background background : kBackgrounds) {
      Compositor compositor({});
      ASSERT_TRUE(compositor.SetImage(Rgb(image)).ok());
      ASSERT_TRUE(compositor.SetOptions(Options(background)).ok());
      Canvas run({150, 90}, PixelFormat::kBgra, 0, false), hidden({150, 90}, PixelFormat::kBgra, 0, false);
      ASSERT_TRUE(compositor.Run(frame.view, Plane(nobody), {90, true}, run.view).ok());
      ASSERT_TRUE(compositor.Hide(frame.view, {90, true}, hidden.view).ok());
      EXPECT_EQ(run.memory, hidden.memory) << static_cast<int>(background);
    }
  }
}

// --- Errors and memory -------------------------------------------------------------------------------------------

TEST(Compositor, OptionsThatCannotBeUsedAreRefusedAndTheOldOnesStay) {
  const Picture frame = reference::Noise({40, 30}, 3, 1), alpha = Disc({40, 30}, 8);
  Compositor compositor(Options(Background::kColour, 9));
  const Picture before = Drawn(compositor, frame, alpha);
  std::vector<CompositorOptions> wrong(6, Options(Background::kBlur));
  wrong[0].blur_permille = 0;
  wrong[1].blur_permille = 201;
  wrong[2].feather = -1;
  wrong[3].feather = 128;
  wrong[4].background = static_cast<Background>(4);
  wrong[5].background = Background::kImage;  // none is set
  for (const CompositorOptions& options : wrong) {
    const Status status = compositor.SetOptions(options);
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    EXPECT_NE(status.message().find("compositor: "), std::string::npos) << status.message();
    EXPECT_EQ(Drawn(compositor, frame, alpha).bytes, before.bytes);

    Compositor from_the_start(options);
    Picture out(frame.size, 3);
    EXPECT_EQ(from_the_start.Run(Rgb(frame), Plane(alpha), {}, Rgb(out)).code(), Code::kInvalidArgument);
    EXPECT_TRUE(from_the_start.SetOptions(Options(Background::kColour, 9)).ok());
    EXPECT_EQ(Drawn(from_the_start, frame, alpha).bytes, before.bytes);
  }
}

TEST(Compositor, WhatDoesNotFitTheFrameIsRefused) {
  Picture frame = reference::Noise({40, 30}, 3, 1), out({40, 30}, 3), large({41, 30}, 3);
  const Picture alpha = Disc({40, 30}, 8), wide({41, 30}, 1);
  Compositor compositor(Blurred(25));
  const auto code = [&](const ImageView& in, const PlaneView& mask, Orientation orientation,
                        const MutableImageView& to) { return compositor.Run(in, mask, orientation, to).code(); };
  EXPECT_EQ(code({}, Plane(alpha), {}, Rgb(out)), Code::kInvalidArgument);
  EXPECT_EQ(code(Rgb(frame), {}, {}, Rgb(out)), Code::kInvalidArgument);
  EXPECT_EQ(code(Rgb(frame), Plane(wide), {}, Rgb(out)), Code::kInvalidArgument);
  EXPECT_EQ(code(Rgb(frame), Plane(alpha), {}, {}), Code::kInvalidArgument);
  EXPECT_EQ(code(Rgb(frame), Plane(alpha), {}, Rgb(large)), Code::kInvalidArgument);
  EXPECT_EQ(code(Rgb(frame), Plane(alpha), {45, false}, Rgb(out)), Code::kInvalidArgument);
  MutableImageView other = Rgb(frame);
  other.format = PixelFormat::kBgr;
  EXPECT_EQ(code(Rgb(frame), Plane(alpha), {}, other), Code::kInvalidArgument) << "the frame in another format";
  EXPECT_EQ(compositor.SetImage({}).code(), Code::kInvalidArgument);
  EXPECT_EQ(code(Rgb(frame), Plane(alpha), {}, Rgb(out)), Code::kOk);
}

TEST(Compositor, AllocatesNothingAfterTheFirstFrame) {
  const Picture alpha = Disc({321, 183}, 20), image = reference::Noise({50, 50}, 3, 4);
  for (const Background background : kBackgrounds) {
    for (const PixelFormat format : {PixelFormat::kBgr, PixelFormat::kNv12}) {
      const Frame frame = MakeFrame({321, 183}, format, 0, false, 3);
      Canvas out({321, 183}, PixelFormat::kBgr, 0, false);
      Compositor compositor({});
      ASSERT_TRUE(compositor.SetImage(Rgb(image)).ok());
      ASSERT_TRUE(compositor.SetOptions(Options(background)).ok());
      ASSERT_TRUE(compositor.Run(frame.view, Plane(alpha), {90, false}, out.view).ok());
      const std::uint64_t before = Allocations();
      for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(compositor.Run(frame.view, Plane(alpha), {90, false}, out.view).ok());
        ASSERT_TRUE(compositor.Hide(frame.view, {90, false}, out.view).ok());
      }
      EXPECT_EQ(Allocations(), before) << static_cast<int>(background);
    }
  }
}

TEST(Compositor, WithoutMemoryAFrameFailsAndTheNextOneDoesNot) {
  const Picture small = reference::Noise({64, 48}, 3, 1), frame = reference::Noise({321, 183}, 3, 1);
  const Picture image = reference::Noise({50, 50}, 3, 4), alpha = Disc({321, 183}, 20), alpha_small = Disc({64, 48}, 9);
  for (const Background background : {Background::kBlur, Background::kColour, Background::kImage}) {
    Compositor fresh({});
    ASSERT_TRUE(fresh.SetImage(Rgb(image)).ok());
    ASSERT_TRUE(fresh.SetOptions(Options(background)).ok());
    const Picture expected = Drawn(fresh, frame, alpha), expected_small = Drawn(fresh, small, alpha_small);
    for (std::size_t limit = 200; limit < 400000; limit = limit * 3 / 2) {
      Compositor compositor({});
      ASSERT_TRUE(compositor.SetImage(Rgb(image)).ok());
      ASSERT_TRUE(compositor.SetOptions(Options(background)).ok());
      Drawn(compositor, small, alpha_small);
      Picture out(frame.size, 3);
      {
        const AllocationLimit short_of_memory(limit);
        const Status status = compositor.Run(Rgb(frame), Plane(alpha), {}, Rgb(out));
        ASSERT_TRUE(status.ok() || status.code() == Code::kInternal) << status.message();
      }
      EXPECT_EQ(Drawn(compositor, small, alpha_small).bytes, expected_small.bytes) << limit;
      EXPECT_EQ(Drawn(compositor, frame, alpha).bytes, expected.bytes) << limit;
    }
  }
}

}  // namespace
}  // namespace segcore
