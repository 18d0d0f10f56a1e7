// SPDX-License-Identifier: Apache-2.0
#include "blur.h"

#include <algorithm>
#include <cstring>

#include "blend.h"
#include "simd.h"

namespace segcore {
namespace {

constexpr int kWhole = 256;  // weight of a cell without any person
constexpr int kGrey = 128;   // where there is no background at all

/// Adds some rows, every byte times `weight`.
template <int kRows>
SEGCORE_INLINE void AddSomeRows(const std::uint8_t* const* rows, std::ptrdiff_t offset, std::uint16_t weight,
                                std::uint16_t* __restrict sums, int bytes) {
  const std::uint8_t* row[kRows];
  for (int j = 0; j < kRows; ++j) row[j] = rows[j] + offset;
  for (int i = 0; i < bytes; ++i) {
    std::uint16_t sum = 0;
    for (int j = 0; j < kRows; ++j) sum = static_cast<std::uint16_t>(sum + row[j][i]);
    sums[i] = static_cast<std::uint16_t>(sums[i] + sum * weight);
  }
}

SEGCORE_INLINE void AddRowsBody(const std::uint8_t* const* rows, int count, std::ptrdiff_t offset, int weight,
                                std::uint16_t* __restrict sums, int bytes) {
  const auto w = static_cast<std::uint16_t>(weight);
  if (count == 8) return AddSomeRows<8>(rows, offset, w, sums, bytes);
  if (count == 4) return AddSomeRows<4>(rows, offset, w, sums, bytes);
  AddSomeRows<2>(rows, offset, w, sums, bytes);
}

SEGCORE_INLINE void AddWeightedBody(const std::uint8_t* __restrict row, const std::uint8_t* __restrict weights,
                                    std::uint16_t* __restrict sums, int bytes) {
  for (int i = 0; i < bytes; ++i) sums[i] = static_cast<std::uint16_t>(sums[i] + row[i] * weights[i]);
}

/// The weights of a row of alphas, as they are and added up.
SEGCORE_INLINE void WeighBody(const std::uint8_t* __restrict alpha, int most, std::uint8_t* __restrict weights,
                              std::uint16_t* __restrict sums, int pixels) {
  for (int x = 0; x < pixels; ++x) {
    const int below = alpha[x] < Blur::kTaken ? Blur::kTaken - alpha[x] : 0;
    const int part = below * most / (Blur::kTaken - Blur::kClear);
    const int weight = part < most ? part : most;
    weights[x] = static_cast<std::uint8_t>(weight);
    sums[x] = static_cast<std::uint16_t>(sums[x] + weight);
  }
}

SEGCORE_INLINE void FoldBody(const std::uint16_t* __restrict in, int distance, std::uint16_t* __restrict out,
                             int count) {
  for (int i = 0; i < count; ++i) out[i] = static_cast<std::uint16_t>(in[i] + in[i + distance]);
}

/// One step of a running box: `sums` divided by the box's width, then moved on by one line.
SEGCORE_INLINE void BoxLineBody(const std::uint16_t* __restrict entering, const std::uint16_t* __restrict leaving,
                                std::uint32_t reciprocal, std::uint32_t* __restrict sums, std::uint16_t* __restrict out,
                                int length) {
  for (int i = 0; i < length; ++i) {
    out[i] = static_cast<std::uint16_t>((static_cast<std::uint64_t>(sums[i]) * reciprocal) >> 32);
    sums[i] += static_cast<std::uint32_t>(entering[i]) - leaving[i];
  }
}

SEGCORE_INLINE void InterpolateBody(const std::uint16_t* __restrict cells, const std::uint16_t* __restrict next,
                                    const std::uint16_t* __restrict ramp, int total, int shift,
                                    std::uint16_t* __restrict out, int count) {
  const std::uint16_t whole = static_cast<std::uint16_t>(total), half = static_cast<std::uint16_t>(total / 2);
  for (int i = 0; i < count; ++i) {
    const std::uint16_t here = static_cast<std::uint16_t>(cells[i] * static_cast<std::uint16_t>(whole - ramp[i]));
    const std::uint16_t there = static_cast<std::uint16_t>(next[i] * ramp[i]);
    out[i] = static_cast<std::uint16_t>(static_cast<std::uint16_t>(here + there + half) >> shift);
  }
}

SEGCORE_INLINE void MixRowsBody(const std::uint16_t* __restrict upper, const std::uint16_t* __restrict lower,
                                int upper_weight, int lower_weight, std::uint8_t* __restrict out, int bytes) {
  const std::uint16_t u = static_cast<std::uint16_t>(upper_weight), l = static_cast<std::uint16_t>(lower_weight);
  for (int i = 0; i < bytes; ++i) {
    const std::uint16_t above = static_cast<std::uint16_t>(upper[i] * u);
    const std::uint16_t below = static_cast<std::uint16_t>(lower[i] * l);
    out[i] = static_cast<std::uint8_t>(static_cast<std::uint16_t>(above + below + 128) >> 8);
  }
}

/// Three parts of one line and one of another.
SEGCORE_INLINE void MixLinesBody(const std::uint16_t* __restrict near, const std::uint16_t* __restrict far,
                                 std::uint32_t* __restrict out, int length) {
  for (int i = 0; i < length; ++i) out[i] = 3U * near[i] + far[i];
}

SEGCORE_INLINE std::uint16_t Filled(std::uint16_t colour, std::uint16_t weight, std::uint32_t near, std::uint32_t far) {
  const std::uint32_t sixteenfold = 3 * near + far, missing = kWhole - weight;
  return static_cast<std::uint16_t>(colour + (missing * sixteenfold + 8 * kWhole) / (16 * kWhole));
}

/// Adds what a line of cells lacks from the mixed line of the coarser picture, which goes on by one either way.
SEGCORE_INLINE void FillLineBody(const std::uint32_t* __restrict coarse, const std::uint16_t* __restrict weight,
                                 std::uint16_t* __restrict colour, int length) {
  const int pairs = length / 2;
  for (int i = 0; i < pairs; ++i) {
    colour[2 * i] = Filled(colour[2 * i], weight[2 * i], coarse[i], coarse[i - 1]);
    colour[2 * i + 1] = Filled(colour[2 * i + 1], weight[2 * i + 1], coarse[i], coarse[i + 1]);
  }
  if (length % 2 == 1)
    colour[length - 1] = Filled(colour[length - 1], weight[length - 1], coarse[pairs], coarse[pairs - 1]);
}

SEGCORE_KERNEL(AddRows,
               (const std::uint8_t* const* rows, int count, std::ptrdiff_t offset, int weight, std::uint16_t* sums,
                int bytes),
               (rows, count, offset, weight, sums, bytes))
SEGCORE_KERNEL(AddWeighted, (const std::uint8_t* row, const std::uint8_t* weights, std::uint16_t* sums, int bytes),
               (row, weights, sums, bytes))
SEGCORE_KERNEL(Weigh, (const std::uint8_t* alpha, int most, std::uint8_t* weights, std::uint16_t* sums, int pixels),
               (alpha, most, weights, sums, pixels))
SEGCORE_KERNEL(Fold, (const std::uint16_t* in, int distance, std::uint16_t* out, int count), (in, distance, out, count))
SEGCORE_KERNEL(BoxLine,
               (const std::uint16_t* entering, const std::uint16_t* leaving, std::uint32_t reciprocal,
                std::uint32_t* sums, std::uint16_t* out, int length),
               (entering, leaving, reciprocal, sums, out, length))
SEGCORE_KERNEL(MixLines, (const std::uint16_t* near, const std::uint16_t* far, std::uint32_t* out, int length),
               (near, far, out, length))
SEGCORE_KERNEL(FillLine, (const std::uint32_t* coarse, const std::uint16_t* weight, std::uint16_t* colour, int length),
               (coarse, weight, colour, length))
SEGCORE_KERNEL(Interpolate,
               (const std::uint16_t* cells, const std::uint16_t* next, const std::uint16_t* ramp, int total, int shift,
                std::uint16_t* out, int count),
               (cells, next, ramp, total, shift, out, count))
SEGCORE_KERNEL(MixRows,
               (const std::uint16_t* upper, const std::uint16_t* lower, int upper_weight, int lower_weight,
                std::uint8_t* out, int bytes),
               (upper, lower, upper_weight, lower_weight, out, bytes))

int CeilDiv(int a, int b) { return (a + b - 1) / b; }

}  // namespace

void Blur::Grid::Resize(int new_lines, int new_length) {
  lines = new_lines;
  length = new_length;
  colour.resize(static_cast<std::size_t>(lines) * length * 3);
  weight.resize(static_cast<std::size_t>(lines) * length);
}

void Blur::Prepare(Size frame, PixelFormat format, int permille) {
  if (frame == size_ && format == format_ && permille == permille_) return;
  permille_ = 0;  // nothing is ready before all of it is
  size_ = frame;
  format_ = format;
  channels_ = BytesPerPixel(format);
  const bool blue_first = format == PixelFormat::kBgr || format == PixelFormat::kBgra;
  place_ = {blue_first ? 2 : 0, 1, blue_first ? 0 : 2};

  // The largest cells that the blur hides: at most a third of its standard deviation, which is in millionths here.
  const std::int64_t deviation = static_cast<std::int64_t>(permille) * std::max(frame.width, frame.height);
  const std::int64_t variance = deviation * deviation;
  cell_log2_ = 4;
  while (cell_log2_ > 1 && variance < (9 * 1000000LL << (2 * cell_log2_))) --cell_log2_;
  cell_ = 1 << cell_log2_;
  columns_ = CeilDiv(frame.width, cell_);
  rows_ = CeilDiv(frame.height, cell_);

  // Variances add up: of averaging over a cell (c^2 - 1) / 12, of the bilinear enlarging c^2 / 6, of a box of radius
  // r cells c^2 r (r + 1) / 3. The radii, which differ by at most one, come as close as they can.
  const std::int64_t square = static_cast<std::int64_t>(cell_) * cell_;
  const std::int64_t wanted = 12 * variance / 1000000 - 3 * square + 1;  // 4 c^2 times the sum of r (r + 1)
  const auto sum = [&] {
    std::int64_t total = 0;
    for (const int r : radius_) total += 4 * square * r * (r + 1);
    return total;
  };
  radius_ = {0, 0, 0};
  for (int pass = 0;; pass = (pass + 1) % 3) {
    const std::int64_t before = sum();
    ++radius_[pass];
    if (wanted - before <= sum() - wanted) {
      --radius_[pass];
      break;
    }
  }

  const std::size_t padded = static_cast<std::size_t>(columns_) * cell_ + cell_;
  weights_.resize(padded);
  spread_.resize(padded * channels_);
  for (auto& sums : sums_) sums.resize(padded * channels_);
  for (auto& sums : weight_sums_) sums.resize(padded);
  int lines = columns_, length = rows_;
  levels_.clear();
  for (;; lines = CeilDiv(lines, 2), length = CeilDiv(length, 2)) {
    levels_.emplace_back().Resize(lines, length);
    if (lines == 1 && length == 1) break;
  }
  line_.resize(3 * static_cast<std::size_t>(std::max(columns_, rows_)) + 2);
  scratch_.resize(levels_[0].colour.size());

  const std::size_t wide = padded * channels_;
  repeated_.resize(wide + cell_ * channels_ + 4);
  ramp_.resize(wide);
  for (std::size_t i = 0; i < wide; ++i) {
    ramp_[i] = static_cast<std::uint16_t>(2 * (i / channels_ % cell_) + 1);
  }
  upper_.resize(wide);
  lower_.resize(wide);
  permille_ = permille;
}

void Blur::Compute(const ImageView& frame, const PlaneView& alpha, AlphaTiles& tiles, int permille) {
  Prepare(frame.size(), frame.format, permille);
  const bool whole = tiles.AllBackground(kClear);
  Average(frame, alpha, tiles, whole);
  if (!whole) {
    AverageAll();
    Withdraw();
    Fill();
  }
  Smooth();
  selected_ = kNoRow;
}

void Blur::Average(const ImageView& frame, const PlaneView& alpha, AlphaTiles& tiles, bool whole) {
  const int most = kWhole >> (2 * cell_log2_);
  const int step = std::min(cell_, AlphaTiles::kHeight);  // rows that lie in one cell and in one tile
  std::uint16_t* sums = sums_[0].data();
  std::uint16_t* weight_sums = weight_sums_[0].data();
  for (int cell_row = 0; cell_row < rows_; ++cell_row) {
    std::fill(sums_[0].begin(), sums_[0].end(), std::uint16_t{0});
    std::fill(weight_sums_[0].begin(), weight_sums_[0].end(), std::uint16_t{0});
    for (int top = cell_row * cell_; top < (cell_row + 1) * cell_; top += step) {
      const auto clamped = [&](int j) { return std::min(top + j, size_.height - 1); };
      const std::uint8_t* rows[AlphaTiles::kHeight];
      for (int j = 0; j < step; ++j) rows[j] = frame.data + clamped(j) * frame.stride;
      for (const AlphaTiles::Run& run : tiles.Runs(clamped(0), kClear, kTaken)) {
        const int pixels = run.end - run.begin, bytes = pixels * channels_, offset = run.begin * channels_;
        if (run.cover == AlphaTiles::Cover::kBackground) {
          AddRows(rows, step, offset, most, sums + offset, bytes);
          for (int x = run.begin; x < run.end; ++x) weight_sums[x] += static_cast<std::uint16_t>(step * most);
        } else if (run.cover == AlphaTiles::Cover::kMixed) {
          for (int j = 0; j < step; ++j) {
            const std::uint8_t* mask = alpha.data + clamped(j) * alpha.stride + run.begin;
            Weigh(mask, most, weights_.data(), weight_sums + run.begin, pixels);
            Spread(weights_.data(), pixels, channels_, spread_.data());
            AddWeighted(rows[j] + offset, spread_.data(), sums + offset, bytes);
          }
        }
      }
    }
    StoreCells(cell_row, whole);
  }
}

/// Adds up the elements of every cell, `channels` apart; the sum is where its first one was.
const std::uint16_t* Blur::FoldCells(Sums& sums, int channels) const {
  for (int step = 0; step < cell_log2_; ++step) {
    Fold(sums[step % 2].data(), channels << step, sums[(step + 1) % 2].data(), columns_ * cell_ * channels);
  }
  return sums[cell_log2_ % 2].data();
}

void Blur::StoreCells(int cell_row, bool whole) {
  // Beyond the right edge the last pixel goes on.
  const int padded = columns_ * cell_;
  for (int i = size_.width * channels_; i < padded * channels_; ++i) sums_[0][i] = sums_[0][i - channels_];
  for (int x = size_.width; x < padded; ++x) weight_sums_[0][x] = weight_sums_[0][x - 1];

  Grid& grid = levels_[0];
  const std::size_t length = grid.length;
  const std::uint16_t* sums = FoldCells(sums_, channels_);
  for (int x = 0; x < columns_; ++x) {
    const std::uint16_t* cell = sums + static_cast<std::ptrdiff_t>(x) * cell_ * channels_;
    for (int c = 0; c < 3; ++c) grid.colour[(x * 3 + c) * length + cell_row] = cell[place_[c]];
  }
  if (whole) return;
  const std::uint16_t* weight_sums = FoldCells(weight_sums_, 1);
  for (int x = 0; x < columns_; ++x) grid.weight[x * length + cell_row] = weight_sums[x * cell_];
}

/// What stands in where nothing better is near: the mean of all background, or grey as far as there is none.
void Blur::AverageAll() {
  const Grid& grid = levels_[0];
  std::uint64_t weight = 0, colour[3] = {};
  for (const std::uint16_t cell : grid.weight) weight += cell;
  for (int x = 0; x < grid.lines; ++x) {
    for (int c = 0; c < 3; ++c) {
      const std::uint16_t* line = grid.colour.data() + (static_cast<std::size_t>(x) * 3 + c) * grid.length;
      std::uint32_t total = 0;
      for (int y = 0; y < grid.length; ++y) total += line[y];
      colour[c] += total;
    }
  }
  const std::uint64_t missing = weight < kWhole ? kWhole - weight : 0;
  for (int c = 0; c < 3; ++c) {
    mean_[c] = static_cast<std::uint16_t>((colour[c] + kGrey * missing) * kWhole / (weight + missing));
  }
}

/// Background keeps away from person by a cell: a cell loses twice what its worst neighbour lacks. A mask is rarely
/// exact, and the pixels next to its edge show both; filling would spread just these.
void Blur::Withdraw() {
  Grid& grid = levels_[0];
  const std::size_t length = grid.length;
  std::uint16_t* least = scratch_.data();
  for (int x = 0; x < grid.lines; ++x) {
    const std::uint16_t* left = grid.weight.data() + std::max(x - 1, 0) * length;
    const std::uint16_t* here = grid.weight.data() + x * length;
    const std::uint16_t* right = grid.weight.data() + std::min(x + 1, grid.lines - 1) * length;
    for (std::size_t y = 0; y < length; ++y) least[x * length + y] = std::min({left[y], here[y], right[y]});
  }
  for (int x = 0; x < grid.lines; ++x) {
    const std::uint16_t* column = least + x * length;
    for (std::size_t y = 0; y < length; ++y) {
      const int worst = std::min({column[y == 0 ? 0 : y - 1], column[y], column[std::min(y + 1, length - 1)]});
      const std::uint32_t weight = grid.weight[x * length + y];
      if (worst == kWhole || weight == 0) continue;
      const std::uint32_t kept = weight * std::max(0, 2 * worst - kWhole) / kWhole;
      grid.weight[x * length + y] = static_cast<std::uint16_t>(kept);
      for (int c = 0; c < 3; ++c) {
        std::uint16_t& colour = grid.colour[(x * 3 + c) * length + y];
        colour = static_cast<std::uint16_t>(colour * kept / weight);
      }
    }
  }
}

void Blur::Fill() {
  for (std::size_t level = 1; level < levels_.size(); ++level) Pull(levels_[level - 1], &levels_[level]);
  Grid& top = levels_.back();  // a single cell
  for (int c = 0; c < 3; ++c) {
    const std::uint32_t missing = kWhole - top.weight[0];
    top.colour[c] = static_cast<std::uint16_t>(top.colour[c] + (missing * mean_[c] + kWhole / 2) / kWhole);
  }
  for (std::size_t level = levels_.size() - 1; level > 0; --level) Push(levels_[level], &levels_[level - 1]);
}

/// Four cells become one: weights add up to a whole at most, colours are averaged by weight.
void Blur::Pull(const Grid& fine, Grid* coarse) {
  for (int x = 0; x < coarse->lines; ++x) {
    const int lines = std::min(2, fine.lines - 2 * x);
    for (int y = 0; y < coarse->length; ++y) {
      const int length = std::min(2, fine.length - 2 * y);
      std::uint32_t weight = 0, colour[3] = {};
      for (int i = 0; i < lines; ++i) {
        for (int j = 0; j < length; ++j) {
          const std::size_t line = 2 * x + i, at = 2 * y + j;
          weight += fine.weight[line * fine.length + at];
          for (int c = 0; c < 3; ++c) colour[c] += fine.colour[(line * 3 + c) * fine.length + at];
        }
      }
      for (int c = 0; c < 3; ++c) {
        std::uint32_t value = colour[c];
        if (weight == 4 * kWhole) {
          value = (value + 2) / 4;
        } else if (weight > kWhole) {
          value = (value * kWhole + weight / 2) / weight;
        }
        coarse->colour[(static_cast<std::size_t>(x) * 3 + c) * coarse->length + y] = static_cast<std::uint16_t>(value);
      }
      coarse->weight[static_cast<std::size_t>(x) * coarse->length + y] =
          static_cast<std::uint16_t>(std::min<std::uint32_t>(weight, kWhole));
    }
  }
}

/// What a cell lacks is taken from the coarser picture, enlarged bilinearly: cell 2i is three quarters i and one i - 1.
void Blur::Push(const Grid& coarse, Grid* fine) {
  std::uint32_t* line = line_.data() + 1;
  for (int x = 0; x < fine->lines; ++x) {
    const std::size_t at = static_cast<std::size_t>(x) * fine->length;
    const std::uint16_t* weight = fine->weight.data() + at;
    if (std::all_of(weight, weight + fine->length, [](std::uint16_t cell) { return cell == kWhole; })) continue;
    const std::size_t near = x / 2, far = std::clamp(x % 2 == 0 ? x / 2 - 1 : x / 2 + 1, 0, coarse.lines - 1);
    for (std::size_t c = 0; c < 3; ++c) {
      const std::uint16_t* colour = coarse.colour.data();
      MixLines(colour + (near * 3 + c) * coarse.length, colour + (far * 3 + c) * coarse.length, line, coarse.length);
      line[-1] = line[0];
      line[coarse.length] = line[coarse.length - 1];
      FillLine(line, weight, fine->colour.data() + at * 3 + c * fine->length, fine->length);
    }
  }
}

void Blur::Smooth() {
  std::uint16_t* picture = levels_[0].colour.data();
  std::uint16_t* other = scratch_.data();
  for (const int radius : radius_) {
    Box(picture, other, columns_, 3 * rows_, radius);
    std::swap(picture, other);
  }
  const int length = 3 * columns_;
  for (int y = 0; y < rows_; ++y) {
    for (int i = 0; i < length; ++i)
      other[static_cast<std::size_t>(y) * length + i] = picture[static_cast<std::size_t>(i) * rows_ + y];
  }
  std::swap(picture, other);
  for (const int radius : radius_) {
    Box(picture, other, rows_, length, radius);
    std::swap(picture, other);
  }
  blurred_ = picture;
}

/// Averages every element over 2 * radius + 1 lines, the first and last one repeated beyond the border.
void Blur::Box(const std::uint16_t* in, std::uint16_t* out, int lines, int length, int radius) {
  const auto line = [&](int i) { return in + static_cast<std::size_t>(std::clamp(i, 0, lines - 1)) * length; };
  const std::uint32_t width = 2 * radius + 1;
  const std::uint32_t reciprocal = static_cast<std::uint32_t>(((std::uint64_t{1} << 32) - 1) / width + 1);
  if (radius == 0) {
    std::memcpy(out, in, static_cast<std::size_t>(lines) * length * sizeof(*in));
    return;
  }
  std::fill_n(line_.begin(), length, width / 2);
  for (int i = -radius; i <= radius; ++i) {
    const std::uint16_t* source = line(i);
    for (int j = 0; j < length; ++j) line_[j] += source[j];
  }
  for (int i = 0; i < lines; ++i) {
    BoxLine(line(i + radius + 1), line(i - radius), reciprocal, line_.data(),
            out + static_cast<std::size_t>(i) * length, length);
  }
}

/// A row of cells at the frame's width: element (p + cell / 2) * channels + c is channel c of pixel p, with as many
/// fractional bits as let MixRows stay within 16 bits.
void Blur::Enlarge(int cell_row, std::uint16_t* out) {
  const std::uint16_t* cells = blurred_ + static_cast<std::size_t>(std::clamp(cell_row, 0, rows_ - 1)) * columns_ * 3;
  const int total_log2 = cell_log2_ + 1;
  const int drop = total_log2;  // 8 fractional bits become 8 - log2(2 cell)
  std::uint16_t* to = repeated_.data();
  for (int column = -1; column <= columns_; ++column) {
    const std::uint16_t* cell = cells + 3 * std::clamp(column, 0, columns_ - 1);
    std::uint64_t pixel = static_cast<std::uint64_t>((255 * kWhole) >> drop) << 48;
    for (int c = 0; c < 3; ++c) {
      pixel |= std::uint64_t{(cell[c] + (1U << drop >> 1)) >> drop} << (16 * place_[c]);
    }
    for (int i = 0; i < cell_; ++i, to += channels_) std::memcpy(to, &pixel, sizeof(pixel));
  }
  Interpolate(repeated_.data(), repeated_.data() + cell_ * channels_, ramp_.data(), 2 * cell_, total_log2, out,
              (columns_ + 1) * cell_ * channels_);
}

void Blur::SelectRow(int y) {
  const int position = y + cell_ / 2;  // the centre of cell row r is at (r + 1) * cell
  const int above = position / cell_ - 1;
  step_ = 2 * (position % cell_) + 1;
  if (above == selected_) return;
  if (above == selected_ + 1) {
    std::swap(upper_, lower_);
  } else {
    Enlarge(above, upper_.data());
  }
  Enlarge(above + 1, lower_.data());
  selected_ = above;
}

void Blur::Draw(int begin, int end, std::uint8_t* out) const {
  const std::size_t from = static_cast<std::size_t>(begin + cell_ / 2) * channels_;
  MixRows(upper_.data() + from, lower_.data() + from, 2 * cell_ - step_, step_, out, (end - begin) * channels_);
}

}  // namespace segcore
