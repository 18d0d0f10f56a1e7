// SPDX-License-Identifier: Apache-2.0
// The blurred background of a frame, without the person in it.
//
// The frame is averaged over square cells, every pixel weighted by how surely it is background; cells that hold person
// are filled from the background around them (coarser and coarser averages, then back); the filled picture is blurred
// by three box passes each way, which is close to a Gaussian, and enlarged again row by row. No person's pixel takes
// part anywhere, so there is no halo, and no hole either. Integers throughout: colours have 8 fractional bits.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "alpha_tiles.h"
#include "segcore/image.h"

namespace segcore {

class Blur {
 public:
  /// Alphas up to kClear are surely background, from kTaken on they are person, between they count in part.
  static constexpr int kClear = 8;
  static constexpr int kTaken = 24;

  /// Blurs a packed frame. Where `tiles` say that everything is background, `alpha` is not looked at. Allocates only
  /// when the size, the format or the strength changes.
  void Compute(const ImageView& frame, const PlaneView& alpha, AlphaTiles& tiles, int permille);

  /// Makes ready to draw row y of the frame. Rows are asked for in ascending order.
  void SelectRow(int y);

  /// Draws columns begin … end of the selected row, in the format of the frame and opaque; `out` is where `begin` goes.
  void Draw(int begin, int end, std::uint8_t* out) const;

 private:
  /// A picture of cells, column by column: line x, channel c, row y lies at colour[(x * 3 + c) * length + y].
  struct Grid {
    int lines = 0;
    int length = 0;
    std::vector<std::uint16_t> colour;  // average times weight
    std::vector<std::uint16_t> weight;  // 0 … 256
    void Resize(int lines, int length);
  };

  using Sums = std::array<std::vector<std::uint16_t>, 2>;  // the second one is for folding

  void Prepare(Size frame, PixelFormat format, int permille);
  void Average(const ImageView& frame, const PlaneView& alpha, AlphaTiles& tiles, bool whole);
  const std::uint16_t* FoldCells(Sums& sums, int channels) const;
  void StoreCells(int cell_row, bool whole);
  void AverageAll();
  void Withdraw();
  void Fill();
  static void Pull(const Grid& fine, Grid* coarse);
  void Push(const Grid& coarse, Grid* fine);
  void Smooth();
  void Box(const std::uint16_t* in, std::uint16_t* out, int lines, int length, int radius);
  void Enlarge(int cell_row, std::uint16_t* out);

  static constexpr int kNoRow = -3;

  Size size_;
  PixelFormat format_ = PixelFormat::kBgr;
  int permille_ = 0;
  int channels_ = 3;
  std::array<int, 3> place_{};  // of red, green, blue in a pixel
  int cell_ = 8;                // side of a cell in pixels: 2, 4, 8 or 16
  int cell_log2_ = 3;
  int columns_ = 0, rows_ = 0;   // cells
  std::array<int, 3> radius_{};  // of the box passes, in cells

  std::vector<std::uint8_t> weights_, spread_;  // weights of a row's bytes
  Sums sums_;                                   // of a row of cells, byte by byte
  Sums weight_sums_;                            // pixel by pixel
  std::vector<Grid> levels_;                    // finest first
  std::vector<std::uint32_t> line_;
  std::vector<std::uint16_t> scratch_;      // as large as the finest level's colour
  std::array<std::uint16_t, 3> mean_{};     // of all background
  const std::uint16_t* blurred_ = nullptr;  // rows_ x columns_ x 3, row by row

  std::vector<std::uint16_t> repeated_;  // a row of cells, repeated over their pixels
  std::vector<std::uint16_t> ramp_;      // weights of a cell against the next one
  std::vector<std::uint16_t> upper_, lower_;
  int selected_ = kNoRow;  // cell row of `upper_`; `lower_` holds the next one
  int step_ = 0;           // weight of `lower_` out of 2 * cell_
};

}  // namespace segcore
