// SPDX-License-Identifier: Apache-2.0
#include "bundle/runtime.h"

namespace segcore::bundle {
namespace {

const char* Name(Accelerator accelerator) {
  static constexpr const char* kNames[] = {"cpu", "gpu", "npu"};
  return kNames[static_cast<int>(accelerator)];
}

}  // namespace

Json Runtime(const SegmenterOptions& requested, const ModelInfo* found) {
  const Json asked = Json::Object{{"delegate", Name(requested.accelerator)}, {"threads", requested.threads}};
  if (found == nullptr) {
    return Json::Object{{"name", "core"}, {"version", nullptr}, {"requested", asked}, {"actual", Json::Object{}}};
  }
  const std::string release = found->litert_version.empty() ? "of unknown release" : found->litert_version;
  return Json::Object{{"name", "core"},
                      {"version", "segcore " SEGCORE_VERSION " (LiteRT " + release + ")"},
                      {"requested", asked},
                      {"actual", Json::Object{{"delegate", Name(found->accelerator)},
                                              {"threads", found->threads},
                                              {"fell_back", found->fell_back},
                                              {"total_ops", found->operators}}}};
}

}  // namespace segcore::bundle
