// SPDX-License-Identifier: Apache-2.0
// segbench: runs a packed suite through the core and writes run bundles, without Python.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>

#include "bundle/arguments.h"
#include "bundle/device.h"
#include "segbench/session.h"

namespace segcore::segbench {
namespace {

using bundle::ExitCode;
using bundle::Json;

volatile std::sig_atomic_t g_interrupted = 0;

constexpr char kUsageText[] =
    "Usage: segbench --model FILE --suite FOLDER --out FOLDER [options]\n\n"
    "Runs a packed suite through the core and writes one run bundle per lane into the --out folder. An interrupted "
    "run\n"
    "is finished by the same command. Compare the bundles with others: harness compare REFERENCE.run … OUT/*.run\n\n";
constexpr char kExitText[] =
    "\nExit status: 0 complete · 2 usage or bad input · 4 a bundle failed (its run.json says why) · 130 interrupted\n";

bundle::Arguments Options() {
  return bundle::Arguments({
      {"model", "FILE", "The .tflite file."},
      {"suite", "FOLDER", "Packed suite, made with: harness suite pack SUITE --out FOLDER"},
      {"out", "FOLDER", "Where the bundles go; a new folder, or that of an interrupted run."},
      {"lane", "LANE", "tensor (the network alone), image (the whole path) or both.  [both]"},
      {"profile", "NAME", "How long to time: none, quick, normal or submission.  [normal]"},
      {"threads", "N", "Threads of the network.  [1]"},
      {"accelerator", "NAME", "cpu, gpu or npu.  [cpu]"},
      {"allow-fallback", "", "Run on the cpu where the accelerator is missing."},
      {"weight-cache", "FILE", "Where XNNPACK keeps packed weights from run to run."},
      {"litert", "PATH", "The LiteRT library; else it is looked for, see docs/litert.md."},
      {"contract", "FILE", "Contract of a model that carries none."},
      {"label", "NAME", "What tables call the run.  [segbench, segbench:int8, …]"},
      {"json", "", "Print the bundles and their status as JSON."},
  });
}

Expected<Request> ReadRequest(const bundle::Arguments& arguments) {
  for (const char* needed : {"model", "suite", "out"}) {
    if (!arguments.Has(needed)) {
      return Status(Code::kInvalidArgument, std::string("--") + needed + " is missing; see --help");
    }
  }
  Request request;
  request.model = arguments.Get("model");
  request.suite = arguments.Get("suite");
  request.out = arguments.Get("out");
  request.contract = arguments.Get("contract");
  request.label = arguments.Get("label");
  SEGCORE_ASSIGN_OR_RETURN(const std::string lane, arguments.Choice("lane", {"both", "tensor", "image"}));
  if (lane != "image") request.lanes.push_back("tensor");
  if (lane != "tensor") request.lanes.push_back("image");
  std::vector<std::string> profiles;
  for (const Profile& profile : kProfiles) profiles.push_back(profile.name);
  SEGCORE_ASSIGN_OR_RETURN(const std::string name, arguments.Choice("profile", profiles));
  request.profile = kProfiles[std::find(profiles.begin(), profiles.end(), name) - profiles.begin()];
  SEGCORE_ASSIGN_OR_RETURN(request.options.threads, arguments.Integer("threads", 1, 1, 256));
  SEGCORE_ASSIGN_OR_RETURN(const std::string accelerator, arguments.Choice("accelerator", {"cpu", "gpu", "npu"}));
  request.options.accelerator = accelerator == "gpu"   ? Accelerator::kGpu
                                : accelerator == "npu" ? Accelerator::kNpu
                                                       : Accelerator::kCpu;
  request.options.allow_fallback = arguments.Has("allow-fallback");
  request.options.weight_cache = arguments.Get("weight-cache");
  request.options.litert_library = arguments.Get("litert");
  return request;
}

/// One line on the terminal that is written over; silent elsewhere.
void ShowProgress(const std::string& activity, double done, double total) {
  if (isatty(STDERR_FILENO) == 0) return;
  std::fprintf(stderr, "\r\033[K%s %3.0f %%", activity.c_str(), total > 0 ? 100 * done / total : 0);
  std::fflush(stderr);
}

void ClearProgress() {
  if (isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "\r\033[K");
}

std::string Text(const Json& row, const char* key) {
  const Json* member = row.Find(key);
  return member != nullptr && member->string() != nullptr ? *member->string() : std::string();
}

/// Prints what became of each bundle, as `harness run` does.
ExitCode Tell(const Outcome& rows, bool as_json) {
  ExitCode code = bundle::kPass;
  if (as_json) std::printf("%s\n", rows.Dump(1).c_str());
  for (const Json& row : *rows.array()) {
    const std::string status = Text(row, "status");
    const Json* error = row.Find("error");
    const std::string why = error->is_null() ? "" : "  (" + Text(*error, "message") + ")";
    if (!as_json) {
      std::printf("%s  %-6s  %-8s  %s%s\n", Text(row, "label").c_str(), Text(row, "lane").c_str(), status.c_str(),
                  Text(row, "bundle").c_str(), why.c_str());
    }
    if (status != "complete") code = bundle::kInvalid;
  }
  return code;
}

ExitCode Main(int argc, char** argv) {
  bundle::Arguments arguments = Options();
  const auto fail = [](const Status& status, ExitCode code) {
    ClearProgress();
    std::fprintf(stderr, "segbench: %s\n", status.message().c_str());
    return code;
  };
  if (Status status = arguments.Parse(argc, argv); !status.ok()) return fail(status, bundle::kUsage);
  if (arguments.Has("help")) {
    std::printf("%s%s%s", kUsageText, arguments.Help().c_str(), kExitText);
    return bundle::kPass;
  }
  if (arguments.Has("version")) {
    std::printf("segbench, version %s\n", SEGCORE_VERSION);
    return bundle::kPass;
  }
  Expected<Request> request = ReadRequest(arguments);
  if (!request.ok()) return fail(request.status(), bundle::kUsage);
  std::signal(SIGINT, [](int) {
    g_interrupted = 1;
    std::signal(SIGINT, SIG_DFL);  // a second Ctrl-C ends it at once
  });
  const Expected<Outcome> outcome = Run(*std::move(request), ShowProgress, [] { return g_interrupted != 0; });
  // What cannot be written is nothing that another command line would mend by itself.
  if (!outcome.ok()) {
    return fail(outcome.status(), outcome.status().code() == Code::kRuntime ? bundle::kInvalid : bundle::kUsage);
  }
  ClearProgress();
  const ExitCode code = Tell(outcome.value(), arguments.Has("json"));
  if (g_interrupted == 0 || code == bundle::kPass) return code;
  std::fprintf(stderr, "segbench: interrupted; go on with the same command\n");
  return bundle::kInterrupted;
}

}  // namespace
}  // namespace segcore::segbench

int main(int argc, char** argv) { return segcore::segbench::Main(argc, argv); }
