// SPDX-License-Identifier: Apache-2.0
// The part of LiteRT's C API that the core calls, declared here so that no LiteRT headers are needed to build it.
// It holds for releases 2.2 and 2.3; a test looks every function up in the installed library.
#pragma once

#include <cstddef>
#include <cstdint>

namespace segcore::litert {

// Handles; what they point to is the library's own.
using Environment = struct LiteRtEnvironmentT*;
using Model = struct LiteRtModelT*;
using Options = struct LiteRtOptionsT*;
using OpaqueOptions = struct LiteRtOpaqueOptionsT*;
using CompiledModel = struct LiteRtCompiledModelT*;
using TensorBuffer = struct LiteRtTensorBufferT*;
using TensorBufferRequirements = struct LiteRtTensorBufferRequirementsT*;
using Accelerator = struct LiteRtAcceleratorT*;

using StatusCode = int;  ///< 0 is success; Describe() in status.h knows the others

enum HardwareAccelerator : int { kHardwareCpu = 1, kHardwareGpu = 2, kHardwareNpu = 4 };  // bits of a set
enum LockMode : int { kLockRead = 0, kLockWrite = 1 };
enum ElementType : int { kFloat32 = 1 };

constexpr int kMaxRank = 8;

struct Layout {
  unsigned int rank : 7;
  bool has_strides : 1;
  std::int32_t dimensions[kMaxRank];
  std::uint32_t strides[kMaxRank];
};
static_assert(sizeof(Layout) == 68, "the library's layout");

struct RankedTensorType {
  int element_type;
  Layout layout;
};
static_assert(sizeof(RankedTensorType) == 72, "the library's layout");

/// A value of one of several types.
struct Any {
  enum Type : int { kInteger = 2, kString = 8 } type;
  union {
    std::int64_t integer;
    const char* string;
  };
};

struct EnvironmentOption {
  enum Tag : int {
    kLibraryFolder = 22,         ///< string: where accelerators are looked for
    kRegisterAccelerators = 24,  ///< integer: set of HardwareAccelerator
    kLogSeverity = 25,           ///< integer: least severity that is logged
  } tag;
  Any value;
};
static_assert(sizeof(EnvironmentOption) == 24 && offsetof(EnvironmentOption, value) == 8, "the library's layout");

constexpr std::int64_t kLogSilent = 4;

}  // namespace segcore::litert

// Where LiteRT is linked (SEGCORE_LITERT_LINKED, iOS) these are called; elsewhere they give the types of the table.
extern "C" {
int LiteRtCreateEnvironment(int option_count, const segcore::litert::EnvironmentOption* options,
                            segcore::litert::Environment* environment);
void LiteRtDestroyEnvironment(segcore::litert::Environment environment);
int LiteRtGetNumAccelerators(segcore::litert::Environment environment, std::size_t* count);
int LiteRtGetAccelerator(segcore::litert::Environment environment, std::size_t index,
                         segcore::litert::Accelerator* accelerator);
int LiteRtGetAcceleratorHardwareSupport(segcore::litert::Accelerator accelerator, int* hardware);

/// The bytes must outlive the model.
int LiteRtCreateModelFromBuffer(segcore::litert::Environment environment, const void* bytes, std::size_t size,
                                segcore::litert::Model* model);
void LiteRtDestroyModel(segcore::litert::Model model);

int LiteRtCreateOptions(segcore::litert::Options* options);
void LiteRtDestroyOptions(segcore::litert::Options options);
int LiteRtSetOptionsHardwareAccelerators(segcore::litert::Options options, int hardware);
/// `destroy` is called with `payload` when the options go.
int LiteRtCreateOpaqueOptions(const char* identifier, void* payload, void (*destroy)(void*),
                              segcore::litert::OpaqueOptions* options);
void LiteRtDestroyOpaqueOptions(segcore::litert::OpaqueOptions options);
/// Takes `added` over.
int LiteRtAddOpaqueOptions(segcore::litert::Options options, segcore::litert::OpaqueOptions added);

int LiteRtCreateCompiledModel(segcore::litert::Environment environment, segcore::litert::Model model,
                              segcore::litert::Options options, segcore::litert::CompiledModel* compiled);
void LiteRtDestroyCompiledModel(segcore::litert::CompiledModel compiled);
int LiteRtGetCompiledModelInputTensorLayout(segcore::litert::CompiledModel compiled, std::size_t signature,
                                            std::size_t input, segcore::litert::Layout* layout);
int LiteRtGetCompiledModelOutputTensorLayouts(segcore::litert::CompiledModel compiled, std::size_t signature,
                                              std::size_t count, segcore::litert::Layout* layouts, bool update);
/// Requirements stay the model's.
int LiteRtGetCompiledModelInputBufferRequirements(segcore::litert::CompiledModel compiled, std::size_t signature,
                                                  std::size_t input,
                                                  segcore::litert::TensorBufferRequirements* requirements);
int LiteRtGetCompiledModelOutputBufferRequirements(segcore::litert::CompiledModel compiled, std::size_t signature,
                                                   std::size_t output,
                                                   segcore::litert::TensorBufferRequirements* requirements);
int LiteRtRunCompiledModel(segcore::litert::CompiledModel compiled, std::size_t signature, std::size_t input_count,
                           segcore::litert::TensorBuffer* inputs, std::size_t output_count,
                           segcore::litert::TensorBuffer* outputs);

int LiteRtCreateManagedTensorBufferFromRequirements(segcore::litert::Environment environment,
                                                    const segcore::litert::RankedTensorType* type,
                                                    segcore::litert::TensorBufferRequirements requirements,
                                                    segcore::litert::TensorBuffer* buffer);
void LiteRtDestroyTensorBuffer(segcore::litert::TensorBuffer buffer);
int LiteRtGetTensorBufferPackedSize(segcore::litert::TensorBuffer buffer, std::size_t* bytes);
int LiteRtLockTensorBuffer(segcore::litert::TensorBuffer buffer, void** memory, int mode);
int LiteRtUnlockTensorBuffer(segcore::litert::TensorBuffer buffer);
}

#define SEGCORE_LITERT_FUNCTIONS(X)            \
  X(CreateEnvironment)                         \
  X(DestroyEnvironment)                        \
  X(GetNumAccelerators)                        \
  X(GetAccelerator)                            \
  X(GetAcceleratorHardwareSupport)             \
  X(CreateModelFromBuffer)                     \
  X(DestroyModel)                              \
  X(CreateOptions)                             \
  X(DestroyOptions)                            \
  X(SetOptionsHardwareAccelerators)            \
  X(CreateOpaqueOptions)                       \
  X(DestroyOpaqueOptions)                      \
  X(AddOpaqueOptions)                          \
  X(CreateCompiledModel)                       \
  X(DestroyCompiledModel)                      \
  X(GetCompiledModelInputTensorLayout)         \
  X(GetCompiledModelOutputTensorLayouts)       \
  X(GetCompiledModelInputBufferRequirements)   \
  X(GetCompiledModelOutputBufferRequirements)  \
  X(RunCompiledModel)                          \
  X(CreateManagedTensorBufferFromRequirements) \
  X(DestroyTensorBuffer)                       \
  X(GetTensorBufferPackedSize)                 \
  X(LockTensorBuffer)                          \
  X(UnlockTensorBuffer)

namespace segcore::litert {

/// The functions as found in one library.
struct Api {
#define SEGCORE_LITERT_MEMBER(name) decltype(&::LiteRt##name) name = nullptr;
  SEGCORE_LITERT_FUNCTIONS(SEGCORE_LITERT_MEMBER)
#undef SEGCORE_LITERT_MEMBER
};

}  // namespace segcore::litert
