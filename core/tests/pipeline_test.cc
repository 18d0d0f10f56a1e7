// SPDX-License-Identifier: Apache-2.0
// Threads meet in these tests at gates in source and sink, never by waiting for time to pass. Inference cannot be held
// up from outside; where a test needs it to be behind, frames are given until it was, and the claim holds for any
// moment at which that happens.
#include "segcore/pipeline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "allocations.h"

namespace segcore {
namespace {

// --- frames --------------------------------------------------------------------------------------

/// A frame that owns its pixels.
struct Picture {
  Picture() = default;
  Picture(Picture&&) = default;  // a copy's views would point at the original's pixels
  std::vector<std::uint8_t> pixels, chroma;
  ImageView image;
  Orientation orientation;

  Captured captured() const { return {image, orientation, 0}; }
};

constexpr Size kSize{96, 72};

/// A head and shoulders that move with `index`, with some noise, before a wall that grows lighter downwards. The rows
/// of the stored frame are `padding` bytes apart.
Picture Portrait(int index, Size size = kSize, PixelFormat format = PixelFormat::kBgr, Orientation orientation = {},
                 int padding = 0) {
  Picture picture;
  picture.orientation = orientation;
  const bool nv12 = format == PixelFormat::kNv12;
  const int bytes = nv12 ? 1 : BytesPerPixel(format);
  const std::ptrdiff_t stride = size.width * bytes + padding;
  picture.pixels.resize(static_cast<std::size_t>(stride) * size.height);
  std::minstd_rand noise(static_cast<unsigned>(index) + 1);
  const int x0 = size.width * (30 + 7 * (index % 7)) / 100;
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      const int dx = (x - x0) * 100 / size.width, dy = y * 100 / size.height;
      const bool head = dx * dx + (dy - 35) * (dy - 35) < 18 * 18, body = dy > 55 && std::abs(dx) < 28;
      const std::array<int, 4> colour = head   ? std::array<int, 4>{120, 150, 215, 255}
                                        : body ? std::array<int, 4>{90, 40, 30, 255}
                                               : std::array<int, 4>{180 + dy / 2, 190, 150 + dx / 4, 255};
      for (int c = 0; c < bytes; ++c) {
        picture.pixels[static_cast<std::size_t>(y * stride + x * bytes + c)] =
            static_cast<std::uint8_t>(colour[static_cast<std::size_t>(c)] - static_cast<int>(noise() % 8));
      }
    }
  }
  picture.image = {picture.pixels.data(), size.width, size.height, stride, format};
  if (nv12) {
    picture.image.chroma_stride = 2 * ((size.width + 1) / 2) + padding;
    picture.chroma.resize(static_cast<std::size_t>(picture.image.chroma_stride) * ((size.height + 1) / 2));
    for (std::uint8_t& value : picture.chroma) value = static_cast<std::uint8_t>(110 + noise() % 40);
    picture.image.chroma = picture.chroma.data();
  }
  return picture;
}

std::vector<Picture> Portraits(int count, int first = 0) {
  std::vector<Picture> portraits;
  for (int index = 0; index < count; ++index) portraits.push_back(Portrait(first + index));
  return portraits;
}

/// Gives the pictures one after the other, then ends.
Pipeline::Source Each(const std::vector<Picture>& pictures) {
  return [&pictures, next = std::size_t{0}](Captured* captured) mutable -> Expected<bool> {
    if (next == pictures.size()) return false;
    *captured = pictures[next++].captured();
    return true;
  };
}

// --- what comes out ------------------------------------------------------------------------------

/// A Presented that owns its pixels.
struct Shown {
  Presented facts;
  std::vector<std::uint8_t> picture, alpha;
};

/// A sink that keeps everything.
class Screen {
 public:
  Pipeline::Sink sink() {
    return [this](const Presented& presented) -> Status {
      Shown shown{presented, {}, {}};
      const MutableImageView& picture = presented.picture;
      shown.picture.assign(picture.data, picture.data + picture.stride * picture.height);
      if (presented.alpha.data != nullptr) {
        shown.alpha.assign(presented.alpha.data,
                           presented.alpha.data + presented.alpha.stride * presented.alpha.height);
      }
      const std::lock_guard<std::mutex> lock(mutex_);
      shown_.push_back(std::move(shown));
      return {};
    };
  }

  std::vector<Shown> shown() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return shown_;
  }

  std::vector<std::uint64_t> sequences() const {
    std::vector<std::uint64_t> sequences;
    for (const Shown& shown : this->shown()) sequences.push_back(shown.facts.sequence);
    return sequences;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Shown> shown_;
};

/// A door in a source or a sink.
class Gate {
 public:
  /// Of the pipeline's thread: arrives, and goes on once the gate is open.
  void Pass() {
    std::unique_lock<std::mutex> lock(mutex_);
    arrived_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
  }

  void AwaitArrival() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return arrived_; });
  }

  void Open() {
    const std::lock_guard<std::mutex> lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool arrived_ = false, open_ = false;
};

/// `sink` behind a gate.
Pipeline::Sink Behind(Gate* gate, Pipeline::Sink sink) {
  return [gate, sink = std::move(sink)](const Presented& presented) {
    gate->Pass();
    return sink(presented);
  };
}

/// Other threads go on until `condition` holds; a condition that never does is the test's time limit.
template <typename Condition>
void Until(const Condition& condition) {
  while (!condition()) std::this_thread::yield();
}

testing::AssertionResult SamePixels(const char* one_text, const char* other_text, const std::vector<std::uint8_t>& one,
                                    const std::vector<std::uint8_t>& other) {
  if (one == other) return testing::AssertionSuccess();
  const auto differ = std::mismatch(one.begin(), one.end(), other.begin(), other.end()).first - one.begin();
  return testing::AssertionFailure() << one_text << " (" << one.size() << " bytes) and " << other_text << " ("
                                     << other.size() << " bytes) differ from byte " << differ << " on";
}

// --- pipelines -----------------------------------------------------------------------------------

constexpr RefinerOptions kPlain{false, false};

std::unique_ptr<Segmenter> Model() {
  auto segmenter = Segmenter::FromFile(SEGCORE_MODELS "/model.int8.tflite", {});
  if (!segmenter.ok()) throw std::runtime_error(segmenter.status().message());  // fails the test
  return std::move(*segmenter);
}

PipelineOptions Options(Mode mode, bool drop_oldest, int queue_capacity = 2) {
  PipelineOptions options;
  options.mode = mode;
  options.drop_oldest = drop_oldest;
  options.queue_capacity = queue_capacity;
  return options;
}

std::unique_ptr<Pipeline> Make(const PipelineOptions& options, const RefinerOptions& refiner = kPlain,
                               const CompositorOptions& compositor = {}) {
  auto pipeline = Pipeline::Create(Model(), refiner, compositor, options);
  if (!pipeline.ok()) throw std::runtime_error(pipeline.status().message());
  return std::move(*pipeline);
}

/// The same work done in one thread, one frame after the other: what the pipeline's pictures are held against.
class Sequential {
 public:
  explicit Sequential(const RefinerOptions& refiner = kPlain, const CompositorOptions& compositor = {},
                      PixelFormat output = PixelFormat::kBgr)
      : segmenter_(Model()), refiner_(refiner), compositor_(compositor), output_(output) {}

  Mask Segment(const Picture& picture) {
    Mask mask;
    EXPECT_TRUE(segmenter_->Run(picture.image, picture.orientation, &mask).ok());
    EXPECT_TRUE(refiner_.Smooth(&mask).ok());
    return mask;
  }

  std::vector<std::uint8_t> Alpha(const Picture& picture, const Mask& mask) {
    std::vector<std::uint8_t> alpha(static_cast<std::size_t>(picture.image.width) * picture.image.height);
    EXPECT_TRUE(refiner_
                    .Upsample(mask, picture.image,
                              {alpha.data(), picture.image.width, picture.image.height, picture.image.width})
                    .ok());
    return alpha;
  }

  std::vector<std::uint8_t> Draw(const Picture& picture, const Mask& mask) {
    const std::vector<std::uint8_t> alpha = Alpha(picture, mask);
    const PlaneView plane{alpha.data(), picture.image.width, picture.image.height, picture.image.width};
    std::vector<std::uint8_t> pixels;
    EXPECT_TRUE(compositor_.Run(picture.image, plane, picture.orientation, Canvas(picture, &pixels)).ok());
    return pixels;
  }

  std::vector<std::uint8_t> Hide(const Picture& picture) {
    std::vector<std::uint8_t> pixels;
    EXPECT_TRUE(compositor_.Hide(picture.image, picture.orientation, Canvas(picture, &pixels)).ok());
    return pixels;
  }

 private:
  MutableImageView Canvas(const Picture& picture, std::vector<std::uint8_t>* pixels) const {
    const std::ptrdiff_t stride = picture.image.width * BytesPerPixel(output_);
    pixels->resize(static_cast<std::size_t>(stride) * picture.image.height);
    return {pixels->data(), picture.image.width, picture.image.height, stride, output_};
  }

  std::unique_ptr<Segmenter> segmenter_;
  Refiner refiner_;
  Compositor compositor_;
  PixelFormat output_;
};

/// What holds for every run once it has ended.
void ExpectEveryFrameAccountedFor(const Pipeline& pipeline, Mode mode, std::size_t shown) {
  const Counters counters = pipeline.counters();
  EXPECT_FALSE(pipeline.running());
  EXPECT_EQ(counters.presented, shown);
  EXPECT_EQ(counters.captured, counters.inferred + counters.dropped_infer);
  EXPECT_EQ(mode == Mode::kSynced ? counters.inferred : counters.captured,
            counters.presented + counters.dropped_render);
}

/// The pictures of a run in low latency are what their facts say: the named mask, on the named frame, or hidden.
void ExpectPicturesAsTold(const std::vector<Shown>& shown, const std::function<const Picture&(std::uint64_t)>& frame) {
  Sequential sequential;
  std::map<std::uint64_t, Mask> masks;
  for (const Shown& one : shown) {
    const Picture& picture = frame(one.facts.sequence);
    SCOPED_TRACE("frame " + std::to_string(one.facts.sequence));
    if (one.facts.hidden) {
      EXPECT_EQ(one.facts.mask_age, 0);
      EXPECT_EQ(one.facts.alpha.data, nullptr);
      EXPECT_PRED_FORMAT2(SamePixels, one.picture, sequential.Hide(picture));
      continue;
    }
    const std::uint64_t source = one.facts.mask_sequence;
    EXPECT_EQ(one.facts.mask_age, static_cast<int>(one.facts.sequence) - static_cast<int>(source));
    if (masks.count(source) == 0) masks[source] = sequential.Segment(frame(source));
    EXPECT_PRED_FORMAT2(SamePixels, one.alpha, sequential.Alpha(picture, masks[source]));
    EXPECT_PRED_FORMAT2(SamePixels, one.picture, sequential.Draw(picture, masks[source]));
  }
}

class PipelineInBothModes : public testing::TestWithParam<Mode> {};

INSTANTIATE_TEST_SUITE_P(, PipelineInBothModes, testing::Values(Mode::kSynced, Mode::kLowLatency),
                         [](const auto& instance) {
                           return instance.param == Mode::kSynced ? "Synced" : "LowLatency";
                         });

// --- synced --------------------------------------------------------------------------------------

TEST(PipelineSynced, DrawsEveryFrameInOrderWithItsOwnMask) {
  const std::vector<Picture> frames = Portraits(12);
  const RefinerOptions refiner{true, true};
  const auto pipeline = Make(Options(Mode::kSynced, false), refiner);
  Screen screen;
  ASSERT_TRUE(pipeline->Start(Each(frames), screen.sink()).ok());
  ASSERT_TRUE(pipeline->Wait().ok());

  const std::vector<Shown> shown = screen.shown();
  ASSERT_EQ(shown.size(), frames.size());
  Sequential sequential(refiner);
  std::vector<std::uint8_t> previous;
  for (std::size_t index = 0; index < frames.size(); ++index) {
    const Mask mask = sequential.Segment(frames[index]);
    EXPECT_NE(mask.alpha, previous) << "masks that are alike prove nothing";
    previous = mask.alpha;
    EXPECT_EQ(shown[index].facts.sequence, index);
    EXPECT_EQ(shown[index].facts.mask_sequence, index);
    EXPECT_EQ(shown[index].facts.mask_age, 0);
    EXPECT_FALSE(shown[index].facts.hidden);
    EXPECT_PRED_FORMAT2(SamePixels, shown[index].alpha, sequential.Alpha(frames[index], mask)) << index;
    EXPECT_PRED_FORMAT2(SamePixels, shown[index].picture, sequential.Draw(frames[index], mask)) << index;
  }
  ExpectEveryFrameAccountedFor(*pipeline, Mode::kSynced, frames.size());
}

TEST(PipelineSynced, CopiesEveryFormatStrideAndOrientation) {
  std::vector<Picture> frames;
  for (const PixelFormat format : {PixelFormat::kRgb, PixelFormat::kRgba, PixelFormat::kBgra, PixelFormat::kNv12}) {
    for (const Orientation orientation : {Orientation{0, true}, Orientation{90, false}, Orientation{270, true}}) {
      frames.push_back(Portrait(static_cast<int>(frames.size()), {97, 71}, format, orientation, 13));
    }
  }
  Picture upwards = Portrait(3);
  upwards.image.data += upwards.image.stride * (upwards.image.height - 1);
  upwards.image.stride = -upwards.image.stride;
  frames.push_back(std::move(upwards));

  PipelineOptions options = Options(Mode::kSynced, false, 1);
  options.output = PixelFormat::kBgra;
  const auto pipeline = Make(options);
  Screen screen;
  ASSERT_TRUE(pipeline->Start(Each(frames), screen.sink()).ok());
  ASSERT_TRUE(pipeline->Wait().ok());

  const std::vector<Shown> shown = screen.shown();
  ASSERT_EQ(shown.size(), frames.size());
  Sequential sequential(kPlain, {}, PixelFormat::kBgra);
  for (std::size_t index = 0; index < frames.size(); ++index) {
    EXPECT_PRED_FORMAT2(SamePixels, shown[index].picture,
                        sequential.Draw(frames[index], sequential.Segment(frames[index])))
        << index;
  }
}

TEST(PipelineSynced, WithoutDroppingAFullQueueMakesTheSourceWait) {
  const std::vector<Picture> frames = Portraits(20);
  const auto pipeline = Make(Options(Mode::kSynced, false));
  Screen screen;
  Gate gate;
  std::atomic<int> given{0};
  const Pipeline::Source source = [&, each = Each(frames)](Captured* captured) {
    ++given;
    return each(captured);
  };
  ASSERT_TRUE(pipeline->Start(source, Behind(&gate, screen.sink())).ok());
  // In the sink, two before it, one held by inference, two before it; the seventh finds no room.
  Until([&] { return given == 7; });
  EXPECT_LE(pipeline->counters().captured, 6u);
  gate.Open();
  ASSERT_TRUE(pipeline->Wait().ok());
  EXPECT_EQ(pipeline->counters().captured, frames.size());
  EXPECT_EQ(screen.sequences().size(), frames.size());
  ExpectEveryFrameAccountedFor(*pipeline, Mode::kSynced, frames.size());
}

TEST(PipelineSynced, DropsTheOldestThatWaitToBeDrawn) {
  const std::vector<Picture> frames = Portraits(6);
  const auto pipeline = Make(Options(Mode::kSynced, true));
  Screen screen;
  Gate gate;
  ASSERT_TRUE(pipeline->Start(nullptr, Behind(&gate, screen.sink())).ok());
  for (std::size_t index = 0; index < frames.size(); ++index) {
    ASSERT_TRUE(pipeline->Push(frames[index].captured()).ok());
    Until([&] { return pipeline->counters().inferred == index + 1; });
    if (index == 0) gate.AwaitArrival();
  }
  EXPECT_EQ(pipeline->counters().dropped_render, 3u);
  gate.Open();
  ASSERT_TRUE(pipeline->Wait().ok());
  EXPECT_EQ(screen.sequences(), (std::vector<std::uint64_t>{0, 4, 5}));
  EXPECT_EQ(pipeline->counters().dropped_infer, 0u);
  ExpectEveryFrameAccountedFor(*pipeline, Mode::kSynced, 3);
  Sequential sequential;
  for (const Shown& shown : screen.shown()) {
    const Picture& frame = frames[shown.facts.sequence];
    EXPECT_PRED_FORMAT2(SamePixels, shown.picture, sequential.Draw(frame, sequential.Segment(frame)));
  }
}

TEST(PipelineSynced, DropsTheOldestThatWaitForInferenceAndNeverTheNewest) {
  const std::vector<Picture> frames = Portraits(7);
  const auto pipeline = Make(Options(Mode::kSynced, true));
  Screen screen;
  std::uint64_t given = 0;
  const Pipeline::Source source = [&](Captured* captured) -> Expected<bool> {
    if (pipeline->counters().dropped_infer >= 5) return false;
    *captured = frames[given++ % frames.size()].captured();
    return true;
  };
  ASSERT_TRUE(pipeline->Start(source, screen.sink()).ok());
  ASSERT_TRUE(pipeline->Wait().ok());
  const std::vector<Shown> shown = screen.shown();
  ASSERT_FALSE(shown.empty());
  EXPECT_EQ(shown.back().facts.sequence, given - 1);
  Sequential sequential;
  for (std::size_t index = 0; index < shown.size(); ++index) {
    EXPECT_TRUE(index == 0 || shown[index].facts.sequence > shown[index - 1].facts.sequence);
    const Picture& frame = frames[shown[index].facts.sequence % frames.size()];
    EXPECT_PRED_FORMAT2(SamePixels, shown[index].picture, sequential.Draw(frame, sequential.Segment(frame)));
  }
  const Counters counters = pipeline->counters();
  EXPECT_EQ(counters.captured, given);
  EXPECT_EQ(counters.captured - shown.size(), counters.dropped_infer + counters.dropped_render);
  ExpectEveryFrameAccountedFor(*pipeline, Mode::kSynced, shown.size());
}

// --- low latency ---------------------------------------------------------------------------------

TEST(PipelineLowLatency, DropsTheOldestThatWaitToBeDrawn) {
  const std::vector<Picture> frames = Portraits(6);
  const auto pipeline = Make(Options(Mode::kLowLatency, true));
  Screen screen;
  Gate gate;
  ASSERT_TRUE(pipeline->Start(nullptr, Behind(&gate, screen.sink())).ok());
  for (std::size_t index = 0; index < frames.size(); ++index) {
    ASSERT_TRUE(pipeline->Push(frames[index].captured()).ok());
    if (index == 0) gate.AwaitArrival();
  }
  EXPECT_EQ(pipeline->counters().dropped_render, 3u);
  gate.Open();
  ASSERT_TRUE(pipeline->Wait().ok());
  EXPECT_EQ(screen.sequences(), (std::vector<std::uint64_t>{0, 4, 5}));
  EXPECT_EQ(pipeline->counters().dropped_render, 3u);
  ExpectEveryFrameAccountedFor(*pipeline, Mode::kLowLatency, 3);
}

TEST(PipelineLowLatency, DrawsEveryFrameWithTheNewestMaskAndTellsItsAge) {
  const std::vector<Picture> frames = Portraits(7);
  PipelineOptions options = Options(Mode::kLowLatency, false);
  options.max_mask_age = 1 << 30;
  const auto pipeline = Make(options);
  Screen screen;
  std::atomic<int> older{0};
  std::uint64_t given = 0;
  const Pipeline::Source source = [&](Captured* captured) -> Expected<bool> {
    if (older >= 5) return false;
    *captured = frames[given++ % frames.size()].captured();
    return true;
  };
  const Pipeline::Sink sink = [&, keep = screen.sink()](const Presented& presented) {
    if (presented.mask_age > 0) ++older;
    return keep(presented);
  };
  ASSERT_TRUE(pipeline->Start(source, sink).ok());
  ASSERT_TRUE(pipeline->Wait().ok());

  const std::vector<Shown> shown = screen.shown();
  ASSERT_EQ(shown.size(), given) << "without dropping every frame is drawn";
  bool any_mask = false;
  std::uint64_t newest = 0;
  for (std::size_t index = 0; index < shown.size(); ++index) {
    EXPECT_EQ(shown[index].facts.sequence, index);
    EXPECT_EQ(shown[index].facts.hidden && any_mask, false) << "hidden only before the first mask";
    if (shown[index].facts.hidden) continue;
    any_mask = true;
    EXPECT_GE(shown[index].facts.mask_sequence, newest) << "a mask is never followed by an older one";
    newest = shown[index].facts.mask_sequence;
  }
  ExpectPicturesAsTold(shown,
                       [&](std::uint64_t sequence) -> const Picture& { return frames[sequence % frames.size()]; });
  ExpectEveryFrameAccountedFor(*pipeline, Mode::kLowLatency, shown.size());
}

TEST(PipelineLowLatency, InfersTheNewestFrameAndSaysWhenItsMaskIsAheadOfThePicture) {
  const std::vector<Picture> frames = Portraits(3);
  const auto pipeline = Make(Options(Mode::kLowLatency, true));
  Screen screen;
  Gate gate;
  ASSERT_TRUE(pipeline->Start(nullptr, Behind(&gate, screen.sink())).ok());
  for (std::size_t index = 0; index < frames.size(); ++index) {
    ASSERT_TRUE(pipeline->Push(frames[index].captured()).ok());
    Until([&] { return pipeline->counters().inferred == index + 1; });
    if (index == 0) gate.AwaitArrival();
  }
  gate.Open();
  ASSERT_TRUE(pipeline->Wait().ok());
  const std::vector<Shown> shown = screen.shown();
  ASSERT_EQ(shown.size(), 3u);
  EXPECT_EQ(shown[1].facts.mask_sequence, 2u);
  EXPECT_EQ(shown[1].facts.mask_age, -1);
  EXPECT_EQ(shown[2].facts.mask_age, 0);
  ExpectPicturesAsTold(shown, [&](std::uint64_t sequence) -> const Picture& { return frames[sequence]; });
}

TEST(PipelineLowLatency, HidesTheBackgroundUntilThereIsAMask) {
  const std::vector<Picture> frames = Portraits(1);
  const auto pipeline = Make(Options(Mode::kLowLatency, false));
  // Inference of a frame may be done before its drawing begins; of some first frame it is not.
  for (bool hidden = false; !hidden;) {
    Screen screen;
    ASSERT_TRUE(pipeline->Start(Each(frames), screen.sink()).ok());
    ASSERT_TRUE(pipeline->Wait().ok());
    const std::vector<Shown> shown = screen.shown();
    ASSERT_EQ(shown.size(), 1u);
    hidden = shown[0].facts.hidden;
    EXPECT_EQ(pipeline->counters().hidden, hidden ? 1u : 0u);
    ExpectPicturesAsTold(shown, [&](std::uint64_t) -> const Picture& { return frames[0]; });
  }
}

TEST(PipelineLowLatency, HidesTheBackgroundWhenTheMaskIsTooOld) {
  const std::vector<Picture> frames = Portraits(7);
  PipelineOptions options = Options(Mode::kLowLatency, false);
  options.max_mask_age = 1;
  const auto pipeline = Make(options);
  Screen screen;
  std::atomic<bool> masked{false}, hidden{false};
  std::uint64_t given = 0;
  const Pipeline::Source source = [&](Captured* captured) -> Expected<bool> {
    if (hidden) return false;
    *captured = frames[given++ % frames.size()].captured();
    return true;
  };
  const Pipeline::Sink sink = [&, keep = screen.sink()](const Presented& presented) {
    if (presented.hidden && masked) hidden = true;
    if (!presented.hidden) masked = true;
    return keep(presented);
  };
  ASSERT_TRUE(pipeline->Start(source, sink).ok());
  ASSERT_TRUE(pipeline->Wait().ok());
  std::uint64_t count = 0;
  for (const Shown& shown : screen.shown()) {
    EXPECT_LE(std::abs(shown.facts.mask_age), 1);
    count += shown.facts.hidden;
  }
  EXPECT_EQ(pipeline->counters().hidden, count);
  ExpectPicturesAsTold(screen.shown(),
                       [&](std::uint64_t sequence) -> const Picture& { return frames[sequence % frames.size()]; });
}

TEST(PipelineLowLatency, NeverDrawsWithAMaskOfAnotherSizeOrOrientation) {
  const std::vector<Picture> frames = [] {
    std::vector<Picture> three;
    three.push_back(Portrait(0));
    three.push_back(Portrait(1, {72, 96}));
    three.push_back(Portrait(2, kSize, PixelFormat::kBgr, {180, false}));
    return three;
  }();
  PipelineOptions options = Options(Mode::kLowLatency, false);
  options.max_mask_age = 1 << 30;
  const auto pipeline = Make(options);
  Screen screen;
  std::atomic<bool> masked{false};
  std::atomic<int> hidden{0};
  std::uint64_t given = 0;
  const Pipeline::Source source = [&](Captured* captured) -> Expected<bool> {
    if (hidden >= 6) return false;
    *captured = frames[given++ % 3].captured();
    return true;
  };
  const Pipeline::Sink sink = [&, keep = screen.sink()](const Presented& presented) {
    if (presented.hidden && masked) ++hidden;
    if (!presented.hidden) masked = true;
    return keep(presented);
  };
  ASSERT_TRUE(pipeline->Start(source, sink).ok());
  ASSERT_TRUE(pipeline->Wait().ok());
  for (const Shown& shown : screen.shown()) {
    EXPECT_EQ(shown.facts.mask_age % 3, 0);  // 0 where hidden
  }
  ExpectPicturesAsTold(screen.shown(), [&](std::uint64_t sequence) -> const Picture& { return frames[sequence % 3]; });
}

// --- errors --------------------------------------------------------------------------------------

TEST_P(PipelineInBothModes, AnErrorOfTheSourceReachesWaitOnce) {
  const std::vector<Picture> frames = Portraits(3);
  const auto pipeline = Make(Options(GetParam(), false));
  Screen screen;
  const Pipeline::Source source = [each = Each(frames)](Captured* captured) mutable -> Expected<bool> {
    auto given = each(captured);
    if (*given) return given;
    return Status(Code::kNotFound, "the camera is unplugged");
  };
  ASSERT_TRUE(pipeline->Start(source, screen.sink()).ok());
  const Status status = pipeline->Wait();
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_EQ(status.message(), "the camera is unplugged");
  EXPECT_TRUE(pipeline->Wait().ok());
  EXPECT_TRUE(pipeline->Stop().ok());
  EXPECT_EQ(pipeline->Push(frames[0].captured()).code(), Code::kCancelled);
  ExpectEveryFrameAccountedFor(*pipeline, GetParam(), screen.shown().size());
}

TEST_P(PipelineInBothModes, AnErrorOfTheSinkReachesPushOnceAndEndsThePipeline) {
  const std::vector<Picture> frames = Portraits(1);
  const auto pipeline = Make(Options(GetParam(), true));
  ASSERT_TRUE(pipeline->Start(nullptr, [](const Presented&) { return Status(Code::kUnsupported, "no display"); }).ok());
  ASSERT_TRUE(pipeline->Push(frames[0].captured()).ok());
  Until([&] { return !pipeline->running(); });
  const Status first = pipeline->Push(frames[0].captured());
  EXPECT_EQ(first.code(), Code::kUnsupported);
  EXPECT_EQ(first.message(), "no display");
  EXPECT_EQ(pipeline->Push(frames[0].captured()).code(), Code::kCancelled);
  EXPECT_TRUE(pipeline->Stop().ok());
  ExpectEveryFrameAccountedFor(*pipeline, GetParam(), 0);
}

TEST_P(PipelineInBothModes, AnErrorOfInferenceReachesStop) {
  const std::vector<Picture> frames = Portraits(1);
  const std::size_t mask = sizeof(float) * Model()->contract().input_width * Model()->contract().input_height;
  const auto pipeline = Make(Options(GetParam(), true));
  Screen screen;
  ASSERT_TRUE(pipeline->Start(nullptr, screen.sink()).ok());
  {
    const AllocationLimit limit(mask);  // all else is less at this size
    ASSERT_TRUE(pipeline->Push(frames[0].captured()).ok());
    Until([&] { return !pipeline->running(); });
  }
  EXPECT_EQ(pipeline->Stop().code(), Code::kInternal);
  EXPECT_EQ(pipeline->counters().inferred, 0u);
  EXPECT_EQ(pipeline->counters().dropped_infer, 1u);
  ExpectEveryFrameAccountedFor(*pipeline, GetParam(), screen.shown().size());

  ASSERT_TRUE(pipeline->Start(Each(frames), screen.sink()).ok()) << "and it can be started again";
  EXPECT_TRUE(pipeline->Wait().ok());
  EXPECT_EQ(pipeline->counters().inferred, 1u);
}

TEST_P(PipelineInBothModes, WhatSourceOrSinkThrowIsAnError) {
  const std::vector<Picture> frames = Portraits(1);
  const auto pipeline = Make(Options(GetParam(), true));
  Screen screen;
  const Pipeline::Source throwing = [](Captured*) -> Expected<bool> { throw std::runtime_error("stalled"); };
  ASSERT_TRUE(pipeline->Start(throwing, screen.sink()).ok());
  Status status = pipeline->Wait();
  EXPECT_EQ(status.code(), Code::kRuntime);
  EXPECT_EQ(status.message(), "the source threw: stalled");

  ASSERT_TRUE(pipeline->Start(Each(frames), [](const Presented&) -> Status { throw 7; }).ok());
  status = pipeline->Wait();
  EXPECT_EQ(status.code(), Code::kRuntime);
  EXPECT_EQ(status.message(), "the sink threw something that is no std::exception");
}

TEST(PipelineErrors, TheFirstOfTwoIsTold) {
  const std::vector<Picture> frames = Portraits(1);
  const auto pipeline = Make(Options(Mode::kSynced, true));
  const Pipeline::Source source = [&, each = Each(frames)](Captured* captured) mutable -> Expected<bool> {
    auto given = each(captured);
    if (*given) return given;
    Until([&] { return pipeline->counters().dropped_render == 1; });  // what the sink refused
    return Status(Code::kNotFound, "second");
  };
  const Pipeline::Sink sink = [](const Presented&) { return Status(Code::kUnsupported, "first"); };
  ASSERT_TRUE(pipeline->Start(source, sink).ok());
  EXPECT_EQ(pipeline->Wait().message(), "first");
  EXPECT_TRUE(pipeline->Stop().ok());
}

TEST(PipelineErrors, AnUnusableFrameOfASourceEndsThePipeline) {
  const auto pipeline = Make(Options(Mode::kSynced, true));
  Screen screen;
  ASSERT_TRUE(pipeline->Start([](Captured*) { return Expected<bool>(true); }, screen.sink()).ok());
  EXPECT_EQ(pipeline->Wait().code(), Code::kInvalidArgument);
  EXPECT_EQ(pipeline->counters().captured, 0u);
}

TEST(PipelineErrors, AnUnusableFrameIsRefusedByPushAndChangesNothing) {
  const std::vector<Picture> frames = Portraits(1);
  const auto pipeline = Make(Options(Mode::kSynced, true));
  Screen screen;
  ASSERT_TRUE(pipeline->Start(nullptr, screen.sink()).ok());
  EXPECT_EQ(pipeline->Push({}).code(), Code::kInvalidArgument);
  Captured askew = frames[0].captured();
  askew.orientation.rotation = 45;
  EXPECT_EQ(pipeline->Push(askew).code(), Code::kInvalidArgument);
  EXPECT_TRUE(pipeline->Push(frames[0].captured()).ok());
  EXPECT_TRUE(pipeline->Wait().ok());
  EXPECT_EQ(pipeline->counters().captured, 1u);
  EXPECT_EQ(screen.shown().size(), 1u);
}

TEST(PipelineErrors, OptionsThatCannotBeUsedAreRefused) {
  const auto refused = [](const PipelineOptions& options) {
    return Pipeline::Create(Model(), {}, {}, options).status().code() == Code::kInvalidArgument;
  };
  EXPECT_FALSE(refused({}));
  for (const int capacity : {-1, 0, 17}) EXPECT_TRUE(refused(Options(Mode::kSynced, true, capacity))) << capacity;
  EXPECT_TRUE(refused(Options(static_cast<Mode>(2), true)));
  PipelineOptions options;
  options.max_mask_age = -1;
  EXPECT_TRUE(refused(options));
  for (const int format : {static_cast<int>(PixelFormat::kNv12), -1, 5}) {
    options = {};
    options.output = static_cast<PixelFormat>(format);
    EXPECT_TRUE(refused(options)) << format;
  }
  EXPECT_EQ(Pipeline::Create(nullptr, {}, {}, {}).status().code(), Code::kInvalidArgument);
  CompositorOptions compositor;
  compositor.feather = 128;
  EXPECT_EQ(Pipeline::Create(Model(), {}, compositor, {}).status().code(), Code::kInvalidArgument);
}

TEST(PipelineErrors, CallsThatDoNotFitTheStateAreRefused) {
  const std::vector<Picture> frames = Portraits(1);
  const auto pipeline = Make(Options(Mode::kSynced, false));
  Screen screen;
  EXPECT_EQ(pipeline->Push(frames[0].captured()).code(), Code::kCancelled) << "not started";
  EXPECT_TRUE(pipeline->Stop().ok());
  EXPECT_TRUE(pipeline->Wait().ok());
  EXPECT_EQ(pipeline->Start(Each(frames), nullptr).code(), Code::kInvalidArgument) << "no sink";

  std::array<Status, 4> inside;
  const Pipeline::Sink sink = [&](const Presented&) {
    inside = {pipeline->Stop(), pipeline->Wait(), pipeline->Start(nullptr, screen.sink()),
              pipeline->Push(frames[0].captured())};
    return Status();
  };
  ASSERT_TRUE(pipeline->Start(nullptr, sink).ok());
  EXPECT_EQ(pipeline->Start(nullptr, sink).code(), Code::kInvalidArgument) << "running";
  ASSERT_TRUE(pipeline->Push(frames[0].captured()).ok());
  ASSERT_TRUE(pipeline->Wait().ok());
  for (std::size_t call = 0; call < 2; ++call) EXPECT_EQ(inside[call].code(), Code::kInvalidArgument) << call;
  EXPECT_EQ(inside[2].code(), Code::kInvalidArgument) << "running";
  EXPECT_NE(inside[3].code(), Code::kOk) << "a sink that waits for room waits for itself";
  EXPECT_EQ(pipeline->Push(frames[0].captured()).code(), Code::kCancelled) << "ended";

  Gate gate;
  ASSERT_TRUE(pipeline->Start(Each(frames), Behind(&gate, screen.sink())).ok());
  gate.AwaitArrival();
  EXPECT_FALSE(pipeline->Push(frames[0].captured()).ok()) << "it has a source";
  gate.Open();
  EXPECT_TRUE(pipeline->Wait().ok());
}

// --- ends and beginnings -------------------------------------------------------------------------

TEST_P(PipelineInBothModes, StopsWhileEveryStageWaits) {
  const std::vector<Picture> frames = Portraits(20);
  const auto pipeline = Make(Options(GetParam(), false));
  Screen screen;
  Gate gate;
  std::atomic<int> given{0};
  const Pipeline::Source source = [&, each = Each(frames)](Captured* captured) {
    ++given;
    return each(captured);
  };
  ASSERT_TRUE(pipeline->Start(source, Behind(&gate, screen.sink())).ok());
  const int all = GetParam() == Mode::kSynced ? 7 : 4;
  Until([&] { return given == all; });
  auto stopping = std::async(std::launch::async, [&] { return pipeline->Stop(); });
  gate.Open();
  EXPECT_TRUE(stopping.get().ok());
  ExpectEveryFrameAccountedFor(*pipeline, GetParam(), screen.shown().size());
}

TEST_P(PipelineInBothModes, StopsWhileItWaitsForFrames) {
  const auto pipeline = Make(Options(GetParam(), true));
  Screen screen;
  ASSERT_TRUE(pipeline->Start(nullptr, screen.sink()).ok());
  EXPECT_TRUE(pipeline->running());
  EXPECT_TRUE(pipeline->Stop().ok());
  ExpectEveryFrameAccountedFor(*pipeline, GetParam(), 0);
}

TEST_P(PipelineInBothModes, StopsWhenTheSourceGivesTheFrameItHeldBack) {
  const std::vector<Picture> frames = Portraits(1);
  const auto pipeline = Make(Options(GetParam(), true));
  Screen screen;
  Gate gate;
  const Pipeline::Source source = [&, each = Each(frames)](Captured* captured) {
    gate.Pass();
    return each(captured);
  };
  ASSERT_TRUE(pipeline->Start(source, screen.sink()).ok());
  gate.AwaitArrival();
  auto stopping = std::async(std::launch::async, [&] { return pipeline->Stop(); });
  gate.Open();
  EXPECT_TRUE(stopping.get().ok());
  ExpectEveryFrameAccountedFor(*pipeline, GetParam(), screen.shown().size());
}

TEST_P(PipelineInBothModes, StopReleasesAPushThatWaitsAndAWait) {
  const std::vector<Picture> frames = Portraits(1);
  const auto pipeline = Make(Options(GetParam(), false, 1));
  Screen screen;
  Gate gate;
  ASSERT_TRUE(pipeline->Start(nullptr, Behind(&gate, screen.sink())).ok());
  auto pushing = std::async(std::launch::async, [&] {
    for (;;) {
      Status status = pipeline->Push(frames[0].captured());
      if (!status.ok()) return status;
    }
  });
  const std::uint64_t all = GetParam() == Mode::kSynced ? 4 : 2;
  Until([&] { return pipeline->counters().captured == all; });
  auto stopping = std::async(std::launch::async, [&] { return pipeline->Stop(); });
  EXPECT_EQ(pushing.get().code(), Code::kCancelled);
  auto waiting = std::async(std::launch::async, [&] { return pipeline->Wait(); });
  gate.Open();
  EXPECT_TRUE(stopping.get().ok());
  EXPECT_TRUE(waiting.get().ok());
  EXPECT_EQ(pipeline->counters().captured, all);
  ExpectEveryFrameAccountedFor(*pipeline, GetParam(), screen.shown().size());
}

TEST_P(PipelineInBothModes, LetsGoOfSourceAndSinkWhenStoppedOrDestroyed) {
  const std::vector<Picture> frames = Portraits(3);
  auto pipeline = Make(Options(GetParam(), true));
  for (const bool stopped : {true, false}) {
    const auto shown = std::make_shared<std::atomic<int>>(0);
    const auto given = std::make_shared<std::size_t>(0);
    Pipeline::Source source = [&frames, given](Captured* captured) -> Expected<bool> {
      *captured = frames[(*given)++ % frames.size()].captured();
      return true;
    };
    Pipeline::Sink sink = [shown](const Presented&) { return ++*shown, Status(); };
    ASSERT_TRUE(pipeline->Start(std::move(source), std::move(sink)).ok());
    Until([&] { return *shown >= 3; });
    EXPECT_EQ(shown.use_count(), 2);
    if (stopped) {
      EXPECT_TRUE(pipeline->Stop().ok());
    } else {
      pipeline.reset();
    }
    EXPECT_EQ(shown.use_count(), 1);
    EXPECT_EQ(given.use_count(), 1);
  }
}

TEST_P(PipelineInBothModes, StartsAnewAfterStop) {
  const bool synced = GetParam() == Mode::kSynced;
  const RefinerOptions refiner{synced, false};
  const auto pipeline = Make(Options(GetParam(), false), refiner);
  for (std::size_t run = 0; run < 3; ++run) {
    const std::vector<Picture> frames = Portraits(5, static_cast<int>(run));
    Screen screen;
    ASSERT_TRUE(pipeline->Start(Each(frames), screen.sink()).ok());
    ASSERT_TRUE(pipeline->Wait().ok());
    const std::vector<Shown> shown = screen.shown();
    ASSERT_EQ(shown.size(), frames.size());
    EXPECT_EQ(shown[0].facts.sequence, 0u);
    EXPECT_EQ(pipeline->counters().captured, frames.size());
    if (!synced) {
      ExpectPicturesAsTold(shown, [&](std::uint64_t sequence) -> const Picture& { return frames[sequence]; });
      continue;
    }
    Sequential sequential(refiner);
    for (std::size_t index = 0; index < frames.size(); ++index) {
      EXPECT_PRED_FORMAT2(SamePixels, shown[index].picture,
                          sequential.Draw(frames[index], sequential.Segment(frames[index])))
          << "run " << run << ", frame " << index << ": nothing is left of the run before";
    }
  }
}

TEST_P(PipelineInBothModes, MayBeStoppedAtAnyMoment) {
  const std::vector<Picture> frames = Portraits(7);
  std::mt19937 random(20240607);
  for (const bool drop_oldest : {true, false}) {
    for (const int capacity : {1, 3}) {
      const auto pipeline = Make(Options(GetParam(), drop_oldest, capacity));
      for (int round = 0; round < 12; ++round) {
        std::atomic<std::uint64_t> shown{0};
        const unsigned end = random() % 4, pauses = random() % 3000, last = random() % 8;
        const bool by_push = random() % 2 == 0;
        unsigned given = 0;
        const Pipeline::Source source = [&](Captured* captured) -> Expected<bool> {
          if (given == last) return false;
          *captured = frames[given++ % frames.size()].captured();
          return true;
        };
        const Pipeline::Sink sink = [&](const Presented&) {
          ++shown;
          return Status();
        };
        ASSERT_TRUE(pipeline->Start(by_push ? nullptr : source, sink).ok());
        std::thread camera;
        if (by_push) {
          camera = std::thread([&] {
            for (unsigned index = 0; index < last; ++index) {
              const Status status = pipeline->Push(frames[index % frames.size()].captured());
              if (status.ok()) continue;
              EXPECT_EQ(status.code(), Code::kCancelled);
              return;
            }
          });
        }
        for (unsigned pause = 0; pause < pauses; ++pause) std::this_thread::yield();
        std::thread other;
        if (end == 0) other = std::thread([&] { EXPECT_TRUE(pipeline->Stop().ok()); });
        EXPECT_TRUE((end == 1 ? pipeline->Wait() : pipeline->Stop()).ok());
        ExpectEveryFrameAccountedFor(*pipeline, GetParam(), shown);
        if (camera.joinable()) camera.join();
        if (other.joinable()) other.join();
      }
    }
  }
}

// --- other threads -------------------------------------------------------------------------------

TEST_P(PipelineInBothModes, TakesFramesOfSeveralThreadsEachInItsOrder) {
  constexpr int kThreads = 3, kEach = 12;
  CompositorOptions nothing;
  nothing.background = Background::kNone;
  const auto pipeline = Make(Options(GetParam(), false, 1), kPlain, nothing);
  Screen screen;
  Gate gate;
  ASSERT_TRUE(pipeline->Start(nullptr, Behind(&gate, screen.sink())).ok());
  std::vector<std::thread> cameras;
  for (int camera = 0; camera < kThreads; ++camera) {
    cameras.emplace_back([&, camera] {
      for (int index = 0; index < kEach; ++index) {
        Picture picture = Portrait(index);
        picture.pixels[0] = static_cast<std::uint8_t>(camera);
        picture.pixels[1] = static_cast<std::uint8_t>(index);
        EXPECT_TRUE(pipeline->Push(picture.captured()).ok());
      }
    });
  }
  const std::uint64_t full = GetParam() == Mode::kSynced ? 4 : 2;
  Until([&] { return pipeline->counters().captured == full; });
  gate.Open();
  for (std::thread& camera : cameras) camera.join();
  ASSERT_TRUE(pipeline->Wait().ok());
  std::array<int, kThreads> next{};
  const std::vector<Shown> shown = screen.shown();
  ASSERT_EQ(shown.size(), static_cast<std::size_t>(kThreads * kEach));
  for (std::size_t index = 0; index < shown.size(); ++index) {
    EXPECT_EQ(shown[index].facts.sequence, index);
    ASSERT_LT(shown[index].picture[0], kThreads);
    EXPECT_EQ(shown[index].picture[1], next[shown[index].picture[0]]++);
  }
}

TEST_P(PipelineInBothModes, ANewBackgroundIsSeenInTheNextFrameDrawn) {
  const std::vector<Picture> frames = Portraits(3);
  const auto pipeline = Make(Options(GetParam(), true));
  CompositorOptions green, image;
  green.background = Background::kColour;
  image.background = Background::kImage;
  const Picture wall = Portrait(5, {40, 30});
  Screen screen;
  const Pipeline::Sink sink = [&, keep = screen.sink()](const Presented& presented) {
    SEGCORE_RETURN_IF_ERROR(keep(presented));
    if (presented.sequence == 0) return pipeline->SetBackground(green);
    SEGCORE_RETURN_IF_ERROR(pipeline->SetImage(wall.image));
    return pipeline->SetBackground(image);
  };
  ASSERT_TRUE(pipeline->Start(nullptr, sink).ok());
  CompositorOptions unusable;
  unusable.feather = -1;
  for (std::size_t index = 0; index < frames.size(); ++index) {
    ASSERT_TRUE(pipeline->Push(frames[index].captured()).ok());
    Until([&] { return pipeline->counters().presented == index + 1; });
    EXPECT_EQ(pipeline->SetBackground(unusable).code(), Code::kInvalidArgument) << "and it stays as it was";
    EXPECT_FALSE(pipeline->SetImage({}).ok());
  }
  ASSERT_TRUE(pipeline->Wait().ok());
  const std::vector<Shown> shown = screen.shown();
  ASSERT_EQ(shown.size(), 3u);
  Sequential segmenter, blurred, coloured(kPlain, green);
  Compositor with_image(image);
  ASSERT_TRUE(with_image.SetImage(wall.image).ok());
  const auto expected = [&](Sequential* sequential, std::size_t index) {
    if (shown[index].facts.hidden) return sequential->Hide(frames[index]);
    return sequential->Draw(frames[index], segmenter.Segment(frames[shown[index].facts.mask_sequence]));
  };
  EXPECT_PRED_FORMAT2(SamePixels, shown[0].picture, expected(&blurred, 0));
  EXPECT_PRED_FORMAT2(SamePixels, shown[1].picture, expected(&coloured, 1));
  std::vector<std::uint8_t> third(shown[2].picture.size());
  const MutableImageView canvas{third.data(), kSize.width, kSize.height, 3 * kSize.width, PixelFormat::kBgr};
  const PlaneView alpha{shown[2].alpha.data(), kSize.width, kSize.height, kSize.width};
  ASSERT_TRUE((shown[2].facts.hidden ? with_image.Hide(frames[2].image, {}, canvas)
                                     : with_image.Run(frames[2].image, alpha, {}, canvas))
                  .ok());
  EXPECT_PRED_FORMAT2(SamePixels, shown[2].picture, third);
}

TEST(PipelineSynced, AnImageAsTheFirstBackgroundIsSetBeforeStart) {
  const std::vector<Picture> frames = Portraits(1);
  const Picture wall = Portrait(5, {40, 30});
  CompositorOptions image;
  image.background = Background::kImage;
  const auto pipeline = Make(Options(Mode::kSynced, false), kPlain, image);
  Screen screen;
  ASSERT_TRUE(pipeline->Start(Each(frames), screen.sink()).ok());
  EXPECT_EQ(pipeline->Wait().code(), Code::kInvalidArgument) << "there is none to draw";
  ASSERT_TRUE(pipeline->SetImage(wall.image).ok());
  ASSERT_TRUE(pipeline->Start(Each(frames), screen.sink()).ok());
  EXPECT_TRUE(pipeline->Wait().ok());
  EXPECT_EQ(screen.shown().size(), 1u);
}

TEST_P(PipelineInBothModes, BackgroundsMayChangeWhileFramesAreDrawn) {
  const std::vector<Picture> frames = Portraits(1);
  std::array<CompositorOptions, 2> plain;
  for (CompositorOptions& options : plain) options.background = Background::kColour;
  plain[1].colour = {200, 10, 10};
  const auto pipeline = Make(Options(GetParam(), false), kPlain, plain[0]);
  Screen screen;
  std::atomic<bool> enough{false};
  const Pipeline::Source source = [&](Captured* captured) -> Expected<bool> {
    *captured = frames[0].captured();
    return !enough;
  };
  ASSERT_TRUE(pipeline->Start(source, screen.sink()).ok());
  for (std::size_t change = 0; change < 200; ++change) {
    EXPECT_TRUE(pipeline->SetBackground(plain[change % 2]).ok());
    EXPECT_TRUE(pipeline->SetImage(frames[0].image).ok());
  }
  Until([&] { return !screen.shown().empty(); });
  enough = true;
  ASSERT_TRUE(pipeline->Wait().ok());
  Sequential first(kPlain, plain[0]), second(kPlain, plain[1]);
  const Mask mask = first.Segment(frames[0]);
  for (const Shown& shown : screen.shown()) {
    const bool hidden = shown.facts.hidden;
    EXPECT_TRUE(shown.picture == (hidden ? first.Hide(frames[0]) : first.Draw(frames[0], mask)) ||
                shown.picture == (hidden ? second.Hide(frames[0]) : second.Draw(frames[0], mask)));
  }
}

// --- memory --------------------------------------------------------------------------------------

/// What LiteRT allocates itself each time it runs a model.
std::uint64_t AllocationsOfLiteRt() {
  const auto segmenter = Model();
  std::vector<float> input(segmenter->input_size()), output(segmenter->output_size());
  std::uint64_t before = 0;
  for (int run = 0; run < 4; ++run) {
    before = Allocations();
    EXPECT_TRUE(segmenter->Invoke(input.data(), output.data()).ok());
  }
  return Allocations() - before;
}

TEST_P(PipelineInBothModes, AllocatesNothingPerFrameOnceItIsWarm) {
  constexpr std::uint64_t kWarm = 12, kFrames = 40;
  const std::vector<Picture> frames = Portraits(7);
  const std::uint64_t of_litert = AllocationsOfLiteRt();
  for (const bool drop_oldest : {true, false}) {
    PipelineOptions options = Options(GetParam(), drop_oldest);
    options.max_mask_age = 1 << 30;  // after the first mask nothing is hidden
    const auto pipeline = Make(options, {true, true});
    std::uint64_t given = 0, before = 0, after = 0;
    Counters warm, end;
    std::atomic<bool> enough{false};
    const Pipeline::Source source = [&](Captured* captured) -> Expected<bool> {
      if (enough) return false;
      *captured = frames[given++ % frames.size()].captured();
      return true;
    };
    const Pipeline::Sink sink = [&](const Presented&) {
      const Counters now = pipeline->counters();
      if (enough) return Status();
      if (before == 0) {
        if (std::min(now.presented - now.hidden, now.inferred) < kWarm) return Status();
        warm = now;
        before = Allocations();
      } else if (std::min(now.presented - warm.presented, now.inferred - warm.inferred) >= kFrames) {
        after = Allocations();
        end = pipeline->counters();
        enough = true;
      }
      return Status();
    };
    ASSERT_TRUE(pipeline->Start(source, sink).ok());
    ASSERT_TRUE(pipeline->Wait().ok());
    const std::uint64_t inferred = end.inferred - warm.inferred;
    EXPECT_LE(after - before, of_litert * (inferred + 1)) << "one inference may have begun";
  }
}

}  // namespace
}  // namespace segcore
