// SPDX-License-Identifier: Apache-2.0
#include "bundle/runtime.h"

namespace segcore::bundle {
namespace {

const char* Name(Accelerator accelerator) {
  static constexpr const char* kNames[] = {"cpu", "gpu", "npu"};
  return kNames[static_cast<int>(accelerator)];
}

}  // namespace

std::string RuntimeVersion(const std::string& litert) {
  return "segcore " SEGCORE_VERSION " (LiteRT " + (litert.empty() ? "of unknown release" : litert) + ")";
}

Json Runtime(const SegmenterOptions& requested, const ModelInfo* found) {
  const Json asked = Json::Object{{"delegate", Name(requested.accelerator)}, {"threads", requested.threads}};
  if (found == nullptr) {
    return Json::Object{{"name", "core"}, {"version", nullptr}, {"requested", asked}, {"actual", Json::Object{}}};
  }
  return Json::Object{{"name", "core"},
                      {"version", RuntimeVersion(found->litert_version)},
                      {"requested", asked},
                      {"actual", Json::Object{{"delegate", Name(found->accelerator)},
                                              {"threads", found->threads},
                                              {"fell_back", found->fell_back},
                                              {"total_ops", found->operators}}}};
}

}  // namespace segcore::bundle
