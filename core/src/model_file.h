// SPDX-License-Identifier: Apache-2.0
// What a .tflite file says of itself, and whether it can be handed to LiteRT. Nothing is run here.
//
// LiteRT verifies that a file is a well-formed FlatBuffer, but trusts what it says: an index out of range or a tensor
// that is larger than its buffer crashes the process. So the meaning is checked here first.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "segcore/segmenter.h"
#include "segcore/status.h"

namespace segcore {

struct ModelFile {
  /// Of the first signature, or of the first graph where there is none. A size that is only known when the model runs
  /// is -1.
  std::vector<TensorInfo> inputs;
  std::vector<TensorInfo> outputs;
  int operators = 0;
  bool has_contract = false;
  std::string contract;  ///< metadata entry `segmentation_contract`
};

/// Error kInvalidModel where the file is no TFLite model, is cut short, or contradicts itself.
Expected<ModelFile> ReadModelFile(std::string_view bytes);

}  // namespace segcore
