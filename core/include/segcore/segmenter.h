// SPDX-License-Identifier: Apache-2.0
// Segmenter: a model and its contract turn a frame into the person's probability and an 8-bit mask.
//
//   auto segmenter = segcore::Segmenter::FromFile("model.fp32.tflite", {});
//   if (!segmenter.ok()) return Report(segmenter.status());
//   segcore::Mask mask;
//   Status status = (*segmenter)->Run(frame, {}, &mask);
//
// A Segmenter is used by one thread at a time; different ones are independent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "segcore/contract.h"
#include "segcore/image.h"
#include "segcore/status.h"

namespace segcore {

enum class Accelerator : int { kCpu = 0, kGpu = 1, kNpu = 2 };

struct SegmenterOptions {
  int threads = 1;
  Accelerator accelerator = Accelerator::kCpu;
  bool allow_fallback = false;  ///< a missing accelerator is replaced by the CPU, which ModelInfo tells
  std::string weight_cache;     ///< file in which XNNPACK keeps packed weights; empty for none
  std::string litert_library;   ///< the library's path; empty: looked for, see docs/litert.md
  std::string contract;         ///< text of a contract for a model that carries none; empty: the model's own
};

struct TensorInfo {
  std::string name;
  std::string dtype;  ///< as NumPy calls it
  std::vector<int> shape;
};

/// What was loaded, as found.
struct ModelInfo {
  std::vector<TensorInfo> inputs;
  std::vector<TensorInfo> outputs;
  std::string litert_version;                   ///< release, such as 2.3.0; empty where the library does not tell
  std::string litert_library;                   ///< path it was loaded from
  Accelerator accelerator = Accelerator::kCpu;  ///< the one that runs it
  bool fell_back = false;                       ///< another was asked for
  int threads = 1;
  int operators = 0;     ///< operators of the model file
  std::string contract;  ///< the contract's text
};

/// What the network says of one frame, at the model's resolution. Owns its memory and keeps it between frames:
/// after the first frame of a size nothing is allocated.
struct Mask {
  Size size;                          ///< of the planes below; the frame stands upright in them
  std::vector<float> probability;     ///< size.height x size.width, in [0, 1]
  std::vector<std::uint8_t> alpha;    ///< floor(255 p + 1/2), same size; NaN is 0
  std::vector<std::uint8_t> picture;  ///< the fitted RGB picture, input_height x input_width x 3
  Size picture_size;                  ///< the model's input
  Rect content;                       ///< where the frame lies in `alpha` (letterbox)
  Size frame;                         ///< size of the stored frame
  Orientation orientation;            ///< of the stored frame
  std::int64_t preprocess_ns = 0;     ///< frame to input tensor
  std::int64_t invoke_ns = 0;         ///< the network
  std::int64_t activate_ns = 0;       ///< output tensor to `probability` and `alpha`
};

class Segmenter {
 public:
  static Expected<std::unique_ptr<Segmenter>> FromFile(const std::string& path, const SegmenterOptions& options);
  static Expected<std::unique_ptr<Segmenter>> FromMemory(const void* data, std::size_t bytes,
                                                         const SegmenterOptions& options);
  ~Segmenter();
  Segmenter(const Segmenter&) = delete;
  Segmenter& operator=(const Segmenter&) = delete;

  const Contract& contract() const;
  const ModelInfo& info() const;

  /// One frame, whole path up to the mask at the model's resolution. A failed call leaves `mask` unspecified and the
  /// Segmenter usable.
  Status Run(const ImageView& frame, Orientation orientation, Mask* mask);

  /// The input tensor (input_height, input_width, 3) of a frame, and nothing else.
  Status Preprocess(const ImageView& frame, Orientation orientation, float* tensor);

  /// The network alone: `input` of input_size() floats to the raw `output` of output_size() floats.
  Status Invoke(const float* input, float* output);
  std::size_t input_size() const;
  std::size_t output_size() const;

 private:
  struct Impl;
  explicit Segmenter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Alpha of the stored frame from a mask: cut to the content, turned back, enlarged by exact half-pixel bilinear
/// (reduced by area average where the frame is smaller). Allocates nothing after the first call with the same sizes.
class AlphaResizer {
 public:
  AlphaResizer();
  ~AlphaResizer();
  AlphaResizer(const AlphaResizer&) = delete;
  AlphaResizer& operator=(const AlphaResizer&) = delete;

  /// `alpha` has the size of the stored frame.
  Status Run(const Mask& mask, const MutablePlaneView& alpha);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace segcore
