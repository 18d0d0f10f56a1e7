// SPDX-License-Identifier: Apache-2.0
// Where a mask is plainly person or plainly background: the extremes of alpha over small tiles. Most of a frame is one
// or the other, and needs no arithmetic.
#pragma once

#include <cstdint>
#include <vector>

#include "segcore/image.h"

namespace segcore {

class AlphaTiles {
 public:
  static constexpr int kWidth = 32;  ///< pixels
  static constexpr int kHeight = 8;

  enum class Cover { kBackground, kMixed, kPerson };

  /// Columns begin … end of a band of rows.
  struct Run {
    int begin;
    int end;
    Cover cover;
  };

  /// Measures a mask.
  void Scan(const PlaneView& alpha);

  /// As if alpha were 0 everywhere.
  void Clear(Size size);

  /// The runs of row y: background where all alphas are at most `low`, person where all are at least `high`. They
  /// change only where y is a multiple of kHeight. Valid until the next call.
  const std::vector<Run>& Runs(int y, int low, int high);

  /// Whether every alpha is at most `low`.
  bool AllBackground(int low) const;

 private:
  void Resize(Size size);

  Size size_;
  int columns_ = 0;
  std::vector<std::uint8_t> tile_low_, tile_high_;  // band by band
  std::vector<std::uint8_t> low_, high_;            // of the columns of pixels of one band
  std::vector<Run> runs_;
};

}  // namespace segcore
