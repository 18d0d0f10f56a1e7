// SPDX-License-Identifier: Apache-2.0
// Counts what the tests' process allocates by operator new, and can refuse it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace segcore {

/// Calls of operator new so far, of all threads.
std::uint64_t Allocations();

/// As long as one lives, operator new of `bytes` or more throws std::bad_alloc, in all threads.
class AllocationLimit {
 public:
  explicit AllocationLimit(std::size_t bytes);
  ~AllocationLimit();
  AllocationLimit(const AllocationLimit&) = delete;
  AllocationLimit& operator=(const AllocationLimit&) = delete;
};

}  // namespace segcore
