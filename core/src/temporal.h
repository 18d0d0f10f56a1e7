// SPDX-License-Identifier: Apache-2.0
// Temporal smoothing of a mask, by how still the picture is and how certain the mask.
//
// Every pixel keeps an alpha and the colours that it was seen with. Where the colours differ from those by more than
// noise, the new mask is taken at once: a mask that moves with its picture is never late. Where they do not, the mask
// is held: small changes (noise) are not followed at all, larger ones slowly, and the less the nearer the new alpha is
// to 1/2, which says nothing. A change of sides, from person to background or back, is followed within a few frames
// whatever the picture does, so that a mask is never stuck on the wrong one.
//
// Since the colours are averaged while they are still, slow movement adds up until it shows. Noise and a change of
// brightness of the whole picture (exposure) are measured in every frame, as medians.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "segcore/segmenter.h"
#include "segcore/status.h"

namespace segcore {

class TemporalFilter {
 public:
  TemporalFilter() = default;
  TemporalFilter(const TemporalFilter&) = delete;
  TemporalFilter& operator=(const TemporalFilter&) = delete;

  /// Smooths `mask->alpha` in place. Allocates nothing after the first mask of a size.
  Status Run(Mask* mask);

  void Reset() { started_ = false; }

 private:
  void Start(const Mask& mask);
  void Continue(Mask* mask);
  void Split(const Mask& mask);
  int ExposureShift(int colour) const;
  int Noise() const;

  bool started_ = false;
  Size size_, picture_size_, frame_;
  Rect content_;
  Orientation orientation_;
  std::vector<std::int16_t> alpha_;                   // 1/128
  std::array<std::vector<std::uint8_t>, 3> colours_;  // of this picture, at the mask's size
  std::array<std::vector<std::int16_t>, 3> kept_;     // 1/128
  std::vector<std::int16_t> change_;                  // of the colours: sum of absolute differences, 1/16
};

}  // namespace segcore
