// SPDX-License-Identifier: Apache-2.0
// The C interface over the bundle tools.
#include "segbundle.h"

#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <utility>

#include "bundle/device.h"
#include "bundle/files.h"
#include "bundle/json.h"
#include "bundle/model.h"
#include "bundle/suite.h"
#include "c_guard.h"
#include "litert/library.h"
#include "segbench/command_line.h"

struct segbundle_model {
  segcore::bundle::Model it;
  std::string facts;
};
struct segbundle_suite {
  segcore::bundle::Suite it;
  std::string facts;
};

namespace segcore::bundle {
namespace {

char* Handed(const std::string& text) {
  auto* copy = static_cast<char*>(std::malloc(text.size() + 1));
  if (copy != nullptr) std::memcpy(copy, text.c_str(), text.size() + 1);
  return copy;
}

Json Tell(std::int32_t what) {
  switch (what) {
    case SEGBUNDLE_DEVICE:
      return DescribeDevice();
    case SEGBUNDLE_CONDITIONS:
      return Conditions();
    case SEGBUNDLE_BUILD:
      return Build();
    case SEGBUNDLE_PEAK_MEMORY:
      return PeakMemory();
    case SEGBUNDLE_TIME:
      return IsoTime();
    case SEGBUNDLE_SESSION:
      return NewSession();
    default:
      return {};
  }
}

Json OrNull(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json Told(const segbench::CommandLine& line) {
  if (!line.text.empty()) return Json::Object{{"text", line.text}};
  const segbench::Request& request = line.request;
  const SegmenterOptions& options = request.options;
  return Json::Object{{"model", request.model},
                      {"suite", request.suite},
                      {"out", request.out},
                      {"lanes", Json::Array(request.lanes.begin(), request.lanes.end())},
                      {"profile", request.profile.name},
                      {"threads", options.threads},
                      {"accelerator", static_cast<int>(options.accelerator)},
                      {"allow_fallback", options.allow_fallback},
                      {"weight_cache", OrNull(options.weight_cache)},
                      {"litert", OrNull(options.litert_library)},
                      {"contract", OrNull(request.contract)},
                      {"label", OrNull(request.label)},
                      {"json", line.json}};
}

}  // namespace
}  // namespace segcore::bundle

using namespace segcore;          // NOLINT: this file defines the C functions over it
using namespace segcore::bundle;  // NOLINT

void segbundle_free(char* text) { std::free(text); }

char* segbundle_tell(std::int32_t what) {
  try {
    return Handed(Tell(what).Dump());
  } catch (const std::exception&) {
    return nullptr;
  }
}

segcore_code segbundle_litert_release(const char* library, char** release, segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(release);
    SEGCORE_ASSIGN_OR_RETURN(const litert::Library* loaded, litert::Load(library == nullptr ? "" : library));
    *release = Handed(loaded->version);
    return {};
  });
}

segcore_code segbundle_hash_file(const char* path, char hex[65], segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(path);
    SEGCORE_REQUIRE(hex);
    SEGCORE_ASSIGN_OR_RETURN(const std::string hash, HashFile(path));
    std::memcpy(hex, hash.c_str(), 65);
    return {};
  });
}

segcore_code segbundle_command_line(const char* program, const char* label, int argc, char** argv, char** json,
                                    segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(program);
    SEGCORE_REQUIRE(label);
    SEGCORE_REQUIRE(argv);
    SEGCORE_REQUIRE(json);
    SEGCORE_ASSIGN_OR_RETURN(const segbench::CommandLine line, segbench::ReadCommandLine(program, label, argc, argv));
    *json = Handed(Told(line).Dump());
    return {};
  });
}

segcore_code segbundle_model_read(const char* path, const char* contract, segbundle_model** model,
                                  segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(path);
    SEGCORE_REQUIRE(model);
    SEGCORE_ASSIGN_OR_RETURN(Model read, ReadModel(path, contract == nullptr ? "" : contract));
    std::string facts = read.facts.Dump();
    *model = new segbundle_model{std::move(read), std::move(facts)};
    return {};
  });
}

void segbundle_model_destroy(segbundle_model* model) { delete model; }

const void* segbundle_model_data(const segbundle_model* model, std::size_t* bytes) {
  if (model == nullptr || bytes == nullptr) return nullptr;
  *bytes = model->it.data.size();
  return model->it.data.data();
}

const char* segbundle_model_facts(const segbundle_model* model) {
  return model == nullptr ? nullptr : model->facts.c_str();
}
const char* segbundle_model_contract(const segbundle_model* model) {
  return model == nullptr ? nullptr : model->it.contract.c_str();
}

segcore_code segbundle_model_damage(const segbundle_model* model, segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(model);
    return model->it.damage;
  });
}

segcore_code segbundle_suite_load(const char* path, segbundle_suite** suite, segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(path);
    SEGCORE_REQUIRE(suite);
    SEGCORE_ASSIGN_OR_RETURN(Suite read, Suite::Load(path));
    std::string facts = read.Facts().Dump();
    *suite = new segbundle_suite{std::move(read), std::move(facts)};
    return {};
  });
}

void segbundle_suite_destroy(segbundle_suite* suite) { delete suite; }

const char* segbundle_suite_facts(const segbundle_suite* suite) {
  return suite == nullptr ? nullptr : suite->facts.c_str();
}

segcore_code segbundle_suite_verify(const segbundle_suite* suite, segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(suite);
    return suite->it.Verify();
  });
}

segcore_code segbundle_suite_read_image(const segbundle_suite* suite, std::size_t index, std::uint8_t* pixels,
                                        std::size_t count, segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(suite);
    SEGCORE_REQUIRE(pixels);
    const auto& cases = suite->it.cases();
    if (index >= cases.size()) return Status(Code::kInvalidArgument, "the suite has no case " + std::to_string(index));
    Pixels image;
    SEGCORE_RETURN_IF_ERROR(suite->it.ReadImage(cases[index], &image));
    const std::size_t bytes = static_cast<std::size_t>(image.view.stride) * static_cast<std::size_t>(image.view.height);
    if (bytes != count) {
      return Status(Code::kInvalidArgument,
                    "room for " + std::to_string(count) + " bytes of " + std::to_string(bytes) + " bytes of pixels");
    }
    std::memcpy(pixels, image.view.data, bytes);
    return {};
  });
}
