// SPDX-License-Identifier: Apache-2.0
// Whole files: read at once; written under a temporary name and renamed, so that whatever has its own name is whole.
#pragma once

#include <string>
#include <string_view>

#include "segcore/status.h"

namespace segcore::bundle {

/// The content of a file; kNotFound where it cannot be read, with the system's reason.
Expected<std::string> ReadFile(const std::string& path);

/// The SHA-256 of a file in hexadecimal, read piece by piece.
Expected<std::string> HashFile(const std::string& path);

/// Writes a whole file; on an error nothing of it is left.
Status WriteFile(const std::string& path, std::string_view data);

}  // namespace segcore::bundle
