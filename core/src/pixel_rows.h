// SPDX-License-Identifier: Apache-2.0
// Rows of a camera frame as packed pixels, whatever its format. The definition for NV12 is harness/frames.py.
#pragma once

#include <cstdint>
#include <vector>

#include "resize.h"
#include "segcore/image.h"

namespace segcore {

class PixelRows final : public RowReader {
 public:
  PixelRows() = default;
  PixelRows(const PixelRows&) = delete;
  PixelRows& operator=(const PixelRows&) = delete;

  /// A valid frame, which outlives the reading. Allocates only for an NV12 frame wider than any before.
  void Open(const ImageView& frame);

  /// Packed formats as they lie, NV12 as red, green, blue and a byte that means nothing.
  const std::uint8_t* Row(int y) override;

  int bytes() const { return bytes_; }             ///< of a pixel in Row: 3 or 4
  bool blue_first() const { return blue_first_; }  ///< order of the colours in Row

 private:
  ImageView frame_;
  int bytes_ = 0;
  bool blue_first_ = false;
  int converted_ = -1;  // the row in buffer_
  std::vector<std::uint32_t> buffer_;
};

}  // namespace segcore
