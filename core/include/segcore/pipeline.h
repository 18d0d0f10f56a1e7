// SPDX-License-Identifier: Apache-2.0
// Pipeline: capture, inference and rendering overlap on threads that the pipeline owns.
//
//   source ─> [capture] ─> queue ─> [infer + smooth] ─> queue ─> [upsample + composite] ─> sink
//
// Threading: Start, Push, Stop, Wait, SetBackground, SetImage and counters may be called from any thread, the sink and
// the source included, except that Stop and Wait called from them are errors, and so is Push from the sink where a full
// queue waits. Source runs on the capture thread, sink on the render thread; a Presented and what it points to are
// valid until the sink returns. What source or sink throw ends the pipeline with an error of code kRuntime.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "segcore/compositor.h"
#include "segcore/image.h"
#include "segcore/refiner.h"
#include "segcore/segmenter.h"
#include "segcore/status.h"

namespace segcore {

enum class Mode : int {
  kSynced = 0,      ///< every picture is drawn with its own mask; it waits for it
  kLowLatency = 1,  ///< every picture is drawn at once with the newest mask there is; Presented tells its age
};

struct PipelineOptions {
  Mode mode = Mode::kSynced;
  int queue_capacity = 2;   ///< frames that wait for a stage, 1 … 16
  bool drop_oldest = true;  ///< a full queue drops its oldest frame; false: the stage before it waits (files)
  int max_mask_age = 15;    ///< frames; low latency: with an older mask the background is hidden
  PixelFormat output = PixelFormat::kBgr;
};

/// One captured frame on its way in.
struct Captured {
  ImageView image;
  Orientation orientation;
  std::int64_t captured_ns = 0;  ///< steady clock; 0: stamped on arrival
};

/// One drawn frame on its way out.
struct Presented {
  std::uint64_t sequence = 0;       ///< number of the captured frame, from 0; gaps are dropped frames
  MutableImageView picture;         ///< the composite
  PlaneView alpha;                  ///< of the frame's size; empty where hidden
  bool hidden = false;              ///< no valid mask: the whole frame is background; what tells of a mask is 0
  std::uint64_t mask_sequence = 0;  ///< the frame that the mask was made from
  int mask_age = 0;                 ///< sequence - mask_sequence; negative where drawing lags behind inference
  std::int64_t captured_ns = 0;     ///< steady clock
  std::int64_t preprocess_ns = 0, invoke_ns = 0, postprocess_ns = 0;  ///< of the mask; durations
  std::int64_t refine_ns = 0, composite_ns = 0;                       ///< of this picture; refine includes smoothing
};

/// Frames since Start, consistent at any moment. What is not under way any more adds up:
/// captured = inferred + dropped_infer in both modes; synced: inferred = presented + dropped_render;
/// low latency: captured = presented + dropped_render.
struct Counters {
  std::uint64_t captured = 0;
  std::uint64_t inferred = 0;
  std::uint64_t presented = 0;
  std::uint64_t hidden = 0;  ///< of the presented ones, without a valid mask
  /// Without a mask of their own: dropped while waiting for inference. Low latency draws them all the same.
  std::uint64_t dropped_infer = 0;
  std::uint64_t dropped_render = 0;  ///< dropped while waiting to be drawn
  /// Time each stage worked, source and sink included, waiting for other stages not.
  std::int64_t capture_busy_ns = 0, infer_busy_ns = 0, render_busy_ns = 0;
};

class Pipeline {
 public:
  /// Gives the next frame (true), or the end (false), or an error, which ends the pipeline. The pixels are copied
  /// before it is called again.
  using Source = std::function<Expected<bool>(Captured*)>;
  /// Takes a drawn frame; an error ends the pipeline.
  using Sink = std::function<Status(const Presented&)>;

  static Expected<std::unique_ptr<Pipeline>> Create(std::unique_ptr<Segmenter> segmenter, const RefinerOptions& refiner,
                                                    const CompositorOptions& compositor,
                                                    const PipelineOptions& options);
  /// Stops. Not called from the source or the sink.
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  /// Starts the threads. Without a source, frames come by Push. May be started again after Stop or Wait.
  Status Start(Source source, Sink sink);

  /// Copies a frame into the queue; for cameras that call back. A frame that is refused leaves the pipeline running.
  /// The first error of a stage, if one has ended the pipeline and nobody has been told; kCancelled after that.
  Status Push(const Captured& frame);

  /// Returns when the source has ended and all that was captured is presented; without a source no more frames are
  /// taken from now on. The first error of a stage, if nobody has been told.
  Status Wait();

  /// Ends at once, after the calls that are being made to source, model and sink; frames under way are dropped.
  /// The first error of a stage, if nobody has been told. Does nothing when not running.
  Status Stop();

  /// Until the last thread has left, by Stop, an error or the end of the frames.
  bool running() const;
  Counters counters() const;

  /// Takes effect with the next frame drawn.
  Status SetBackground(const CompositorOptions& options);
  Status SetImage(const ImageView& image);

 private:
  struct Impl;
  explicit Pipeline(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace segcore
