// SPDX-License-Identifier: Apache-2.0
// One run of segbench: a model over a packed suite, one bundle per lane, as harness/session.py does it for every
// runtime. All bundles are put down as `partial` before anything runs; a second run with the same folder finishes them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bundle/json.h"
#include "segcore/segmenter.h"
#include "segcore/status.h"

namespace segcore::segbench {

/// How long the steady phase lasts: until `count` frames and `duration` seconds are both reached.
struct Profile {
  const char* name;
  int count;
  double duration;
};
inline constexpr Profile kProfiles[] = {
    {"normal", 128, 10.0}, {"none", 0, 0.0}, {"quick", 64, 6.0}, {"submission", 1024, 60.0}};

struct Request {
  std::string model;
  std::string suite;
  std::string out;
  std::string contract;            ///< file; empty: the model's own
  std::string label;               ///< empty: segbench, and the variant unless it is fp32
  std::vector<std::string> lanes;  ///< in the order they are run: tensor, image
  Profile profile = kProfiles[0];
  SegmenterOptions options;
};

/// Told what is being done: activity, done, total.
using Progress = std::function<void(const std::string& activity, double done, double total)>;

/// What became of the bundles: a list of label, lane, status, error and bundle (its folder), as `harness run --json`
/// prints it. An interrupted one is `partial`.
using Outcome = bundle::Json;

/// Error where nothing has run: no such model or suite, damaged pictures, a folder that holds something else.
/// `interrupted` is asked between frames.
Expected<Outcome> Run(Request request, const Progress& progress, const std::function<bool()>& interrupted);

}  // namespace segcore::segbench
