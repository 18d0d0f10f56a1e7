// SPDX-License-Identifier: Apache-2.0
// Engine: one compiled model with one float input and one float output, and the buffers it runs on.
// It knows tensors; what they mean is the Segmenter's business.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "litert/library.h"
#include "segcore/segmenter.h"
#include "segcore/status.h"

namespace segcore::litert {

struct EngineOptions {
  int threads = 1;
  segcore::Accelerator accelerator = segcore::Accelerator::kCpu;
  bool allow_fallback = false;
  std::string weight_cache;
  std::string library;
};

/// Used by one thread at a time.
class Engine {
 public:
  /// A buffer that is locked for the host; unlocked when it goes out of scope.
  class Access {
   public:
    Access(Access&& other) noexcept;
    Access& operator=(Access&&) = delete;
    ~Access();

    float* data() const { return data_; }
    /// Unlocks now, and says whether that worked.
    Status Release();

   private:
    friend class Engine;
    Access(const Api* api, TensorBuffer buffer, float* data) : api_(api), buffer_(buffer), data_(data) {}
    const Api* api_;
    TensorBuffer buffer_;
    float* data_;
  };

  /// Compiles a model of which ReadModelFile() says that it has one float32 input and one float32 output of these
  /// shapes. The bytes are copied.
  static Expected<std::unique_ptr<Engine>> Create(std::string_view model, const std::vector<int>& input_shape,
                                                  const std::vector<int>& output_shape, const EngineOptions& options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  Expected<Access> Input();   ///< to write
  Expected<Access> Output();  ///< to read

  /// The network, from the input buffer to the output buffer, neither of which is locked.
  Status Run();

  const Library& library() const;
  segcore::Accelerator accelerator() const;  ///< the one that runs it

 private:
  struct Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace segcore::litert
