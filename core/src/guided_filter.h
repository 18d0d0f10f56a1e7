// SPDX-License-Identifier: Apache-2.0
// Fast guided filter (He and Sun, "Fast Guided Filter", arXiv:1505.00996, 2015): edges of an enlarged mask are drawn to
// those of the frame's luma. Around every pixel of the mask alpha is fitted by a line in luma; what the lines add to
// the mask is enlarged and applied to the frame's own luma.
//
// One difference: where luma has no edge (its variance is small against kEpsilon), the filter of the paper returns a
// blurred mask; here it leaves the mask as it is. With a flat guide nothing changes at all.
#pragma once

#include <cstdint>
#include <vector>

#include "pixel_rows.h"
#include "resize.h"
#include "segcore/segmenter.h"
#include "segcore/status.h"

namespace segcore {

class GuidedFilter {
 public:
  static constexpr int kRadius = 4;    ///< pixels of the mask; a window is 9 x 9
  static constexpr int kEpsilon = 64;  ///< variance of luma, in squares of 1/255

  GuidedFilter() = default;
  GuidedFilter(const GuidedFilter&) = delete;
  GuidedFilter& operator=(const GuidedFilter&) = delete;

  /// `alpha` holds the mask enlarged to the frame's size (AlphaResizer accepted them) and is refined in place.
  /// Allocates nothing after the first mask and frame of a size.
  Status Run(const Mask& mask, const ImageView& frame, const MutablePlaneView& alpha);

 private:
  /// Where an output of an axis that grows lies between two inputs; `part` in 1/128.
  struct Between {
    int first;
    int part;
  };

  void Prepare(Size mask, Size frame);
  void ReadMask(const Mask& mask);
  void Fit();
  void Average();
  void Expand(int y, std::int16_t* slope, std::int16_t* shift) const;

  Size size_, frame_;                                  // of the mask's content as the frame lies, and of the frame
  Resampler resampler_;                                // where the network's output is not as large as its input
  std::vector<std::uint8_t> picture_, fitted_;         // luma of the picture; the same at the mask's size
  std::vector<std::uint8_t> guide_, mask_;             // what lies inside the content, turned as the frame
  std::vector<std::int32_t> slope_, share_, offset_;   // of the line fitted around a pixel, in 1/256
  std::vector<std::int16_t> mean_slope_, mean_shift_;  // what is added per luma (1/256) and at luma 0 (1/8)
  std::vector<std::int32_t> columns_;                  // sums over a window's rows, kRadius zeros at either end
  std::vector<int> count_;                             // columns or rows of a window that lie inside
  std::vector<Between> across_, down_;
  std::vector<std::int16_t> rows_;  // expanded rows of slope and shift: two each
  PixelRows pixels_;
};

}  // namespace segcore
