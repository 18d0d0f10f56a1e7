// SPDX-License-Identifier: Apache-2.0
#include "segcore/compositor.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#include "alpha_tiles.h"
#include "blend.h"
#include "blur.h"
#include "orientation.h"
#include "pixel_rows.h"
#include "resize.h"

namespace segcore {
namespace {

Status Invalid(const std::string& problem) { return Status(Code::kInvalidArgument, "compositor: " + problem); }

Status CheckRange(const char* name, int value, int low, int high) {
  if (value >= low && value <= high) return {};
  return Invalid(std::string(name) + " is " + std::to_string(value) + ", allowed: " + std::to_string(low) + " to " +
                 std::to_string(high));
}

Status Check(const CompositorOptions& options) {
  SEGCORE_RETURN_IF_ERROR(CheckRange("background", static_cast<int>(options.background), 0, 3));
  SEGCORE_RETURN_IF_ERROR(CheckRange("blur_permille", options.blur_permille, 1, 200));
  return CheckRange("feather", options.feather, 0, 127);
}

Status CheckSize(const char* what, Size size, Size frame) {
  if (size == frame) return {};
  return Invalid(std::string(what) + " is " + std::to_string(size.width) + " x " + std::to_string(size.height) +
                 ", the frame " + std::to_string(frame.width) + " x " + std::to_string(frame.height) +
                 "; they must be the same");
}

bool BlueFirst(PixelFormat format) { return format == PixelFormat::kBgr || format == PixelFormat::kBgra; }

/// The largest part of `size` with the shape of `shape`, around the centre.
Rect CoverRect(Size size, Size shape) {
  const std::int64_t w = size.width, h = size.height, shape_w = shape.width, shape_h = shape.height;
  Rect rect{0, 0, size.height, size.width};
  if (w * shape_h > h * shape_w) {
    rect.width = static_cast<int>(std::max<std::int64_t>(1, (2 * h * shape_w + shape_h) / (2 * shape_h)));
  } else {
    rect.height = static_cast<int>(std::max<std::int64_t>(1, (2 * w * shape_h + shape_w) / (2 * shape_w)));
  }
  rect.left = (size.width - rect.width) / 2;
  rect.top = (size.height - rect.height) / 2;
  return rect;
}

}  // namespace

struct Compositor::Impl {
  explicit Impl(const CompositorOptions& wanted) : invalid(Check(wanted)) {
    if (invalid.ok()) Use(wanted);
  }

  void Use(const CompositorOptions& wanted) {
    options = wanted;
    fixed_format = PixelFormat::kNv12;
  }

  Status Draw(const ImageView& frame, const PlaneView* alpha, Orientation orientation, const MutableImageView& out);
  void Convert(const ImageView& frame, const MutableImageView& out);
  void PrepareFixed(Size size, PixelFormat format, Orientation orientation);
  void DrawCover(Size size, PixelFormat format, Orientation orientation);
  const std::uint8_t* FixedRow(int y) const;

  Status invalid;  // why the constructor's options cannot be used
  CompositorOptions options;
  AlphaTiles tiles;
  Blur blur;
  PixelRows rows;
  std::vector<std::uint8_t> image;  // RGB, upright
  Size image_size;

  // A background that does not change, as drawn last: a row of colour, or a whole image.
  std::vector<std::uint8_t> fixed;
  Size fixed_size;
  PixelFormat fixed_format = PixelFormat::kNv12;  // that is, none
  Orientation fixed_orientation;
  Resampler resampler;

  std::vector<std::uint8_t> feathered, spread, behind;  // where a row is mixed: alpha twice, and the background
};

/// The frame in the format of `out`, opaque.
void Compositor::Impl::Convert(const ImageView& frame, const MutableImageView& out) {
  rows.Open(frame);
  const int bytes = BytesPerPixel(out.format);
  for (int y = 0; y < frame.height; ++y) {
    std::uint8_t* to = out.data + y * out.stride;
    if (frame.format != out.format) {
      Repack(rows.Row(y), rows.bytes(), BlueFirst(out.format) != rows.blue_first(), to, bytes, frame.width);
      continue;
    }
    if (frame.data != out.data) std::memcpy(to, rows.Row(y), static_cast<std::size_t>(frame.width) * bytes);
    if (bytes == 4) MakeOpaque(to, frame.width);
  }
}

/// The image, scaled to cover the upright frame, cut around its centre, and turned as the stored frame lies.
void Compositor::Impl::DrawCover(Size size, PixelFormat format, Orientation orientation) {
  const Size upright = Upright(size, orientation);
  const Rect cut = CoverRect(image_size, upright);
  const std::ptrdiff_t stride = static_cast<std::ptrdiff_t>(image_size.width) * 3;
  PlaneRows part(PlaneView{image.data() + cut.top * stride + cut.left * 3, cut.width, cut.height, stride});
  std::vector<std::uint8_t> scaled(static_cast<std::size_t>(upright.width) * upright.height * 4);
  resampler.Prepare({cut.width, cut.height}, upright, 3);
  resampler.Run(part, scaled.data(), static_cast<std::ptrdiff_t>(upright.width) * 4);

  const Steps steps = Turned(upright, static_cast<std::ptrdiff_t>(upright.width) * 4, 4, Inverse(orientation));
  const int bytes = BytesPerPixel(format);
  fixed.resize(static_cast<std::size_t>(size.width) * size.height * bytes);
  std::uint8_t* to = fixed.data();
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x, to += bytes) {
      Repack(scaled.data() + steps.start + x * steps.right + y * steps.down, 4, BlueFirst(format), to, bytes, 1);
    }
  }
}

void Compositor::Impl::PrepareFixed(Size size, PixelFormat format, Orientation orientation) {
  if (size == fixed_size && format == fixed_format && orientation == fixed_orientation) return;
  fixed_format = PixelFormat::kNv12;
  if (options.background == Background::kImage) {
    DrawCover(size, format, orientation);
  } else {
    const int bytes = BytesPerPixel(format);
    fixed.resize(static_cast<std::size_t>(size.width) * bytes);
    for (int x = 0; x < size.width; ++x) {
      Repack(options.colour.data(), 3, BlueFirst(format), fixed.data() + x * bytes, bytes, 1);
    }
  }
  fixed_size = size;
  fixed_format = format;
  fixed_orientation = orientation;
}

const std::uint8_t* Compositor::Impl::FixedRow(int y) const {
  if (options.background != Background::kImage) return fixed.data();
  return fixed.data() + static_cast<std::size_t>(y) * fixed_size.width * BytesPerPixel(fixed_format);
}

/// Without `alpha` there is no person.
Status Compositor::Impl::Draw(const ImageView& frame, const PlaneView* alpha, Orientation orientation,
                              const MutableImageView& out) {
  SEGCORE_RETURN_IF_ERROR(invalid);
  SEGCORE_RETURN_IF_ERROR(Validate(frame, "frame"));
  SEGCORE_RETURN_IF_ERROR(Validate(out, "out"));
  SEGCORE_RETURN_IF_ERROR(CheckSize("out", out.size(), frame.size()));
  SEGCORE_RETURN_IF_ERROR(Validate(orientation));
  if (alpha != nullptr) {
    SEGCORE_RETURN_IF_ERROR(Validate(*alpha, "alpha"));
    SEGCORE_RETURN_IF_ERROR(CheckSize("alpha", alpha->size(), frame.size()));
  }
  if (frame.data == out.data && (frame.format != out.format || frame.stride != out.stride)) {
    return Invalid("out is the frame itself, but in another format or with another stride; give it memory of its own");
  }
  const bool image_wanted = options.background == Background::kImage;
  if (image_wanted && image.empty()) return Invalid("the background is an image, and none is set; call SetImage");
  if (options.background == Background::kNone) {
    Convert(frame, out);
    return {};
  }

  // From here on the frame and the output have the same format.
  ImageView source = frame;
  if (frame.format != out.format) {
    Convert(frame, out);
    source = out;
  }
  const bool in_place = source.data == out.data;
  if (alpha != nullptr) {
    tiles.Scan(*alpha);
  } else {
    tiles.Clear(frame.size());
  }
  const bool blurred = options.background == Background::kBlur;
  if (blurred) {
    blur.Compute(source, alpha == nullptr ? PlaneView{} : *alpha, tiles, options.blur_permille);
  } else {
    PrepareFixed(out.size(), out.format, orientation);
  }

  const int channels = BytesPerPixel(out.format);
  const std::size_t row_bytes = static_cast<std::size_t>(out.width) * channels;
  if (behind.size() < row_bytes) {
    feathered.resize(out.width);
    spread.resize(row_bytes);
    behind.resize(row_bytes);
  }
  const std::vector<AlphaTiles::Run>* runs = nullptr;
  for (int y = 0; y < out.height; ++y) {
    if (y % AlphaTiles::kHeight == 0) runs = &tiles.Runs(y, options.feather, 255 - options.feather);
    if (blurred) blur.SelectRow(y);
    for (const AlphaTiles::Run& run : *runs) {
      const int pixels = run.end - run.begin, bytes = pixels * channels;
      const std::ptrdiff_t offset = static_cast<std::ptrdiff_t>(run.begin) * channels;
      std::uint8_t* to = out.data + y * out.stride + offset;
      if (run.cover == AlphaTiles::Cover::kBackground) {
        if (blurred) {
          blur.Draw(run.begin, run.end, to);
        } else {
          std::memcpy(to, FixedRow(y) + offset, bytes);
        }
        continue;
      }
      if (!in_place) std::memcpy(to, source.data + y * source.stride + offset, bytes);
      if (run.cover == AlphaTiles::Cover::kMixed) {
        const std::uint8_t* background = behind.data();
        if (blurred) {
          blur.Draw(run.begin, run.end, behind.data());
        } else {
          background = FixedRow(y) + offset;
        }
        Feather(alpha->data + y * alpha->stride + run.begin, options.feather, feathered.data(), pixels);
        Spread(feathered.data(), pixels, channels, spread.data());
        Blend(spread.data(), background, to, bytes);
      } else if (channels == 4) {
        MakeOpaque(to, pixels);
      }
    }
  }
  return {};
}

Compositor::Compositor(const CompositorOptions& options) : impl_(std::make_unique<Impl>(options)) {}

Compositor::~Compositor() = default;

Status Compositor::SetOptions(const CompositorOptions& options) {
  SEGCORE_RETURN_IF_ERROR(Check(options));
  if (options.background == Background::kImage && impl_->image.empty()) {
    return Invalid("the background cannot be an image before one is set; call SetImage first");
  }
  impl_->Use(options);
  impl_->invalid = {};
  return {};
}

Status Compositor::SetImage(const ImageView& image) try {
  SEGCORE_RETURN_IF_ERROR(Validate(image, "image"));
  std::vector<std::uint8_t> copy(static_cast<std::size_t>(image.width) * image.height * 3);
  impl_->Convert(image, {copy.data(), image.width, image.height, image.width * 3, PixelFormat::kRgb});
  impl_->image = std::move(copy);
  impl_->image_size = image.size();
  impl_->fixed_format = PixelFormat::kNv12;
  return {};
} catch (const std::bad_alloc&) {
  return Status(Code::kInternal, "compositor: not enough memory for the image");
}

Status Compositor::Run(const ImageView& frame, const PlaneView& alpha, Orientation orientation,
                       const MutableImageView& out) try {
  return impl_->Draw(frame, &alpha, orientation, out);
} catch (const std::bad_alloc&) {
  return Status(Code::kInternal, "compositor: not enough memory for a frame");
}

Status Compositor::Hide(const ImageView& frame, Orientation orientation, const MutableImageView& out) try {
  return impl_->Draw(frame, nullptr, orientation, out);
} catch (const std::bad_alloc&) {
  return Status(Code::kInternal, "compositor: not enough memory for a frame");
}

}  // namespace segcore
