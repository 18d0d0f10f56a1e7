// SPDX-License-Identifier: Apache-2.0
// What runs a model: the `runtime` part of run.json for everything that uses the core.
#pragma once

#include "bundle/json.h"
#include "segcore/segmenter.h"

namespace segcore::bundle {

/// What was asked for, and what was found once a model is loaded (null before).
Json Runtime(const SegmenterOptions& requested, const ModelInfo* found);

}  // namespace segcore::bundle
