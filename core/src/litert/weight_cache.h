// SPDX-License-Identifier: Apache-2.0
// The file in which XNNPACK keeps the weights as it packs them, so that processes share them and none packs them again.
//
// XNNPACK checks neither whose weights a file holds nor whether they are whole. So a second file beside it, <path>.sum,
// tells which model and library it was made for and what its bytes add up to; where that does not fit, it is made anew.
// It is built under a temporary name, and a file that others have open is never written to.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "segcore/status.h"

namespace segcore::litert {

class WeightCache {
 public:
  WeightCache() = default;
  ~WeightCache();
  WeightCache(const WeightCache&) = delete;
  WeightCache& operator=(const WeightCache&) = delete;

  /// Opens the cache at `path` for one model, or prepares to build it. `library` tells apart the libraries that pack.
  Status Open(const std::string& path, std::string_view model, std::string_view library);

  /// The file to hand to XNNPACK, which closes it; -1 where there is no cache.
  int TakeDescriptor() const;

  /// Once the model is compiled: gives a cache that was built its name.
  Status Keep();

 private:
  std::string path_;
  std::string temporary_;  // while it is being built
  std::string owner_;      // the model and library it is for
  int descriptor_ = -1;
};

}  // namespace segcore::litert
