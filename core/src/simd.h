// SPDX-License-Identifier: Apache-2.0
// One text, several instruction sets. A kernel is a plain inline function that compilers vectorise well;
// SEGCORE_KERNEL compiles it for the portable baseline and for wider vectors, and picks one at run time. Kernels are
// integer arithmetic (or single IEEE operations without contraction), so every level gives the same bits.
#pragma once

namespace segcore::simd {

enum class Level : int { kBaseline = 0, kAvx2 = 1, kAvx512 = 2 };

/// The best level that this processor has and SEGCORE_SIMD (baseline | avx2 | avx512) allows.
Level Detected();

/// The level in use. SetLevel is for tests and benchmarks: never above Detected(), and not while kernels run.
Level Current();
void SetLevel(Level level);

}  // namespace segcore::simd

#if defined(__clang__)
#define SEGCORE_CONTRACT_OFF _Pragma("STDC FP_CONTRACT OFF")
#else
#define SEGCORE_CONTRACT_OFF  // g++ is told by -ffp-contract=off
#endif

#define SEGCORE_INLINE inline __attribute__((always_inline))

#if defined(__x86_64__) && defined(__GNUC__)
#if defined(__clang__)
#define SEGCORE_TARGET_AVX512 __attribute__((target("avx2,avx512f,avx512bw,avx512vl,avx512dq")))
#else
#define SEGCORE_TARGET_AVX512 __attribute__((target("avx2,avx512f,avx512bw,avx512vl,avx512dq,prefer-vector-width=512")))
#endif
#define SEGCORE_TARGET_AVX2 __attribute__((target("avx2")))

/// SEGCORE_KERNEL(Blend, (const uint8_t* a, int n), (a, n)) defines `void Blend(...)` from a SEGCORE_INLINE function
/// `void BlendBody(...)` that stands above it.
#define SEGCORE_KERNEL(name, parameters, arguments)                            \
  SEGCORE_TARGET_AVX512 void name##Avx512 parameters { name##Body arguments; } \
  SEGCORE_TARGET_AVX2 void name##Avx2 parameters { name##Body arguments; }     \
  void name parameters {                                                       \
    switch (::segcore::simd::Current()) {                                      \
      case ::segcore::simd::Level::kAvx512:                                    \
        return name##Avx512 arguments;                                         \
      case ::segcore::simd::Level::kAvx2:                                      \
        return name##Avx2 arguments;                                           \
      case ::segcore::simd::Level::kBaseline:                                  \
        break;                                                                 \
    }                                                                          \
    name##Body arguments;                                                      \
  }
#else
#define SEGCORE_KERNEL(name, parameters, arguments) \
  void name parameters { name##Body arguments; }
#endif
