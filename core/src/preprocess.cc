// SPDX-License-Identifier: Apache-2.0
#include "preprocess.h"

#include <algorithm>
#include <vector>

#include "orientation.h"
#include "pixel_rows.h"
#include "resize.h"

namespace segcore {

struct Preprocessor::Impl {
  explicit Impl(const Contract& given) : contract(given) {
    // The picture is red, green, blue; `table` follows the order of the tensor.
    for (int position = 0; position < 3; ++position) {
      const int colour = Colour(position);
      for (int pixel = 0; pixel < 256; ++pixel) {
        const double product = pixel * contract.scale[colour];
        table[position][pixel] = static_cast<float>(product + contract.offset[colour]);
      }
    }
  }

  int Colour(int position) const { return contract.channels == Contract::Channels::kRgb ? position : 2 - position; }

  /// The frame at the size it has in the input, still lying as it was stored, into `small`.
  void Shrink(const ImageView& frame, Size content) {
    rows.Open(frame);
    resampler.Prepare(frame.size(), content, rows.bytes());
    small.resize(std::size_t{4} * content.width * content.height);
    resampler.Run(rows, small.data(), std::ptrdiff_t{4} * content.width);
  }

  /// `small` turned upright into its place in the picture.
  void Place(Size stored, Orientation orientation, const Rect& rect, std::uint8_t* picture) const {
    const Steps steps = Turned(stored, std::ptrdiff_t{4} * stored.width, 4, orientation);
    const int red = rows.blue_first() ? 2 : 0, blue = 2 - red;
    for (int y = 0; y < rect.height; ++y) {
      const std::uint8_t* from = small.data() + steps.start + y * steps.down;
      std::uint8_t* to = picture + (std::ptrdiff_t{rect.top + y} * contract.input_width + rect.left) * 3;
      for (int x = 0; x < rect.width; ++x, from += steps.right, to += 3) {
        to[0] = from[red];
        to[1] = from[1];
        to[2] = from[blue];
      }
    }
  }

  void Normalise(const std::uint8_t* picture, float* tensor) const {
    const std::size_t pixels = std::size_t{1} * contract.input_height * contract.input_width;
    const int first = Colour(0), last = Colour(2);
    for (std::size_t i = 0; i < pixels; ++i, picture += 3, tensor += 3) {
      tensor[0] = table[0][picture[first]];
      tensor[1] = table[1][picture[1]];
      tensor[2] = table[2][picture[last]];
    }
  }

  const Contract contract;
  float table[3][256];
  PixelRows rows;
  Resampler resampler;
  std::vector<std::uint8_t> small;
};

Preprocessor::Preprocessor(const Contract& contract) : impl_(std::make_unique<Impl>(contract)) {}
Preprocessor::~Preprocessor() = default;

Status Preprocessor::Run(const ImageView& frame, Orientation orientation, std::uint8_t* picture, float* tensor) {
  SEGCORE_RETURN_IF_ERROR(Validate(frame, "frame"));
  SEGCORE_RETURN_IF_ERROR(Validate(orientation));
  if (picture == nullptr || tensor == nullptr) {
    return Status(Code::kInvalidArgument, "preprocess: nowhere to write to (null pointer)");
  }
  const Size input{impl_->contract.input_width, impl_->contract.input_height};
  const Rect rect = ContentRect(impl_->contract, input, Upright(frame.size(), orientation));
  const Size content{rect.width, rect.height};
  const Size stored = Upright(content, orientation);  // turned back: quarter turns swap the sides either way
  impl_->Shrink(frame, stored);
  if (content != input) std::fill_n(picture, std::size_t{3} * input.width * input.height, std::uint8_t{0});
  impl_->Place(stored, orientation, rect, picture);
  impl_->Normalise(picture, tensor);
  return {};
}

}  // namespace segcore
