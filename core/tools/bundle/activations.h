// SPDX-License-Identifier: Apache-2.0
// What one inference holds beside the constants, as the model file alone tells; the same as Python's
// harness.model_file.
#pragma once

#include <string_view>

#include "bundle/json.h"

namespace segcore::bundle {

/// `tensors` that are written, the `bytes` of all of them, and the most that is alive at once, `peak_bytes`, if the
/// operators run in the file's order. Null where the file does not tell: several graphs, a shape that is known only
/// when it runs, packed elements. The file has passed ReadModelFile.
Json Activations(std::string_view bytes);

}  // namespace segcore::bundle
