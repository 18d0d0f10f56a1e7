// SPDX-License-Identifier: Apache-2.0
#include "segbench/command_line.h"

#include <algorithm>
#include <vector>

#include "bundle/arguments.h"

namespace segcore::segbench {
namespace {

constexpr char kUsageText[] =
    " --model FILE --suite FOLDER --out FOLDER [options]\n\n"
    "Runs a packed suite through the core and writes one run bundle per lane into the --out folder. An interrupted "
    "run\n"
    "is finished by the same command. Compare the bundles with others: harness compare REFERENCE.run … OUT/*.run\n\n";
constexpr char kExitText[] =
    "\nExit status: 0 complete · 2 usage or bad input · 4 a bundle failed (its run.json says why) · 130 interrupted\n";

bundle::Arguments Options(const std::string& label_help) {
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
      {"label", "NAME", label_help.c_str()},
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

}  // namespace

Expected<CommandLine> ReadCommandLine(const std::string& program, const std::string& label, int argc, char** argv) {
  const std::string label_help = "What tables call the run.  [" + label + ", " + label + ":int8, …]";
  bundle::Arguments arguments = Options(label_help);
  SEGCORE_RETURN_IF_ERROR(arguments.Parse(argc, argv));
  CommandLine line;
  if (arguments.Has("help")) {
    line.text = "Usage: " + program + kUsageText + arguments.Help() + kExitText;
  } else if (arguments.Has("version")) {
    line.text = program + ", version " SEGCORE_VERSION "\n";
  } else {
    SEGCORE_ASSIGN_OR_RETURN(line.request, ReadRequest(arguments));
    line.json = arguments.Has("json");
  }
  return line;
}

}  // namespace segcore::segbench
