// SPDX-License-Identifier: Apache-2.0
#include "segcore/refiner.h"

#include "guided_filter.h"
#include "temporal.h"

namespace segcore {

struct Refiner::Impl {
  RefinerOptions options;
  TemporalFilter temporal;  // Smooth()
  AlphaResizer resizer;     // Upsample()
  GuidedFilter guided;
};

Refiner::Refiner(const RefinerOptions& options) : impl_(std::make_unique<Impl>()) { impl_->options = options; }
Refiner::~Refiner() = default;

Status Refiner::Smooth(Mask* mask) {
  if (!impl_->options.smooth) return {};
  return impl_->temporal.Run(mask);
}

void Refiner::Reset() { impl_->temporal.Reset(); }

Status Refiner::Upsample(const Mask& mask, const ImageView& frame, const MutablePlaneView& alpha) {
  SEGCORE_RETURN_IF_ERROR(impl_->resizer.Run(mask, alpha));
  if (!impl_->options.guided) return {};
  return impl_->guided.Run(mask, frame, alpha);
}

}  // namespace segcore
