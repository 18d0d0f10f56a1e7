// SPDX-License-Identifier: Apache-2.0
// The threads between a camera and a window. Everything the threads share (queues, pools, counters, the end) is guarded
// by one mutex that is held for moves of pointers only, never while a stage works: at some hundred frames a second it
// is free whenever it is wanted, and every count is consistent with every other. It knows nothing about pixels.
#include "segcore/pipeline.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "frame_buffer.h"

namespace segcore {
namespace {

constexpr int kMaxQueue = 16;

std::int64_t Now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// Runs what may throw, callbacks and allocations; what it throws becomes a Status.
template <typename Work>
auto Guarded(const char* who, const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return Status(Code::kInternal, std::string(who) + ": out of memory");
  } catch (const std::exception& error) {
    return Status(Code::kRuntime, std::string("the ") + who + " threw: " + error.what());
  } catch (...) {
    return Status(Code::kRuntime, std::string("the ") + who + " threw something that is no std::exception");
  }
}

/// A mask and the frame it was made from. `users` counts who holds it: a queue, a stage, or the place of the newest.
struct PooledMask {
  Mask mask;
  std::uint64_t sequence = 0;
  std::int64_t smooth_ns = 0;
  int users = 0;
};

/// A copied frame on its way through. Low latency has two holders: inference and drawing.
struct PooledFrame {
  FrameBuffer buffer;
  Orientation orientation;
  std::uint64_t sequence = 0;
  std::int64_t captured_ns = 0;
  int users = 0;
};

/// What waits to be drawn. Without a mask the newest one is taken when it is drawn.
struct Drawable {
  PooledFrame* frame = nullptr;
  PooledMask* mask = nullptr;
};

/// Frames that wait for a stage; guarded by the pipeline's mutex. One thread waits for `ready`, one for `room`.
template <typename T>
class Queue {
 public:
  explicit Queue(int capacity) : capacity_(static_cast<std::size_t>(capacity)) { items_.reserve(capacity_); }

  bool empty() const { return items_.empty(); }
  bool full() const { return items_.size() == capacity_; }

  void Add(T item) {
    items_.push_back(item);
    ready.notify_one();
  }

  T Take() {
    const T item = items_.front();
    items_.erase(items_.begin());
    room.notify_one();
    return item;
  }

  void Wake() {
    ready.notify_all();
    room.notify_all();
  }

  std::condition_variable ready, room;
  bool closed = false;  ///< nothing will be added any more

 private:
  std::size_t capacity_;
  std::vector<T> items_;
};

}  // namespace

struct Pipeline::Impl {
  Impl(std::unique_ptr<Segmenter> its_segmenter, const RefinerOptions& refiner_options,
       const CompositorOptions& compositor_options, const PipelineOptions& pipeline_options)
      : options(pipeline_options),
        segmenter(std::move(its_segmenter)),
        refiner(refiner_options),
        compositor(compositor_options),
        to_infer(low_latency() ? 1 : options.queue_capacity),
        to_draw(options.queue_capacity),
        // At most: one in every stage, and both queues full.
        frames(static_cast<std::size_t>(2 * options.queue_capacity + 3)),
        // At most: one in inference, one in drawing, and a full queue; or the newest in its place.
        masks(static_cast<std::size_t>(options.queue_capacity + 2)) {
    for (PooledFrame& frame : frames) free_frames.push_back(&frame);
    for (PooledMask& mask : masks) free_masks.push_back(&mask);
    threads.reserve(3);
  }

  bool low_latency() const { return options.mode == Mode::kLowLatency; }

  // The interface, called from any thread.
  Status Start(Source its_source, Sink its_sink);
  Status Push(const Captured& captured);
  Status Finish(bool at_once);

  // The threads.
  void CaptureLoop();
  void InferLoop();
  void RenderLoop();
  void Leave();

  // Their work, done without the mutex.
  Expected<bool> Capture(const Captured& captured, std::uint64_t its_run, std::int64_t begun);  // false: too late
  Status Infer(const PooledFrame& frame, PooledMask* mask);
  Status Draw(const Drawable& drawable, Presented* presented);

  template <typename Work>
  Status WithCompositor(const Work& work);

  // Called with the mutex held.
  bool Open(std::uint64_t its_run) const { return started && run == its_run && !stopping && !to_infer.closed; }
  bool OnOwnThread() const;
  Status Ended(std::uint64_t its_run);
  void Fail(Status status);
  void Close();
  void Wake();
  PooledFrame* AcquireFrame(std::size_t bytes);
  void Release(PooledFrame* frame);
  void Release(PooledMask* mask);
  void DropInfer(PooledFrame* frame);
  void DropRender(const Drawable& drawable);

  const PipelineOptions options;

  std::unique_ptr<Segmenter> segmenter;  // of the inference thread
  Refiner refiner;                       // Smooth: of the inference thread; Upsample: of the render thread
  Compositor compositor;                 // guarded by `drawing`
  Bytes picture, alpha;                  // of the render thread

  std::mutex capturing;  // frames of several threads are copied and numbered one after the other
  // The render thread takes `drawing` for every frame and would keep others from it; who waits for it holds the
  // turnstile, and so is the next.
  std::mutex turnstile, drawing;

  mutable std::mutex mutex;  // guards all below
  Queue<PooledFrame*> to_infer;
  Queue<Drawable> to_draw;
  std::vector<PooledFrame> frames;
  std::vector<PooledMask> masks;
  std::vector<PooledFrame*> free_frames;  // the last released is taken first: it is still in the cache
  std::vector<PooledMask*> free_masks;    // taken in turn, so that all are of the right size after one round
  std::size_t frame_bytes = 0;            // of the largest frame so far
  PooledMask* newest = nullptr;           // low latency: what is drawn with
  Counters counters;

  std::uint64_t run = 0;  // number of starts that have ended
  bool started = false;   // the threads exist and are not joined yet
  bool stopping = false;  // stages leave as soon as they can
  bool failed = false;
  Status error;  // the first one, until somebody has been told
  int live = 0;  // threads that have not left
  std::condition_variable ended;
  std::vector<std::thread> threads;
  Source source;  // of the capture thread while it lives; likewise the sink of the render thread
  Sink sink;
};

// --- the interface -------------------------------------------------------------------------------

Status Pipeline::Impl::Start(Source its_source, Sink its_sink) {
  if (!its_sink) return Status(Code::kInvalidArgument, "Start: no sink");
  {
    const std::lock_guard<std::mutex> lock(mutex);
    if (started) return Status(Code::kInvalidArgument, "Start: the pipeline is running; call Stop or Wait before");
    source = std::move(its_source);
    sink = std::move(its_sink);
    counters = {};
    stopping = failed = to_infer.closed = to_draw.closed = false;
    error = {};
    refiner.Reset();
    started = true;
    try {
      if (source) threads.emplace_back([this] { CaptureLoop(); });
      threads.emplace_back([this] { InferLoop(); });
      threads.emplace_back([this] { RenderLoop(); });
    } catch (const std::system_error& exception) {
      Fail(Status(Code::kInternal, std::string("Start: cannot start a thread: ") + exception.what()));
    }
    live = static_cast<int>(threads.size());
    if (!failed) return {};
  }
  return Finish(true);
}

Status Pipeline::Impl::Push(const Captured& captured) {
  std::uint64_t its_run = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    if (!Open(run)) return Ended(run);
    if (source) return Status(Code::kInvalidArgument, "Push: this pipeline takes its frames from a source");
    if (!options.drop_oldest && OnOwnThread()) {
      return Status(Code::kInvalidArgument, "Push: called from the sink, which would wait for itself");
    }
    its_run = run;
  }
  const Expected<bool> taken = Guarded("capture", [&] { return Capture(captured, its_run, 0); });
  if (!taken.ok()) return taken.status();
  if (taken.value()) return {};
  const std::lock_guard<std::mutex> lock(mutex);
  return Ended(its_run);
}

Status Pipeline::Impl::Finish(bool at_once) {
  Source its_source;  // what they hold is let go of without the mutex
  Sink its_sink;
  std::unique_lock<std::mutex> lock(mutex);
  if (OnOwnThread())
    return Status(Code::kInvalidArgument, "Stop and Wait cannot be called from the source or the sink");
  if (!started) return {};
  if (at_once) {
    stopping = true;
    Wake();
  } else if (!source) {
    Close();
  }
  const std::uint64_t its_run = run;
  ended.wait(lock, [&] { return run != its_run || live == 0; });
  if (run != its_run) return {};  // another thread has ended it, and was told
  // They have left for good and take no lock any more.
  for (std::thread& thread : threads) thread.join();
  threads.clear();
  its_source.swap(source);
  its_sink.swap(sink);
  started = false;
  ++run;
  ended.notify_all();
  return std::exchange(error, Status());
}

bool Pipeline::Impl::OnOwnThread() const {
  const auto self = std::this_thread::get_id();
  return std::any_of(threads.begin(), threads.end(),
                     [&](const std::thread& thread) { return thread.get_id() == self; });
}

Status Pipeline::Impl::Ended(std::uint64_t its_run) {
  if (run == its_run && !error.ok()) return std::exchange(error, Status());
  return Status(Code::kCancelled, "Push: the pipeline is not running: it was not started, or has ended");
}

void Pipeline::Impl::Fail(Status status) {
  if (!failed) error = std::move(status);
  failed = stopping = true;
  Wake();
}

void Pipeline::Impl::Close() {
  to_infer.closed = true;
  if (low_latency()) to_draw.closed = true;
  Wake();
}

void Pipeline::Impl::Wake() {
  to_infer.Wake();
  to_draw.Wake();
}

// --- the threads ---------------------------------------------------------------------------------

void Pipeline::Impl::CaptureLoop() {
  for (;;) {
    std::uint64_t its_run = 0;
    {
      const std::lock_guard<std::mutex> lock(mutex);
      if (stopping) break;
      its_run = run;
    }
    Captured captured;
    const std::int64_t begun = Now();
    Expected<bool> more = Guarded("source", [&] { return source(&captured); });
    if (more.ok() && *more) more = Guarded("capture", [&] { return Capture(captured, its_run, begun); });
    if (!more.ok()) {
      const std::lock_guard<std::mutex> lock(mutex);
      Fail(more.status());
    }
    if (!more.ok() || !*more) break;
  }
  {
    const std::lock_guard<std::mutex> lock(mutex);
    Close();
  }
  Leave();
}

void Pipeline::Impl::InferLoop() {
  std::unique_lock<std::mutex> lock(mutex);
  for (;;) {
    to_infer.ready.wait(lock, [&] { return stopping || to_infer.closed || !to_infer.empty(); });
    if (stopping || to_infer.empty()) break;
    PooledFrame* frame = to_infer.Take();
    PooledMask* mask = free_masks.front();
    free_masks.erase(free_masks.begin());
    mask->users = 1;

    lock.unlock();
    const std::int64_t begun = Now();
    Status status = Guarded("inference", [&] { return Infer(*frame, mask); });
    const std::int64_t busy = Now() - begun;
    lock.lock();

    counters.infer_busy_ns += busy;
    if (!status.ok()) {
      Release(mask);
      DropInfer(frame);
      Fail(std::move(status));
      break;
    }
    ++counters.inferred;
    if (low_latency()) {
      Release(frame);
      if (newest != nullptr) Release(newest);
      newest = mask;
      continue;
    }
    if (!options.drop_oldest) to_draw.room.wait(lock, [&] { return stopping || !to_draw.full(); });
    if (to_draw.full()) DropRender(to_draw.Take());
    to_draw.Add({frame, mask});
  }
  to_draw.closed = true;
  to_draw.Wake();
  lock.unlock();
  Leave();
}

void Pipeline::Impl::RenderLoop() {
  std::unique_lock<std::mutex> lock(mutex);
  for (;;) {
    to_draw.ready.wait(lock, [&] { return stopping || to_draw.closed || !to_draw.empty(); });
    if (stopping || to_draw.empty()) break;
    Drawable drawable = to_draw.Take();
    if (drawable.mask == nullptr && newest != nullptr) {
      drawable.mask = newest;
      ++newest->users;
    }

    lock.unlock();
    Presented presented;
    const std::int64_t begun = Now();
    Status status = Guarded("renderer", [&] { return Draw(drawable, &presented); });
    if (status.ok()) status = Guarded("sink", [&] { return sink(presented); });
    const std::int64_t busy = Now() - begun;
    lock.lock();

    counters.render_busy_ns += busy;
    if (!status.ok()) {
      DropRender(drawable);
      Fail(std::move(status));
      break;
    }
    ++counters.presented;
    if (presented.hidden) ++counters.hidden;
    Release(drawable.frame);
    if (drawable.mask != nullptr) Release(drawable.mask);
  }
  lock.unlock();
  Leave();
}

void Pipeline::Impl::Leave() {
  const std::lock_guard<std::mutex> lock(mutex);
  if (--live > 0) return;
  while (!to_infer.empty()) DropInfer(to_infer.Take());
  while (!to_draw.empty()) DropRender(to_draw.Take());
  if (newest != nullptr) Release(std::exchange(newest, nullptr));
  ended.notify_all();
}

// --- their work ----------------------------------------------------------------------------------

Expected<bool> Pipeline::Impl::Capture(const Captured& captured, std::uint64_t its_run, std::int64_t begun) {
  SEGCORE_RETURN_IF_ERROR(Validate(captured.image, "frame"));
  SEGCORE_RETURN_IF_ERROR(Validate(captured.orientation));
  const std::lock_guard<std::mutex> in_turn(capturing);
  const std::int64_t arrived = Now();
  std::unique_lock<std::mutex> lock(mutex);
  PooledFrame* frame = AcquireFrame(FrameBuffer::BytesOf(captured.image));

  lock.unlock();
  frame->buffer.Copy(captured.image);
  frame->orientation = captured.orientation;
  frame->captured_ns = captured.captured_ns != 0 ? captured.captured_ns : arrived;
  const std::int64_t busy = Now() - (begun != 0 ? begun : arrived);
  lock.lock();

  // Low latency draws every frame; what it lacks may be a mask of its own.
  const auto full = [&] { return low_latency() ? to_draw.full() : to_infer.full(); };
  auto& room = low_latency() ? to_draw.room : to_infer.room;
  if (!options.drop_oldest) room.wait(lock, [&] { return !Open(its_run) || !full(); });
  if (!Open(its_run)) {
    Release(frame);
    return false;
  }
  counters.capture_busy_ns += busy;
  frame->sequence = counters.captured++;
  if (to_infer.full()) DropInfer(to_infer.Take());
  if (low_latency()) {
    if (to_draw.full()) DropRender(to_draw.Take());
    ++frame->users;
    to_draw.Add({frame, nullptr});
  }
  to_infer.Add(frame);
  return true;
}

Status Pipeline::Impl::Infer(const PooledFrame& frame, PooledMask* mask) {
  SEGCORE_RETURN_IF_ERROR(segmenter->Run(frame.buffer.image(), frame.orientation, &mask->mask));
  const std::int64_t begun = Now();
  SEGCORE_RETURN_IF_ERROR(refiner.Smooth(&mask->mask));
  mask->smooth_ns = Now() - begun;
  mask->sequence = frame.sequence;
  return {};
}

Status Pipeline::Impl::Draw(const Drawable& drawable, Presented* presented) {
  const PooledFrame& frame = *drawable.frame;
  const ImageView image = frame.buffer.image();
  const int bytes = BytesPerPixel(options.output);
  picture.Reserve(static_cast<std::size_t>(image.width) * image.height * bytes);
  presented->picture = {picture.data(), image.width, image.height, static_cast<std::ptrdiff_t>(image.width) * bytes,
                        options.output};
  presented->sequence = frame.sequence;
  presented->captured_ns = frame.captured_ns;

  const PooledMask* mask = drawable.mask;
  const auto age = mask == nullptr ? 0 : static_cast<std::int64_t>(frame.sequence - mask->sequence);
  presented->hidden = mask == nullptr || mask->mask.frame != image.size() ||
                      !(mask->mask.orientation == frame.orientation) || std::abs(age) > options.max_mask_age;

  if (presented->hidden) {
    return WithCompositor([&] {
      const std::int64_t begun = Now();
      Status status = compositor.Hide(image, frame.orientation, presented->picture);
      presented->composite_ns = Now() - begun;
      return status;
    });
  }
  alpha.Reserve(static_cast<std::size_t>(image.width) * image.height);
  const MutablePlaneView plane{alpha.data(), image.width, image.height, image.width};
  const std::int64_t begun = Now();
  SEGCORE_RETURN_IF_ERROR(refiner.Upsample(mask->mask, image, plane));
  presented->refine_ns = mask->smooth_ns + (Now() - begun);
  SEGCORE_RETURN_IF_ERROR(WithCompositor([&] {
    const std::int64_t refined = Now();
    Status status = compositor.Run(image, plane, frame.orientation, presented->picture);
    presented->composite_ns = Now() - refined;
    return status;
  }));
  presented->alpha = plane;
  presented->mask_sequence = mask->sequence;
  presented->mask_age = static_cast<int>(age);
  presented->preprocess_ns = mask->mask.preprocess_ns;
  presented->invoke_ns = mask->mask.invoke_ns;
  presented->postprocess_ns = mask->mask.activate_ns;
  return {};
}

template <typename Work>
Status Pipeline::Impl::WithCompositor(const Work& work) {
  std::unique_lock<std::mutex> pass(turnstile);
  const std::lock_guard<std::mutex> lock(drawing);
  pass.unlock();
  return work();
}

// --- pools ---------------------------------------------------------------------------------------

PooledFrame* Pipeline::Impl::AcquireFrame(std::size_t bytes) {
  if (bytes > frame_bytes) {  // all that are free at once: later frames of this size allocate nothing
    for (PooledFrame* frame : free_frames) frame->buffer.Reserve(bytes);
    frame_bytes = bytes;
  }
  PooledFrame* frame = free_frames.back();
  frame->buffer.Reserve(bytes);
  free_frames.pop_back();
  frame->users = 1;
  return frame;
}

void Pipeline::Impl::Release(PooledFrame* frame) {
  if (--frame->users == 0) free_frames.push_back(frame);
}

void Pipeline::Impl::Release(PooledMask* mask) {
  if (--mask->users == 0) free_masks.push_back(mask);
}

void Pipeline::Impl::DropInfer(PooledFrame* frame) {
  ++counters.dropped_infer;
  Release(frame);
}

void Pipeline::Impl::DropRender(const Drawable& drawable) {
  ++counters.dropped_render;
  Release(drawable.frame);
  if (drawable.mask != nullptr) Release(drawable.mask);
}

// --- Pipeline ------------------------------------------------------------------------------------

Expected<std::unique_ptr<Pipeline>> Pipeline::Create(std::unique_ptr<Segmenter> segmenter,
                                                     const RefinerOptions& refiner, const CompositorOptions& compositor,
                                                     const PipelineOptions& options) {
  const auto refuse = [](const std::string& problem) {
    return Status(Code::kInvalidArgument, "pipeline options: " + problem);
  };
  if (segmenter == nullptr) return refuse("no segmenter (null pointer)");
  if (options.mode != Mode::kSynced && options.mode != Mode::kLowLatency) {
    return refuse("unknown mode " + std::to_string(static_cast<int>(options.mode)));
  }
  if (options.queue_capacity < 1 || options.queue_capacity > kMaxQueue) {
    return refuse("queue_capacity is " + std::to_string(options.queue_capacity) + ", expected 1 to " +
                  std::to_string(kMaxQueue));
  }
  if (options.max_mask_age < 0) {
    return refuse("max_mask_age is " + std::to_string(options.max_mask_age) + ", expected 0 or more frames");
  }
  if (BytesPerPixel(options.output) == 0) {
    return refuse("output " + std::to_string(static_cast<int>(options.output)) + " cannot be drawn to; use RGB, BGR, " +
                  "RGBA or BGRA");
  }
  std::unique_ptr<Pipeline> pipeline;
  SEGCORE_RETURN_IF_ERROR(Guarded("pipeline", [&]() -> Status {
    CompositorOptions without_image = compositor;  // which can be set before Start
    if (compositor.background == Background::kImage) without_image.background = Background::kNone;
    SEGCORE_RETURN_IF_ERROR(Compositor({}).SetOptions(without_image));
    auto impl = std::make_unique<Impl>(std::move(segmenter), refiner, compositor, options);
    pipeline.reset(new Pipeline(std::move(impl)));
    return {};
  }));
  return pipeline;
}

Pipeline::Pipeline(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Pipeline::~Pipeline() { static_cast<void>(impl_->Finish(true)); }

Status Pipeline::Start(Source source, Sink sink) { return impl_->Start(std::move(source), std::move(sink)); }

Status Pipeline::Push(const Captured& frame) { return impl_->Push(frame); }

Status Pipeline::Wait() { return impl_->Finish(false); }

Status Pipeline::Stop() { return impl_->Finish(true); }

bool Pipeline::running() const {
  const std::lock_guard<std::mutex> lock(impl_->mutex);
  return impl_->started && impl_->live > 0;
}

Counters Pipeline::counters() const {
  const std::lock_guard<std::mutex> lock(impl_->mutex);
  return impl_->counters;
}

Status Pipeline::SetBackground(const CompositorOptions& options) {
  return Guarded("compositor",
                 [&] { return impl_->WithCompositor([&] { return impl_->compositor.SetOptions(options); }); });
}

Status Pipeline::SetImage(const ImageView& image) {
  return Guarded("compositor",
                 [&] { return impl_->WithCompositor([&] { return impl_->compositor.SetImage(image); }); });
}

}  // namespace segcore
