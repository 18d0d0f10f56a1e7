// SPDX-License-Identifier: Apache-2.0
// Quarter turns and mirroring as steps through memory. Resizing is the same from every side, so what is turned is
// always the smaller picture: the bits are those of the larger one turned first.
#pragma once

#include <cstddef>

#include "segcore/image.h"

namespace segcore {

/// Turns back what `orientation` turns.
constexpr Orientation Inverse(Orientation orientation) {
  return orientation.mirrored ? orientation : Orientation{(360 - orientation.rotation) % 360, false};
}

/// Pixel (x, y) of the turned picture lies at start + x * right + y * down in the memory of the one as it is.
struct Steps {
  std::ptrdiff_t start = 0, right = 0, down = 0;
};

/// `stride` is the distance of two rows, `pixel` that of two pixels of the picture as it is, `size` its size.
inline Steps Turned(Size size, std::ptrdiff_t stride, std::ptrdiff_t pixel, Orientation orientation) {
  const std::ptrdiff_t last_row = (size.height - 1) * stride, last_pixel = (size.width - 1) * pixel;
  Steps steps{0, pixel, stride};
  if (orientation.rotation == 90) steps = {last_row, -stride, pixel};
  if (orientation.rotation == 180) steps = {last_row + last_pixel, -pixel, -stride};
  if (orientation.rotation == 270) steps = {last_pixel, stride, -pixel};
  if (orientation.mirrored) {
    steps.start += (Upright(size, orientation).width - 1) * steps.right;
    steps.right = -steps.right;
  }
  return steps;
}

}  // namespace segcore
