// SPDX-License-Identifier: Apache-2.0
// The command line of segbench, and of every program that does the same.
#pragma once

#include <string>

#include "segbench/session.h"
#include "segcore/status.h"

namespace segcore::segbench {

struct CommandLine {
  std::string text;  ///< what is to be printed instead of running anything: --help, --version
  Request request;
  bool json = false;  ///< print what became of the bundles as JSON
};

/// Reads a command line, its first word left out, for a program and the label that its runs have by default.
Expected<CommandLine> ReadCommandLine(const std::string& program, const std::string& label, int argc, char** argv);

}  // namespace segcore::segbench
