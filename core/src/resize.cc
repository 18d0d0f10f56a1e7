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

/// What one output of a resampled axis is made from: `left` times the input `first`, the axis' `full` times each of the
/// `middle` inputs that follow, `right` times the one after those, which may lie one beyond the end if `right` is 0.
template <typename Real>
struct Span {
  int first, middle;
  Real left, right;
};

/// The sums are over `denominator`.
struct Axis {
  bool grows;
  int denominator, full;
  std::vector<Span<int>> spans;
};

Axis AreaAxis(int size_in, int size_out) {
  const int common = std::gcd(size_in, size_out), in = size_in / common, out = size_out / common;
  Axis axis{false, in, out, {}};
  for (int i = 0; i < size_out; ++i) {
    // In units of 1 / out of an input pixel, output i covers start … end, which is at least one pixel.
    const int start = i * in, end = start + in, first = start / out, last = end / out;
    axis.spans.push_back({first, last - first - 1, (first + 1) * out - start, end - last * out});
  }
  return axis;
}

Axis BilinearAxis(int size_in, int size_out) {
  const int common = std::gcd(size_in, size_out), in = size_in / common, out = size_out / common;
  // Output i has its centre at ((2i + 1) in - out) / (2 out) input pixels; both are even if in and out are odd.
  const int half = in % 2 == 1 && out % 2 == 1 ? 2 : 1, denominator = 2 * out / half;
  Axis axis{true, denominator, 0, {}};
  for (int i = 0; i < size_out; ++i) {
    const int edge = (size_in - 1) * denominator;  // what lies outside is the edge pixel
    const int centre = std::clamp(((2 * i + 1) * in - out) / half, 0, edge);
    const int right = centre % denominator;
    axis.spans.push_back({centre / denominator, 0, denominator - right, right});
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

// A sum over rows is started with the first of them, and leaves as floating point with the last.

template <typename Sum>
SEGCORE_INLINE void StartRowBody(const std::uint8_t* __restrict row, int weight, int n, Sum* __restrict sum) {
  const Sum factor = static_cast<Sum>(weight);
  for (int x = 0; x < n; ++x) sum[x] = static_cast<Sum>(row[x] * factor);
}

template <typename Sum>
SEGCORE_INLINE void AddRowBody(const std::uint8_t* __restrict row, int weight, int n, Sum* __restrict sum) {
  const Sum factor = static_cast<Sum>(weight);
  for (int x = 0; x < n; ++x) sum[x] = static_cast<Sum>(sum[x] + row[x] * factor);
}

template <typename Sum, typename Real>
SEGCORE_INLINE void FinishRowBody(const std::uint8_t* __restrict row, int weight, int n, const Sum* __restrict sum,
                                  Real* __restrict out) {
  const Sum factor = static_cast<Sum>(weight);
  for (int x = 0; x < n; ++x) out[x] = static_cast<Real>(static_cast<Sum>(sum[x] + row[x] * factor));
}

template <typename Real>
SEGCORE_INLINE void WidenBody(const std::uint8_t* __restrict row, int n, Real* __restrict out) {
  for (int x = 0; x < n; ++x) out[x] = static_cast<Real>(row[x]);
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
SEGCORE_INLINE void SumPlaneBody(const Real* __restrict row, const Span<Real>* spans, int n, Real full,
                                 Real* __restrict out) {
  for (int x = 0; x < n; ++x) {
    const Span<Real>& span = spans[x];
    const Real* from = row + span.first;
    Real middle = 0;
    for (int k = 1; k <= span.middle; ++k) middle += from[k];
    out[x] = from[0] * span.left + from[span.middle + 1] * span.right + middle * full;
  }
}

/// Weighted sums along a row of pixels of `bytes` values; a pixel of the result has four.
template <typename Real>
SEGCORE_INLINE void SumPixelsBody(const Real* __restrict row, int bytes, const Span<Real>* spans, int n, Real full,
                                  Real* __restrict out) {
  for (int x = 0; x < n; ++x) {
    const Span<Real>& span = spans[x];
    const Real* from = row + static_cast<std::ptrdiff_t>(span.first) * bytes;
    const Real* last = from + static_cast<std::ptrdiff_t>(span.middle + 1) * bytes;
    const Four<Real> edges = At(from) * span.left + At(last) * span.right;
    Four<Real> middle = {};
    for (from += bytes; from < last; from += bytes) middle += At(from);
    At(out + 4 * x) = edges + middle * full;
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
SEGCORE_KERNEL(StartRow, (const std::uint8_t* row, int weight, int n, std::uint16_t* sum), (row, weight, n, sum))
SEGCORE_KERNEL(StartRow, (const std::uint8_t* row, int weight, int n, std::uint32_t* sum), (row, weight, n, sum))
SEGCORE_KERNEL(AddRow, (const std::uint8_t* row, int weight, int n, std::uint16_t* sum), (row, weight, n, sum))
SEGCORE_KERNEL(AddRow, (const std::uint8_t* row, int weight, int n, std::uint32_t* sum), (row, weight, n, sum))
SEGCORE_KERNEL(FinishRow, (const std::uint8_t* row, int weight, int n, const std::uint16_t* sum, float* out),
               (row, weight, n, sum, out))
SEGCORE_KERNEL(FinishRow, (const std::uint8_t* row, int weight, int n, const std::uint32_t* sum, double* out),
               (row, weight, n, sum, out))
SEGCORE_KERNEL(Widen, (const std::uint8_t* row, int n, float* out), (row, n, out))
SEGCORE_KERNEL(Widen, (const std::uint8_t* row, int n, double* out), (row, n, out))
SEGCORE_KERNEL(SumPlane, (const float* row, const Span<float>* spans, int n, float full, float* out),
               (row, spans, n, full, out))
SEGCORE_KERNEL(SumPlane, (const double* row, const Span<double>* spans, int n, double full, double* out),
               (row, spans, n, full, out))
SEGCORE_KERNEL(SumPixels, (const float* row, int bytes, const Span<float>* spans, int n, float full, float* out),
               (row, bytes, spans, n, full, out))
SEGCORE_KERNEL(SumPixels, (const double* row, int bytes, const Span<double>* spans, int n, double full, double* out),
               (row, bytes, spans, n, full, out))
SEGCORE_KERNEL(SumRamps, (const float* row, const Ramp<float>* ramps, int n, float* out), (row, ramps, n, out))
SEGCORE_KERNEL(SumRamps, (const double* row, const Ramp<double>* ramps, int n, double* out), (row, ramps, n, out))
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
        full_(static_cast<Real>(columns.full)),
        values_in_(width_in * bytes),
        bytes_(bytes),
        values_out_(static_cast<int>(columns.spans.size()) * (bytes == 1 ? 1 : 4)),
        rounding_(MakeRounding<Real>(std::int64_t{rows.denominator} * columns.denominator)),
        sum_(rows.grows ? 0 : values_in_),
        wide_(values_in_ + 4),
        slot_{std::vector<Real>(values_out_ + kRamp), std::vector<Real>(rows.grows ? values_out_ + kRamp : 0)} {
    if (columns.grows && bytes == 1) {
      MakeRamps(columns);
    } else {
      for (const Span<int>& span : columns.spans) {
        spans_.push_back({span.first, span.middle, static_cast<Real>(span.left), static_cast<Real>(span.right)});
      }
    }
  }

  void Run(RowReader& rows, std::uint8_t* out, std::ptrdiff_t stride) override {
    for (const Span<int>& span : rows_.spans) {
      rows_.grows ? Enlarge(rows, span, out) : Reduce(rows, span, out);
      out += stride;
    }
    held_ = -1;
  }

 private:
  void MakeRamps(const Axis& columns) {
    int k = kRamp, to = 0;
    for (const Span<int>& span : columns.spans) {
      if (k == kRamp || span.first != ramps_.back().first) {
        ramps_.push_back({{}, {}, span.first, to});
        k = 0;
      }
      ramps_.back().left[k] = static_cast<Real>(span.left);
      ramps_.back().right[k] = static_cast<Real>(span.right);
      ++k;
      ++to;
    }
  }

  /// Fewer rows: first the sums over rows, on whole rows as they lie, then along the few that are left.
  void Reduce(RowReader& rows, const Span<int>& span, std::uint8_t* out) {
    StartRow(rows.Row(span.first), span.left, values_in_, sum_.data());
    for (int k = 1; k <= span.middle; ++k) AddRow(rows.Row(span.first + k), rows_.full, values_in_, sum_.data());
    const int last = span.first + span.middle + (span.right > 0 ? 1 : 0);
    FinishRow(rows.Row(last), span.right, values_in_, sum_.data(), wide_.data());
    SumColumns(slot_[0].data());
    Round(slot_[0].data(), values_out_, rounding_, out);
  }

  /// More rows: every row read is resampled once, then two of them are blended for each row written.
  void Enlarge(RowReader& rows, const Span<int>& span, std::uint8_t* out) {
    const int above = span.first, below = span.right > 0 ? above + 1 : above;
    while (held_ < below) {
      ++held_;
      Widen(rows.Row(held_), values_in_, wide_.data());
      SumColumns(slot_[held_ % 2].data());
    }
    Blend(slot_[above % 2].data(), slot_[below % 2].data(), static_cast<Real>(span.left), static_cast<Real>(span.right),
          values_out_, rounding_, out);
  }

  void SumColumns(Real* out) {
    const int spans = static_cast<int>(spans_.size()), ramps = static_cast<int>(ramps_.size());
    if (ramps > 0) {
      SumRamps(wide_.data(), ramps_.data(), ramps, out);
    } else if (bytes_ == 1) {
      SumPlane(wide_.data(), spans_.data(), spans, full_, out);
    } else {
      SumPixels(wide_.data(), bytes_, spans_.data(), spans, full_, out);
    }
  }

  const Axis rows_;
  std::vector<Span<Real>> spans_;  // of the columns; or, for single values that grow in number:
  std::vector<Ramp<Real>> ramps_;
  const Real full_;
  const int values_in_, bytes_, values_out_;
  const Rounding<Real> rounding_;
  std::vector<Sum> sum_;
  std::vector<Real> wide_;     // a row read, and four zeros: one pixel more, or the fourth value of the last
  std::vector<Real> slot_[2];  // rows written, longer by what the last ramp writes beyond them
  int held_ = -1;              // when rows grow: rows held - 1 and held are in the slots
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
