// SPDX-License-Identifier: Apache-2.0
#include "litert/status.h"

namespace segcore::litert {
namespace {

struct Entry {
  StatusCode code;
  const char* meaning;
};

constexpr Entry kTable[] = {
    {1, "invalid argument"},
    {2, "out of memory"},
    {3, "runtime failure"},
    {4, "missing input tensor"},
    {5, "not supported"},
    {6, "not found"},
    {7, "timed out"},
    {8, "wrong version"},
    {9, "unknown error"},
    {10, "already exists"},
    {100, "cancelled"},
    {500, "file input or output failed"},
    {501, "the file is damaged"},
    {502, "a library could not be loaded"},
    {503, "serialisation failed"},
    {504, "compilation failed"},
    {1000, "index out of range"},
    {1001, "invalid type in the graph"},
    {1002, "the graph contradicts itself"},
    {1003, "the graph cannot be changed"},
    {1500, "invalid tool configuration"},
    {2000, "no legalisation matches"},
    {2001, "invalid legalisation"},
    {3000, "no pattern matches"},
    {3001, "invalid transformation"},
    {4000, "unsupported runtime version"},
    {4001, "unsupported compiler version"},
    {4002, "incompatible byte code version"},
    {5000, "no shape inference for an operator"},
    {5001, "shape inference failed"},
};

}  // namespace

std::string Describe(StatusCode code) {
  for (const Entry& entry : kTable) {
    if (entry.code == code) return std::string(entry.meaning) + " (status " + std::to_string(code) + ")";
  }
  return "status " + std::to_string(code);
}

Status Check(StatusCode code, const char* what) {
  if (code == 0) return {};
  return Status(Code::kRuntime, "LiteRT cannot " + std::string(what) + ": " + Describe(code));
}

}  // namespace segcore::litert
