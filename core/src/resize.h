// SPDX-License-Identifier: Apache-2.0
// The exact resize of harness/contract.py: 8-bit pixels to 8-bit pixels with rational weights over both axes and one
// rounding, half up; area average where an axis shrinks, half-pixel bilinear where it grows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "segcore/image.h"

namespace segcore {

/// Rows of 8-bit pixels, asked for in ascending order, a row perhaps twice in succession.
class RowReader {
 public:
  /// Valid until the next call.
  virtual const std::uint8_t* Row(int y) = 0;

 protected:
  ~RowReader() = default;
};

class PlaneRows final : public RowReader {
 public:
  explicit PlaneRows(const PlaneView& plane) : plane_(plane) {}
  const std::uint8_t* Row(int y) override { return plane_.data + y * plane_.stride; }

 private:
  PlaneView plane_;
};

/// Allocates only in Prepare, and there only when the sizes change.
class Resampler {
 public:
  Resampler();
  ~Resampler();
  Resampler(const Resampler&) = delete;
  Resampler& operator=(const Resampler&) = delete;

  /// `bytes` is what a pixel of a row read has: 1, or 3 or 4 of which the first three count.
  void Prepare(Size from, Size to, int bytes);

  /// Writes `to.height` rows of `to.width` pixels. A pixel of one byte becomes one byte, every other becomes four: its
  /// three colours in the order they have, and a byte that means nothing.
  void Run(RowReader& rows, std::uint8_t* out, std::ptrdiff_t stride);

 private:
  class Engine;
  template <typename Real, typename Sum>
  class EngineOf;

  Size from_, to_;
  int bytes_ = 0;
  std::unique_ptr<Engine> engine_;
};

}  // namespace segcore
