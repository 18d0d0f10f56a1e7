// SPDX-License-Identifier: Apache-2.0
#include "activate.h"

#include <cmath>
#include <string>

#include "simd.h"

namespace segcore {
namespace {

SEGCORE_INLINE void QuantiseBody(const float* __restrict probability, std::size_t pixels,
                                 std::uint8_t* __restrict alpha) {
  SEGCORE_CONTRACT_OFF
  for (std::size_t i = 0; i < pixels; ++i) {
    const double p = probability[i];
    const double inside = p > 0.0 ? (p < 1.0 ? p : 1.0) : 0.0;  // no number is background
    alpha[i] = static_cast<std::uint8_t>(static_cast<int>(255.0 * inside + 0.5));
  }
}
SEGCORE_KERNEL(Quantise, (const float* probability, std::size_t pixels, std::uint8_t* alpha),
               (probability, pixels, alpha))

/// The logistic function by way of tanh, which does not overflow.
float Logistic(double logit) { return static_cast<float>(0.5 + 0.5 * std::tanh(0.5 * logit)); }

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
  for (std::size_t i = 0; i < pixels; ++i) {
    const float value = foreground[i * channels];
    if (contract.output == Contract::Output::kProbability) {
      probability[i] = value;
    } else {
      const double other = softmax ? output[2 * i + 1 - contract.foreground] : 0.0;
      probability[i] = Logistic(value - other);
    }
  }
  Quantise(probability, pixels, alpha);
  return {};
}

}  // namespace segcore
