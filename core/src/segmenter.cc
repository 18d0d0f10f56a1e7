// SPDX-License-Identifier: Apache-2.0
#include "segcore/segmenter.h"

#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include "activate.h"
#include "litert/engine.h"
#include "model_file.h"
#include "preprocess.h"

namespace segcore {
namespace {

constexpr int kMaxThreads = 256;

std::int64_t Now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Status CheckOptions(const SegmenterOptions& options) {
  if (options.threads < 1 || options.threads > kMaxThreads) {
    return Status(Code::kInvalidArgument, "threads is " + std::to_string(options.threads) +
                                              ", expected a number from 1 to " + std::to_string(kMaxThreads));
  }
  if (options.accelerator < Accelerator::kCpu || options.accelerator > Accelerator::kNpu) {
    return Status(Code::kInvalidArgument, "unknown accelerator");
  }
  return {};
}

Expected<std::string> ReadFile(const std::string& path) {
  struct stat facts;
  if (stat(path.c_str(), &facts) != 0) return Status(Code::kNotFound, path + ": no such model file");
  if (!S_ISREG(facts.st_mode)) return Status(Code::kInvalidArgument, path + ": not a file");
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (file == nullptr) return Status(Code::kNotFound, path + ": cannot be opened: " + std::strerror(errno));
  std::string bytes(static_cast<std::size_t>(facts.st_size), '\0');
  if (std::fread(&bytes[0], 1, bytes.size(), file.get()) != bytes.size()) {
    return Status(Code::kNotFound, path + ": cannot be read");
  }
  return bytes;
}

std::string Text(const TensorInfo& tensor) {
  std::string text = tensor.dtype + " [";
  for (std::size_t axis = 0; axis < tensor.shape.size(); ++axis) {
    text += (axis == 0 ? "" : ", ") + std::to_string(tensor.shape[axis]);
  }
  return text + "]";
}

std::string Text(const std::vector<TensorInfo>& tensors) {
  std::string text;
  for (const TensorInfo& tensor : tensors) text += (text.empty() ? "" : " and ") + Text(tensor);
  if (text.find("-1") != std::string::npos) text += " (-1: only known when it runs; export it with fixed sizes)";
  return text.empty() ? "nothing" : text;
}

/// Whether the model's tensors are what its contract says of them.
Status CheckInterface(const ModelFile& model, const Contract& contract) {
  const std::vector<int> expected{1, contract.input_height, contract.input_width, 3};
  if (model.inputs.size() != 1 || model.inputs[0].dtype != "float32" || model.inputs[0].shape != expected) {
    return Status(Code::kInvalidModel, "the model takes " + Text(model.inputs) + ", its contract says " +
                                           Text(TensorInfo{"", "float32", expected}));
  }
  const bool softmax = contract.output == Contract::Output::kSoftmax2;
  const int least = softmax ? 2 : contract.foreground + 1;
  const std::vector<int> shape = model.outputs.size() == 1 ? model.outputs[0].shape : std::vector<int>();
  if (shape.size() != 4 || model.outputs[0].dtype != "float32" || shape[0] != 1 || shape[1] < 1 || shape[2] < 1 ||
      shape[1] > kMaxSide || shape[2] > kMaxSide || shape[3] < least || (softmax && shape[3] != 2)) {
    return Status(Code::kInvalidModel, "the model gives " + Text(model.outputs) +
                                           ", its contract needs one float32 [1, height, width, " +
                                           (softmax ? "2" : std::to_string(least) + " or more") + "]");
  }
  return {};
}

std::size_t Elements(const std::vector<int>& shape) {
  std::size_t count = 1;
  for (const int side : shape) count *= static_cast<std::size_t>(side);
  return count;
}

}  // namespace

struct Segmenter::Impl {
  Impl(const Contract& from, std::unique_ptr<litert::Engine> with)
      : contract(from), engine(std::move(with)), preprocessor(from) {}

  Size input_size() const { return {contract.input_width, contract.input_height}; }
  Size output_size() const { return {info.outputs[0].shape[2], info.outputs[0].shape[1]}; }
  int channels() const { return info.outputs[0].shape[3]; }

  Contract contract;
  ModelInfo info;
  std::unique_ptr<litert::Engine> engine;
  Preprocessor preprocessor;
  std::vector<std::uint8_t> picture;  // where nobody asks for it
};

Segmenter::Segmenter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Segmenter::~Segmenter() = default;

const Contract& Segmenter::contract() const { return impl_->contract; }
const ModelInfo& Segmenter::info() const { return impl_->info; }
std::size_t Segmenter::input_size() const { return Elements(impl_->info.inputs[0].shape); }
std::size_t Segmenter::output_size() const { return Elements(impl_->info.outputs[0].shape); }

Expected<std::unique_ptr<Segmenter>> Segmenter::FromFile(const std::string& path, const SegmenterOptions& options) {
  SEGCORE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  Expected<std::unique_ptr<Segmenter>> segmenter = FromMemory(bytes.data(), bytes.size(), options);
  if (segmenter.ok()) return segmenter;
  return Status(segmenter.status().code(), path + ": " + segmenter.status().message());
}

Expected<std::unique_ptr<Segmenter>> Segmenter::FromMemory(const void* data, std::size_t bytes,
                                                           const SegmenterOptions& options) {
  if (data == nullptr) return Status(Code::kInvalidArgument, "no model (null pointer)");
  SEGCORE_RETURN_IF_ERROR(CheckOptions(options));
  const std::string_view file(static_cast<const char*>(data), bytes);
  SEGCORE_ASSIGN_OR_RETURN(ModelFile model, ReadModelFile(file));
  if (options.contract.empty() && !model.has_contract) {
    return Status(Code::kInvalidModel, "the model has no contract; say how to use it with the option contract");
  }
  const std::string& text = options.contract.empty() ? model.contract : options.contract;
  SEGCORE_ASSIGN_OR_RETURN(const Contract contract,
                           ParseContract(text, options.contract.empty() ? "metadata" : "contract"));
  SEGCORE_RETURN_IF_ERROR(CheckInterface(model, contract));
  litert::EngineOptions engine_options;
  engine_options.threads = options.threads;
  engine_options.accelerator = options.accelerator;
  engine_options.allow_fallback = options.allow_fallback;
  engine_options.weight_cache = options.weight_cache;
  engine_options.library = options.litert_library;
  SEGCORE_ASSIGN_OR_RETURN(std::unique_ptr<litert::Engine> engine,
                           litert::Engine::Create(file, model.inputs[0].shape, model.outputs[0].shape, engine_options));
  auto impl = std::make_unique<Impl>(contract, std::move(engine));
  impl->info.inputs = std::move(model.inputs);
  impl->info.outputs = std::move(model.outputs);
  impl->info.litert_version = impl->engine->library().version;
  impl->info.litert_library = impl->engine->library().path;
  impl->info.accelerator = impl->engine->accelerator();
  impl->info.fell_back = impl->info.accelerator != options.accelerator;
  impl->info.threads = options.threads;
  impl->info.operators = model.operators;
  impl->info.contract = text;
  impl->picture.resize(Elements(impl->info.inputs[0].shape));
  return std::unique_ptr<Segmenter>(new Segmenter(std::move(impl)));
}

Status Segmenter::Run(const ImageView& frame, Orientation orientation, Mask* mask) {
  if (mask == nullptr) return Status(Code::kInvalidArgument, "no mask to write (null pointer)");
  const std::size_t pixels =
      static_cast<std::size_t>(impl_->output_size().width) * static_cast<std::size_t>(impl_->output_size().height);
  mask->picture.resize(impl_->picture.size());
  mask->probability.resize(pixels);
  mask->alpha.resize(pixels);
  const std::int64_t start = Now();
  {
    SEGCORE_ASSIGN_OR_RETURN(litert::Engine::Access input, impl_->engine->Input());
    SEGCORE_RETURN_IF_ERROR(impl_->preprocessor.Run(frame, orientation, mask->picture.data(), input.data()));
    SEGCORE_RETURN_IF_ERROR(input.Release());
  }
  const std::int64_t prepared = Now();
  SEGCORE_RETURN_IF_ERROR(impl_->engine->Run());
  const std::int64_t inferred = Now();
  {
    SEGCORE_ASSIGN_OR_RETURN(litert::Engine::Access output, impl_->engine->Output());
    SEGCORE_RETURN_IF_ERROR(Activate(impl_->contract, output.data(), pixels, impl_->channels(),
                                     mask->probability.data(), mask->alpha.data()));
    SEGCORE_RETURN_IF_ERROR(output.Release());
  }
  mask->size = impl_->output_size();
  mask->picture_size = impl_->input_size();
  mask->content = ContentRect(impl_->contract, mask->size, Upright(frame.size(), orientation));
  mask->frame = frame.size();
  mask->orientation = orientation;
  mask->preprocess_ns = prepared - start;
  mask->invoke_ns = inferred - prepared;
  mask->activate_ns = Now() - inferred;
  return {};
}

Status Segmenter::Preprocess(const ImageView& frame, Orientation orientation, float* tensor) {
  if (tensor == nullptr) return Status(Code::kInvalidArgument, "no tensor to write (null pointer)");
  return impl_->preprocessor.Run(frame, orientation, impl_->picture.data(), tensor);
}

Status Segmenter::Invoke(const float* input, float* output) {
  if (input == nullptr || output == nullptr) return Status(Code::kInvalidArgument, "no tensor (null pointer)");
  {
    SEGCORE_ASSIGN_OR_RETURN(litert::Engine::Access access, impl_->engine->Input());
    std::memcpy(access.data(), input, input_size() * sizeof(float));
    SEGCORE_RETURN_IF_ERROR(access.Release());
  }
  SEGCORE_RETURN_IF_ERROR(impl_->engine->Run());
  SEGCORE_ASSIGN_OR_RETURN(litert::Engine::Access access, impl_->engine->Output());
  std::memcpy(output, access.data(), output_size() * sizeof(float));
  return access.Release();
}

}  // namespace segcore
