// SPDX-License-Identifier: Apache-2.0
#include "segbench/session.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string_view>

#include "activate.h"
#include "bundle/device.h"
#include "bundle/files.h"
#include "bundle/model.h"
#include "bundle/runtime.h"
#include "bundle/suite.h"
#include "bundle/writer.h"
#include "litert/library.h"
#include "segbench/memory_pass.h"

namespace segcore::segbench {
namespace {

namespace fs = std::filesystem;
using bundle::Json;

constexpr std::size_t kTimedCases = 16;  // frames the steady phase goes round; they stay in memory
constexpr std::size_t kMemoryFrames = 4;
constexpr double kCap = 10.0;          // a steady phase that takes this many times its planned duration is given up
constexpr double kBlockSeconds = 0.5;  // length of one block: short enough for progress and for a prompt Ctrl-C
constexpr char kTool[] = "segbench";

/// Why a run ends before it is complete: the `error` part of run.json.
struct Failure {
  const char* kind;
  std::string message;
  std::string case_id;
};
using MaybeFailure = std::optional<Failure>;

MaybeFailure FailureOf(const char* kind, const Status& status, const std::string& case_id = "") {
  if (status.ok()) return {};
  return Failure{kind, case_id.empty() ? status.message() : "case " + case_id + ": " + status.message(), case_id};
}

/// The member of an object that is a string; empty where it is none.
std::string Text(const Json& object, const char* key) {
  const Json* member = object.Find(key);
  return member != nullptr && member->string() != nullptr ? *member->string() : std::string();
}

std::int64_t Whole(const Json& object, const char* key) {
  const Json* member = object.Find(key);
  return member != nullptr && member->integer() != nullptr ? *member->integer() : 0;
}

// --- what is run ---------------------------------------------------------------------------------

/// A request with everything it names looked up.
struct Plan {
  Request request;
  bundle::Model model;
  bundle::Suite suite;
};

Expected<Plan> MakePlan(Request request, const Progress& progress) {
  Plan plan;
  SEGCORE_ASSIGN_OR_RETURN(plan.model, bundle::ReadModel(request.model, request.contract));
  SEGCORE_ASSIGN_OR_RETURN(plan.suite, bundle::Suite::Load(request.suite));
  progress("checking the suite", 0, 1);
  SEGCORE_RETURN_IF_ERROR(plan.suite.Verify());
  if (request.label.empty()) {
    const std::string& variant = plan.model.variant;
    request.label = variant.empty() || variant == "fp32" ? kTool : kTool + (":" + variant);
  }
  if (!plan.model.contract.empty()) request.options.contract = plan.model.contract;
  plan.request = std::move(request);
  return plan;
}

Expected<std::unique_ptr<Segmenter>> Load(const Plan& plan) {
  return Segmenter::FromMemory(plan.model.data.data(), plan.model.data.size(), plan.request.options);
}

// --- bundles -------------------------------------------------------------------------------------

struct Lane {
  std::string name;
  bundle::Writer writer;
};

/// Where two runs must agree for one to finish the other: its facts speak for everything in the bundle.
constexpr const char* kIdentity[] = {
    "label",           "request",           "suite.sha256",   "model.sha256",        "model.contract", "runtime.name",
    "runtime.version", "runtime.requested", "device.kind",    "device.model",        "device.cpu",     "device.arch",
    "device.cores",    "device.os",         "build.compiler", "build.configuration", "build.simd",     "tool.version",
};

/// A part of the facts as text, by keys with a dot between them; null where there is none.
std::string Part(const Json& facts, std::string_view path) {
  const Json* part = &facts;
  while (part != nullptr && !path.empty()) {
    const std::size_t dot = std::min(path.find('.'), path.size());
    part = part->Find(path.substr(0, dot));
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return (part != nullptr ? *part : Json()).Dump();
}

/// Keys in which an interrupted run is another one than this; empty where this one may finish it.
std::string Differences(const Json& interrupted, const Json& wanted) {
  std::string keys;
  for (const char* key : kIdentity) {
    if (Part(interrupted, key) != Part(wanted, key)) keys += (keys.empty() ? "" : ", ") + std::string(key);
  }
  return keys;
}

Json InitialFacts(const Plan& plan, const std::string& lane, const std::string& session) {
  const Request& request = plan.request;
  const SegmenterOptions& options = request.options;
  const Profile profile = lane == "image" ? request.profile : Profile{"none", 0, 0.0};
  std::string name = request.label;
  for (char& c : name) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-';
    if (!plain) c = '-';
  }
  return Json::Object{
      {"schema", "run/1"},
      {"run_id", name + "-" + lane + "-" + session},
      {"kind", "suite"},
      {"status", "partial"},
      {"error", nullptr},
      {"label", request.label},
      {"session", Json::Object{{"id", session}, {"arm", request.label}, {"order", 0}}},
      {"started_at", bundle::IsoTime()},
      {"tool", bundle::Tool(kTool)},
      {"suite", plan.suite.Facts()},
      {"model", plan.model.facts},
      {"runtime", bundle::Runtime(options, nullptr)},
      {"device", bundle::DescribeDevice()},
      {"build", bundle::Build()},
      {"lane", lane},
      {"protocol", Json::Object{{"profile", profile.name},
                                {"count", profile.count},
                                {"duration_s", profile.duration},
                                {"parity", true},
                                {"warmup", 0},
                                {"restarts", 1},
                                {"seed", nullptr},
                                {"timer", bundle::Timer()}}},
      {"conditions", Json::Object{}},
      {"timing", Json::Object{}},
      {"memory", Json::Object{}},
      {"request", Json::Object{{"spec", request.label},
                               {"profile", request.profile.name},
                               {"allow_fallback", options.allow_fallback},
                               {"weight_cache", !options.weight_cache.empty()}}},
  };
}

/// What the facts of an interrupted run would be if this one had begun it; LiteRT is loaded only if that one had.
Expected<Json> FactsLike(const Json& interrupted, const Plan& plan) {
  Json facts = InitialFacts(plan, "image", "");
  if (Part(interrupted, "runtime.version") == Json().Dump()) return facts;
  SEGCORE_ASSIGN_OR_RETURN(const litert::Library* library, litert::Load(plan.request.options.litert_library));
  facts["runtime"]["version"] = bundle::RuntimeVersion(library->version);
  return facts;
}

Status InUse(const std::string& folder, const std::string& why) {
  return Status(Code::kInvalidArgument, folder + ": " + why + "; choose another folder with --out");
}

/// The run.json of every bundle in a folder, by the bundle's path.
Expected<std::map<std::string, Json>> ReadBundles(const std::string& folder) {
  std::map<std::string, Json> bundles;
  std::error_code error;
  for (fs::directory_iterator next(folder, error), end; !error && next != end; next.increment(error)) {
    const fs::path path = next->path();
    if (path.extension() != ".run") continue;
    Expected<std::string> text = bundle::ReadFile((path / "run.json").string());
    if (!text.ok() && bundle::Writer::RemoveUnbegun(path.string())) continue;
    if (!text.ok()) return InUse(path.string(), "not a run bundle: it has no run.json; remove it");
    SEGCORE_ASSIGN_OR_RETURN(bundles[path.string()], Json::Parse(*text, (path / "run.json").string()));
  }
  return bundles;
}

/// The bundles of this run: new ones, or those that an interruption left in the folder. `finished` receives what is
/// complete or failed already.
Expected<std::vector<Lane>> OpenBundles(const Plan& plan, std::map<std::string, Json>* finished) {
  const std::string& out = plan.request.out;
  SEGCORE_ASSIGN_OR_RETURN(auto found, ReadBundles(out));
  std::string session = bundle::NewSession();
  const bool resumed = !found.empty();
  if (resumed) {
    const auto cut = std::find_if(found.begin(), found.end(), [](const auto& entry) {
      return !bundle::Writer::IsFinished(entry.first, entry.second);
    });
    if (cut == found.end()) return InUse(out, "holds results already");
    for (const auto& [path, facts] : found) {
      if (bundle::Writer::IsFinished(path, facts)) continue;
      SEGCORE_ASSIGN_OR_RETURN(const Json wanted, FactsLike(facts, plan));
      const std::string others = Differences(facts, wanted);
      if (!others.empty()) {
        return InUse(path, "is an interrupted run of something else, with another " + others +
                               "; finish it with what it was started with");
      }
    }
    const Json* of = cut->second.Find("session");
    session = of != nullptr ? Text(*of, "id") : "";
  }
  std::vector<Lane> lanes;
  for (const std::string& lane : plan.request.lanes) {
    Json facts = InitialFacts(plan, lane, session);
    const std::string folder = (fs::path(out) / (Text(facts, "run_id") + ".run")).string();
    if (const auto earlier = found.find(folder); earlier != found.end()) {
      const std::string status = Text(earlier->second, "status");
      if (status != "partial") {
        (*finished)[folder] = earlier->second;
        if (bundle::Writer::IsFinished(folder, earlier->second)) continue;
        const Json* error = earlier->second.Find("error");  // it was cut between its last facts and its checksums
        SEGCORE_ASSIGN_OR_RETURN(bundle::Writer writer, bundle::Writer::Open(folder, earlier->second));
        SEGCORE_RETURN_IF_ERROR(writer.Finish(status.c_str(), error != nullptr ? *error : Json()));
        continue;
      }
      facts = std::move(earlier->second);
      facts["protocol"]["restarts"] = Whole(facts["protocol"], "restarts") + 1;
    }
    SEGCORE_ASSIGN_OR_RETURN(bundle::Writer writer, bundle::Writer::Open(folder, std::move(facts)));
    lanes.push_back({lane, std::move(writer)});
  }
  return lanes;
}

int Restart(bundle::Writer& writer) { return static_cast<int>(Whole(writer.facts()["protocol"], "restarts")) - 1; }

void SetDefault(Json* object, const char* key, Json value) {
  if (object->Find(key) == nullptr) (*object)[key] = std::move(value);
}

// --- running -------------------------------------------------------------------------------------

/// The whole path of a frame: mask at the model's resolution, alpha at the frame's.
class ImagePath {
 public:
  explicit ImagePath(Segmenter* segmenter) : segmenter_(segmenter) {}

  Status Run(const ImageView& frame, bundle::Sample* sample) {
    alpha_.resize(static_cast<std::size_t>(frame.width) * static_cast<std::size_t>(frame.height));
    const std::int64_t start = bundle::Now();
    SEGCORE_RETURN_IF_ERROR(segmenter_->Run(frame, {}, &mask_));
    const std::int64_t segmented = bundle::Now();
    SEGCORE_RETURN_IF_ERROR(resizer_.Run(mask_, {alpha_.data(), frame.width, frame.height, frame.width}));
    const std::int64_t end = bundle::Now();
    sample->start_ns = start;
    sample->preprocess_ns = mask_.preprocess_ns;
    sample->invoke_ns = mask_.invoke_ns;
    sample->postprocess_ns = mask_.activate_ns + (end - segmented);
    sample->total_ns = end - start;
    return {};
  }

  const Mask& mask() const { return mask_; }

 private:
  Segmenter* segmenter_;
  AlphaResizer resizer_;
  Mask mask_;
  std::vector<std::uint8_t> alpha_;
};

/// The network alone, fed the tensor that the contract makes of a frame.
class TensorPath {
 public:
  explicit TensorPath(Segmenter* segmenter)
      : segmenter_(segmenter), input_(segmenter->input_size()), output_(segmenter->output_size()) {
    const std::vector<int>& shape = segmenter->info().outputs[0].shape;  // [1,] height, width [, channels]
    const std::size_t first = shape.size() == 4 ? 1 : 0;
    height_ = shape[first];
    width_ = shape[first + 1];
    const std::size_t pixels = static_cast<std::size_t>(height_) * static_cast<std::size_t>(width_);
    channels_ = static_cast<int>(output_.size() / pixels);
    probability_.resize(pixels);
    alpha_.resize(pixels);
  }

  Status Run(const ImageView& frame) {
    SEGCORE_RETURN_IF_ERROR(segmenter_->Preprocess(frame, {}, input_.data()));
    SEGCORE_RETURN_IF_ERROR(segmenter_->Invoke(input_.data(), output_.data()));
    return Activate(segmenter_->contract(), output_.data(), probability_.size(), channels_, probability_.data(),
                    alpha_.data());
  }

  const float* probability() const { return probability_.data(); }
  int height() const { return height_; }
  int width() const { return width_; }

 private:
  Segmenter* segmenter_;
  std::vector<float> input_, output_, probability_;
  std::vector<std::uint8_t> alpha_;
  int height_ = 0, width_ = 0, channels_ = 0;
};

/// Runs the lanes of one plan with one loaded model. A function that is interrupted returns without a failure.
class Runner {
 public:
  Runner(const Plan& plan, std::vector<Lane>* lanes, const Progress& progress, const std::function<bool()>& interrupted)
      : plan_(plan), lanes_(*lanes), progress_(progress), interrupted_(interrupted) {}

  MaybeFailure Run(MemoryPass* memory) {
    progress_("loading", 0, 1);
    const std::int64_t start = bundle::Now();
    Expected<std::unique_ptr<Segmenter>> loaded = Load(plan_);
    if (!loaded.ok()) {
      const Code code = loaded.status().code();
      const bool missing = code == Code::kNotFound || code == Code::kUnsupported || code == Code::kInternal;
      return FailureOf(missing ? "runtime" : "model", loaded.status());
    }
    const std::int64_t load_ns = bundle::Now() - start;
    segmenter_ = *std::move(loaded);
    for (Lane& lane : lanes_) {
      RecordLoading(&lane.writer, load_ns);
      const bool timed = &lane == &lanes_.back();  // its bundle stays open for the timing and the memory pass
      MaybeFailure failure = lane.name == "image" ? RunImages(&lane.writer) : RunTensors(&lane.writer);
      if (failure || interrupted_()) return failure;
      if (!timed && (failure = FailureOf("output", lane.writer.Finish("complete")))) return failure;
    }
    bundle::Writer* timed = &lanes_.back().writer;
    MaybeFailure failure = Time(timed);
    if (failure || interrupted_()) return failure;
    progress_("memory pass", 0, 1);
    Expected<Json> peak = memory->Measure();
    if (!peak.ok()) return FailureOf("crash", peak.status());
    timed->facts()["memory"] = *peak;
    return FailureOf("output", timed->Finish("complete"));
  }

 private:
  void RecordLoading(bundle::Writer* writer, std::int64_t load_ns) {
    Json& facts = writer->facts();
    facts["runtime"] = bundle::Runtime(plan_.request.options, &segmenter_->info());
    SetDefault(&facts["timing"], "load_ns", load_ns);
    SetDefault(&facts["conditions"], "before", bundle::Conditions());
  }

  /// One pass over the suite: `work` leaves each case's tensor, unless an earlier, interrupted pass has.
  template <typename Work>
  MaybeFailure ForEachCase(bundle::Writer* writer, const char* activity, const Work& work) {
    if (MaybeFailure failure = FailureOf("output", writer->Save())) return failure;
    const std::vector<bundle::Case>& cases = plan_.suite.cases();
    for (std::size_t i = 0; i < cases.size() && !interrupted_(); ++i) {
      progress_(activity, static_cast<double>(i), static_cast<double>(cases.size()));
      if (writer->Done(cases[i].id)) continue;
      bundle::Pixels pixels;
      if (MaybeFailure failure = FailureOf("suite", plan_.suite.ReadImage(cases[i], &pixels), cases[i].id)) {
        return failure;
      }
      if (MaybeFailure failure = work(cases[i].id, pixels.view)) return failure;
    }
    return {};
  }

  MaybeFailure RunTensors(bundle::Writer* writer) {
    TensorPath path(segmenter_.get());
    return ForEachCase(writer, "tensor lane", [&](const std::string& id, const ImageView& frame) -> MaybeFailure {
      if (MaybeFailure failure = FailureOf("runtime", path.Run(frame), id)) return failure;
      return FailureOf("output", writer->WriteTensor(id, path.probability(), path.height(), path.width()), id);
    });
  }

  MaybeFailure RunImages(bundle::Writer* writer) {
    ImagePath path(segmenter_.get());
    const char* phase = "cold";
    Json& facts = writer->facts();
    return ForEachCase(writer, "image lane", [&](const std::string& id, const ImageView& frame) -> MaybeFailure {
      bundle::Sample sample;
      sample.phase = phase;
      sample.restart = Restart(*writer);
      sample.case_id = id;
      if (MaybeFailure failure = FailureOf("runtime", path.Run(frame, &sample), id)) return failure;
      const Mask& mask = path.mask();
      Status written = writer->WriteTensor(id, mask.probability.data(), mask.size.height, mask.size.width);
      if (written.ok()) written = writer->AddSamples({sample});
      if (*phase == 'w') facts["protocol"]["warmup"] = Whole(facts["protocol"], "warmup") + 1;
      if (*phase == 'c') SetDefault(&facts["timing"], "first_inference_ns", *sample.total_ns);
      phase = "warm";
      return FailureOf("output", written, id);
    });
  }

  /// The first cases' pixels, in memory.
  MaybeFailure ReadFrames(std::size_t count, std::vector<bundle::Pixels>* frames) {
    const std::vector<bundle::Case>& cases = plan_.suite.cases();
    frames->resize(std::min(count, cases.size()));
    for (std::size_t i = 0; i < frames->size(); ++i) {
      MaybeFailure failure = FailureOf("suite", plan_.suite.ReadImage(cases[i], &(*frames)[i]), cases[i].id);
      if (failure) return failure;
    }
    return {};
  }

  /// Blocks of frames until the profile is satisfied or its cap is reached; as harness/measure.py does it.
  MaybeFailure Time(bundle::Writer* writer) {
    const Profile profile = writer == nullptr || lanes_.back().name != "image" ? kProfiles[1] : plan_.request.profile;
    if (profile.count == 0) return {};
    std::vector<bundle::Pixels> frames;
    if (MaybeFailure failure = ReadFrames(kTimedCases, &frames)) return failure;
    const std::vector<bundle::Case>& cases = plan_.suite.cases();
    ImagePath path(segmenter_.get());
    const std::int64_t start = bundle::Now();
    std::size_t number = 0;
    int block_frames = 4;
    for (int block = 0; !interrupted_(); ++block) {
      const std::int64_t began = bundle::Now();
      std::vector<bundle::Sample> samples(static_cast<std::size_t>(block_frames));
      for (bundle::Sample& sample : samples) {
        const std::size_t which = number++ % frames.size();
        sample.phase = "steady";
        sample.restart = Restart(*writer);
        sample.block = block;
        sample.case_id = cases[which].id;
        MaybeFailure failure = FailureOf("runtime", path.Run(frames[which].view, &sample), cases[which].id);
        if (failure) return failure;
      }
      const std::int64_t ended = bundle::Now();
      if (block == 0) {  // no times without what they were taken in, even if it is killed now
        Json told = bundle::Conditions();
        told["restart"] = Restart(*writer);
        writer->facts()["conditions"]["during"].Append(std::move(told));
        if (MaybeFailure failure = FailureOf("output", writer->Save())) return failure;
      }
      if (MaybeFailure failure = FailureOf("output", writer->AddSamples(samples))) return failure;
      const double elapsed = static_cast<double>(ended - start) / 1e9;
      progress_("timing", std::min(elapsed, profile.duration), profile.duration);
      const bool satisfied = number >= static_cast<std::size_t>(profile.count) && elapsed >= profile.duration;
      if (satisfied || elapsed >= kCap * std::max(profile.duration, 1.0)) break;
      const double per_frame = static_cast<double>(ended - began) / 1e9 / block_frames;
      block_frames = static_cast<int>(std::clamp(std::round(kBlockSeconds / std::max(per_frame, 1e-6)), 1.0, 1024.0));
    }
    writer->facts()["conditions"]["after"] = bundle::Conditions();
    return {};
  }

  const Plan& plan_;
  std::vector<Lane>& lanes_;
  const Progress& progress_;
  const std::function<bool()>& interrupted_;
  std::unique_ptr<Segmenter> segmenter_;
};

/// What the memory pass does in its own process.
Status DrawAFew(const Plan& plan) {
  SEGCORE_ASSIGN_OR_RETURN(auto segmenter, Load(plan));
  ImagePath path(segmenter.get());
  const std::vector<bundle::Case>& cases = plan.suite.cases();
  for (std::size_t i = 0; i < kMemoryFrames; ++i) {
    bundle::Pixels pixels;
    bundle::Sample sample;
    SEGCORE_RETURN_IF_ERROR(plan.suite.ReadImage(cases[i % cases.size()], &pixels));
    SEGCORE_RETURN_IF_ERROR(path.Run(pixels.view, &sample));
  }
  return {};
}

Json Row(const std::string& folder, const Json& facts) {
  const Json* error = facts.Find("error");
  return Json::Object{{"label", Text(facts, "label")},
                      {"lane", Text(facts, "lane")},
                      {"status", Text(facts, "status")},
                      {"error", error != nullptr ? *error : Json()},
                      {"bundle", folder}};
}

}  // namespace

Expected<Outcome> Run(Request request, const Progress& progress, const std::function<bool()>& interrupted) {
  SEGCORE_ASSIGN_OR_RETURN(const Plan plan, MakePlan(std::move(request), progress));
  std::map<std::string, Json> finished;
  SEGCORE_ASSIGN_OR_RETURN(std::vector<Lane> lanes, OpenBundles(plan, &finished));
  MaybeFailure failure = FailureOf("model", plan.model.damage);
  if (!failure && !lanes.empty()) {
    SEGCORE_ASSIGN_OR_RETURN(MemoryPass memory, MemoryPass::Prepare([&plan] { return DrawAFew(plan); }));
    failure = Runner(plan, &lanes, progress, interrupted).Run(&memory);
  }
  Outcome rows{Json::Array()};
  for (const auto& [folder, facts] : finished) rows.Append(Row(folder, facts));
  for (Lane& lane : lanes) {
    if (failure && Text(lane.writer.facts(), "status") == "partial") {
      const Json error = Json::Object{{"kind", failure->kind},
                                      {"message", failure->message},
                                      {"case", failure->case_id.empty() ? Json() : Json(failure->case_id)}};
      SEGCORE_RETURN_IF_ERROR(lane.writer.Finish("failed", error));
    }
    rows.Append(Row(lane.writer.folder(), lane.writer.facts()));
  }
  return rows;
}

}  // namespace segcore::segbench
