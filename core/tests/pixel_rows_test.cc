// SPDX-License-Identifier: Apache-2.0
#include "pixel_rows.h"

#include <gtest/gtest.h>

#include "reference.h"

namespace segcore {
namespace {

using reference::AtEveryLevel;

TEST(PixelRows, Nv12IsConvertedExactlyForEveryMatrixOddSizeAndStride) {
  AtEveryLevel([] {
    PixelRows rows;
    for (int matrix = 0; matrix < 4; ++matrix) {
      for (const Size size : {Size{1, 1}, Size{2, 1}, Size{3, 3}, Size{67, 5}, Size{128, 6}}) {
        for (const bool upwards : {false, true}) {
          const auto frame = reference::MakeFrame(size, PixelFormat::kNv12, upwards ? 6 : 0, upwards, matrix * 7 + 1,
                                                  static_cast<YuvMatrix>(matrix));
          rows.Open(frame.view);
          ASSERT_EQ(rows.bytes(), 4);
          for (int y = 0; y < size.height; ++y) {
            const std::uint8_t* row = rows.Row(y);
            for (int i = 0; i < size.width * 3; ++i) {
              ASSERT_EQ(row[i / 3 * 4 + i % 3], frame.rgb.at(i / 3, y, i % 3)) << i << ", " << y;
            }
          }
        }
      }
    }
  });
}

TEST(PixelRows, Nv12IsExactForEveryColour) {
  // 256 lumas in a row, and every pair of chroma in steps of five with both ends.
  std::vector<std::uint8_t> luma(512), chroma(512);
  for (int i = 0; i < 512; ++i) luma[i] = static_cast<std::uint8_t>(i / 2);
  PixelRows rows;
  for (int matrix = 0; matrix < 4; ++matrix) {
    const ImageView frame{luma.data(),        512,           1,   512,
                          PixelFormat::kNv12, chroma.data(), 512, static_cast<YuvMatrix>(matrix)};
    for (int cb = 0; cb < 256; cb += 5) {
      for (int cr = 0; cr < 256; cr += 5) {
        for (int i = 0; i < 256; ++i) {
          chroma[2 * i] = static_cast<std::uint8_t>(cb);
          chroma[2 * i + 1] = static_cast<std::uint8_t>(cr);
        }
        rows.Open(frame);
        const std::uint8_t* row = rows.Row(0);
        for (int y = 0; y < 256; ++y) {
          const auto rgb = reference::YuvToRgb(y, cb, cr, frame.matrix);
          const std::uint8_t* pixel = row + 8 * y;
          ASSERT_TRUE(pixel[0] == rgb[0] && pixel[1] == rgb[1] && pixel[2] == rgb[2])
              << "matrix " << matrix << ": " << y << ", " << cb << ", " << cr;
        }
      }
    }
  }
}

TEST(PixelRows, GreyStaysGreyAndWhiteIsWhite) {
  for (const auto& [matrix, black, white] :
       {std::tuple{YuvMatrix::kBt601Limited, 16, 235}, std::tuple{YuvMatrix::kBt709Limited, 16, 235},
        std::tuple{YuvMatrix::kBt601Full, 0, 255}, std::tuple{YuvMatrix::kBt709Full, 0, 255}}) {
    const std::uint8_t luma[2] = {static_cast<std::uint8_t>(black), static_cast<std::uint8_t>(white)};
    const std::uint8_t chroma[2] = {128, 128};
    PixelRows rows;
    rows.Open({luma, 2, 1, 2, PixelFormat::kNv12, chroma, 2, matrix});
    const std::uint8_t* row = rows.Row(0);
    for (int c = 0; c < 3; ++c) {
      EXPECT_EQ(row[c], 0);
      EXPECT_EQ(row[4 + c], 255);
    }
  }
}

}  // namespace
}  // namespace segcore
