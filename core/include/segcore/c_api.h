/* SPDX-License-Identifier: Apache-2.0
 * The C interface of the core, for Swift and everybody else.
 *
 *   segcore_segmenter_options options;
 *   segcore_segmenter_options_init(&options, sizeof options);
 *   segcore_error error;
 *   segcore_segmenter *segmenter = NULL;
 *   if (segcore_segmenter_create_from_file("model.tflite", &options, &segmenter, &error) != SEGCORE_OK)
 *     return report(error.message);
 *   segcore_mask *mask = segcore_mask_create();
 *   segcore_segmenter_run(segmenter, &frame, &orientation, mask, &error);
 *
 * Every call that can fail returns a code, and writes code and message to `error` where that is not NULL. No exception
 * crosses this border, nothing exits or aborts, and an object stays usable after a failed call.
 *
 * Option structs carry their own size, which `_init` sets: a library that knows more members than the caller was
 * compiled with leaves the others at their defaults.
 *
 * Objects are used by one thread at a time, except where a call says otherwise. Destroying NULL does nothing.
 */
#ifndef SEGCORE_C_API_H_
#define SEGCORE_C_API_H_

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define SEGCORE_EXPORT __attribute__((visibility("default")))
#else
#define SEGCORE_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* --- errors ----------------------------------------------------------------------------------------------------- */

typedef int32_t segcore_code;
enum {
  SEGCORE_OK = 0,
  SEGCORE_INVALID_ARGUMENT = 1,
  SEGCORE_NOT_FOUND = 2,
  SEGCORE_INVALID_MODEL = 3,
  SEGCORE_UNSUPPORTED = 4,
  SEGCORE_RUNTIME = 5,
  SEGCORE_CANCELLED = 6,
  SEGCORE_INTERNAL = 7
};

/** What went wrong; `message` is UTF-8, cut where it does not fit, and empty when all is well. */
typedef struct segcore_error {
  segcore_code code;
  char message[1020];
} segcore_error;

/* --- pixels ----------------------------------------------------------------------------------------------------- */

enum { SEGCORE_RGB = 0, SEGCORE_BGR = 1, SEGCORE_RGBA = 2, SEGCORE_BGRA = 3, SEGCORE_NV12 = 4 };
enum { SEGCORE_BT601_LIMITED = 0, SEGCORE_BT601_FULL = 1, SEGCORE_BT709_LIMITED = 2, SEGCORE_BT709_FULL = 3 };

/** A frame to read, not copied. `stride` in bytes, may be negative; `chroma…` and `matrix` for NV12 only. */
typedef struct segcore_image {
  const uint8_t* data;
  int32_t width;
  int32_t height;
  ptrdiff_t stride;
  int32_t format;
  const uint8_t* chroma;
  ptrdiff_t chroma_stride;
  int32_t matrix;
} segcore_image;

/** A frame to write, every format but NV12. */
typedef struct segcore_mutable_image {
  uint8_t* data;
  int32_t width;
  int32_t height;
  ptrdiff_t stride;
  int32_t format;
} segcore_mutable_image;

/** An 8-bit plane to write, or to read. */
typedef struct segcore_plane {
  uint8_t* data;
  int32_t width;
  int32_t height;
  ptrdiff_t stride;
} segcore_plane;

/** A stored frame stands upright when it is turned clockwise by `rotation` (0, 90, 180, 270), then flipped left to
 *  right if `mirrored` is not 0. NULL means upright as it is. */
typedef struct segcore_orientation {
  int32_t rotation;
  int32_t mirrored;
} segcore_orientation;

/* --- segmenter -------------------------------------------------------------------------------------------------- */

enum { SEGCORE_CPU = 0, SEGCORE_GPU = 1, SEGCORE_NPU = 2 };

typedef struct segcore_segmenter_options {
  uint32_t size;
  int32_t threads;            /**< 1 */
  int32_t accelerator;        /**< SEGCORE_CPU */
  int32_t allow_fallback;     /**< 0; else a missing accelerator is replaced by the CPU */
  const char* weight_cache;   /**< NULL; file in which packed weights are kept */
  const char* litert_library; /**< NULL; path of the LiteRT library, else it is looked for */
  const char* contract;       /**< NULL; text of a contract for a model that carries none */
} segcore_segmenter_options;

typedef struct segcore_segmenter segcore_segmenter;
typedef struct segcore_mask segcore_mask;

/** What was loaded, as found. Strings live as long as the segmenter. */
typedef struct segcore_model_info {
  uint32_t size; /**< set to sizeof(segcore_model_info) before the call */
  int32_t input_width;
  int32_t input_height;
  int32_t output_width;
  int32_t output_height;
  int32_t output_channels;
  int32_t accelerator; /**< the one that runs the model */
  int32_t fell_back;   /**< another was asked for */
  int32_t threads;
  int32_t operators;
  const char* litert_version;
  const char* litert_library;
  const char* contract;
} segcore_model_info;

SEGCORE_EXPORT const char* segcore_version(void);

/** `size` is sizeof(segcore_segmenter_options) as the caller was compiled with. */
SEGCORE_EXPORT void segcore_segmenter_options_init(segcore_segmenter_options* options, size_t size);

/** `options` may be NULL for the defaults. */
SEGCORE_EXPORT segcore_code segcore_segmenter_create_from_file(const char* path,
                                                               const segcore_segmenter_options* options,
                                                               segcore_segmenter** segmenter, segcore_error* error);
SEGCORE_EXPORT segcore_code segcore_segmenter_create_from_memory(const void* data, size_t bytes,
                                                                 const segcore_segmenter_options* options,
                                                                 segcore_segmenter** segmenter, segcore_error* error);
SEGCORE_EXPORT void segcore_segmenter_destroy(segcore_segmenter* segmenter);

SEGCORE_EXPORT segcore_code segcore_segmenter_info(const segcore_segmenter* segmenter, segcore_model_info* info,
                                                   segcore_error* error);

/** The mask of a frame, at the model's resolution. */
SEGCORE_EXPORT segcore_code segcore_segmenter_run(segcore_segmenter* segmenter, const segcore_image* frame,
                                                  const segcore_orientation* orientation, segcore_mask* mask,
                                                  segcore_error* error);

/** The input tensor of a frame: input_height * input_width * 3 floats; `count` says how many `tensor` holds. */
SEGCORE_EXPORT segcore_code segcore_segmenter_preprocess(segcore_segmenter* segmenter, const segcore_image* frame,
                                                         const segcore_orientation* orientation, float* tensor,
                                                         size_t count, segcore_error* error);

/** The network alone. */
SEGCORE_EXPORT segcore_code segcore_segmenter_invoke(segcore_segmenter* segmenter, const float* input,
                                                     size_t input_count, float* output, size_t output_count,
                                                     segcore_error* error);

/** Output tensor to the planes of a mask: `pixels` says how many values `probability` and `alpha` hold each. */
SEGCORE_EXPORT segcore_code segcore_segmenter_activate(segcore_segmenter* segmenter, const float* output,
                                                       size_t output_count, float* probability, uint8_t* alpha,
                                                       size_t pixels, segcore_error* error);

/* --- mask ------------------------------------------------------------------------------------------------------- */

/** NULL only where memory is out. */
SEGCORE_EXPORT segcore_mask* segcore_mask_create(void);
SEGCORE_EXPORT void segcore_mask_destroy(segcore_mask* mask);

/** Planes of the model's resolution, height * width values without gaps; NULL before the first run. They change with
 *  the next run into the same mask. */
SEGCORE_EXPORT const float* segcore_mask_probability(const segcore_mask* mask);
SEGCORE_EXPORT const uint8_t* segcore_mask_alpha(const segcore_mask* mask);
SEGCORE_EXPORT int32_t segcore_mask_width(const segcore_mask* mask);
SEGCORE_EXPORT int32_t segcore_mask_height(const segcore_mask* mask);

/** Durations in nanoseconds: frame to input tensor, the network, output tensor to alpha. Any may be NULL. */
SEGCORE_EXPORT void segcore_mask_times(const segcore_mask* mask, int64_t* preprocess_ns, int64_t* invoke_ns,
                                       int64_t* activate_ns);

/* --- refiner ---------------------------------------------------------------------------------------------------- */

typedef struct segcore_refiner_options {
  uint32_t size;
  int32_t smooth; /**< 1 */
  int32_t guided; /**< 0 */
} segcore_refiner_options;

typedef struct segcore_refiner segcore_refiner;

SEGCORE_EXPORT void segcore_refiner_options_init(segcore_refiner_options* options, size_t size);
SEGCORE_EXPORT segcore_code segcore_refiner_create(const segcore_refiner_options* options, segcore_refiner** refiner,
                                                   segcore_error* error);
SEGCORE_EXPORT void segcore_refiner_destroy(segcore_refiner* refiner);

/** Smooths the mask's alpha in place by the masks before it. May run beside segcore_refiner_upsample. */
SEGCORE_EXPORT segcore_code segcore_refiner_smooth(segcore_refiner* refiner, segcore_mask* mask, segcore_error* error);

/** Alpha of the stored frame, at its size. */
SEGCORE_EXPORT segcore_code segcore_refiner_upsample(segcore_refiner* refiner, const segcore_mask* mask,
                                                     const segcore_image* frame, const segcore_plane* alpha,
                                                     segcore_error* error);
SEGCORE_EXPORT void segcore_refiner_reset(segcore_refiner* refiner);

/* --- compositor ------------------------------------------------------------------------------------------------- */

enum {
  SEGCORE_BACKGROUND_NONE = 0,
  SEGCORE_BACKGROUND_BLUR = 1,
  SEGCORE_BACKGROUND_COLOUR = 2,
  SEGCORE_BACKGROUND_IMAGE = 3
};

typedef struct segcore_compositor_options {
  uint32_t size;
  int32_t background;    /**< SEGCORE_BACKGROUND_BLUR */
  int32_t blur_permille; /**< standard deviation, thousandths of the frame's longer side */
  int32_t feather;       /**< 0 … 127 */
  uint8_t red, green, blue;
} segcore_compositor_options;

typedef struct segcore_compositor segcore_compositor;

SEGCORE_EXPORT void segcore_compositor_options_init(segcore_compositor_options* options, size_t size);
SEGCORE_EXPORT segcore_code segcore_compositor_create(const segcore_compositor_options* options,
                                                      segcore_compositor** compositor, segcore_error* error);
SEGCORE_EXPORT void segcore_compositor_destroy(segcore_compositor* compositor);
SEGCORE_EXPORT segcore_code segcore_compositor_set_options(segcore_compositor* compositor,
                                                           const segcore_compositor_options* options,
                                                           segcore_error* error);
/** The picture for SEGCORE_BACKGROUND_IMAGE, upright; copied. */
SEGCORE_EXPORT segcore_code segcore_compositor_set_image(segcore_compositor* compositor, const segcore_image* image,
                                                         segcore_error* error);
/** `alpha` and `out` have the frame's size; `out` may be the frame's own memory where the formats agree. */
SEGCORE_EXPORT segcore_code segcore_compositor_run(segcore_compositor* compositor, const segcore_image* frame,
                                                   const segcore_plane* alpha, const segcore_orientation* orientation,
                                                   const segcore_mutable_image* out, segcore_error* error);
/** The frame as it looks without a person: what to show while there is no valid mask. */
SEGCORE_EXPORT segcore_code segcore_compositor_hide(segcore_compositor* compositor, const segcore_image* frame,
                                                    const segcore_orientation* orientation,
                                                    const segcore_mutable_image* out, segcore_error* error);

/* --- pipeline --------------------------------------------------------------------------------------------------- */

enum { SEGCORE_SYNCED = 0, SEGCORE_LOW_LATENCY = 1 };

typedef struct segcore_pipeline_options {
  uint32_t size;
  int32_t mode;           /**< SEGCORE_SYNCED */
  int32_t queue_capacity; /**< 2 */
  int32_t drop_oldest;    /**< 1; 0: pushing waits for room */
  int32_t max_mask_age;   /**< frames; with an older mask the background is hidden */
  int32_t output;         /**< SEGCORE_BGR */
} segcore_pipeline_options;

typedef struct segcore_pipeline segcore_pipeline;

/** One drawn frame; it and its pixels are valid until the sink returns. `alpha.data` is NULL where hidden. */
typedef struct segcore_presented {
  uint32_t size;
  int32_t hidden;
  uint64_t sequence;
  uint64_t mask_sequence;
  int32_t mask_age;
  segcore_mutable_image picture;
  segcore_plane alpha;
  int64_t captured_ns;
  int64_t preprocess_ns, invoke_ns, postprocess_ns, refine_ns, composite_ns;
} segcore_presented;

typedef struct segcore_counters {
  uint32_t size;
  uint64_t captured, inferred, presented, hidden, dropped_infer, dropped_render;
  int64_t capture_busy_ns, infer_busy_ns, render_busy_ns;
} segcore_counters;

/** Called on the render thread. Anything but 0 ends the pipeline. Must not call stop, wait or destroy. */
typedef int32_t (*segcore_sink)(void* context, const segcore_presented* presented);

SEGCORE_EXPORT void segcore_pipeline_options_init(segcore_pipeline_options* options, size_t size);

/** Takes the segmenter over: on success and on failure it is no longer the caller's. Options may be NULL. */
SEGCORE_EXPORT segcore_code segcore_pipeline_create(segcore_segmenter* segmenter,
                                                    const segcore_refiner_options* refiner,
                                                    const segcore_compositor_options* compositor,
                                                    const segcore_pipeline_options* options,
                                                    segcore_pipeline** pipeline, segcore_error* error);
/** Stops it. */
SEGCORE_EXPORT void segcore_pipeline_destroy(segcore_pipeline* pipeline);

/* The calls below may come from any thread. */
SEGCORE_EXPORT segcore_code segcore_pipeline_start(segcore_pipeline* pipeline, segcore_sink sink, void* context,
                                                   segcore_error* error);
/** Copies a frame in. `captured_ns` of the steady clock, or 0. */
SEGCORE_EXPORT segcore_code segcore_pipeline_push(segcore_pipeline* pipeline, const segcore_image* frame,
                                                  const segcore_orientation* orientation, int64_t captured_ns,
                                                  segcore_error* error);
/** No more frames: returns when all are presented, with the first error of a stage. */
SEGCORE_EXPORT segcore_code segcore_pipeline_wait(segcore_pipeline* pipeline, segcore_error* error);
/** Ends at once, with the first error of a stage. */
SEGCORE_EXPORT segcore_code segcore_pipeline_stop(segcore_pipeline* pipeline, segcore_error* error);
SEGCORE_EXPORT segcore_code segcore_pipeline_counters(const segcore_pipeline* pipeline, segcore_counters* counters,
                                                      segcore_error* error);
SEGCORE_EXPORT segcore_code segcore_pipeline_set_background(segcore_pipeline* pipeline,
                                                            const segcore_compositor_options* options,
                                                            segcore_error* error);
SEGCORE_EXPORT segcore_code segcore_pipeline_set_image(segcore_pipeline* pipeline, const segcore_image* image,
                                                       segcore_error* error);

#ifdef __cplusplus
}
#endif

#endif /* SEGCORE_C_API_H_ */
