// SPDX-License-Identifier: Apache-2.0
// How the core reports errors: values, never exceptions, and nothing ever exits or aborts.
#pragma once

#include <optional>
#include <string>
#include <utility>

namespace segcore {

/// What kind of error it is; the message says what happened, where, and how to mend it.
enum class Code : int {
  kOk = 0,
  kInvalidArgument = 1,  ///< the caller passed something that cannot be used: a null pointer, an absurd size
  kNotFound = 2,         ///< a file or library is not where it was looked for
  kInvalidModel = 3,     ///< the model file or its contract is damaged or does not fit
  kUnsupported = 4,      ///< an accelerator, a library release or a format that is not there
  kRuntime = 5,          ///< LiteRT refused; its status is in the message
  kCancelled = 6,        ///< stopped before it was done
  kInternal = 7,         ///< a fault of this library, out of memory included
};

/// The outcome of a call: ok, or a code and a message.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

/// A value, or the Status that says why there is none.
template <typename T>
class [[nodiscard]] Expected {
 public:
  Expected(T value) : value_(std::move(value)) {}          // NOLINT: a value is returned as it is
  Expected(Status status) : status_(std::move(status)) {}  // NOLINT: so is an error

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  /// Only when ok().
  T& value() & { return *value_; }
  const T& value() const& { return *value_; }
  T&& value() && { return std::move(*value_); }
  T& operator*() & { return *value_; }
  T&& operator*() && { return std::move(*value_); }
  T* operator->() { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace segcore

/// Leaves the function with the error of `expression` (a Status) if it is one.
#define SEGCORE_RETURN_IF_ERROR(expression) \
  SEGCORE_RETURN_IF_ERROR_IMPL(SEGCORE_CONCAT(segcore_status_, __LINE__), expression)
#define SEGCORE_RETURN_IF_ERROR_IMPL(name, expression)                  \
  do {                                                                  \
    if (::segcore::Status name = (expression); !name.ok()) return name; \
  } while (false)

/// `SEGCORE_ASSIGN_OR_RETURN(auto x, F());` binds x to the value of an Expected, or leaves with its error.
#define SEGCORE_ASSIGN_OR_RETURN(declaration, expression) \
  SEGCORE_ASSIGN_OR_RETURN_IMPL(SEGCORE_CONCAT(segcore_expected_, __LINE__), declaration, expression)
#define SEGCORE_ASSIGN_OR_RETURN_IMPL(name, declaration, expression) \
  auto name = (expression);                                          \
  if (!name.ok()) return name.status();                              \
  declaration = std::move(*name)
#define SEGCORE_CONCAT(a, b) SEGCORE_CONCAT_IMPL(a, b)
#define SEGCORE_CONCAT_IMPL(a, b) a##b
