// SPDX-License-Identifier: Apache-2.0
// Compositor: draws the person over a blurred or replaced background. All integer.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "segcore/image.h"
#include "segcore/status.h"

namespace segcore {

enum class Background : int { kNone = 0, kBlur = 1, kColour = 2, kImage = 3 };

struct CompositorOptions {
  Background background = Background::kBlur;
  int blur_permille = 25;  ///< standard deviation of the blur, thousandths of the frame's longer side
  std::array<std::uint8_t, 3> colour{0, 120, 60};  ///< red, green, blue
  int feather = 32;                                ///< 0 … 127: alpha below is background, above 255 - feather person
};

/// Used by one thread at a time. Allocates nothing after the first frame of a size, format and orientation.
class Compositor {
 public:
  explicit Compositor(const CompositorOptions& options);
  ~Compositor();
  Compositor(const Compositor&) = delete;
  Compositor& operator=(const Compositor&) = delete;

  Status SetOptions(const CompositorOptions& options);

  /// The picture for Background::kImage, upright; copied. It is scaled to cover the frame and cut around its centre.
  Status SetImage(const ImageView& image);

  /// out = (alpha * frame + (255 - alpha) * background) / 255, rounded; alpha first goes through the feather's ramp.
  /// `alpha` and `out` have the frame's size; `out` may be the frame itself. Alpha of an output pixel (RGBA, BGRA) is
  /// 255.
  Status Run(const ImageView& frame, const PlaneView& alpha, Orientation orientation, const MutableImageView& out);

  /// The frame as it looks without a person: what is shown while there is no valid mask. With kNone the frame itself.
  Status Hide(const ImageView& frame, Orientation orientation, const MutableImageView& out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace segcore
