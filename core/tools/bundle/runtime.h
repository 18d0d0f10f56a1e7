// SPDX-License-Identifier: Apache-2.0
// What runs a model: the `runtime` part of run.json for everything that uses the core.
#pragma once

#include <string>

#include "bundle/json.h"
#include "segcore/segmenter.h"

namespace segcore::bundle {

/// What was asked for, and what was found once a model is loaded (null before).
Json Runtime(const SegmenterOptions& requested, const ModelInfo* found);

/// What is said of the version: the core's release and LiteRT's, of which an empty one is not known.
std::string RuntimeVersion(const std::string& litert);

}  // namespace segcore::bundle
