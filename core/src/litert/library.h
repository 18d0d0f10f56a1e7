// SPDX-License-Identifier: Apache-2.0
// Finds and loads the LiteRT library. Where it is looked for is docs/litert.md.
#pragma once

#include <string>

#include "litert/api.h"
#include "segcore/status.h"

namespace segcore::litert {

struct Library {
  Api api;
  std::string path;     ///< absolute where it is known
  std::string version;  ///< release, such as 2.3.0; empty where nothing beside the library tells
};

/// The library, loaded once per path and process and never closed (2.2.0 crashes when it is). `path` empty: looked for.
/// The pointer stays valid to the end of the process. May be called from any thread.
Expected<const Library*> Load(const std::string& path);

}  // namespace segcore::litert
