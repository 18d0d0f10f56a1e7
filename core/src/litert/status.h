// SPDX-License-Identifier: Apache-2.0
// What LiteRT's status codes mean; the library does not export its own table.
#pragma once

#include <string>

#include "litert/api.h"
#include "segcore/status.h"

namespace segcore::litert {

/// The name of a status code, or its number where it is unknown.
std::string Describe(StatusCode code);

/// Ok, or an error that says what LiteRT refused to do: "LiteRT cannot <what>: <code>".
Status Check(StatusCode code, const char* what);

}  // namespace segcore::litert
