// SPDX-License-Identifier: Apache-2.0
// NPY files, format 1.0, C order, no pickles: 8-bit pixels are read, float32 maps are written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "segcore/status.h"

namespace segcore::bundle {

/// An array of bytes inside an NPY file that stays in memory.
struct NpyBytes {
  std::vector<std::size_t> shape;
  std::string_view data;
};

/// The uint8 array of an NPY file; the error says what it is instead. `file` must outlive the result.
Expected<NpyBytes> ParseNpy(std::string_view file, const std::string& where);

/// The NPY file of a float32 map (height, width).
std::string EncodeNpy(const float* map, int height, int width);

}  // namespace segcore::bundle
