// SPDX-License-Identifier: Apache-2.0
// The model contract: how pixels become the input tensor, and how the output tensor becomes a mask.
// The definition is docs/contract.md and harness/contract.py; tests hold this one against it bit for bit.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "segcore/image.h"
#include "segcore/status.h"

namespace segcore {

/// One model's contract, format `segmentation-contract/1`.
struct Contract {
  enum class Channels { kRgb, kBgr };
  enum class Fit { kStretch, kLetterbox };
  enum class Output { kProbability, kLogit, kSoftmax2 };

  int input_height = 0;  ///< pixels
  int input_width = 0;
  Channels channels = Channels::kRgb;
  Fit fit = Fit::kStretch;
  std::array<double, 3> scale{};  ///< tensor = pixel * scale + offset, per colour r, g, b
  std::array<double, 3> offset{};
  Output output = Output::kProbability;
  int foreground = 0;      ///< channel of the person in the output
  double threshold = 0.5;  ///< a pixel is person where its probability is greater
};

/// Reads the contract's TOML text; `where` names its source in an error.
Expected<Contract> ParseContract(std::string_view text, std::string_view where);

/// Where an upright frame lies inside a tensor of the given size.
Rect ContentRect(const Contract& contract, Size tensor, Size frame);

}  // namespace segcore
