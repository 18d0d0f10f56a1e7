// SPDX-License-Identifier: Apache-2.0
// AlphaResizer: from the mask at the model's resolution to the frame as it was stored.
#include <vector>

#include "orientation.h"
#include "resize.h"
#include "segcore/segmenter.h"

namespace segcore {
namespace {

Status ValidateMask(const Mask& mask) {
  const auto invalid = [](const char* problem) {
    return Status(Code::kInvalidArgument, std::string("mask: ") + problem);
  };
  const Rect& content = mask.content;
  if (mask.size.width < 1 || mask.size.height < 1 || mask.size.width > kMaxSide || mask.size.height > kMaxSide ||
      mask.alpha.size() != static_cast<std::size_t>(mask.size.width) * mask.size.height) {
    return invalid("alpha does not hold as many pixels as its size says");
  }
  if (content.top < 0 || content.left < 0 || content.width < 1 || content.height < 1 ||
      content.width > mask.size.width - content.left || content.height > mask.size.height - content.top) {
    return invalid("the content lies outside of it");
  }
  return Validate(mask.orientation);
}

}  // namespace

struct AlphaResizer::Impl {
  Resampler resampler;
  std::vector<std::uint8_t> turned;
};

AlphaResizer::AlphaResizer() : impl_(std::make_unique<Impl>()) {}
AlphaResizer::~AlphaResizer() = default;

Status AlphaResizer::Run(const Mask& mask, const MutablePlaneView& alpha) {
  SEGCORE_RETURN_IF_ERROR(ValidateMask(mask));
  SEGCORE_RETURN_IF_ERROR(Validate(alpha, "alpha"));
  if (alpha.size() != mask.frame) {
    return Status(Code::kInvalidArgument, "alpha: its size is not that of the frame that the mask was made from");
  }
  const std::ptrdiff_t width = mask.size.width;
  PlaneView plane{mask.alpha.data() + mask.content.top * width + mask.content.left, mask.content.width,
                  mask.content.height, width};
  if (!(mask.orientation == Orientation{})) {
    const Size size = Upright(plane.size(), mask.orientation);
    const Steps steps = Turned(plane.size(), plane.stride, 1, Inverse(mask.orientation));
    impl_->turned.resize(static_cast<std::size_t>(size.width) * size.height);
    std::uint8_t* to = impl_->turned.data();
    for (int y = 0; y < size.height; ++y) {
      const std::uint8_t* from = plane.data + steps.start + y * steps.down;
      for (int x = 0; x < size.width; ++x, from += steps.right) *to++ = *from;
    }
    plane = {impl_->turned.data(), size.width, size.height, size.width};
  }
  PlaneRows rows(plane);
  impl_->resampler.Prepare(plane.size(), alpha.size(), 1);
  impl_->resampler.Run(rows, alpha.data, alpha.stride);
  return {};
}

}  // namespace segcore
