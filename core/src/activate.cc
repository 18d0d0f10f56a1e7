// SPDX-License-Identifier: Apache-2.0
#include "activate.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "simd.h"

namespace segcore {
namespace {

SEGCORE_INLINE void QuantiseBody(const float* __restrict probability, std::size_t pixels,
                                 std::uint8_t* __restrict alpha) {
  SEGCORE_CONTRACT_OFF
  for (std::size_t i = 0; i < pixels; ++i) {
    const double p = probability[i];
    const double positive = p > 0.0 ? p : 0.0;  // what is no number is background
    const double inside = positive < 1.0 ? positive : 1.0;
    alpha[i] = static_cast<std::uint8_t>(static_cast<int>(255.0 * inside + 0.5));
  }
}
SEGCORE_KERNEL(Quantise, (const float* probability, std::size_t pixels, std::uint8_t* alpha),
               (probability, pixels, alpha))

constexpr std::size_t kBlock = 256;

/// 1 / (1 + e^-x) as harness/contract.py does it step by step: e^-|x| is 2^k e^r with a whole k and |r| <= log(2) / 2,
/// and e^r its Taylor series up to r^12. No library function, so the bits are the same everywhere.
SEGCORE_INLINE void LogisticBody(const double* __restrict logit, std::size_t n, float* __restrict probability) {
  SEGCORE_CONTRACT_OFF
  constexpr double kLog2E = 0x1.71547652b82fep+0, kLn2High = 0x1.62e42feep-1, kLn2Low = 0x1.a39ef35793c76p-33;
  constexpr double kInverseFactorials[] = {1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320,
                                           1.0 / 5040,     1.0 / 720,     1.0 / 120,    1.0 / 24,
                                           1.0 / 6,        1.0 / 2,       1.0,          1.0};
  constexpr double kWhole = 0x1.8p+52;  // added and taken away again it rounds to whole numbers
  for (std::size_t i = 0; i < n; ++i) {
    const double x = logit[i];
    const double below = x < 0.0 ? x : -x;
    const double z = below > -120.0 ? below : -120.0;  // what is no number as well
    const double shifted = z * kLog2E + kWhole;
    const double k = shifted - kWhole;
    const double r = (z - k * kLn2High) - k * kLn2Low;
    double series = 1.0 / 479001600;
    for (const double term : kInverseFactorials) series = series * r + term;
    std::uint64_t bits;  // of 2^k: the low bits of `shifted` are k
    std::memcpy(&bits, &shifted, sizeof(bits));
    bits = (bits + 1023) << 52;
    double power;
    std::memcpy(&power, &bits, sizeof(power));
    const double e = series * power;
    const double p = (x < 0.0 ? e : 1.0) / (1.0 + e);
    probability[i] = static_cast<float>(x == x ? p : x);
  }
}
SEGCORE_KERNEL(Logistic, (const double* logit, std::size_t n, float* probability), (logit, n, probability))

}  // namespace

Status Activate(const Contract& contract, const float* output, std::size_t pixels, int channels, float* probability,
                std::uint8_t* alpha) {
  const bool softmax = contract.output == Contract::Output::kSoftmax2;
  if (softmax ? channels != 2 || contract.foreground > 1 : channels <= contract.foreground) {
    return Status(Code::kInvalidModel, "the model's output has " + std::to_string(channels) +
                                           " channels; the contract's output with foreground " +
                                           std::to_string(contract.foreground) + " does not fit it");
  }
  const float* foreground = output + contract.foreground;
  if (contract.output == Contract::Output::kProbability) {
    for (std::size_t i = 0; i < pixels; ++i) probability[i] = foreground[i * channels];
  } else {
    const float* background = softmax ? output + 1 - contract.foreground : nullptr;
    double logit[kBlock];
    for (std::size_t begin = 0; begin < pixels; begin += kBlock) {
      const std::size_t n = std::min(kBlock, pixels - begin);
      for (std::size_t i = 0; i < n; ++i) {
        const std::size_t at = (begin + i) * channels;
        logit[i] = double{foreground[at]} - (softmax ? double{background[at]} : 0.0);
      }
      Logistic(logit, n, probability + begin);
    }
  }
  Quantise(probability, pixels, alpha);
  return {};
}

}  // namespace segcore
