// SPDX-License-Identifier: Apache-2.0
// Finds and loads the LiteRT library. Where it is looked for is docs/litert.md.
#pragma once

#include <string>
#include <vector>

#include "litert/api.h"
#include "segcore/status.h"

namespace segcore::litert {

struct Library {
  Api api;
  std::string path;     ///< absolute where it is known
  std::string version;  ///< release, such as 2.3.0; empty where nothing beside the library tells
};

/// Where the library is looked for: the first of these that is there is used, and nothing after it.
struct Places {
  std::string named;                  ///< a path; empty where nobody gave one
  std::string named_by;               ///< who gave it, for the error
  std::string environment;            ///< a Python environment; empty where none is active
  std::vector<std::string> programs;  ///< files; the folders above them are looked into
};

/// The places of this process: SEGCORE_LITERT_LIBRARY, VIRTUAL_ENV, and the program or extension module that runs.
Places PlacesOfProcess();

/// The library, loaded once per path and process and never closed (2.2.0 crashes when it is). `path` empty: looked for.
/// The pointer stays valid to the end of the process. May be called from any thread.
Expected<const Library*> Load(const std::string& path);

/// The same from other places. After them come the system's libraries.
Expected<const Library*> Load(const Places& places);

/// Where accelerators lie that belong to the library at `path`: beside it or, of one in a framework, beside the
/// framework, where an application on iOS has its libraries. Empty where the path tells no folder.
std::string AcceleratorFolder(const std::string& path);

}  // namespace segcore::litert
