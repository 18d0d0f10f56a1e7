// SPDX-License-Identifier: Apache-2.0
#include "temporal.h"

#include <algorithm>
#include <cstdlib>

#include "simd.h"

namespace segcore {
namespace {

// Weights are in 1/32768, differences of colours in 1/16, alphas in 1/255.
constexpr int kOne = 1 << 15;
constexpr int kHalf = kOne / 2;
constexpr int kSure = 96;        // a change of colours by this much more than noise begins to count …
constexpr int kRampShift = 8;    // … and counts fully at 1/256 of kOne, 8 levels, more
constexpr int kMostNoise = 192;  // what is taken for noise at most: a picture that moves as a whole is not noise
constexpr int kBand = 24;        // changes of alpha up to this are taken for noise; a compositor's feather hides them
constexpr int kRate = 8;         // per level of alpha beyond the band
constexpr int kFastest = kOne / 32;   // of what is on the right side already
constexpr int kCross = 3 * kOne / 8;  // of what is on the wrong side
constexpr int kLeak = kOne / 1024;    // of everything, so that nothing stays for ever
constexpr int kColours = kOne / 4;    // of colours that are still
constexpr int kStep = 5;              // pixels from one to the next that medians are taken over

SEGCORE_INLINE void SplitColoursBody(const std::uint8_t* __restrict rgb, int n, std::uint8_t* __restrict red,
                                     std::uint8_t* __restrict green, std::uint8_t* __restrict blue) {
  for (int i = 0; i < n; ++i) {
    red[i] = rgb[3 * i];
    green[i] = rgb[3 * i + 1];
    blue[i] = rgb[3 * i + 2];
  }
}
SEGCORE_KERNEL(SplitColours,
               (const std::uint8_t* rgb, int n, std::uint8_t* red, std::uint8_t* green, std::uint8_t* blue),
               (rgb, n, red, green, blue))

/// The kept colours follow the exposure by `shift` levels; their distance from the new ones is added to `change`.
SEGCORE_INLINE void CompareBody(const std::uint8_t* __restrict colour, int shift, int n, bool first,
                                std::int16_t* __restrict kept, std::int16_t* __restrict change) {
  for (int i = 0; i < n; ++i) {
    const int expected = std::min(std::max(kept[i] + shift * 128, 0), 255 * 128);
    const int distance = std::abs(colour[i] * 128 - expected) >> 3;
    kept[i] = static_cast<std::int16_t>(expected);
    change[i] = static_cast<std::int16_t>((first ? 0 : change[i]) + distance);
  }
}
SEGCORE_KERNEL(Compare,
               (const std::uint8_t* colour, int shift, int n, bool first, std::int16_t* kept, std::int16_t* change),
               (colour, shift, n, first, kept, change))

/// How much of the change is beyond what noise explains, 0 … kOne.
SEGCORE_INLINE int Moved(int change, int noise) {
  return std::min(std::max((change - noise) * (1 << kRampShift), 0), kOne);
}

SEGCORE_INLINE std::int16_t Towards(int from, int to, int weight) {
  return static_cast<std::int16_t>(from + (((to - from) * weight + kHalf) >> 15));  // at most 255 * 128 * kOne < 2^31
}

SEGCORE_INLINE void FollowAlphaBody(const std::int16_t* __restrict change, int noise, int n,
                                    std::int16_t* __restrict state, std::uint8_t* __restrict alpha) {
  for (int i = 0; i < n; ++i) {
    const int now = alpha[i], kept = state[i];
    const int distance = std::abs(now * 128 - kept) >> 7;
    const int certainty = std::abs(2 * now - 255) + 1;  // 2 … 256
    const int held = std::min(std::max((distance - kBand) * kRate, 0), kFastest) * certainty >> 8;
    const int crossed = (now > 127) != (kept >= 127 * 128 + 64) ? kCross : 0;
    const int still = std::max(held, crossed) + kLeak;
    state[i] = Towards(kept, now * 128, std::max(still, Moved(change[i], noise)));
    alpha[i] = static_cast<std::uint8_t>((state[i] + 64) >> 7);
  }
}
SEGCORE_KERNEL(FollowAlpha, (const std::int16_t* change, int noise, int n, std::int16_t* state, std::uint8_t* alpha),
               (change, noise, n, state, alpha))

SEGCORE_INLINE void FollowColourBody(const std::int16_t* __restrict change, int noise,
                                     const std::uint8_t* __restrict colour, int n, std::int16_t* __restrict kept) {
  for (int i = 0; i < n; ++i) {
    kept[i] = Towards(kept[i], colour[i] * 128, std::max(kColours, Moved(change[i], noise)));
  }
}
SEGCORE_KERNEL(FollowColour,
               (const std::int16_t* change, int noise, const std::uint8_t* colour, int n, std::int16_t* kept),
               (change, noise, colour, n, kept))

/// Histogram of whole numbers from 0 to kBins - 1; more counts as the last.
template <int kBins>
class Histogram {
 public:
  void Add(int value) {
    ++counts_[static_cast<std::size_t>(std::min(value, kBins - 1))];
    ++total_;
  }
  int Median() const {
    int value = 0;
    for (int below = counts_[0]; 2 * below < total_; below += counts_[static_cast<std::size_t>(value)]) ++value;
    return value;
  }

 private:
  std::array<int, kBins> counts_{};
  int total_ = 0;
};

/// Calls `take` with every kStep-th pixel of the content.
template <typename Take>
void Sample(const Rect& content, int width, Take take) {
  int x = 0;
  for (int y = content.top; y < content.top + content.height; ++y) {
    for (; x < content.width; x += kStep) take(static_cast<std::size_t>(y) * width + content.left + x);
    x -= content.width;
  }
}

bool Same(const Rect& a, const Rect& b) {
  return a.top == b.top && a.left == b.left && a.height == b.height && a.width == b.width;
}

Status Invalid(const char* problem) { return Status(Code::kInvalidArgument, std::string("mask: ") + problem); }

}  // namespace

Status TemporalFilter::Run(Mask* mask) {
  if (mask == nullptr) return Invalid("none was given (null pointer)");
  const auto pixels = [](Size size) { return static_cast<std::size_t>(size.width) * size.height; };
  const Rect& content = mask->content;
  if (mask->size.width < 1 || mask->size.height < 1 || mask->alpha.size() != pixels(mask->size)) {
    return Invalid("alpha does not hold as many pixels as its size says");
  }
  if (mask->picture_size.width < 1 || mask->picture_size.height < 1 ||
      mask->picture.size() != 3 * pixels(mask->picture_size)) {
    return Invalid("its picture does not hold as many pixels as its size says");
  }
  if (content.top < 0 || content.left < 0 || content.width < 1 || content.height < 1 ||
      content.width > mask->size.width - content.left || content.height > mask->size.height - content.top) {
    return Invalid("the content lies outside of it");
  }
  const bool goes_on = started_ && mask->size == size_ && mask->picture_size == picture_size_ &&
                       mask->frame == frame_ && Same(content, content_) && mask->orientation == orientation_;
  if (goes_on) {
    Continue(mask);
  } else {
    Start(*mask);
  }
  return {};
}

void TemporalFilter::Start(const Mask& mask) {
  started_ = false;  // stays so where memory runs out below
  const std::size_t pixels = mask.alpha.size();
  alpha_.resize(pixels);
  change_.resize(pixels);
  for (auto& plane : colours_) plane.resize(pixels);
  for (auto& plane : kept_) plane.resize(pixels);
  size_ = mask.size;
  picture_size_ = mask.picture_size;
  frame_ = mask.frame;
  content_ = mask.content;
  orientation_ = mask.orientation;
  Split(mask);
  const auto widen = [](std::uint8_t value) { return static_cast<std::int16_t>(value * 128); };
  std::transform(mask.alpha.begin(), mask.alpha.end(), alpha_.begin(), widen);
  for (std::size_t c = 0; c < 3; ++c) {
    std::transform(colours_[c].begin(), colours_[c].end(), kept_[c].begin(), widen);
  }
  started_ = true;
}

void TemporalFilter::Continue(Mask* mask) {
  const int pixels = static_cast<int>(mask->alpha.size());
  Split(*mask);
  for (int c = 0; c < 3; ++c) {
    const auto colour = static_cast<std::size_t>(c);
    Compare(colours_[colour].data(), ExposureShift(c), pixels, c == 0, kept_[colour].data(), change_.data());
  }
  const int noise = Noise() * 3 / 2 + kSure;
  FollowAlpha(change_.data(), noise, pixels, alpha_.data(), mask->alpha.data());
  for (std::size_t c = 0; c < 3; ++c) {
    FollowColour(change_.data(), noise, colours_[c].data(), pixels, kept_[c].data());
  }
}

void TemporalFilter::Split(const Mask& mask) {
  if (picture_size_ == size_) {
    SplitColours(mask.picture.data(), static_cast<int>(mask.alpha.size()), colours_[0].data(), colours_[1].data(),
                 colours_[2].data());
    return;
  }
  // A network whose output is not as large as its input: the nearest pixel says well enough whether it is still.
  std::size_t to = 0;
  for (std::int64_t y = 0; y < size_.height; ++y) {
    const std::int64_t row = (2 * y + 1) * picture_size_.height / (2 * size_.height) * picture_size_.width;
    for (std::int64_t x = 0; x < size_.width; ++x, ++to) {
      const std::int64_t from = 3 * (row + (2 * x + 1) * picture_size_.width / (2 * size_.width));
      for (std::size_t c = 0; c < 3; ++c) colours_[c][to] = mask.picture[static_cast<std::size_t>(from) + c];
    }
  }
}

int TemporalFilter::ExposureShift(int colour) const {
  const auto& now = colours_[static_cast<std::size_t>(colour)];
  const auto& kept = kept_[static_cast<std::size_t>(colour)];
  Histogram<512> shifts;
  Sample(content_, size_.width, [&](std::size_t i) { shifts.Add(256 + ((now[i] * 128 - kept[i] + 64) >> 7)); });
  return shifts.Median() - 256;
}

int TemporalFilter::Noise() const {
  Histogram<kMostNoise + 1> changes;
  Sample(content_, size_.width, [&](std::size_t i) { changes.Add(change_[i]); });
  return changes.Median();
}

}  // namespace segcore
