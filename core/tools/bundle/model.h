// SPDX-License-Identifier: Apache-2.0
// What a .tflite file is: the `model` part of run.json, in the words of harness/model_file.py. Nothing is run here.
#pragma once

#include <string>

#include "bundle/json.h"
#include "segcore/status.h"

namespace segcore::bundle {

struct Model {
  std::string data;      ///< the file
  std::string contract;  ///< text of the contract that it is used with
  std::string variant;   ///< fp32, fp16, dyn8 or int8
  Json facts;            ///< null where the file is damaged
  Status damage;         ///< why the file cannot be run, if so
};

/// Reads a model and the contract it is used with: the given file's (`contract` not empty), the model's own, or
/// contract.toml beside it. A damaged file is no error here, see Model::damage; a missing file, or a contract that is
/// missing or wrong, is.
Expected<Model> ReadModel(const std::string& path, const std::string& contract);

}  // namespace segcore::bundle
