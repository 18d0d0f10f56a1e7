// SPDX-License-Identifier: Apache-2.0
// The C interface over the C++ one: checks pointers, copies option structs by their size.
#include "segcore/c_api.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "activate.h"
#include "c_guard.h"
#include "segcore/compositor.h"
#include "segcore/pipeline.h"
#include "segcore/refiner.h"
#include "segcore/segmenter.h"

#ifndef SEGCORE_VERSION
#define SEGCORE_VERSION "0.1.0"
#endif

struct segcore_segmenter {
  std::unique_ptr<segcore::Segmenter> it;
};
struct segcore_mask {
  segcore::Mask it;
};
struct segcore_refiner {
  explicit segcore_refiner(const segcore::RefinerOptions& options) : it(options) {}
  segcore::Refiner it;
};
struct segcore_compositor {
  explicit segcore_compositor(const segcore::CompositorOptions& options) : it(options) {}
  segcore::Compositor it;
};
struct segcore_pipeline {
  std::unique_ptr<segcore::Pipeline> it;
};

namespace segcore {
namespace {

/// The caller's struct, with this library's defaults where the caller's is older and shorter.
template <typename T>
Expected<T> Versioned(const T* given, void (*init)(T*, std::size_t), const char* what) {
  T options;
  init(&options, sizeof options);
  if (given == nullptr) return options;
  if (given->size < sizeof given->size) {
    return Status(Code::kInvalidArgument, std::string(what) + ": size is not set; call the struct's _init first");
  }
  std::memcpy(static_cast<void*>(&options), given, std::min<std::size_t>(given->size, sizeof options));
  options.size = sizeof options;
  return options;
}

/// Writes a result struct as far as the caller's reaches.
template <typename T>
Status Deliver(T facts, T* out, const char* what) {
  const std::uint32_t size = out->size;
  if (size < sizeof size) {
    return Status(Code::kInvalidArgument, std::string(what) + ": set its size to sizeof before the call");
  }
  facts.size = size;
  std::memcpy(static_cast<void*>(out), &facts, std::min<std::size_t>(size, sizeof facts));
  return {};
}

ImageView View(const segcore_image& image) {
  return {image.data,
          image.width,
          image.height,
          image.stride,
          static_cast<PixelFormat>(image.format),
          image.chroma,
          image.chroma_stride,
          static_cast<YuvMatrix>(image.matrix)};
}

MutableImageView View(const segcore_mutable_image& image) {
  return {image.data, image.width, image.height, image.stride, static_cast<PixelFormat>(image.format)};
}

MutablePlaneView View(const segcore_plane& plane) { return {plane.data, plane.width, plane.height, plane.stride}; }

Orientation Turned(const segcore_orientation* orientation) {
  if (orientation == nullptr) return {};
  return {orientation->rotation, orientation->mirrored != 0};
}

std::string Text(const char* text) { return text == nullptr ? std::string() : std::string(text); }

Expected<SegmenterOptions> Convert(const segcore_segmenter_options* given) {
  SEGCORE_ASSIGN_OR_RETURN(const auto options, Versioned(given, &segcore_segmenter_options_init, "options"));
  if (options.accelerator < SEGCORE_CPU || options.accelerator > SEGCORE_NPU) {
    return Status(Code::kInvalidArgument, "options: unknown accelerator " + std::to_string(options.accelerator));
  }
  SegmenterOptions converted;
  converted.threads = options.threads;
  converted.accelerator = static_cast<Accelerator>(options.accelerator);
  converted.allow_fallback = options.allow_fallback != 0;
  converted.weight_cache = Text(options.weight_cache);
  converted.litert_library = Text(options.litert_library);
  converted.contract = Text(options.contract);
  return converted;
}

Expected<RefinerOptions> Convert(const segcore_refiner_options* given) {
  SEGCORE_ASSIGN_OR_RETURN(const auto options, Versioned(given, &segcore_refiner_options_init, "refiner"));
  RefinerOptions converted;
  converted.smooth = options.smooth != 0;
  converted.guided = options.guided != 0;
  return converted;
}

Expected<CompositorOptions> Convert(const segcore_compositor_options* given) {
  SEGCORE_ASSIGN_OR_RETURN(const auto options, Versioned(given, &segcore_compositor_options_init, "compositor"));
  CompositorOptions converted;
  converted.background = static_cast<Background>(options.background);
  converted.blur_permille = options.blur_permille;
  converted.feather = options.feather;
  converted.colour = {options.red, options.green, options.blue};
  return converted;
}

Expected<PipelineOptions> Convert(const segcore_pipeline_options* given) {
  SEGCORE_ASSIGN_OR_RETURN(const auto options, Versioned(given, &segcore_pipeline_options_init, "pipeline"));
  PipelineOptions converted;
  converted.mode = static_cast<Mode>(options.mode);
  converted.queue_capacity = options.queue_capacity;
  converted.drop_oldest = options.drop_oldest != 0;
  converted.max_mask_age = options.max_mask_age;
  converted.output = static_cast<PixelFormat>(options.output);
  return converted;
}

segcore_presented Convert(const Presented& presented) {
  segcore_presented facts{};
  facts.size = sizeof facts;
  facts.hidden = presented.hidden ? 1 : 0;
  facts.sequence = presented.sequence;
  facts.mask_sequence = presented.mask_sequence;
  facts.mask_age = presented.mask_age;
  const MutableImageView& picture = presented.picture;
  facts.picture = {picture.data, picture.width, picture.height, picture.stride,
                   static_cast<std::int32_t>(picture.format)};
  const PlaneView& alpha = presented.alpha;
  // The C struct serves reading and writing; a sink that writes here spoils its own frame only.
  facts.alpha = {const_cast<std::uint8_t*>(alpha.data), alpha.width, alpha.height, alpha.stride};
  facts.captured_ns = presented.captured_ns;
  facts.preprocess_ns = presented.preprocess_ns;
  facts.invoke_ns = presented.invoke_ns;
  facts.postprocess_ns = presented.postprocess_ns;
  facts.refine_ns = presented.refine_ns;
  facts.composite_ns = presented.composite_ns;
  return facts;
}

template <typename T>
void InitOptions(T* options, std::size_t size, const T& defaults) {
  if (options == nullptr || size < sizeof options->size) return;
  T values = defaults;
  values.size = static_cast<std::uint32_t>(std::min(size, sizeof values));
  std::memcpy(static_cast<void*>(options), &values, values.size);
}

}  // namespace
}  // namespace segcore

using segcore::Code;
using segcore::Convert;
using segcore::Guard;
using segcore::Missing;
using segcore::Status;
using segcore::Turned;
using segcore::View;

const char* segcore_version(void) { return SEGCORE_VERSION; }

// --- segmenter ----------------------------------------------------------------------------------

void segcore_segmenter_options_init(segcore_segmenter_options* options, size_t size) {
  segcore_segmenter_options defaults{};
  defaults.threads = segcore::SegmenterOptions{}.threads;
  segcore::InitOptions(options, size, defaults);
}

segcore_code segcore_segmenter_create_from_file(const char* path, const segcore_segmenter_options* options,
                                                segcore_segmenter** segmenter, segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(path);
    SEGCORE_REQUIRE(segmenter);
    *segmenter = nullptr;
    SEGCORE_ASSIGN_OR_RETURN(const auto converted, Convert(options));
    SEGCORE_ASSIGN_OR_RETURN(auto made, segcore::Segmenter::FromFile(path, converted));
    *segmenter = new segcore_segmenter{std::move(made)};
    return {};
  });
}

segcore_code segcore_segmenter_create_from_memory(const void* data, size_t bytes,
                                                  const segcore_segmenter_options* options,
                                                  segcore_segmenter** segmenter, segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(data);
    SEGCORE_REQUIRE(segmenter);
    *segmenter = nullptr;
    SEGCORE_ASSIGN_OR_RETURN(const auto converted, Convert(options));
    SEGCORE_ASSIGN_OR_RETURN(auto made, segcore::Segmenter::FromMemory(data, bytes, converted));
    *segmenter = new segcore_segmenter{std::move(made)};
    return {};
  });
}

void segcore_segmenter_destroy(segcore_segmenter* segmenter) { delete segmenter; }

segcore_code segcore_segmenter_info(const segcore_segmenter* segmenter, segcore_model_info* info,
                                    segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(segmenter);
    SEGCORE_REQUIRE(info);
    const segcore::Contract& contract = segmenter->it->contract();
    const segcore::ModelInfo& found = segmenter->it->info();
    const std::vector<int>& shape = found.outputs.front().shape;
    segcore_model_info facts{};
    facts.input_width = contract.input_width;
    facts.input_height = contract.input_height;
    facts.output_height = shape[1];
    facts.output_width = shape[2];
    facts.output_channels = shape[3];
    facts.accelerator = static_cast<std::int32_t>(found.accelerator);
    facts.fell_back = found.fell_back ? 1 : 0;
    facts.threads = found.threads;
    facts.operators = found.operators;
    facts.litert_version = found.litert_version.c_str();
    facts.litert_library = found.litert_library.c_str();
    facts.contract = found.contract.c_str();
    return segcore::Deliver(facts, info, "info");
  });
}

segcore_code segcore_segmenter_run(segcore_segmenter* segmenter, const segcore_image* frame,
                                   const segcore_orientation* orientation, segcore_mask* mask, segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(segmenter);
    SEGCORE_REQUIRE(frame);
    SEGCORE_REQUIRE(mask);
    return segmenter->it->Run(View(*frame), Turned(orientation), &mask->it);
  });
}

segcore_code segcore_segmenter_preprocess(segcore_segmenter* segmenter, const segcore_image* frame,
                                          const segcore_orientation* orientation, float* tensor, size_t count,
                                          segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(segmenter);
    SEGCORE_REQUIRE(frame);
    SEGCORE_REQUIRE(tensor);
    if (count != segmenter->it->input_size()) {
      return Status(Code::kInvalidArgument, "tensor: room for " + std::to_string(count) + " values, expected " +
                                                std::to_string(segmenter->it->input_size()));
    }
    return segmenter->it->Preprocess(View(*frame), Turned(orientation), tensor);
  });
}

segcore_code segcore_segmenter_invoke(segcore_segmenter* segmenter, const float* input, size_t input_count,
                                      float* output, size_t output_count, segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(segmenter);
    SEGCORE_REQUIRE(input);
    SEGCORE_REQUIRE(output);
    if (input_count != segmenter->it->input_size() || output_count != segmenter->it->output_size()) {
      return Status(Code::kInvalidArgument, "invoke: " + std::to_string(input_count) + " values in and " +
                                                std::to_string(output_count) + " out, expected " +
                                                std::to_string(segmenter->it->input_size()) + " and " +
                                                std::to_string(segmenter->it->output_size()));
    }
    return segmenter->it->Invoke(input, output);
  });
}

segcore_code segcore_segmenter_activate(segcore_segmenter* segmenter, const float* output, size_t output_count,
                                        float* probability, uint8_t* alpha, size_t pixels, segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(segmenter);
    SEGCORE_REQUIRE(output);
    SEGCORE_REQUIRE(probability);
    SEGCORE_REQUIRE(alpha);
    const std::size_t floats = segmenter->it->output_size();
    const auto channels = static_cast<std::size_t>(segmenter->it->info().outputs.front().shape.back());
    if (output_count != floats || pixels != floats / channels) {
      return Status(Code::kInvalidArgument, "activate: " + std::to_string(output_count) + " values and room for " +
                                                std::to_string(pixels) + " pixels, expected " + std::to_string(floats) +
                                                " and " + std::to_string(floats / channels));
    }
    return segcore::Activate(segmenter->it->contract(), output, pixels, static_cast<int>(channels), probability, alpha);
  });
}

// --- mask ---------------------------------------------------------------------------------------

segcore_mask* segcore_mask_create(void) { return new (std::nothrow) segcore_mask{}; }

void segcore_mask_destroy(segcore_mask* mask) { delete mask; }

const float* segcore_mask_probability(const segcore_mask* mask) {
  return mask == nullptr || mask->it.probability.empty() ? nullptr : mask->it.probability.data();
}

const uint8_t* segcore_mask_alpha(const segcore_mask* mask) {
  return mask == nullptr || mask->it.alpha.empty() ? nullptr : mask->it.alpha.data();
}

int32_t segcore_mask_width(const segcore_mask* mask) { return mask == nullptr ? 0 : mask->it.size.width; }

int32_t segcore_mask_height(const segcore_mask* mask) { return mask == nullptr ? 0 : mask->it.size.height; }

void segcore_mask_times(const segcore_mask* mask, int64_t* preprocess_ns, int64_t* invoke_ns, int64_t* activate_ns) {
  if (mask == nullptr) return;
  if (preprocess_ns != nullptr) *preprocess_ns = mask->it.preprocess_ns;
  if (invoke_ns != nullptr) *invoke_ns = mask->it.invoke_ns;
  if (activate_ns != nullptr) *activate_ns = mask->it.activate_ns;
}

// --- refiner ------------------------------------------------------------------------------------

void segcore_refiner_options_init(segcore_refiner_options* options, size_t size) {
  const segcore::RefinerOptions defaults;
  segcore::InitOptions(options, size, {0, defaults.smooth ? 1 : 0, defaults.guided ? 1 : 0});
}

segcore_code segcore_refiner_create(const segcore_refiner_options* options, segcore_refiner** refiner,
                                    segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(refiner);
    *refiner = nullptr;
    SEGCORE_ASSIGN_OR_RETURN(const auto converted, Convert(options));
    *refiner = new segcore_refiner(converted);
    return {};
  });
}

void segcore_refiner_destroy(segcore_refiner* refiner) { delete refiner; }

segcore_code segcore_refiner_smooth(segcore_refiner* refiner, segcore_mask* mask, segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(refiner);
    SEGCORE_REQUIRE(mask);
    return refiner->it.Smooth(&mask->it);
  });
}

segcore_code segcore_refiner_upsample(segcore_refiner* refiner, const segcore_mask* mask, const segcore_image* frame,
                                      const segcore_plane* alpha, segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(refiner);
    SEGCORE_REQUIRE(mask);
    SEGCORE_REQUIRE(frame);
    SEGCORE_REQUIRE(alpha);
    return refiner->it.Upsample(mask->it, View(*frame), View(*alpha));
  });
}

void segcore_refiner_reset(segcore_refiner* refiner) {
  if (refiner != nullptr) refiner->it.Reset();
}

// --- compositor ---------------------------------------------------------------------------------

void segcore_compositor_options_init(segcore_compositor_options* options, size_t size) {
  const segcore::CompositorOptions defaults;
  segcore_compositor_options values{};
  values.background = static_cast<std::int32_t>(defaults.background);
  values.blur_permille = defaults.blur_permille;
  values.feather = defaults.feather;
  values.red = defaults.colour[0];
  values.green = defaults.colour[1];
  values.blue = defaults.colour[2];
  segcore::InitOptions(options, size, values);
}

segcore_code segcore_compositor_create(const segcore_compositor_options* options, segcore_compositor** compositor,
                                       segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(compositor);
    *compositor = nullptr;
    SEGCORE_ASSIGN_OR_RETURN(const auto converted, Convert(options));
    auto made = std::make_unique<segcore_compositor>(segcore::CompositorOptions{});
    SEGCORE_RETURN_IF_ERROR(made->it.SetOptions(converted));
    *compositor = made.release();
    return {};
  });
}

void segcore_compositor_destroy(segcore_compositor* compositor) { delete compositor; }

segcore_code segcore_compositor_set_options(segcore_compositor* compositor, const segcore_compositor_options* options,
                                            segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(compositor);
    SEGCORE_ASSIGN_OR_RETURN(const auto converted, Convert(options));
    return compositor->it.SetOptions(converted);
  });
}

segcore_code segcore_compositor_set_image(segcore_compositor* compositor, const segcore_image* image,
                                          segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(compositor);
    SEGCORE_REQUIRE(image);
    return compositor->it.SetImage(View(*image));
  });
}

segcore_code segcore_compositor_run(segcore_compositor* compositor, const segcore_image* frame,
                                    const segcore_plane* alpha, const segcore_orientation* orientation,
                                    const segcore_mutable_image* out, segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(compositor);
    SEGCORE_REQUIRE(frame);
    SEGCORE_REQUIRE(alpha);
    SEGCORE_REQUIRE(out);
    return compositor->it.Run(View(*frame), View(*alpha), Turned(orientation), View(*out));
  });
}

segcore_code segcore_compositor_hide(segcore_compositor* compositor, const segcore_image* frame,
                                     const segcore_orientation* orientation, const segcore_mutable_image* out,
                                     segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(compositor);
    SEGCORE_REQUIRE(frame);
    SEGCORE_REQUIRE(out);
    return compositor->it.Hide(View(*frame), Turned(orientation), View(*out));
  });
}

// --- pipeline -----------------------------------------------------------------------------------

void segcore_pipeline_options_init(segcore_pipeline_options* options, size_t size) {
  const segcore::PipelineOptions defaults;
  segcore::InitOptions(
      options, size,
      {0, static_cast<std::int32_t>(defaults.mode), defaults.queue_capacity, defaults.drop_oldest ? 1 : 0,
       defaults.max_mask_age, static_cast<std::int32_t>(defaults.output)});
}

segcore_code segcore_pipeline_create(segcore_segmenter* segmenter, const segcore_refiner_options* refiner,
                                     const segcore_compositor_options* compositor,
                                     const segcore_pipeline_options* options, segcore_pipeline** pipeline,
                                     segcore_error* error) {
  const std::unique_ptr<segcore_segmenter> owned(segmenter);
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(segmenter);
    SEGCORE_REQUIRE(pipeline);
    *pipeline = nullptr;
    SEGCORE_ASSIGN_OR_RETURN(const auto refining, Convert(refiner));
    SEGCORE_ASSIGN_OR_RETURN(const auto compositing, Convert(compositor));
    SEGCORE_ASSIGN_OR_RETURN(const auto converted, Convert(options));
    SEGCORE_ASSIGN_OR_RETURN(auto made,
                             segcore::Pipeline::Create(std::move(owned->it), refining, compositing, converted));
    *pipeline = new segcore_pipeline{std::move(made)};
    return {};
  });
}

void segcore_pipeline_destroy(segcore_pipeline* pipeline) { delete pipeline; }

segcore_code segcore_pipeline_start(segcore_pipeline* pipeline, segcore_sink sink, void* context,
                                    segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(pipeline);
    SEGCORE_REQUIRE(sink);
    return pipeline->it->Start({}, [sink, context](const segcore::Presented& presented) -> Status {
      const segcore_presented facts = Convert(presented);
      const std::int32_t answer = sink(context, &facts);
      if (answer == 0) return {};
      return Status(Code::kCancelled, "the sink returned " + std::to_string(answer));
    });
  });
}

segcore_code segcore_pipeline_push(segcore_pipeline* pipeline, const segcore_image* frame,
                                   const segcore_orientation* orientation, int64_t captured_ns, segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(pipeline);
    SEGCORE_REQUIRE(frame);
    return pipeline->it->Push({View(*frame), Turned(orientation), captured_ns});
  });
}

segcore_code segcore_pipeline_wait(segcore_pipeline* pipeline, segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(pipeline);
    return pipeline->it->Wait();
  });
}

segcore_code segcore_pipeline_stop(segcore_pipeline* pipeline, segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(pipeline);
    return pipeline->it->Stop();
  });
}

segcore_code segcore_pipeline_counters(const segcore_pipeline* pipeline, segcore_counters* counters,
                                       segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(pipeline);
    SEGCORE_REQUIRE(counters);
    const segcore::Counters found = pipeline->it->counters();
    segcore_counters facts{};
    facts.captured = found.captured;
    facts.inferred = found.inferred;
    facts.presented = found.presented;
    facts.hidden = found.hidden;
    facts.dropped_infer = found.dropped_infer;
    facts.dropped_render = found.dropped_render;
    facts.capture_busy_ns = found.capture_busy_ns;
    facts.infer_busy_ns = found.infer_busy_ns;
    facts.render_busy_ns = found.render_busy_ns;
    return segcore::Deliver(facts, counters, "counters");
  });
}

segcore_code segcore_pipeline_set_background(segcore_pipeline* pipeline, const segcore_compositor_options* options,
                                             segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(pipeline);
    SEGCORE_ASSIGN_OR_RETURN(const auto converted, Convert(options));
    return pipeline->it->SetBackground(converted);
  });
}

segcore_code segcore_pipeline_set_image(segcore_pipeline* pipeline, const segcore_image* image, segcore_error* error) {
  return Guard(error, [&]() -> Status {
    SEGCORE_REQUIRE(pipeline);
    SEGCORE_REQUIRE(image);
    return pipeline->it->SetImage(View(*image));
  });
}
