// SPDX-License-Identifier: Apache-2.0
// All sums are integers held in floating point. A float holds every integer up to 2^24 and a double up to 2^53, so sums
// below that are exact in whatever order they are formed, and vectors of them are fast on every machine. Where the
// weights of an axis have a common factor it is cancelled: 1280 to 224 pixels has the denominator 40, not 1280.
#include "resize.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "simd.h"

namespace segcore {
namespace {

/// Resampling of one axis: output i is sum_k weight[i * taps + k] * input[first[i] + k] / denominator. Inputs beyond
/// the end have weight 0.
struct Axis {
  bool grows = false;
  int taps = 0;
  int denominator = 0;
  std::vector<int> first;
  std::vector<int> weight;
};

Axis AreaAxis(int size_in, int size_out) {
  const int common = std::gcd(size_in, size_out);
  const std::int64_t in = size_in / common, out = size_out / common;
  Axis axis{false, size_in == size_out ? 1 : static_cast<int>((in + out - 1) / out) + 1, static_cast<int>(in), {}, {}};
  for (std::int64_t i = 0; i < size_out; ++i) {
    // In units of 1 / out of an input pixel, output i covers start … end.
    const std::int64_t start = i * in, end = start + in, first = start / out;
    axis.first.push_back(static_cast<int>(first));
    for (std::int64_t k = first; k < first + axis.taps; ++k) {
      const std::int64_t overlap = std::min(end, (k + 1) * out) - std::max(start, k * out);
      axis.weight.push_back(static_cast<int>(std::max<std::int64_t>(overlap, 0)));
    }
  }
  return axis;
}

Axis BilinearAxis(int size_in, int size_out) {
  const int common = std::gcd(size_in, size_out);
  const std::int64_t in = size_in / common, out = size_out / common;
  // Output i has its centre at ((2i + 1) in - out) / (2 out) input pixels; both are even if in and out are odd.
  const std::int64_t half = in % 2 == 1 && out % 2 == 1 ? 2 : 1;
  const std::int64_t denominator = 2 * out / half;
  Axis axis{true, 2, static_cast<int>(denominator), {}, {}};
  for (std::int64_t i = 0; i < size_out; ++i) {
    const std::int64_t last = (size_in - 1) * denominator;  // what lies outside is the edge pixel
    const std::int64_t centre = std::clamp<std::int64_t>(((2 * i + 1) * in - out) / half, 0, last);
    axis.first.push_back(static_cast<int>(centre / denominator));
    const int fraction = static_cast<int>(centre % denominator);
    axis.weight.push_back(static_cast<int>(denominator) - fraction);
    axis.weight.push_back(fraction);
  }
  return axis;
}

Axis MakeAxis(int size_in, int size_out) {
  return size_out > size_in ? BilinearAxis(size_in, size_out) : AreaAxis(size_in, size_out);
}

/// total / denominator, rounded half up, as floor((total + bias) * reciprocal): floor(denominator / 2) + 1/2 keeps the
/// product at least 1 / (2 denominator) away from where floor jumps.
template <typename Real>
struct Rounding {
  Real bias, reciprocal;
};

template <typename Real>
Rounding<Real> MakeRounding(std::int64_t denominator) {
  return {static_cast<Real>(denominator / 2) + Real(0.5), Real(1) / static_cast<Real>(denominator)};
}

/// Whether sums up to 255 * denominator and their rounding are exact in floats. Float multiplication is monotonic, so
/// it is enough to try both sides of every jump. (In doubles they always are: the denominator is at most 2^30, so the
/// product stays 2^-31 away from a jump and is wrong by at most 2^-44.)
bool FitsFloat(std::int64_t denominator) {
  if (256 * denominator >= (1 << 23)) return false;  // the bias has a half
  const auto [bias, reciprocal] = MakeRounding<float>(denominator);
  for (std::int64_t value = 1; value <= 255; ++value) {
    const std::int64_t total = ((2 * value - 1) * denominator + 1) / 2;  // the least that rounds to `value`
    if (static_cast<int>((static_cast<float>(total) + bias) * reciprocal) != value) return false;
    if (static_cast<int>((static_cast<float>(total - 1) + bias) * reciprocal) != value - 1) return false;
  }
  return true;
}

// --- kernels -----------------------------------------------------------------------------------------------------

template <typename Sum>
SEGCORE_INLINE void AddRowBody(const std::uint8_t* __restrict row, int weight, int n, Sum* __restrict sum) {
  const Sum factor = static_cast<Sum>(weight);
  for (int x = 0; x < n; ++x) sum[x] = static_cast<Sum>(sum[x] + row[x] * factor);
}

template <typename In, typename Real>
SEGCORE_INLINE void WidenBody(const In* __restrict in, int n, Real* __restrict out) {
  for (int x = 0; x < n; ++x) out[x] = static_cast<Real>(in[x]);
}

/// Four values side by side in a register, wherever they lie: what compilers do not find by themselves in short loops.
template <typename Real>
struct FourOf {
  typedef Real Type __attribute__((vector_size(4 * sizeof(Real)), aligned(alignof(Real)), may_alias));
};
template <typename Real>
using Four = typename FourOf<Real>::Type;

template <typename Real>
SEGCORE_INLINE const Four<Real>& At(const Real* values) {
  return *reinterpret_cast<const Four<Real>*>(values);
}
template <typename Real>
SEGCORE_INLINE Four<Real>& At(Real* values) {
  return *reinterpret_cast<Four<Real>*>(values);
}

/// Weighted sums along a row of single values.
template <typename Real>
SEGCORE_INLINE void SumPlaneBody(const Real* __restrict row, const int* first, const Real* weight, int taps, int width,
                                 Real* __restrict out) {
  for (int x = 0; x < width; ++x) {
    Real sum = 0;
    for (int k = 0; k < taps; ++k) sum += row[first[x] + k] * weight[x * taps + k];
    out[x] = sum;
  }
}

/// Outputs between the same two inputs of a row that grows, kRamp at a time; what a ramp writes beyond its own outputs
/// the next one writes over.
constexpr int kRamp = 8;

template <typename Real>
struct Ramp {
  Real left[kRamp], right[kRamp];  // weights
  int first, to;                   // the left input, the first output
};

template <typename Real>
SEGCORE_INLINE void SumRampsBody(const Real* __restrict row, const Ramp<Real>* __restrict ramps, int n,
                                 Real* __restrict out) {
  for (int i = 0; i < n; ++i) {
    const Ramp<Real>& ramp = ramps[i];
    const Real left = row[ramp.first], right = row[ramp.first + 1];
    Real* to = out + ramp.to;
    for (int k = 0; k < kRamp; k += 4) At(to + k) = left * At(ramp.left + k) + right * At(ramp.right + k);
  }
}

/// Weighted sums along a row of pixels of `bytes` values; a pixel of the result has four.
template <typename Real>
SEGCORE_INLINE void SumPixelsBody(const Real* __restrict row, int bytes, const int* first, const Real* weight, int taps,
                                  int width, Real* __restrict out) {
  for (int x = 0; x < width; ++x) {
    const Real* from = row + static_cast<std::ptrdiff_t>(first[x]) * bytes;
    Four<Real> sum = {};
    for (int k = 0; k < taps; ++k) sum += At(from + k * bytes) * weight[x * taps + k];
    At(out + 4 * x) = sum;
  }
}

template <typename Real>
SEGCORE_INLINE void RoundBody(const Real* __restrict total, int n, Rounding<Real> rounding,
                              std::uint8_t* __restrict out) {
  for (int x = 0; x < n; ++x) {
    out[x] = static_cast<std::uint8_t>(static_cast<int>((total[x] + rounding.bias) * rounding.reciprocal));
  }
}

template <typename Real>
SEGCORE_INLINE void BlendBody(const Real* __restrict above, const Real* __restrict below, Real weight_above,
                              Real weight_below, int n, Rounding<Real> rounding, std::uint8_t* __restrict out) {
  for (int x = 0; x < n; ++x) {
    const Real total = above[x] * weight_above + below[x] * weight_below;
    out[x] = static_cast<std::uint8_t>(static_cast<int>((total + rounding.bias) * rounding.reciprocal));
  }
}

// clang-format off
SEGCORE_KERNEL(AddRow, (const std::uint8_t* row, int weight, int n, std::uint16_t* sum), (row, weight, n, sum))
SEGCORE_KERNEL(AddRow, (const std::uint8_t* row, int weight, int n, std::uint32_t* sum), (row, weight, n, sum))
SEGCORE_KERNEL(Widen, (const std::uint8_t* in, int n, float* out), (in, n, out))
SEGCORE_KERNEL(Widen, (const std::uint8_t* in, int n, double* out), (in, n, out))
SEGCORE_KERNEL(Widen, (const std::uint16_t* in, int n, float* out), (in, n, out))
SEGCORE_KERNEL(Widen, (const std::uint32_t* in, int n, double* out), (in, n, out))
SEGCORE_KERNEL(SumPlane, (const float* row, const int* first, const float* weight, int taps, int width, float* out),
               (row, first, weight, taps, width, out))
SEGCORE_KERNEL(SumPlane, (const double* row, const int* first, const double* weight, int taps, int width, double* out),
               (row, first, weight, taps, width, out))
SEGCORE_KERNEL(SumRamps, (const float* row, const Ramp<float>* ramps, int n, float* out), (row, ramps, n, out))
SEGCORE_KERNEL(SumRamps, (const double* row, const Ramp<double>* ramps, int n, double* out), (row, ramps, n, out))
SEGCORE_KERNEL(SumPixels, (const float* row, int bytes, const int* first, const float* weight, int taps, int width, float* out),
               (row, bytes, first, weight, taps, width, out))
SEGCORE_KERNEL(SumPixels, (const double* row, int bytes, const int* first, const double* weight, int taps, int width, double* out),
               (row, bytes, first, weight, taps, width, out))
SEGCORE_KERNEL(Round, (const float* total, int n, Rounding<float> rounding, std::uint8_t* out), (total, n, rounding, out))
SEGCORE_KERNEL(Round, (const double* total, int n, Rounding<double> rounding, std::uint8_t* out), (total, n, rounding, out))
SEGCORE_KERNEL(Blend, (const float* above, const float* below, float weight_above, float weight_below, int n,
                       Rounding<float> rounding, std::uint8_t* out),
               (above, below, weight_above, weight_below, n, rounding, out))
SEGCORE_KERNEL(Blend, (const double* above, const double* below, double weight_above, double weight_below, int n,
                       Rounding<double> rounding, std::uint8_t* out),
               (above, below, weight_above, weight_below, n, rounding, out))
// clang-format on

}  // namespace

// --- the two passes ----------------------------------------------------------------------------------------------

class Resampler::Engine {
 public:
  virtual ~Engine() = default;
  virtual void Run(RowReader& rows, std::uint8_t* out, std::ptrdiff_t stride) = 0;
};

/// Real holds the sums over both axes, Sum those over rows alone.
template <typename Real, typename Sum>
class Resampler::EngineOf final : public Engine {
 public:
  EngineOf(const Axis& rows, const Axis& columns, int width_in, int bytes)
      : rows_(rows),
        first_(columns.first),
        weight_(columns.weight.begin(), columns.weight.end()),
        taps_(columns.taps),
        values_in_(width_in * bytes),
        bytes_(bytes),
        width_(static_cast<int>(columns.first.size())),
        values_out_(width_ * (bytes == 1 ? 1 : 4)),
        rounding_(MakeRounding<Real>(std::int64_t{rows.denominator} * columns.denominator)),
        sum_(rows.grows ? 0 : values_in_),
        wide_(values_in_ + static_cast<std::size_t>(taps_) * bytes + 4),
        slot_{std::vector<Real>(values_out_ + kRamp), std::vector<Real>(rows.grows ? values_out_ + kRamp : 0)} {
    if (columns.grows && bytes == 1) MakeRamps();
  }

  void Run(RowReader& rows, std::uint8_t* out, std::ptrdiff_t stride) override {
    if (rows_.grows) {
      Enlarge(rows, out, stride);
    } else {
      Reduce(rows, out, stride);
    }
  }

 private:
  /// Fewer rows: first the sums over rows, on whole rows as they lie, then along the few that are left.
  void Reduce(RowReader& rows, std::uint8_t* out, std::ptrdiff_t stride) {
    for (std::size_t y = 0; y < rows_.first.size(); ++y, out += stride) {
      std::fill(sum_.begin(), sum_.end(), Sum{0});
      for (int k = 0; k < rows_.taps; ++k) {
        const int weight = rows_.weight[y * rows_.taps + k];
        if (weight > 0) AddRow(rows.Row(rows_.first[y] + k), weight, values_in_, sum_.data());
      }
      Widen(sum_.data(), values_in_, wide_.data());
      SumColumns(slot_[0].data());
      Round(slot_[0].data(), values_out_, rounding_, out);
    }
  }

  /// More rows: every row read is resampled once, then two of them are blended for each row written.
  void Enlarge(RowReader& rows, std::uint8_t* out, std::ptrdiff_t stride) {
    int held = -1;  // rows held - 1 and held are in the slots
    for (std::size_t y = 0; y < rows_.first.size(); ++y, out += stride) {
      const int above = rows_.first[y];
      const int weight = rows_.weight[2 * y + 1];
      const int below = weight > 0 ? above + 1 : above;
      for (; held < below; ++held) {
        Widen(rows.Row(held + 1), values_in_, wide_.data());
        SumColumns(slot_[(held + 1) % 2].data());
      }
      Blend(slot_[above % 2].data(), slot_[below % 2].data(), static_cast<Real>(rows_.weight[2 * y]),
            static_cast<Real>(weight), values_out_, rounding_, out);
    }
  }

  void MakeRamps() {
    for (int x = 0, k = kRamp; x < width_; ++x, ++k) {
      if (k == kRamp || first_[x] != first_[x - 1]) {
        ramps_.push_back({{}, {}, first_[x], x});
        k = 0;
      }
      ramps_.back().left[k] = weight_[2 * x];
      ramps_.back().right[k] = weight_[2 * x + 1];
    }
  }

  void SumColumns(Real* out) {
    if (!ramps_.empty()) {
      SumRamps(wide_.data(), ramps_.data(), static_cast<int>(ramps_.size()), out);
    } else if (bytes_ == 1) {
      SumPlane(wide_.data(), first_.data(), weight_.data(), taps_, width_, out);
    } else {
      SumPixels(wide_.data(), bytes_, first_.data(), weight_.data(), taps_, width_, out);
    }
  }

  Axis rows_;
  std::vector<int> first_;
  std::vector<Real> weight_;
  int taps_, values_in_, bytes_, width_, values_out_;
  Rounding<Real> rounding_;
  std::vector<Sum> sum_;
  std::vector<Real> wide_;     // longer than a row, by what taps of weight 0 and a fourth value read
  std::vector<Real> slot_[2];  // longer than a row, by what the last ramp writes beyond it
  std::vector<Ramp<Real>> ramps_;
};

Resampler::Resampler() = default;
Resampler::~Resampler() = default;

void Resampler::Prepare(Size from, Size to, int bytes) {
  if (engine_ != nullptr && from == from_ && to == to_ && bytes == bytes_) return;
  const Axis rows = MakeAxis(from.height, to.height), columns = MakeAxis(from.width, to.width);
  const bool sums_fit = rows.grows || 255 * rows.denominator <= 65535;
  if (sums_fit && FitsFloat(std::int64_t{rows.denominator} * columns.denominator)) {
    engine_ = std::make_unique<EngineOf<float, std::uint16_t>>(rows, columns, from.width, bytes);
  } else {
    engine_ = std::make_unique<EngineOf<double, std::uint32_t>>(rows, columns, from.width, bytes);
  }
  from_ = from;
  to_ = to;
  bytes_ = bytes;
}

void Resampler::Run(RowReader& rows, std::uint8_t* out, std::ptrdiff_t stride) { engine_->Run(rows, out, stride); }

}  // namespace segcore
