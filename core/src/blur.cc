// SPDX-License-Identifier: Apache-2.0
#include "blur.h"

#include <algorithm>
#include <cstring>

#include "simd.h"

namespace segcore {
namespace {

constexpr int kWhole = 256;  // weight of a cell without any person
constexpr int kGrey = 128;   // where there is no background at all

SEGCORE_INLINE void AddBody(const std::uint8_t* __restrict row, int weight, std::uint16_t* __restrict sums, int bytes) {
  const std::uint16_t w = static_cast<std::uint16_t>(weight);
  for (int i = 0; i < bytes; ++i) sums[i] = static_cast<std::uint16_t>(sums[i] + row[i] * w);
}

SEGCORE_INLINE void AddWeightedBody(const std::uint8_t* __restrict row, const std::uint8_t* __restrict weights,
                                    std::uint16_t* __restrict sums, int bytes) {
  for (int i = 0; i < bytes; ++i) sums[i] = static_cast<std::uint16_t>(sums[i] + row[i] * weights[i]);
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

SEGCORE_KERNEL(Add, (const std::uint8_t* row, int weight, std::uint16_t* sums, int bytes), (row, weight, sums, bytes))
SEGCORE_KERNEL(AddWeighted, (const std::uint8_t* row, const std::uint8_t* weights, std::uint16_t* sums, int bytes),
               (row, weights, sums, bytes))
SEGCORE_KERNEL(Fold, (const std::uint16_t* in, int distance, std::uint16_t* out, int count), (in, distance, out, count))
SEGCORE_KERNEL(BoxLine,
               (const std::uint16_t* entering, const std::uint16_t* leaving, std::uint32_t reciprocal,
                std::uint32_t* sums, std::uint16_t* out, int length),
               (entering, leaving, reciprocal, sums, out, length))
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

  std::array<std::uint8_t, 256> weights{};
  const int most = kWhole >> (2 * cell_log2_);
  for (int a = 0; a < kTaken; ++a) {
    weights[a] = static_cast<std::uint8_t>(std::min(most, (kTaken - a) * most / (kTaken - kClear)));
  }
  weights_ = MakeSpreadTable(weights);

  const std::size_t padded = static_cast<std::size_t>(columns_) * cell_ + cell_;
  spread_.resize(padded * channels_ + 4);
  for (auto& sums : sums_) sums.resize(padded * channels_);
  weight_sums_.resize(padded);
  int lines = columns_, length = rows_;
  levels_.clear();
  for (;; lines = CeilDiv(lines, 2), length = CeilDiv(length, 2)) {
    levels_.emplace_back().Resize(lines, length);
    if (lines == 1 && length == 1) break;
  }
  line_.resize(3 * static_cast<std::size_t>(std::max(columns_, rows_)));
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
  const std::vector<AlphaTiles::Run>* runs = nullptr;
  for (int cell_row = 0; cell_row < rows_; ++cell_row) {
    std::fill(sums_[0].begin(), sums_[0].end(), std::uint16_t{0});
    std::fill(weight_sums_.begin(), weight_sums_.end(), std::uint16_t{0});
    for (int row = cell_row * cell_; row < (cell_row + 1) * cell_; ++row) {
      const int y = std::min(row, size_.height - 1);
      const std::uint8_t* pixels = frame.data + y * frame.stride;
      if (runs == nullptr || y % AlphaTiles::kHeight == 0) runs = &tiles.Runs(y, kClear, kTaken);
      for (const AlphaTiles::Run& run : *runs) {
        const int width = run.end - run.begin, bytes = width * channels_;
        const std::uint8_t* from = pixels + run.begin * channels_;
        std::uint16_t* to = sums_[0].data() + run.begin * channels_;
        if (run.cover == AlphaTiles::Cover::kBackground) {
          Add(from, most, to, bytes);
          if (!whole)
            for (int x = run.begin; x < run.end; ++x) weight_sums_[x] += most;
        } else if (run.cover == AlphaTiles::Cover::kMixed) {
          const std::uint8_t* mask = alpha.data + y * alpha.stride + run.begin;
          Spread(weights_, mask, width, channels_, spread_.data());
          AddWeighted(from, spread_.data(), to, bytes);
          for (int x = 0; x < width; ++x) weight_sums_[run.begin + x] += weights_[mask[x]][0];
        }
      }
    }
    StoreCells(cell_row, whole);
  }
}

/// Sums of bytes become sums of cells.
void Blur::StoreCells(int cell_row, bool whole) {
  const int padded = columns_ * cell_;
  // Beyond the right edge the last pixel goes on.
  for (int i = size_.width * channels_; i < padded * channels_; ++i) sums_[0][i] = sums_[0][i - channels_];
  for (int x = size_.width; x < padded; ++x) weight_sums_[x] = weight_sums_[x - 1];

  for (int step = 0; step < cell_log2_; ++step) {
    Fold(sums_[step % 2].data(), channels_ << step, sums_[(step + 1) % 2].data(), padded * channels_);
  }
  const std::uint16_t* sums = sums_[cell_log2_ % 2].data();
  Grid& grid = levels_[0];
  for (int x = 0; x < columns_; ++x) {
    for (int c = 0; c < 3; ++c) {
      grid.colour[(static_cast<std::size_t>(x) * 3 + c) * rows_ + cell_row] = sums[x * cell_ * channels_ + place_[c]];
    }
    if (!whole) {
      int weight = 0;
      for (int i = 0; i < cell_; ++i) weight += weight_sums_[x * cell_ + i];
      grid.weight[static_cast<std::size_t>(x) * rows_ + cell_row] = static_cast<std::uint16_t>(weight);
    }
  }
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
        if (weight > kWhole) value = (value * kWhole + weight / 2) / weight;
        coarse->colour[(static_cast<std::size_t>(x) * 3 + c) * coarse->length + y] = static_cast<std::uint16_t>(value);
      }
      coarse->weight[static_cast<std::size_t>(x) * coarse->length + y] =
          static_cast<std::uint16_t>(std::min<std::uint32_t>(weight, kWhole));
    }
  }
}

/// What a cell lacks is taken from the coarser picture, enlarged bilinearly.
void Blur::Push(const Grid& coarse, Grid* fine) {
  const auto neighbour = [](int i, int count) { return std::clamp(i % 2 == 0 ? i / 2 - 1 : i / 2 + 1, 0, count - 1); };
  for (int x = 0; x < fine->lines; ++x) {
    const std::uint16_t* weight = fine->weight.data() + static_cast<std::size_t>(x) * fine->length;
    for (int c = 0; c < 3; ++c) {
      const std::uint16_t* near = coarse.colour.data() + (static_cast<std::size_t>(x / 2) * 3 + c) * coarse.length;
      const std::uint16_t* far =
          coarse.colour.data() + (static_cast<std::size_t>(neighbour(x, coarse.lines)) * 3 + c) * coarse.length;
      for (int y = 0; y < coarse.length; ++y) line_[y] = 3U * near[y] + far[y];
      std::uint16_t* colour = fine->colour.data() + (static_cast<std::size_t>(x) * 3 + c) * fine->length;
      for (int y = 0; y < fine->length; ++y) {
        const std::uint32_t missing = kWhole - weight[y];
        if (missing == 0) continue;
        const std::uint32_t enlarged = 3 * line_[y / 2] + line_[neighbour(y, coarse.length)];  // 16 times as much
        colour[y] = static_cast<std::uint16_t>(colour[y] + ((missing * enlarged + 16 * kWhole / 2) / (16 * kWhole)));
      }
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
    std::uint16_t pixel[4] = {0, 0, 0, static_cast<std::uint16_t>((255 * kWhole) >> drop)};
    for (int c = 0; c < 3; ++c) pixel[place_[c]] = static_cast<std::uint16_t>((cell[c] + (1 << drop >> 1)) >> drop);
    for (int i = 0; i < cell_; ++i, to += channels_) std::memcpy(to, pixel, sizeof(pixel));
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
