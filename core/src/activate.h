// SPDX-License-Identifier: Apache-2.0
// Output tensor to probability and 8-bit alpha, exactly as harness/contract.py defines it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "segcore/contract.h"
#include "segcore/status.h"

namespace segcore {

/// `output` holds `pixels` pixels of `channels` floats. Error where the contract's output does not fit the channels.
Status Activate(const Contract& contract, const float* output, std::size_t pixels, int channels, float* probability,
                std::uint8_t* alpha);

}  // namespace segcore
