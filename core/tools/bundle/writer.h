// SPDX-License-Identifier: Apache-2.0
// Writes one run bundle (docs/run-bundle.md). Every file is written under a temporary name and renamed; an interrupted
// bundle stays behind with status `partial`, and opening its folder again goes on with it.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bundle/json.h"
#include "segcore/status.h"

namespace segcore::bundle {

/// One timed frame: a row of samples.csv, without its number. What is not given stays empty.
struct Sample {
  using Field = std::optional<std::int64_t>;

  const char* phase = "";
  int restart = 0;
  int block = 0;
  std::string case_id;
  Field due_ns, start_ns, preprocess_ns, invoke_ns, postprocess_ns, refine_ns, composite_ns, total_ns, presented_ns;
  Field dropped, mask_age;
};

class Writer {
 public:
  /// Makes the folder, or goes on with what an interruption left in it, and writes `facts` as run.json.
  static Expected<Writer> Open(std::string folder, Json facts);

  /// Whether everything of a bundle has been written, its checksums too, which are last.
  static bool IsFinished(const std::string& folder, const Json& facts);

  /// Removes a bundle's folder that was killed before there was anything in it; false where something is.
  static bool RemoveUnbegun(const std::string& folder);

  const std::string& folder() const { return folder_; }
  /// The content of run.json; change it, then Save() or Finish().
  Json& facts() { return facts_; }
  const Json& facts() const { return facts_; }

  Status Save();
  Status AddSamples(const std::vector<Sample>& samples);
  /// The probability (height, width) of a case.
  Status WriteTensor(const std::string& case_id, const float* map, int height, int width);
  /// Whether an earlier, interrupted pass left this case's tensor, and in the image lane its sample as well.
  bool Done(const std::string& case_id) const;

  /// Writes the final run.json, `complete` or `failed` with an error object, and then the checksums.
  Status Finish(const char* status, Json error = {});

 private:
  std::string TensorPath(const std::string& case_id) const { return folder_ + "/tensors/" + case_id + ".npy"; }
  Status ReadRows();

  std::string folder_;
  Json facts_;
  std::int64_t rows_ = 0;
  std::set<std::string> sampled_;
};

}  // namespace segcore::bundle
