// SPDX-License-Identifier: Apache-2.0
#include "bundle/arguments.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>

namespace segcore::bundle {
namespace {

constexpr Option kHelp{"help", "", "Show this text."};
constexpr Option kVersion{"version", "", "Show the version."};

Status Usage(const std::string& message) { return Status(Code::kInvalidArgument, message); }

std::string Plain(double number) {
  std::string text = std::to_string(number);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace

Status Arguments::Parse(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "-h") {
      values_["help"];
      continue;
    }
    if (word.compare(0, 2, "--") != 0)
      return Usage("what is " + word + "? Everything is given as --name VALUE; see --help");
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
    const Option* option = name == kHelp.name ? &kHelp : name == kVersion.name ? &kVersion : nullptr;
    for (const Option& known : options_) {
      if (name == known.name) option = &known;
    }
    if (option == nullptr) return Usage("no such option: --" + name + "; see --help");
    const bool flag = *option->metavar == '\0';
    if (flag && equals != std::string::npos) return Usage("--" + name + " takes no value");
    if (values_.count(name) > 0 && !flag) return Usage("--" + name + " is given twice");
    if (!flag && equals == std::string::npos && i + 1 == argc)
      return Usage("--" + name + " needs a value: " + option->metavar);
    values_[name] = flag ? "" : equals != std::string::npos ? word.substr(equals + 1) : argv[++i];
    if (!flag && values_[name].empty()) return Usage("--" + name + " needs a value: " + option->metavar);
  }
  return {};
}

std::string Arguments::Get(const std::string& name, const std::string& missing) const {
  const auto found = values_.find(name);
  return found == values_.end() ? missing : found->second;
}

Expected<int> Arguments::Integer(const std::string& name, int missing, int low, int high) const {
  SEGCORE_ASSIGN_OR_RETURN(const double value, Number(name, missing, low, high));
  if (value != std::floor(value)) return Usage("--" + name + " is " + Get(name) + ", expected a whole number");
  return static_cast<int>(value);
}

Expected<double> Arguments::Number(const std::string& name, double missing, double low, double high) const {
  if (!Has(name)) return missing;
  const std::string text = Get(name);
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || *end != '\0' || !(value >= low && value <= high)) {
    return Usage("--" + name + " is " + text + ", expected a number from " + Plain(low) + " to " + Plain(high));
  }
  return value;
}

Expected<std::string> Arguments::Choice(const std::string& name, const std::vector<std::string>& words) const {
  const std::string value = Get(name, words[0]);
  if (std::find(words.begin(), words.end(), value) != words.end()) return value;
  std::string known;
  for (const std::string& word : words) known += (known.empty() ? "" : ", ") + word;
  return Usage("--" + name + " is " + value + ", expected one of: " + known);
}

std::string Arguments::Help() const {
  constexpr std::size_t kColumn = 24;
  std::string text = "Options:\n";
  std::vector<Option> all = options_;
  all.insert(all.end(), {kVersion, kHelp});
  for (const Option& option : all) {
    std::string line = std::string("  --") + option.name + (*option.metavar ? " " : "") + option.metavar;
    line += line.size() + 2 > kColumn ? "\n" + std::string(kColumn, ' ') : std::string(kColumn - line.size(), ' ');
    text += line + option.help + "\n";
  }
  return text;
}

}  // namespace segcore::bundle
