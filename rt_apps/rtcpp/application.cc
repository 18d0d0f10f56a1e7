// SPDX-License-Identifier: Apache-2.0
#include "application.h"

#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "bundle/device.h"
#include "bundle/model.h"
#include "bundle/runtime.h"
#include "mailbox.h"

namespace segcore::rtcpp {
namespace {

using bundle::Json;
using std::chrono::milliseconds;

constexpr milliseconds kPatience(20);  // for a picture, before the keyboard is asked again
constexpr double kUsualRate = 30.0;    // of the recording of a camera

const char* Name(Mode mode) { return mode == Mode::kSynced ? "synced" : "low_latency"; }

const char* Name(Background background) {
  static constexpr const char* kNames[] = {"none", "blur", "colour", "image"};
  return kNames[static_cast<int>(background)];
}

ImageView View(const cv::Mat& bgr) {
  return {bgr.data, bgr.cols, bgr.rows, static_cast<std::ptrdiff_t>(bgr.step), PixelFormat::kBgr};
}

// --- the capture thread's side --------------------------------------------------------------------

/// Plays a source at its rate, for the pipeline's capture thread.
class Player {
 public:
  /// `loop`: a file starts over when it ends.
  Player(std::unique_ptr<Source> source, bool paced, bool loop, std::uint64_t frames)
      : source_(std::move(source)),
        interval_ns_(paced && source_->rate() > 0 ? 1e9 / source_->rate() : 0),
        loop_(loop),
        frames_(frames) {}

  const Source& source() const { return *source_; }

  bool Next(Captured* captured) {
    if (frames_ != 0 && captured_ == frames_) return false;
    const Expected<bool> read = Read();
    if (!read.ok()) broke_off_ = read.status();
    if (!read.ok() || !read.value()) return false;
    const std::int64_t now = bundle::Now();
    if (first_ns_ == 0) first_ns_ = now;
    if (!WaitUntil(Due(captured_), now)) return false;
    captured->image = View(picture_);
    captured->captured_ns = bundle::Now();
    ++captured_;
    return true;
  }

  /// Why the source broke off, if it did: to the pipeline that is an end, so that what was captured is drawn. Read it
  /// when the pipeline has ended.
  Status broke_off() const { return broke_off_; }

  /// Ends a wait for the next frame; Next() gives none any more.
  void Stop() {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }
  void Resume() {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = false;
  }

  /// When a frame should come; the beginning where there is no rate.
  std::int64_t Due(std::uint64_t number) const {
    return first_ns_ + std::llround(static_cast<double>(number) * interval_ns_);
  }
  bool has_rate() const { return interval_ns_ > 0; }

 private:
  Expected<bool> Read() {
    try {
      Expected<bool> read = source_->Read(&picture_);
      if (read.ok() && !*read && loop_ && source_->Rewind()) read = source_->Read(&picture_);
      if (!read.ok() || !*read || (!picture_.empty() && picture_.type() == CV_8UC3)) return read;
    } catch (const cv::Exception& error) {
      return Status(Code::kRuntime, source_->name() + ": " + error.err);
    }
    return Status(Code::kRuntime, source_->name() + ": it gave a damaged picture");
  }

  bool WaitUntil(std::int64_t due_ns, std::int64_t now_ns) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait_for(lock, std::chrono::nanoseconds(has_rate() ? due_ns - now_ns : 0), [&] { return stopped_; });
    return !stopped_;
  }

  std::unique_ptr<Source> source_;
  const double interval_ns_;
  const bool loop_;
  const std::uint64_t frames_;
  cv::Mat picture_;
  Status broke_off_;
  std::uint64_t captured_ = 0;
  std::atomic<std::int64_t> first_ns_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
};

/// A pipeline that runs, and its end of the mailbox.
class Running {
 public:
  Running(std::unique_ptr<Pipeline> pipeline, Player* player) : pipeline_(std::move(pipeline)), player_(player) {}
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() { Stop(); }

  Status Start() {
    player_->Resume();
    SEGCORE_RETURN_IF_ERROR(pipeline_->Start([this](Captured* captured) { return player_->Next(captured); },
                                             [this](const Presented& presented) {
                                               mailbox.Offer(presented);
                                               return Status();
                                             }));
    waiter_ = std::thread([this] { mailbox.End(pipeline_->Wait()); });
    return {};
  }

  void Stop() {
    if (!waiter_.joinable()) return;
    mailbox.Close();
    player_->Stop();
    if (Status status = pipeline_->Stop(); !status.ok()) mailbox.End(std::move(status));
    waiter_.join();
  }

  Pipeline& pipeline() { return *pipeline_; }

  Mailbox mailbox;

 private:
  std::unique_ptr<Pipeline> pipeline_;
  Player* player_;
  std::thread waiter_;
};

// --- the main thread's side -----------------------------------------------------------------------

class Application {
 public:
  Application(std::unique_ptr<Source> source, const Settings& settings, Window* window,
              const std::function<bool()>& interrupted)
      : settings_(settings),
        window_(window),
        interrupted_(interrupted),
        compositor_(settings.compositor),
        mode_(settings.mode),
        player_(std::move(source), settings.paced, window != nullptr && settings.frames == 0, settings.frames) {}

  Expected<Result> Run() {
    SEGCORE_ASSIGN_OR_RETURN(model_, bundle::ReadModel(settings_.model, settings_.contract));
    SEGCORE_RETURN_IF_ERROR(model_.damage);
    SEGCORE_RETURN_IF_ERROR(Prepare());
    Result result;
    result.ended = Loop();
    running_->Stop();
    for (const Status& status : {running_->mailbox.status(), player_.broke_off()}) {
      if (result.ended.ok()) result.ended = status;
    }
    AddCounters();
    totals_.dropped = totals_.captured - totals_.presented;
    if (Status kept = Keep(result.ended); result.ended.ok()) result.ended = kept;
    result.totals = totals_;
    result.facts = Facts();
    return result;
  }

 private:
  /// The model loaded, the pipeline started, the files begun.
  Status Prepare() {
    SEGCORE_ASSIGN_OR_RETURN(auto segmenter, LoadModel());
    if (!settings_.record.empty()) {
      const double rate = player_.source().rate();
      SEGCORE_ASSIGN_OR_RETURN(recorder_, VideoRecorder::Create(settings_.record, rate > 0 ? rate : kUsualRate));
    }
    if (!settings_.report.empty()) {
      SEGCORE_ASSIGN_OR_RETURN(Json facts, InitialFacts(segmenter->info()));
      SEGCORE_ASSIGN_OR_RETURN(bundle_, LiveBundle::Create(settings_.report, std::move(facts)));
    }
    return StartPipeline(std::move(segmenter));
  }

  Expected<std::unique_ptr<Segmenter>> LoadModel() {
    SegmenterOptions options = settings_.segmenter;
    options.contract = model_.contract;
    const std::int64_t start = bundle::Now();
    auto loading = Segmenter::FromMemory(model_.data.data(), model_.data.size(), options);
    // What is missing is the library: no other command line mends that.
    if (loading.status().code() == Code::kNotFound) return Status(Code::kUnsupported, loading.status().message());
    SEGCORE_ASSIGN_OR_RETURN(auto segmenter, std::move(loading));
    const std::int64_t loaded = bundle::Now();
    // The first inference takes longer than all others: a black frame has it before the first picture.
    const cv::Mat black =
        cv::Mat::zeros(segmenter->contract().input_height, segmenter->contract().input_width, CV_8UC3);
    Mask mask;
    SEGCORE_RETURN_IF_ERROR(segmenter->Run(View(black), {}, &mask));
    load_ns_ = loaded - start;
    first_ns_ = bundle::Now() - loaded;
    return segmenter;
  }

  Status StartPipeline(std::unique_ptr<Segmenter> segmenter) {
    PipelineOptions options;
    options.mode = mode_;
    options.drop_oldest = settings_.paced;
    SEGCORE_ASSIGN_OR_RETURN(auto pipeline,
                             Pipeline::Create(std::move(segmenter), settings_.refiner, compositor_, options));
    if (!settings_.image.empty()) SEGCORE_RETURN_IF_ERROR(pipeline->SetImage(View(settings_.image)));
    running_ = std::make_unique<Running>(std::move(pipeline), &player_);
    next_ = 0;
    return running_->Start();
  }

  Status Loop() {
    while (!quit_ && !interrupted_()) {
      if (const Presented* presented = running_->mailbox.Take(kPatience)) {
        const Status status = Present(*presented);
        running_->mailbox.Done();
        SEGCORE_RETURN_IF_ERROR(status);
      } else if (running_->mailbox.ended()) {
        return running_->mailbox.status();
      } else if (window_ != nullptr) {
        SEGCORE_RETURN_IF_ERROR(Obey(window_->Key(), nullptr));
      }
      if (mode_ != running_mode_) SEGCORE_RETURN_IF_ERROR(Restart());
    }
    return {};
  }

  Status Present(const Presented& presented) {
    const MutableImageView& view = presented.picture;
    const cv::Mat picture(view.height, view.width, CV_8UC3, view.data, static_cast<std::size_t>(view.stride));
    const std::uint64_t dropped = presented.sequence - next_;
    next_ = presented.sequence + 1;
    dropped_ += dropped;
    int key = 0;
    if (window_ != nullptr) {
      const std::string state =
          std::string(mode_ == Mode::kSynced ? "synced" : "low-latency") + "  " + Name(compositor_.background);
      const cv::Mat& shown = show_mask_ ? MaskPicture(presented, picture.size()) : picture;
      window_->Show(overlay_.Over(shown, presented, running_->pipeline().counters(), dropped_, state));
      key = window_->Key();
    }
    const std::int64_t now = bundle::Now();
    if (first_captured_ns_ == 0) first_captured_ns_ = player_.Due(0);
    totals_.wall_ns = now - std::min(first_captured_ns_, presented.captured_ns);
    if (bundle_ != nullptr) bundle_->Add(ToSample(presented, now, dropped));
    if (recorder_ != nullptr) SEGCORE_RETURN_IF_ERROR(recorder_->Add(picture));
    if (!settings_.snapshot.empty()) picture.copyTo(last_);
    if (snapshot_wanted_) SEGCORE_RETURN_IF_ERROR(TakeSnapshot(picture));
    return Obey(key, &picture);
  }

  bundle::Sample ToSample(const Presented& presented, std::int64_t now, std::uint64_t dropped) const {
    bundle::Sample sample;
    sample.phase = settings_.paced ? "paced" : "steady";
    if (!cases_.empty()) sample.case_id = cases_[presented.sequence % cases_.size()];
    if (player_.has_rate()) sample.due_ns = player_.Due(presented.sequence);
    sample.start_ns = presented.captured_ns;
    if (!presented.hidden) {
      sample.preprocess_ns = presented.preprocess_ns;
      sample.invoke_ns = presented.invoke_ns;
      sample.postprocess_ns = presented.postprocess_ns;
      sample.refine_ns = presented.refine_ns;
      sample.mask_age = presented.mask_age;
    }
    sample.composite_ns = presented.composite_ns;
    sample.total_ns = now - presented.captured_ns;
    sample.presented_ns = now;
    sample.dropped = static_cast<std::int64_t>(dropped);
    return sample;
  }

  /// The mask as a grey picture; black where there is none.
  const cv::Mat& MaskPicture(const Presented& presented, cv::Size size) {
    mask_picture_.create(size, CV_8UC3);
    mask_picture_.setTo(cv::Scalar::all(0));
    const PlaneView& alpha = presented.alpha;
    for (int y = 0; !presented.hidden && y < size.height; ++y) {
      const std::uint8_t* row = alpha.data + alpha.stride * y;
      for (int x = 0; x < size.width; ++x) mask_picture_.at<cv::Vec3b>(y, x) = cv::Vec3b::all(row[x]);
    }
    return mask_picture_;
  }

  /// Does what a key asks for; `picture` is the one on the screen, where it is at hand.
  Status Obey(int key, const cv::Mat* picture) {
    switch (key) {
      case 'q':
      case kEscape:
        quit_ = true;
        return {};
      case 'b':
        return SetBackground(Background::kBlur);
      case 'c':
        return SetBackground(Background::kColour);
      case 'n':
        return SetBackground(Background::kNone);
      case 'i':
        return settings_.image.empty() ? Status() : SetBackground(Background::kImage);
      case '+':
      case '-':
        compositor_.blur_permille = std::clamp(compositor_.blur_permille + (key == '+' ? 5 : -5), 5, 200);
        return SetBackground(Background::kBlur);
      case 'l':
        // What is being measured stays what it is.
        if (bundle_ == nullptr) mode_ = mode_ == Mode::kSynced ? Mode::kLowLatency : Mode::kSynced;
        return {};
      case 'm':
        show_mask_ = !show_mask_;
        return {};
      case 'h':
        overlay_.Next();
        return {};
      case 's':
        if (picture != nullptr) return TakeSnapshot(*picture);
        snapshot_wanted_ = true;
        return {};
      case ' ':
        Pause();
        return {};
      default:
        return {};
    }
  }

  Status SetBackground(Background background) {
    compositor_.background = background;
    return running_->pipeline().SetBackground(compositor_);
  }

  Status TakeSnapshot(const cv::Mat& picture) {
    snapshot_wanted_ = false;
    char name[64];
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    localtime_r(&now, &parts);
    std::strftime(name, sizeof name, "rtcpp-%Y%m%d-%H%M%S.png", &parts);
    return WriteSnapshot(name, picture);
  }

  /// The picture stands still; the source goes on, and what it gives meanwhile is dropped.
  void Pause() {
    int key = 0;
    while (key != ' ' && key != 'q' && key != kEscape && !interrupted_()) key = window_->Key(20);
    quit_ = key != ' ';
  }

  /// Another mode needs another pipeline.
  Status Restart() {
    running_->Stop();
    AddCounters();
    SEGCORE_RETURN_IF_ERROR(running_->mailbox.status());
    SEGCORE_ASSIGN_OR_RETURN(auto segmenter, LoadModel());
    running_mode_ = mode_;
    return StartPipeline(std::move(segmenter));
  }

  void AddCounters() {
    const Counters counters = running_->pipeline().counters();
    totals_.captured += counters.captured;
    totals_.inferred += counters.inferred;
    totals_.presented += counters.presented;
    totals_.hidden += counters.hidden;
  }

  /// Whatever ended the run, the files are finished.
  Status Keep(const Status& ended) {
    Status first;
    const auto note = [&](Status status) {
      if (first.ok()) first = std::move(status);
    };
    if (recorder_ != nullptr) note(recorder_->Close());
    if (!last_.empty()) note(WriteSnapshot(settings_.snapshot, last_));
    if (bundle_ != nullptr) note(bundle_->Finish(totals_, ended));
    return first;
  }

  Expected<Json> InitialFacts(const ModelInfo& info) {
    const Source& source = player_.source();
    SEGCORE_ASSIGN_OR_RETURN(const Json suite, source.SuiteFacts());
    if (const Json* cases = suite.Find("cases")) {
      for (const Json& entry : *cases->array()) cases_.push_back(*entry.Find("id")->string());
    }
    const std::string session = bundle::NewSession(), mode = Name(mode_);
    return Json(Json::Object{
        {"schema", "run/1"},
        {"run_id", std::string("rtcpp-") + (mode_ == Mode::kSynced ? "synced-" : "low-latency-") + session},
        {"kind", "live"},
        {"status", "partial"},
        {"error", nullptr},
        {"label", "rtcpp:" + mode},
        {"session", Json::Object{{"id", session}, {"arm", "rtcpp"}, {"order", 0}}},
        {"started_at", bundle::IsoTime()},
        {"tool", bundle::Tool("rtcpp")},
        {"suite", suite},
        {"model", model_.facts},
        {"runtime", bundle::Runtime(settings_.segmenter, &info)},
        {"device", bundle::DescribeDevice()},
        {"build", bundle::Build()},
        {"lane", "image"},
        {"protocol", Json::Object{{"profile", "none"}, {"count", 0}, {"duration_s", 0.0}, {"timer", bundle::Timer()}}},
        {"conditions", Json::Object{{"before", bundle::Conditions()}}},
        {"timing", Json::Object{{"load_ns", load_ns_}, {"first_inference_ns", first_ns_}}},
        {"memory", Json::Object{}},
        {"request", Json::Object{{"spec", "rtcpp"}}},
        {"live", Json::Object{{"mode", mode},
                              {"background", Name(compositor_.background)},
                              {"source", source.name()},
                              {"paced_fps", player_.has_rate() ? Json(source.rate()) : Json()},
                              {"captured", 0},
                              {"inferred", 0},
                              {"presented", 0},
                              {"dropped", 0},
                              {"hidden", 0},
                              {"wall_ns", 0}}},
    });
  }

  Json Facts() const {
    const double seconds = static_cast<double>(totals_.wall_ns) / 1e9;
    const auto rate = [&](std::uint64_t count) {
      return seconds > 0 ? Json(std::round(static_cast<double>(count) / seconds * 100) / 100) : Json();
    };
    return Json::Object{{"mode", Name(settings_.mode)},
                        {"background", Name(settings_.compositor.background)},
                        {"source", player_.source().name()},
                        {"captured", totals_.captured},
                        {"inferred", totals_.inferred},
                        {"presented", totals_.presented},
                        {"dropped", totals_.dropped},
                        {"hidden", totals_.hidden},
                        {"seconds", std::round(seconds * 1000) / 1000},
                        {"captured_fps", rate(totals_.captured)},
                        {"inferred_fps", rate(totals_.inferred)},
                        {"presented_fps", rate(totals_.presented)},
                        {"bundle", bundle_ != nullptr ? Json(bundle_->path()) : Json()}};
  }

  const Settings& settings_;
  Window* window_;
  const std::function<bool()>& interrupted_;
  CompositorOptions compositor_;  // as the keys have left it
  Mode mode_;
  Mode running_mode_ = mode_;
  Player player_;
  bundle::Model model_;
  std::int64_t load_ns_ = 0, first_ns_ = 0;
  std::vector<std::string> cases_;

  std::unique_ptr<VideoRecorder> recorder_;
  std::unique_ptr<LiveBundle> bundle_;
  std::unique_ptr<Running> running_;
  Overlay overlay_;
  cv::Mat last_, mask_picture_;
  Totals totals_;
  std::int64_t first_captured_ns_ = 0;
  std::uint64_t next_ = 0, dropped_ = 0;
  bool quit_ = false, show_mask_ = false, snapshot_wanted_ = false;
};

}  // namespace

Expected<Result> Run(std::unique_ptr<Source> source, const Settings& settings, Window* window,
                     const std::function<bool()>& interrupted) {
  return Application(std::move(source), settings, window, interrupted).Run();
}

}  // namespace segcore::rtcpp
