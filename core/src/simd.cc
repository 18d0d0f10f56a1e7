// SPDX-License-Identifier: Apache-2.0
#include "simd.h"

#include <atomic>
#include <cstdlib>
#include <string_view>

namespace segcore::simd {
namespace {

Level Probe() {
#if defined(__x86_64__) && defined(__GNUC__)
  const char* wish = std::getenv("SEGCORE_SIMD");
  const std::string_view limit = wish == nullptr ? "" : wish;
  if (limit == "baseline" || !__builtin_cpu_supports("avx2")) return Level::kBaseline;
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return limit != "avx2" && wide ? Level::kAvx512 : Level::kAvx2;
#else
  return Level::kBaseline;
#endif
}

std::atomic<Level>& Chosen() {
  static std::atomic<Level> level{Detected()};
  return level;
}

}  // namespace

Level Detected() {
  static const Level level = Probe();
  return level;
}

Level Current() { return Chosen().load(std::memory_order_relaxed); }

void SetLevel(Level level) { Chosen().store(level > Detected() ? Detected() : level, std::memory_order_relaxed); }

}  // namespace segcore::simd
