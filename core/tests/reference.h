// SPDX-License-Identifier: Apache-2.0
// The definitions of harness/contract.py and harness/frames.py once more, written as plainly and as slowly as they
// read, for tests to hold the fast ones against. Nothing here is shared with them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "segcore/image.h"
#include "simd.h"

namespace segcore::reference {

/// Pixels of `channels` bytes without gaps.
struct Picture {
  Picture(Size of, int n) : size(of), channels(n), bytes(static_cast<std::size_t>(of.width) * of.height * n) {}
  std::uint8_t& at(int x, int y, int c) { return bytes[(static_cast<std::size_t>(y) * size.width + x) * channels + c]; }
  std::uint8_t at(int x, int y, int c) const { return const_cast<Picture*>(this)->at(x, y, c); }

  Size size;
  int channels;
  std::vector<std::uint8_t> bytes;
};

/// Noise with black and white patches, so that rounding and extremes both occur.
inline Picture Noise(Size size, int channels, unsigned seed) {
  std::mt19937 random(seed);
  Picture picture(size, channels);
  for (std::uint8_t& byte : picture.bytes) {
    const unsigned value = random();
    byte = value % 5 == 0 ? 0 : value % 5 == 1 ? 255 : static_cast<std::uint8_t>(value >> 8);
  }
  return picture;
}

/// Weight of input k in output i, over Denominator(in, out).
inline std::int64_t Weight(std::int64_t in, std::int64_t out, std::int64_t i, std::int64_t k) {
  if (out <= in) {  // the part of pixel k that output i covers
    return std::max<std::int64_t>(0, std::min((i + 1) * in, (k + 1) * out) - std::max(i * in, k * out));
  }
  const std::int64_t centre = std::clamp<std::int64_t>((2 * i + 1) * in - out, 0, (in - 1) * 2 * out);
  return std::max<std::int64_t>(0, 2 * out - std::abs(centre - k * 2 * out));
}
inline std::int64_t Denominator(std::int64_t in, std::int64_t out) { return out <= in ? in : 2 * out; }

/// The inputs that output i is made from, with their weights.
inline std::vector<std::pair<int, std::int64_t>> Taps(int in, int out, int i) {
  std::vector<std::pair<int, std::int64_t>> taps;
  for (int k = 0; k < in; ++k) {
    if (const std::int64_t weight = Weight(in, out, i, k); weight > 0) taps.emplace_back(k, weight);
  }
  return taps;
}

inline Picture Resize(const Picture& in, Size to) {
  Picture out(to, in.channels);
  const std::int64_t denominator = Denominator(in.size.width, to.width) * Denominator(in.size.height, to.height);
  std::vector<std::vector<std::pair<int, std::int64_t>>> columns;
  for (int x = 0; x < to.width; ++x) columns.push_back(Taps(in.size.width, to.width, x));
  for (int y = 0; y < to.height; ++y) {
    const auto rows = Taps(in.size.height, to.height, y);
    for (int x = 0; x < to.width; ++x) {
      for (int c = 0; c < in.channels; ++c) {
        std::int64_t total = 0;
        for (const auto& [j, down] : rows) {
          for (const auto& [k, across] : columns[x]) total += down * across * in.at(k, j, c);
        }
        out.at(x, y, c) = static_cast<std::uint8_t>((2 * total + denominator) / (2 * denominator));
      }
    }
  }
  return out;
}

inline Picture QuarterTurn(const Picture& in) {
  Picture out({in.size.height, in.size.width}, in.channels);
  for (int y = 0; y < out.size.height; ++y) {
    for (int x = 0; x < out.size.width; ++x) {
      for (int c = 0; c < in.channels; ++c) out.at(x, y, c) = in.at(y, in.size.height - 1 - x, c);
    }
  }
  return out;
}

inline Picture Mirror(const Picture& in) {
  Picture out(in.size, in.channels);
  for (int y = 0; y < in.size.height; ++y) {
    for (int x = 0; x < in.size.width; ++x) {
      for (int c = 0; c < in.channels; ++c) out.at(x, y, c) = in.at(in.size.width - 1 - x, y, c);
    }
  }
  return out;
}

inline Picture TurnUpright(Picture picture, Orientation orientation) {
  for (int turned = 0; turned < orientation.rotation; turned += 90) picture = QuarterTurn(picture);
  return orientation.mirrored ? Mirror(picture) : picture;
}

inline Picture TurnBack(Picture picture, Orientation orientation) {
  if (orientation.mirrored) picture = Mirror(picture);
  for (int turned = orientation.rotation; turned % 360 != 0; turned += 90) picture = QuarterTurn(picture);
  return picture;
}

inline const std::vector<Orientation>& Orientations() {
  static const std::vector<Orientation> all{{0, false}, {90, false}, {180, false}, {270, false},
                                            {0, true},  {90, true},  {180, true},  {270, true}};
  return all;
}

/// A pixel of NV12, computed from the weights of red and blue in luma. Every coefficient is rounded to 2^-13.
inline std::array<std::uint8_t, 3> YuvToRgb(int luma, int cb, int cr, YuvMatrix matrix) {
  const bool bt709 = matrix == YuvMatrix::kBt709Limited || matrix == YuvMatrix::kBt709Full;
  const bool limited = matrix == YuvMatrix::kBt601Limited || matrix == YuvMatrix::kBt709Limited;
  const double red = bt709 ? 0.2126 : 0.299, blue = bt709 ? 0.0722 : 0.114, green = 1 - red - blue;
  const double luma_range = limited ? 219 : 255, chroma_range = limited ? 224 : 255;
  const auto fixed = [](double coefficient) { return std::lround(coefficient * 8192); };
  const auto byte = [](long value) {
    return static_cast<std::uint8_t>(std::clamp<long>(static_cast<long>(std::floor(value / 8192.0 + 0.5)), 0, 255));
  };
  const double chroma = 255 / chroma_range;
  const long y = (luma - (limited ? 16 : 0)) * fixed(255 / luma_range), u = cb - 128, v = cr - 128;
  return {byte(y + v * fixed(2 * (1 - red) * chroma)),
          byte(y - u * fixed(2 * (1 - blue) * blue / green * chroma) - v * fixed(2 * (1 - red) * red / green * chroma)),
          byte(y + u * fixed(2 * (1 - blue) * chroma))};
}

/// The bytes of a frame somewhere inside a larger memory, and what they show.
struct Frame {
  std::vector<std::uint8_t> memory, chroma;
  ImageView view;
  Picture rgb;
};

/// A frame of noise in any format. `gap` bytes lie between rows; the rows run upwards if `upwards`.
inline Frame MakeFrame(Size size, PixelFormat format, int gap, bool upwards, unsigned seed,
                       YuvMatrix matrix = YuvMatrix::kBt601Limited) {
  Frame frame{{}, {}, {nullptr, size.width, size.height, 0, format, nullptr, 0, matrix}, Picture(size, 3)};
  const auto lay = [&](std::vector<std::uint8_t>& memory, int row, int rows, unsigned salt, std::ptrdiff_t& stride) {
    memory = Noise({row + gap, rows}, 1, seed + salt).bytes;
    stride = upwards ? -(row + gap) : row + gap;
    return memory.data() + (upwards ? std::ptrdiff_t{row + gap} * (rows - 1) : 0);
  };
  const bool nv12 = format == PixelFormat::kNv12;
  const int bytes = nv12 ? 1 : BytesPerPixel(format);
  const std::uint8_t* pixels = lay(frame.memory, size.width * bytes, size.height, 0, frame.view.stride);
  frame.view.data = pixels;
  if (nv12) {
    frame.view.chroma = lay(frame.chroma, (size.width + 1) / 2 * 2, (size.height + 1) / 2, 1, frame.view.chroma_stride);
  }
  const bool blue_first = format == PixelFormat::kBgr || format == PixelFormat::kBgra;
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      const std::uint8_t* pixel = pixels + y * frame.view.stride + x * bytes;
      std::array<std::uint8_t, 3> colours{};
      if (nv12) {
        const std::uint8_t* pair = frame.view.chroma + (y / 2) * frame.view.chroma_stride + (x / 2) * 2;
        colours = YuvToRgb(pixel[0], pair[0], pair[1], matrix);
      } else {
        colours = {pixel[blue_first ? 2 : 0], pixel[1], pixel[blue_first ? 0 : 2]};
      }
      for (int c = 0; c < 3; ++c) frame.rgb.at(x, y, c) = colours[c];
    }
  }
  return frame;
}

/// Runs a check at every level of vector instructions that this machine has.
template <typename Check>
void AtEveryLevel(Check check) {
  const simd::Level before = simd::Current();
  for (int level = 0; level <= static_cast<int>(simd::Detected()); ++level) {
    SCOPED_TRACE("vector level " + std::to_string(level));
    simd::SetLevel(static_cast<simd::Level>(level));
    check();
  }
  simd::SetLevel(before);
}

}  // namespace segcore::reference
