// SPDX-License-Identifier: Apache-2.0
#include "alpha_tiles.h"

#include <algorithm>

#include "simd.h"

namespace segcore {
namespace {

SEGCORE_INLINE std::uint8_t Less(std::uint8_t a, std::uint8_t b) { return a < b ? a : b; }
SEGCORE_INLINE std::uint8_t More(std::uint8_t a, std::uint8_t b) { return a > b ? a : b; }

/// The extremes of every column of pixels over some rows.
SEGCORE_INLINE void ColumnRangesBody(const std::uint8_t* __restrict alpha, std::ptrdiff_t stride, int rows,
                                     std::uint8_t* __restrict low, std::uint8_t* __restrict high, int pixels) {
  for (int x = 0; x < pixels; ++x) low[x] = high[x] = alpha[x];
  for (int y = 1; y < rows; ++y) {
    const std::uint8_t* row = alpha + y * stride;
    for (int x = 0; x < pixels; ++x) {
      low[x] = Less(low[x], row[x]);
      high[x] = More(high[x], row[x]);
    }
  }
}

/// The extremes of every tile from those of its columns.
SEGCORE_INLINE void TileRangesBody(const std::uint8_t* __restrict low, const std::uint8_t* __restrict high,
                                   std::uint8_t* __restrict tile_low, std::uint8_t* __restrict tile_high, int tiles) {
  for (int tile = 0; tile < tiles; ++tile) {
    std::uint8_t least = 255, most = 0;
    for (int x = 0; x < AlphaTiles::kWidth; ++x) {
      least = Less(least, low[tile * AlphaTiles::kWidth + x]);
      most = More(most, high[tile * AlphaTiles::kWidth + x]);
    }
    tile_low[tile] = least;
    tile_high[tile] = most;
  }
}

SEGCORE_KERNEL(ColumnRanges,
               (const std::uint8_t* alpha, std::ptrdiff_t stride, int rows, std::uint8_t* low, std::uint8_t* high,
                int pixels),
               (alpha, stride, rows, low, high, pixels))
SEGCORE_KERNEL(TileRanges,
               (const std::uint8_t* low, const std::uint8_t* high, std::uint8_t* tile_low, std::uint8_t* tile_high,
                int tiles),
               (low, high, tile_low, tile_high, tiles))

}  // namespace

void AlphaTiles::Resize(Size size) {
  if (size == size_) return;
  size_ = {};  // nothing is ready before all of it is
  columns_ = (size.width + kWidth - 1) / kWidth;
  const int bands = (size.height + kHeight - 1) / kHeight;
  tile_low_.resize(static_cast<std::size_t>(columns_) * bands);
  tile_high_.resize(tile_low_.size());
  // What lies beyond the right edge changes no extreme.
  low_.assign(static_cast<std::size_t>(columns_) * kWidth, 255);
  high_.assign(low_.size(), 0);
  runs_.reserve(columns_);
  size_ = size;
}

void AlphaTiles::Scan(const PlaneView& alpha) {
  Resize(alpha.size());
  for (int top = 0, band = 0; top < size_.height; top += kHeight, ++band) {
    ColumnRanges(alpha.data + top * alpha.stride, alpha.stride, std::min(kHeight, size_.height - top), low_.data(),
                 high_.data(), size_.width);
    const std::size_t tile = static_cast<std::size_t>(band) * columns_;
    TileRanges(low_.data(), high_.data(), tile_low_.data() + tile, tile_high_.data() + tile, columns_);
  }
}

void AlphaTiles::Clear(Size size) {
  Resize(size);
  std::fill(tile_low_.begin(), tile_low_.end(), std::uint8_t{0});
  std::fill(tile_high_.begin(), tile_high_.end(), std::uint8_t{0});
}

const std::vector<AlphaTiles::Run>& AlphaTiles::Runs(int y, int low, int high) {
  runs_.clear();
  const std::size_t first = static_cast<std::size_t>(y / kHeight) * columns_;
  for (int column = 0; column < columns_; ++column) {
    const Cover cover = tile_high_[first + column] <= low   ? Cover::kBackground
                        : tile_low_[first + column] >= high ? Cover::kPerson
                                                            : Cover::kMixed;
    const int end = std::min((column + 1) * kWidth, size_.width);
    if (!runs_.empty() && runs_.back().cover == cover) {
      runs_.back().end = end;
    } else {
      runs_.push_back({column * kWidth, end, cover});
    }
  }
  return runs_;
}

bool AlphaTiles::AllBackground(int low) const {
  return std::all_of(tile_high_.begin(), tile_high_.end(), [low](std::uint8_t high) { return high <= low; });
}

}  // namespace segcore
