// SPDX-License-Identifier: Apache-2.0
// Frame to input tensor, exactly as harness/contract.py defines it.
#pragma once

#include <cstdint>
#include <memory>

#include "segcore/contract.h"
#include "segcore/image.h"
#include "segcore/status.h"

namespace segcore {

/// Allocates nothing after the first frame of a size, format and orientation.
class Preprocessor {
 public:
  explicit Preprocessor(const Contract& contract);
  ~Preprocessor();

  /// `picture` receives the fitted upright RGB picture, `tensor` the normalised one in the contract's channel order;
  /// both input_height x input_width x 3.
  Status Run(const ImageView& frame, Orientation orientation, std::uint8_t* picture, float* tensor);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace segcore
