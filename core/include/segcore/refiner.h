// SPDX-License-Identifier: Apache-2.0
// Refiner: steadier masks over time, sharper edges in the frame. Integer arithmetic from the 8-bit alpha on.
#pragma once

#include <cstdint>
#include <memory>

#include "segcore/image.h"
#include "segcore/segmenter.h"
#include "segcore/status.h"

namespace segcore {

struct RefinerOptions {
  bool smooth = true;   ///< temporal smoothing, weighted by how uncertain the mask and how still the picture is
  bool guided = false;  ///< edges drawn to the frame's own by a fast guided filter
};

/// Smooth() and Upsample() touch different state: one thread may smooth the next frame while another upsamples this
/// one.
class Refiner {
 public:
  explicit Refiner(const RefinerOptions& options);
  ~Refiner();
  Refiner(const Refiner&) = delete;
  Refiner& operator=(const Refiner&) = delete;

  /// Smooths `mask->alpha` in place by what came before. Frames are passed in the order they were captured; a change
  /// of size, content or orientation starts anew. Does nothing where smoothing is off.
  Status Smooth(Mask* mask);

  /// Forgets the past: after a cut, or another camera.
  void Reset();

  /// Alpha of the stored frame, same size: plain AlphaResizer, or guided by the frame.
  Status Upsample(const Mask& mask, const ImageView& frame, const MutablePlaneView& alpha);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace segcore
