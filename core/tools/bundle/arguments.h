// SPDX-License-Identifier: Apache-2.0
// Command lines: `--name VALUE`, `--name=VALUE` and `--flag`, with a help text made from the same table.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "segcore/status.h"

namespace segcore::bundle {

/// What a command's exit status says; the project's own.
enum ExitCode : int { kPass = 0, kUsage = 2, kInvalid = 4, kInterrupted = 130 };

struct Option {
  const char* name;     ///< without the dashes
  const char* metavar;  ///< what the value is called; empty for a flag
  const char* help;
};

class Arguments {
 public:
  explicit Arguments(std::vector<Option> options) : options_(std::move(options)) {}

  /// Reads a command line, its first word left out; `--help` and `-h`, `--version` are known everywhere.
  Status Parse(int argc, char** argv);

  bool Has(const std::string& name) const { return values_.count(name) > 0; }
  std::string Get(const std::string& name, const std::string& missing = "") const;
  /// A whole number in a range.
  Expected<int> Integer(const std::string& name, int missing, int low, int high) const;
  /// A number in a range.
  Expected<double> Number(const std::string& name, double missing, double low, double high) const;
  /// One of these words; the first is the default.
  Expected<std::string> Choice(const std::string& name, const std::vector<std::string>& words) const;

  /// The options, a line or two each.
  std::string Help() const;

 private:
  std::vector<Option> options_;
  std::map<std::string, std::string> values_;
};

}  // namespace segcore::bundle
