// SPDX-License-Identifier: Apache-2.0
// What the C interfaces share: a Status becomes a code and a message, nothing that is thrown gets out, and a null
// pointer is an error.
#pragma once

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>
#include <string>

#include "segcore/c_api.h"
#include "segcore/status.h"

namespace segcore {

inline segcore_code Report(const Status& status, segcore_error* error) {
  const auto code = static_cast<segcore_code>(status.code());
  if (error != nullptr) {
    error->code = code;
    std::size_t length = std::min(status.message().size(), sizeof error->message - 1);
    // A character of several bytes is kept whole or left out.
    while (length < status.message().size() && length > 0 && (status.message()[length] & 0xC0) == 0x80) --length;
    std::memcpy(error->message, status.message().data(), length);
    error->message[length] = '\0';
  }
  return code;
}

inline Status Missing(const char* what) {
  return Status(Code::kInvalidArgument, std::string(what) + " is a null pointer");
}

#define SEGCORE_REQUIRE(pointer) \
  if ((pointer) == nullptr) return ::segcore::Missing(#pointer)

/// Runs `body`, which returns a Status, and lets nothing that is thrown out.
template <typename Body>
segcore_code Guard(segcore_error* error, const Body& body) noexcept {
  try {
    return Report(body(), error);
  } catch (const std::bad_alloc&) {
    if (error != nullptr) *error = {SEGCORE_INTERNAL, "out of memory"};
  } catch (...) {
    if (error != nullptr) *error = {SEGCORE_INTERNAL, "unexpected failure"};
  }
  return SEGCORE_INTERNAL;
}

}  // namespace segcore
