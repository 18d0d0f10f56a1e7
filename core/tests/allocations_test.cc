// SPDX-License-Identifier: Apache-2.0
#include "allocations.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <limits>
#include <new>
#include <vector>

// Once the pairs below are inlined, g++ takes new for its own and misses malloc's free.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

namespace {

std::atomic<std::uint64_t> allocations{0};
std::atomic<std::size_t> refused_from{std::numeric_limits<std::size_t>::max()};

void* Allocate(std::size_t bytes, std::size_t alignment) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (bytes >= refused_from.load(std::memory_order_relaxed)) return nullptr;
  if (alignment <= alignof(std::max_align_t)) return std::malloc(std::max<std::size_t>(bytes, 1));
  return std::aligned_alloc(alignment, (std::max<std::size_t>(bytes, 1) + alignment - 1) / alignment * alignment);
}

void* AllocateOrThrow(std::size_t bytes, std::size_t alignment) {
  if (void* memory = Allocate(bytes, alignment)) return memory;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t bytes) { return AllocateOrThrow(bytes, 1); }
void* operator new[](std::size_t bytes) { return AllocateOrThrow(bytes, 1); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return Allocate(bytes, 1); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return Allocate(bytes, 1); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return AllocateOrThrow(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return AllocateOrThrow(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace segcore {

std::uint64_t Allocations() { return allocations.load(std::memory_order_relaxed); }

AllocationLimit::AllocationLimit(std::size_t bytes) { refused_from = bytes; }
AllocationLimit::~AllocationLimit() { refused_from = std::numeric_limits<std::size_t>::max(); }

namespace {

TEST(Allocations, AreCounted) {
  std::vector<int> numbers;
  const std::uint64_t before = Allocations();
  numbers.reserve(1);
  EXPECT_EQ(Allocations(), before + 1);
  numbers.push_back(1);
  EXPECT_EQ(Allocations(), before + 1);
}

TEST(Allocations, AreRefusedWhileThereIsALimit) {
  std::vector<char> bytes;
  {
    const AllocationLimit limit(1000);
    bytes.reserve(999);
    EXPECT_THROW(bytes.reserve(1000), std::bad_alloc);
  }
  bytes.reserve(1000);
}

}  // namespace
}  // namespace segcore
