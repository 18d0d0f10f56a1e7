// SPDX-License-Identifier: Apache-2.0
// segbench: runs a packed suite through the core and writes run bundles, without Python.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "bundle/arguments.h"
#include "segbench/command_line.h"
#include "segbench/session.h"

namespace segcore::segbench {
namespace {

using bundle::ExitCode;
using bundle::Json;

volatile std::sig_atomic_t g_interrupted = 0;

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
  const auto fail = [](const Status& status, ExitCode code) {
    ClearProgress();
    std::fprintf(stderr, "segbench: %s\n", status.message().c_str());
    return code;
  };
  Expected<CommandLine> read = ReadCommandLine("segbench", "segbench", argc, argv);
  if (!read.ok()) return fail(read.status(), bundle::kUsage);
  if (!read->text.empty()) {
    std::printf("%s", read->text.c_str());
    return bundle::kPass;
  }
  std::signal(SIGINT, [](int) {
    g_interrupted = 1;
    std::signal(SIGINT, SIG_DFL);  // a second Ctrl-C ends it at once
  });
  const Expected<Outcome> outcome = Run(std::move(read->request), ShowProgress, [] { return g_interrupted != 0; });
  // What cannot be written is nothing that another command line would mend by itself.
  if (!outcome.ok()) {
    return fail(outcome.status(), outcome.status().code() == Code::kRuntime ? bundle::kInvalid : bundle::kUsage);
  }
  ClearProgress();
  const ExitCode code = Tell(outcome.value(), read->json);
  if (g_interrupted == 0 || code == bundle::kPass) return code;
  std::fprintf(stderr, "segbench: interrupted; go on with the same command\n");
  return bundle::kInterrupted;
}

}  // namespace
}  // namespace segcore::segbench

int main(int argc, char** argv) { return segcore::segbench::Main(argc, argv); }
