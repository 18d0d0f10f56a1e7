// SPDX-License-Identifier: Apache-2.0
#include "guided_filter.h"

#include <algorithm>
#include <cstring>

#include "orientation.h"
#include "simd.h"

namespace segcore {
namespace {

constexpr int kRadius = GuidedFilter::kRadius;
constexpr int kSide = 2 * kRadius + 1;
constexpr int kPart = 128;  // parts between two inputs

// Luma is (77 R + 150 G + 29 B + 128) / 256.
template <int kBytes>
SEGCORE_INLINE void LumaOf(const std::uint8_t* __restrict pixels, int n, int red, int blue,
                           std::uint8_t* __restrict luma) {
  for (int x = 0; x < n; ++x) {
    luma[x] = static_cast<std::uint8_t>(
        (pixels[kBytes * x] * red + pixels[kBytes * x + 1] * 150 + pixels[kBytes * x + 2] * blue + 128) >> 8);
  }
}

SEGCORE_INLINE void LumaRowBody(const std::uint8_t* pixels, int n, int bytes, bool blue_first, std::uint8_t* luma) {
  const int red = blue_first ? 29 : 77, blue = 77 + 29 - red;
  if (bytes == 3) return LumaOf<3>(pixels, n, red, blue, luma);
  return LumaOf<4>(pixels, n, red, blue, luma);
}
SEGCORE_KERNEL(LumaRow, (const std::uint8_t* pixels, int n, int bytes, bool blue_first, std::uint8_t* luma),
               (pixels, n, bytes, blue_first, luma))

/// A row enters the windows' sums (sign 1) or leaves them (sign -1): of luma, mask, and their products.
SEGCORE_INLINE void AddProductsBody(const std::uint8_t* __restrict guide, const std::uint8_t* __restrict mask, int n,
                                    int sign, std::int32_t* __restrict sum_i, std::int32_t* __restrict sum_p,
                                    std::int32_t* __restrict sum_ip, std::int32_t* __restrict sum_ii) {
  for (int x = 0; x < n; ++x) {
    const int i = guide[x], p = mask[x];
    sum_i[x] += sign * i;
    sum_p[x] += sign * p;
    sum_ip[x] += sign * (i * p);
    sum_ii[x] += sign * (i * i);
  }
}
SEGCORE_KERNEL(AddProducts,
               (const std::uint8_t* guide, const std::uint8_t* mask, int n, int sign, std::int32_t* sum_i,
                std::int32_t* sum_p, std::int32_t* sum_ip, std::int32_t* sum_ii),
               (guide, mask, n, sign, sum_i, sum_p, sum_ip, sum_ii))

SEGCORE_INLINE void AddRowsBody(const std::int32_t* __restrict a, const std::int32_t* __restrict b,
                                const std::int32_t* __restrict c, int n, int sign, std::int32_t* __restrict sum_a,
                                std::int32_t* __restrict sum_b, std::int32_t* __restrict sum_c) {
  for (int x = 0; x < n; ++x) {
    sum_a[x] += sign * a[x];
    sum_b[x] += sign * b[x];
    sum_c[x] += sign * c[x];
  }
}
SEGCORE_KERNEL(AddRows,
               (const std::int32_t* a, const std::int32_t* b, const std::int32_t* c, int n, int sign,
                std::int32_t* sum_a, std::int32_t* sum_b, std::int32_t* sum_c),
               (a, b, c, n, sign, sum_a, sum_b, sum_c))

SEGCORE_INLINE std::int32_t WindowSum(const std::int32_t* columns) {
  std::int32_t sum = 0;
  for (int k = 0; k < kSide; ++k) sum += columns[k];
  return sum;
}

/// The quotient of whole numbers, rounded to the nearest, halves away from zero; the divisor is positive. In doubles,
/// because that is a vector: every product and sum here is far below 2^53 and so exact, fused or not, and a quotient
/// that is no whole number is farther from one than a double rounds.
SEGCORE_INLINE std::int32_t Divide(double numerator, double divisor) {
  const double half = numerator < 0 ? -0.5 : 0.5;
  return static_cast<std::int32_t>((numerator + half * divisor) / divisor);
}

/// Lines fitted in windows of `count[x] * rows` pixels, whose column sums are given from kRadius pixels to the left on.
SEGCORE_INLINE void FitRowBody(const std::int32_t* __restrict sum_i, const std::int32_t* __restrict sum_p,
                               const std::int32_t* __restrict sum_ip, const std::int32_t* __restrict sum_ii,
                               const int* __restrict count, int rows, int n, std::int32_t* __restrict slope,
                               std::int32_t* __restrict share, std::int32_t* __restrict offset) {
  for (int x = 0; x < n; ++x) {
    const std::int32_t pixels = count[x] * rows;
    const std::int32_t i = WindowSum(sum_i + x), p = WindowSum(sum_p + x);
    const std::int32_t covariance = pixels * WindowSum(sum_ip + x) - i * p;  // times pixels^2, below 2^31
    const std::int32_t variance = pixels * WindowSum(sum_ii + x) - i * i;
    const double divisor = variance + GuidedFilter::kEpsilon * pixels * pixels;
    const std::int32_t a = Divide(256.0 * covariance, divisor);
    const std::int32_t g = Divide(256.0 * variance, divisor);
    slope[x] = a;
    share[x] = g;
    offset[x] = Divide(static_cast<double>(g) * p - static_cast<double>(a) * i, pixels);
  }
}
SEGCORE_KERNEL(FitRow,
               (const std::int32_t* sum_i, const std::int32_t* sum_p, const std::int32_t* sum_ip,
                const std::int32_t* sum_ii, const int* count, int rows, int n, std::int32_t* slope, std::int32_t* share,
                std::int32_t* offset),
               (sum_i, sum_p, sum_ip, sum_ii, count, rows, n, slope, share, offset))

/// What the lines of all windows around a pixel add to its mask, on average.
SEGCORE_INLINE void AverageRowBody(const std::int32_t* __restrict sum_slope, const std::int32_t* __restrict sum_share,
                                   const std::int32_t* __restrict sum_offset, const std::uint8_t* __restrict mask,
                                   const int* __restrict count, int rows, int n, std::int16_t* __restrict slope,
                                   std::int16_t* __restrict shift) {
  for (int x = 0; x < n; ++x) {
    const double pixels = count[x] * rows;
    slope[x] = static_cast<std::int16_t>(Divide(WindowSum(sum_slope + x), pixels));
    shift[x] =
        static_cast<std::int16_t>(Divide(WindowSum(sum_offset + x) - mask[x] * WindowSum(sum_share + x), 32 * pixels));
  }
}
SEGCORE_KERNEL(AverageRow,
               (const std::int32_t* sum_slope, const std::int32_t* sum_share, const std::int32_t* sum_offset,
                const std::uint8_t* mask, const int* count, int rows, int n, std::int16_t* slope, std::int16_t* shift),
               (sum_slope, sum_share, sum_offset, mask, count, rows, n, slope, shift))

SEGCORE_INLINE void ApplyRowBody(const std::uint8_t* __restrict luma, const std::int16_t* __restrict slope_above,
                                 const std::int16_t* __restrict slope_below, const std::int16_t* __restrict shift_above,
                                 const std::int16_t* __restrict shift_below, int part, int n,
                                 std::uint8_t* __restrict alpha) {
  for (int x = 0; x < n; ++x) {
    const int slope = slope_above[x] * (kPart - part) + slope_below[x] * part;  // in 1 / (256 kPart)
    const int shift = shift_above[x] * (kPart - part) + shift_below[x] * part;  // in 1 / (8 kPart)
    const int added = (slope * luma[x] + shift * 32 + 128 * kPart) >> 15;
    alpha[x] = static_cast<std::uint8_t>(std::min(std::max(alpha[x] + added, 0), 255));
  }
}
SEGCORE_KERNEL(ApplyRow,
               (const std::uint8_t* luma, const std::int16_t* slope_above, const std::int16_t* slope_below,
                const std::int16_t* shift_above, const std::int16_t* shift_below, int part, int n, std::uint8_t* alpha),
               (luma, slope_above, slope_below, shift_above, shift_below, part, n, alpha))

/// Turns a plane's content back to how the frame lies.
void TurnBack(const std::uint8_t* plane, std::ptrdiff_t stride, const Rect& content, Orientation orientation,
              std::uint8_t* out) {
  const Size size{content.width, content.height}, turned = Upright(size, orientation);
  const Steps steps = Turned(size, stride, 1, Inverse(orientation));
  const std::uint8_t* start = plane + content.top * stride + content.left + steps.start;
  for (int y = 0; y < turned.height; ++y) {
    const std::uint8_t* from = start + y * steps.down;
    for (int x = 0; x < turned.width; ++x, from += steps.right) *out++ = *from;
  }
}

int RowsInside(int y, int height) { return std::min(y + kRadius, height - 1) - std::max(y - kRadius, 0) + 1; }

}  // namespace

Status GuidedFilter::Run(const Mask& mask, const ImageView& frame, const MutablePlaneView& alpha) {
  const std::size_t expected = static_cast<std::size_t>(mask.picture_size.width) * mask.picture_size.height * 3;
  if (mask.picture_size.width < 1 || mask.picture_size.height < 1 || mask.picture.size() != expected) {
    return Status(Code::kInvalidArgument, "mask: its picture does not hold as many pixels as its size says");
  }
  SEGCORE_RETURN_IF_ERROR(Validate(frame, "frame"));
  if (frame.size() != mask.frame) {
    return Status(Code::kInvalidArgument, "frame: its size is not that of the frame that the mask was made from");
  }
  Prepare(Upright({mask.content.width, mask.content.height}, mask.orientation), frame.size());
  ReadMask(mask);
  Fit();
  Average();

  pixels_.Open(frame);
  const std::size_t width = static_cast<std::size_t>(frame.width);
  std::int16_t* slope[2] = {rows_.data(), rows_.data() + width};
  std::int16_t* shift[2] = {rows_.data() + 2 * width, rows_.data() + 3 * width};
  int held[2] = {-1, -1};  // the rows that were expanded
  for (int y = 0; y < frame.height; ++y) {
    const Between& between = down_[static_cast<std::size_t>(y)];
    for (int k = 0; k < 2; ++k) {
      const int wanted = std::min(between.first + k, size_.height - 1), place = wanted % 2;
      if (held[place] != wanted) Expand(wanted, slope[place], shift[place]);
      held[place] = wanted;
    }
    const int above = between.first % 2, below = std::min(between.first + 1, size_.height - 1) % 2;
    LumaRow(pixels_.Row(y), frame.width, pixels_.bytes(), pixels_.blue_first(), picture_.data());
    ApplyRow(picture_.data(), slope[above], slope[below], shift[above], shift[below], between.part, frame.width,
             alpha.data + y * alpha.stride);
  }
  return {};
}

void GuidedFilter::Prepare(Size mask, Size frame) {
  if (mask == size_ && frame == frame_) return;
  size_ = {};  // stays so where memory runs out below
  const std::size_t pixels = static_cast<std::size_t>(mask.width) * mask.height;
  for (auto* plane : {&guide_, &mask_}) plane->resize(pixels);
  for (auto* plane : {&slope_, &share_, &offset_}) plane->resize(pixels);
  for (auto* plane : {&mean_slope_, &mean_shift_}) plane->resize(pixels);
  columns_.resize(4 * static_cast<std::size_t>(mask.width + 2 * kRadius));
  count_.resize(static_cast<std::size_t>(mask.width));
  for (int x = 0; x < mask.width; ++x) count_[static_cast<std::size_t>(x)] = RowsInside(x, mask.width);
  const auto between = [](int in, int out, std::vector<Between>* axis) {
    axis->resize(static_cast<std::size_t>(out));
    for (int i = 0; i < out; ++i) {
      // Half-pixel bilinear: output i has its centre at ((2i + 1) in - out) / (2 out) inputs.
      const std::int64_t centre = std::max<std::int64_t>((2 * std::int64_t{i} + 1) * in - out, 0) * kPart / (2 * out);
      const int first = std::min(static_cast<int>(centre / kPart), in - 1);
      (*axis)[static_cast<std::size_t>(i)] = {first, first == in - 1 ? 0 : static_cast<int>(centre % kPart)};
    }
  };
  between(mask.width, frame.width, &across_);
  between(mask.height, frame.height, &down_);
  rows_.resize(4 * static_cast<std::size_t>(frame.width));
  size_ = mask;
  frame_ = frame;
}

void GuidedFilter::ReadMask(const Mask& mask) {
  const Size size = mask.picture_size;
  const std::size_t pixels = static_cast<std::size_t>(size.width) * size.height;
  const std::size_t needed = std::max(pixels, static_cast<std::size_t>(frame_.width));
  if (picture_.size() < needed) picture_.resize(needed);
  LumaRow(mask.picture.data(), static_cast<int>(pixels), 3, false, picture_.data());
  const std::uint8_t* luma = picture_.data();
  if (size != mask.size) {
    fitted_.resize(mask.alpha.size());
    PlaneRows rows(PlaneView{luma, size.width, size.height, size.width});
    resampler_.Prepare(size, mask.size, 1);
    resampler_.Run(rows, fitted_.data(), mask.size.width);
    luma = fitted_.data();
  }
  TurnBack(luma, mask.size.width, mask.content, mask.orientation, guide_.data());
  TurnBack(mask.alpha.data(), mask.size.width, mask.content, mask.orientation, mask_.data());
}

void GuidedFilter::Fit() {
  const int width = size_.width, height = size_.height;
  const std::ptrdiff_t stride = width + 2 * kRadius;
  std::fill(columns_.begin(), columns_.end(), 0);
  std::int32_t *i = columns_.data(), *p = i + stride, *ip = p + stride, *ii = ip + stride;
  const auto add = [&](int y, int sign) {
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(y) * width;
    AddProducts(guide_.data() + at, mask_.data() + at, width, sign, i + kRadius, p + kRadius, ip + kRadius,
                ii + kRadius);
  };
  for (int y = 0; y < std::min(kRadius, height); ++y) add(y, 1);
  for (int y = 0; y < height; ++y) {
    if (y + kRadius < height) add(y + kRadius, 1);
    if (y > kRadius) add(y - kRadius - 1, -1);
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(y) * width;
    FitRow(i, p, ip, ii, count_.data(), RowsInside(y, height), width, slope_.data() + at, share_.data() + at,
           offset_.data() + at);
  }
}

void GuidedFilter::Average() {
  const int width = size_.width, height = size_.height;
  const std::ptrdiff_t stride = width + 2 * kRadius;
  std::fill(columns_.begin(), columns_.end(), 0);
  std::int32_t *slope = columns_.data(), *share = slope + stride, *offset = share + stride;
  const auto add = [&](int y, int sign) {
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(y) * width;
    AddRows(slope_.data() + at, share_.data() + at, offset_.data() + at, width, sign, slope + kRadius, share + kRadius,
            offset + kRadius);
  };
  for (int y = 0; y < std::min(kRadius, height); ++y) add(y, 1);
  for (int y = 0; y < height; ++y) {
    if (y + kRadius < height) add(y + kRadius, 1);
    if (y > kRadius) add(y - kRadius - 1, -1);
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(y) * width;
    AverageRow(slope, share, offset, mask_.data() + at, count_.data(), RowsInside(y, height), width,
               mean_slope_.data() + at, mean_shift_.data() + at);
  }
}

void GuidedFilter::Expand(int y, std::int16_t* slope, std::int16_t* shift) const {
  const std::int16_t* slopes = mean_slope_.data() + static_cast<std::ptrdiff_t>(y) * size_.width;
  const std::int16_t* shifts = mean_shift_.data() + static_cast<std::ptrdiff_t>(y) * size_.width;
  for (std::size_t x = 0; x < across_.size(); ++x) {
    const auto [first, part] = across_[x];
    const int next = part == 0 ? first : first + 1;
    slope[x] = static_cast<std::int16_t>((slopes[first] * (kPart - part) + slopes[next] * part + kPart / 2) >> 7);
    shift[x] = static_cast<std::int16_t>((shifts[first] * (kPart - part) + shifts[next] * part + kPart / 2) >> 7);
  }
}

}  // namespace segcore
