// SPDX-License-Identifier: Apache-2.0
// The application on a source that does what cameras do to programs: it stalls, is unplugged, changes its size, and
// gives damaged pictures.
#include "application.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <opencv2/imgcodecs.hpp>
#include <utility>

#include "bundle/files.h"

namespace segcore::rtcpp {
namespace {

namespace fs = std::filesystem;
using bundle::Json;

/// Grey pictures, with a fault at one of them.
class FaultySource : public Source {
 public:
  enum Fault { kNone, kUnplugged, kThrows, kSizeChange, kEmpty, kGrey, kStall };

  FaultySource(int frames, Fault fault, int at) : frames_(frames), fault_(fault), at_(at) {}

  std::string name() const override { return "camera:7"; }
  double rate() const override { return 0; }
  Expected<Json> SuiteFacts() const override {
    return Json(Json::Object{{"id", name()}, {"sha256", nullptr}, {"cases", Json::Array{}}});
  }

  Expected<bool> Read(cv::Mat* picture) override {
    if (next_ == frames_) return false;
    const bool now = next_++ == at_;
    *picture = cv::Mat(120, 160, CV_8UC3, cv::Scalar::all(next_ % 200));
    if (now && fault_ == kUnplugged) return Status(Code::kRuntime, "camera:7: was it unplugged?");
    if (now && fault_ == kThrows) CV_Error(cv::Error::StsError, "the driver went away");
    if (now && fault_ == kEmpty) *picture = cv::Mat();
    if (now && fault_ == kGrey) *picture = cv::Mat(120, 160, CV_8UC1, cv::Scalar(0));
    if (now && fault_ == kStall) go_on.get_future().wait();
    if (next_ > at_ && fault_ == kSizeChange) *picture = cv::Mat(90, 200, CV_8UC3, cv::Scalar::all(9));
    return true;
  }
  bool Rewind() override { return false; }

  std::promise<void> go_on;  ///< ends the stall

 private:
  int frames_;
  Fault fault_;
  int at_, next_ = 0;
};

class ApplicationTest : public ::testing::Test {
 protected:
  ApplicationTest() {
    folder_ = fs::temp_directory_path() / ("rtcpp-" + std::to_string(getpid()) + "-" +
                                           ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
    settings_.model = SEGCORE_MODELS "/model.fp32.tflite";
    settings_.paced = false;
    settings_.report = folder_.string();
  }
  ~ApplicationTest() override { fs::remove_all(folder_); }

  Result Play(int frames, FaultySource::Fault fault, int at = 5) {
    auto result =
        rtcpp::Run(std::make_unique<FaultySource>(frames, fault, at), settings_, nullptr, [] { return false; });
    EXPECT_TRUE(result.ok()) << result.status().message();
    return result.ok() ? *std::move(result) : Result{};
  }

  /// run.json of the one bundle there is.
  Json Facts() {
    for (const auto& entry : fs::directory_iterator(folder_)) {
      if (entry.path().extension() != ".run") continue;
      auto text = bundle::ReadFile((entry.path() / "run.json").string());
      EXPECT_TRUE(text.ok());
      return *Json::Parse(*text, "run.json");
    }
    ADD_FAILURE() << "no bundle";
    return {};
  }

  fs::path folder_;
  Settings settings_;
};

TEST_F(ApplicationTest, EveryFrameOfAnUnpacedSourceIsShown) {
  const Result result = Play(12, FaultySource::kNone);

  EXPECT_TRUE(result.ended.ok()) << result.ended.message();
  EXPECT_EQ(result.totals.captured, 12u);
  EXPECT_EQ(result.totals.inferred, 12u);
  EXPECT_EQ(result.totals.presented, 12u);
  EXPECT_EQ(result.totals.dropped, 0u);
  EXPECT_EQ(*Facts().Find("status")->string(), "complete");
}

TEST_F(ApplicationTest, ItEndsAfterTheFramesAskedFor) {
  settings_.frames = 4;

  EXPECT_EQ(Play(12, FaultySource::kNone).totals.presented, 4u);
}

TEST_F(ApplicationTest, AnUnpluggedCameraIsNamedAndWhatThereWasIsKept) {
  for (const auto& [fault, words] :
       {std::pair(FaultySource::kUnplugged, "unplugged"), std::pair(FaultySource::kThrows, "the driver went away"),
        std::pair(FaultySource::kEmpty, "damaged picture"), std::pair(FaultySource::kGrey, "damaged picture")}) {
    fs::remove_all(folder_);
    settings_.snapshot = (folder_ / "last.png").string();
    const Result result = Play(12, fault);

    EXPECT_NE(result.ended.message().find(words), std::string::npos) << result.ended.message();
    EXPECT_EQ(result.totals.presented, 5u);
    const Json facts = Facts();
    EXPECT_EQ(*facts.Find("status")->string(), "failed");
    EXPECT_NE(facts.Find("error")->Find("message")->string()->find(words), std::string::npos);
    EXPECT_EQ(*facts.Find("live")->Find("captured")->integer(), 5);
    EXPECT_TRUE(fs::exists(settings_.snapshot));
  }
}

TEST_F(ApplicationTest, PicturesMayChangeTheirSize) {
  for (const Mode mode : {Mode::kSynced, Mode::kLowLatency}) {
    fs::remove_all(folder_);
    settings_.mode = mode;
    settings_.snapshot = (folder_ / "last.png").string();
    const Result result = Play(12, FaultySource::kSizeChange);

    EXPECT_TRUE(result.ended.ok()) << result.ended.message();
    EXPECT_EQ(result.totals.presented, 12u);
    EXPECT_EQ(cv::imread(settings_.snapshot).size(), cv::Size(200, 90));
  }
}

TEST_F(ApplicationTest, ItGoesOnAfterAStall) {
  auto source = std::make_unique<FaultySource>(12, FaultySource::kStall, 5);
  std::promise<void>* go_on = &source->go_on;
  int asked = 0;
  const auto result = rtcpp::Run(std::move(source), settings_, nullptr, [&] {
    if (++asked == 8) go_on->set_value();  // five pictures, and three times none came
    return false;
  });

  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result.value().totals.presented, 12u);
}

TEST_F(ApplicationTest, ItEndsWhenItIsInterrupted) {
  int asked = 0;
  const auto result = rtcpp::Run(std::make_unique<FaultySource>(1000000, FaultySource::kNone, 0), settings_, nullptr,
                                 [&] { return ++asked > 5; });

  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_TRUE(result.value().ended.ok()) << result.value().ended.message();
  EXPECT_EQ(*Facts().Find("status")->string(), "complete");
}

TEST_F(ApplicationTest, ARecordingThatCannotBeWrittenIsRefusedBeforeAnythingRuns) {
  for (const char* file : {"/nowhere/at/all.mp4", "video.mkv"}) {
    settings_.record = file;
    const auto result =
        rtcpp::Run(std::make_unique<FaultySource>(3, FaultySource::kNone, 0), settings_, nullptr, [] { return false; });
    EXPECT_NE(result.status().message().find(file), std::string::npos);
  }
  EXPECT_TRUE(fs::is_empty(folder_));
}

}  // namespace
}  // namespace segcore::rtcpp
