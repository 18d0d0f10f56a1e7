// SPDX-License-Identifier: Apache-2.0
#include "litert/engine.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "litert/status.h"
#include "litert/weight_cache.h"

namespace segcore::litert {
namespace {

/// Owns a handle of the library.
template <typename T>
class Handle {
 public:
  explicit Handle(void (*destroy)(T)) : destroy_(destroy) {}
  ~Handle() { reset(); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  T get() const { return value_; }
  T* out() {
    reset();
    return &value_;
  }
  T release() { return std::exchange(value_, nullptr); }
  void reset() {
    if (value_ != nullptr) destroy_(value_);
    value_ = nullptr;
  }

 private:
  void (*destroy_)(T);
  T value_ = nullptr;
};

const char* Name(segcore::Accelerator accelerator) {
  switch (accelerator) {
    case segcore::Accelerator::kCpu:
      return "cpu";
    case segcore::Accelerator::kGpu:
      return "gpu";
    case segcore::Accelerator::kNpu:
      return "npu";
  }
  return "unknown";
}

int Hardware(segcore::Accelerator accelerator) {
  switch (accelerator) {
    case segcore::Accelerator::kCpu:
      return kHardwareCpu;
    case segcore::Accelerator::kGpu:
      return kHardwareGpu;
    case segcore::Accelerator::kNpu:
      return kHardwareNpu;
  }
  return 0;
}

void FreePayload(void* payload) { std::free(payload); }

}  // namespace

// The members are declared in the order in which they depend on each other, and go in the opposite one.
struct Engine::Impl {
  Impl(const Library* from, segcore::Accelerator on)
      : library(from),
        api(&from->api),
        accelerator(on),
        environment(api->DestroyEnvironment),
        model(api->DestroyModel),
        compiled(api->DestroyCompiledModel),
        input(api->DestroyTensorBuffer),
        output(api->DestroyTensorBuffer) {}

  Status Load(std::string_view bytes, const EngineOptions& options);
  Status Bind(const std::vector<int>& input_shape, const std::vector<int>& output_shape);
  Status CreateEnvironment();
  Status RequireAccelerator() const;
  Status Compile(int threads);
  Status AddCpuOptions(Options options, int threads) const;
  Status CreateBuffer(const std::vector<int>& shape, TensorBufferRequirements requirements, TensorBuffer* buffer) const;
  Status Run();

  const Library* library;
  const Api* api;
  segcore::Accelerator accelerator;
  WeightCache cache;
  std::string bytes;
  Handle<Environment> environment;
  Handle<Model> model;
  Handle<CompiledModel> compiled;
  Handle<TensorBuffer> input;
  Handle<TensorBuffer> output;
};

Status Engine::Impl::CreateEnvironment() {
  // Nothing is registered that is not asked for, and nothing is logged: errors come back as statuses.
  const std::string folder = AcceleratorFolder(library->path);
  EnvironmentOption settings[3];
  settings[0].tag = EnvironmentOption::kLogSeverity;
  settings[0].value.type = Any::kInteger;
  settings[0].value.integer = kLogSilent;
  settings[1].tag = EnvironmentOption::kRegisterAccelerators;
  settings[1].value.type = Any::kInteger;
  settings[1].value.integer = kHardwareCpu | Hardware(accelerator);
  settings[2].tag = EnvironmentOption::kLibraryFolder;
  settings[2].value.type = Any::kString;
  settings[2].value.string = folder.c_str();
  const int count = accelerator == segcore::Accelerator::kCpu || folder.empty() ? 2 : 3;
  return Check(api->CreateEnvironment(count, settings, environment.out()), "create its environment");
}

Status Engine::Impl::RequireAccelerator() const {
  if (accelerator == segcore::Accelerator::kCpu) return {};
  std::size_t count = 0;
  SEGCORE_RETURN_IF_ERROR(Check(api->GetNumAccelerators(environment.get(), &count), "count its accelerators"));
  for (std::size_t index = 0; index < count; ++index) {
    litert::Accelerator candidate = nullptr;
    int hardware = 0;
    SEGCORE_RETURN_IF_ERROR(Check(api->GetAccelerator(environment.get(), index, &candidate), "list its accelerators"));
    SEGCORE_RETURN_IF_ERROR(
        Check(api->GetAcceleratorHardwareSupport(candidate, &hardware), "tell what an accelerator is"));
    if ((hardware & Hardware(accelerator)) != 0) return {};
  }
  return Status(Code::kUnsupported, std::string("LiteRT has no accelerator for the ") + Name(accelerator) +
                                        " on this machine; use the cpu, or allow the fallback to it");
}

Status Engine::Impl::AddCpuOptions(Options options, int threads) const {
  std::string text = "num_threads = " + std::to_string(threads) + "\n";
  if (const int file = cache.TakeDescriptor(); file >= 0) {
    text += "weight_cache_file_descriptor = " + std::to_string(file) + "\n";
  }
  char* payload = strdup(text.c_str());
  if (payload == nullptr) return Status(Code::kInternal, "out of memory");
  Handle<OpaqueOptions> added(api->DestroyOpaqueOptions);
  const StatusCode code = api->CreateOpaqueOptions("xnnpack", payload, &FreePayload, added.out());
  if (code != 0) std::free(payload);
  SEGCORE_RETURN_IF_ERROR(Check(code, "make options for the cpu"));
  SEGCORE_RETURN_IF_ERROR(Check(api->AddOpaqueOptions(options, added.get()), "take options for the cpu"));
  added.release();
  return {};
}

Status Engine::Impl::Compile(int threads) {
  Handle<Options> options(api->DestroyOptions);
  SEGCORE_RETURN_IF_ERROR(Check(api->CreateOptions(options.out()), "make options"));
  SEGCORE_RETURN_IF_ERROR(Check(
      api->SetOptionsHardwareAccelerators(options.get(), kHardwareCpu | Hardware(accelerator)), "set the accelerator"));
  SEGCORE_RETURN_IF_ERROR(AddCpuOptions(options.get(), threads));
  return Check(api->CreateCompiledModel(environment.get(), model.get(), options.get(), compiled.out()),
               (std::string("compile the model for the ") + Name(accelerator)).c_str());
}

Status Engine::Impl::Load(std::string_view model_bytes, const EngineOptions& options) {
  bytes.assign(model_bytes);
  SEGCORE_RETURN_IF_ERROR(CreateEnvironment());
  SEGCORE_RETURN_IF_ERROR(RequireAccelerator());
  const Status read =
      Check(api->CreateModelFromBuffer(environment.get(), bytes.data(), bytes.size(), model.out()), "read the model");
  if (!read.ok()) return Status(Code::kInvalidModel, read.message());
  if (!options.weight_cache.empty() && accelerator == segcore::Accelerator::kCpu) {
    SEGCORE_RETURN_IF_ERROR(cache.Open(options.weight_cache, bytes, library->version + " " + library->path));
  }
  return Compile(options.threads);
}

Status Engine::Impl::CreateBuffer(const std::vector<int>& shape, TensorBufferRequirements requirements,
                                  TensorBuffer* buffer) const {
  RankedTensorType type{};
  type.element_type = kFloat32;
  type.layout.rank = static_cast<unsigned int>(shape.size());
  std::size_t needed = sizeof(float);
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    type.layout.dimensions[axis] = shape[axis];
    needed *= static_cast<std::size_t>(shape[axis]);
  }
  SEGCORE_RETURN_IF_ERROR(Check(
      api->CreateManagedTensorBufferFromRequirements(environment.get(), &type, requirements, buffer), "make a buffer"));
  std::size_t size = 0;
  SEGCORE_RETURN_IF_ERROR(Check(api->GetTensorBufferPackedSize(*buffer, &size), "tell the size of a buffer"));
  if (size < needed) {
    return Status(Code::kInvalidModel, "the model's tensors have other shapes at run time than in its file");
  }
  return {};
}

Status Engine::Impl::Bind(const std::vector<int>& input_shape, const std::vector<int>& output_shape) {
  Layout layouts[2];
  SEGCORE_RETURN_IF_ERROR(
      Check(api->GetCompiledModelInputTensorLayout(compiled.get(), 0, 0, &layouts[0]), "tell the input's shape"));
  SEGCORE_RETURN_IF_ERROR(Check(api->GetCompiledModelOutputTensorLayouts(compiled.get(), 0, 1, &layouts[1], true),
                                "tell the output's shape"));
  const std::vector<int>* shapes[2] = {&input_shape, &output_shape};
  for (int tensor = 0; tensor < 2; ++tensor) {
    const std::vector<int>& shape = *shapes[tensor];
    if (layouts[tensor].rank != shape.size() || !std::equal(shape.begin(), shape.end(), layouts[tensor].dimensions)) {
      return Status(Code::kInvalidModel, "the model's tensors have other shapes at run time than in its file");
    }
  }
  TensorBufferRequirements requirements = nullptr;
  SEGCORE_RETURN_IF_ERROR(Check(api->GetCompiledModelInputBufferRequirements(compiled.get(), 0, 0, &requirements),
                                "tell what the input needs"));
  SEGCORE_RETURN_IF_ERROR(CreateBuffer(input_shape, requirements, input.out()));
  SEGCORE_RETURN_IF_ERROR(Check(api->GetCompiledModelOutputBufferRequirements(compiled.get(), 0, 0, &requirements),
                                "tell what the output needs"));
  return CreateBuffer(output_shape, requirements, output.out());
}

Status Engine::Impl::Run() {
  TensorBuffer inputs[1] = {input.get()};
  TensorBuffer outputs[1] = {output.get()};
  return Check(api->RunCompiledModel(compiled.get(), 0, 1, inputs, 1, outputs), "run the model");
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

Expected<std::unique_ptr<Engine>> Engine::Create(std::string_view model, const std::vector<int>& input_shape,
                                                 const std::vector<int>& output_shape, const EngineOptions& options) {
  SEGCORE_ASSIGN_OR_RETURN(const Library* library, litert::Load(options.library));
  const auto create = [&](segcore::Accelerator accelerator) -> Expected<std::unique_ptr<Engine>> {
    auto impl = std::make_unique<Impl>(library, accelerator);
    SEGCORE_RETURN_IF_ERROR(impl->Load(model, options));
    SEGCORE_RETURN_IF_ERROR(impl->Bind(input_shape, output_shape));
    SEGCORE_RETURN_IF_ERROR(impl->cache.Keep());
    return std::unique_ptr<Engine>(new Engine(std::move(impl)));
  };
  Expected<std::unique_ptr<Engine>> engine = create(options.accelerator);
  if (engine.ok() || !options.allow_fallback || options.accelerator == segcore::Accelerator::kCpu) return engine;
  return create(segcore::Accelerator::kCpu);
}

Expected<Engine::Access> Engine::Input() {
  void* memory = nullptr;
  SEGCORE_RETURN_IF_ERROR(
      Check(impl_->api->LockTensorBuffer(impl_->input.get(), &memory, kLockWrite), "open the input buffer"));
  return Access(impl_->api, impl_->input.get(), static_cast<float*>(memory));
}

Expected<Engine::Access> Engine::Output() {
  void* memory = nullptr;
  SEGCORE_RETURN_IF_ERROR(
      Check(impl_->api->LockTensorBuffer(impl_->output.get(), &memory, kLockRead), "open the output buffer"));
  return Access(impl_->api, impl_->output.get(), static_cast<float*>(memory));
}

Engine::Access::Access(Access&& other) noexcept
    : api_(other.api_), buffer_(std::exchange(other.buffer_, nullptr)), data_(other.data_) {}

Engine::Access::~Access() {
  if (buffer_ != nullptr) api_->UnlockTensorBuffer(buffer_);
}

Status Engine::Access::Release() {
  if (buffer_ == nullptr) return {};
  return Check(api_->UnlockTensorBuffer(std::exchange(buffer_, nullptr)), "close a buffer");
}

Status Engine::Run() { return impl_->Run(); }
const Library& Engine::library() const { return *impl_->library; }
segcore::Accelerator Engine::accelerator() const { return impl_->accelerator; }

}  // namespace segcore::litert
