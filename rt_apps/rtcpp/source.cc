// SPDX-License-Identifier: Apache-2.0
#include "source.h"

#include <filesystem>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>
#include <utility>

#include "bundle/files.h"
#include "bundle/suite.h"

namespace segcore::rtcpp {
namespace {

using bundle::Json;

constexpr double kUsualRate = 30.0;  // frames per second of a file that does not tell
constexpr double kMaxRate = 1000.0;
// Share of the frames a video promises that make it whole: what containers promise is not exact.
constexpr double kWhole = 0.95;

Status Unusable(const std::string& message) { return Status(Code::kNotFound, message); }
Status Lost(const std::string& message) { return Status(Code::kRuntime, message); }

/// Cameras and files raise what their drivers and decoders happen to raise.
bool ReadPicture(cv::VideoCapture* capture, cv::Mat* picture) {
  try {
    return capture->read(*picture) && !picture->empty() && picture->type() == CV_8UC3;
  } catch (const cv::Exception&) {
    return false;
  }
}

class Camera : public Source {
 public:
  Camera(int index, cv::VideoCapture capture) : index_(index), capture_(std::move(capture)) {}

  std::string name() const override { return "camera:" + std::to_string(index_); }
  double rate() const override { return 0; }
  Expected<Json> SuiteFacts() const override {
    return Json(Json::Object{{"id", name()}, {"sha256", nullptr}, {"cases", Json::Array{}}});
  }

  Expected<bool> Read(cv::Mat* picture) override {
    if (ReadPicture(&capture_, picture)) return true;
    return Lost(name() + ": it gives no pictures any more; was it unplugged?");
  }
  bool Rewind() override { return false; }

 private:
  int index_;
  cv::VideoCapture capture_;
};

class Video : public Source {
 public:
  Video(std::string path, double rate, cv::VideoCapture capture, cv::Mat first)
      : path_(std::move(path)),
        rate_(rate),
        capture_(std::move(capture)),
        first_(std::move(first)),
        promised_(capture_.get(cv::CAP_PROP_FRAME_COUNT)) {}

  std::string name() const override { return "video:" + std::filesystem::path(path_).filename().string(); }
  double rate() const override { return rate_; }
  Expected<Json> SuiteFacts() const override {
    SEGCORE_ASSIGN_OR_RETURN(const std::string hash, bundle::HashFile(path_));
    return Json(Json::Object{{"id", name()}, {"sha256", hash}, {"cases", Json::Array{}}});
  }

  Expected<bool> Read(cv::Mat* picture) override {
    *picture = std::exchange(first_, cv::Mat());
    if (!picture->empty() || ReadPicture(&capture_, picture)) {
      ++frames_;
      return true;
    }
    if (frames_ >= kWhole * promised_) return false;
    return Lost(path_ + ": damaged: it breaks off after " + std::to_string(frames_) + " of " +
                std::to_string(static_cast<long>(promised_)) + " frames");
  }

  bool Rewind() override {
    frames_ = 0;
    return capture_.set(cv::CAP_PROP_POS_FRAMES, 0);
  }

 private:
  std::string path_;
  double rate_;
  cv::VideoCapture capture_;
  cv::Mat first_;  // read when it was opened
  double promised_;
  long frames_ = 0;
};

class MotionSuite : public Source {
 public:
  MotionSuite(bundle::Suite suite, double rate) : suite_(std::move(suite)), rate_(rate) {}

  std::string name() const override { return "suite:" + suite_.id(); }
  double rate() const override { return rate_; }
  Expected<Json> SuiteFacts() const override { return suite_.Facts(); }

  Expected<bool> Read(cv::Mat* picture) override {
    if (next_ == suite_.cases().size()) return false;
    bundle::Pixels pixels;
    SEGCORE_RETURN_IF_ERROR(suite_.ReadImage(suite_.cases()[next_++], &pixels));
    const ImageView& view = pixels.view;
    const cv::Mat rgb(view.height, view.width, CV_8UC3, const_cast<std::uint8_t*>(view.data),
                      static_cast<std::size_t>(view.stride));
    cv::cvtColor(rgb, *picture, cv::COLOR_RGB2BGR);
    return true;
  }

  bool Rewind() override {
    next_ = 0;
    return true;
  }

 private:
  bundle::Suite suite_;
  double rate_;
  std::size_t next_ = 0;
};

class Turned : public Source {
 public:
  Turned(std::unique_ptr<Source> inner, int rotation, bool mirror)
      : inner_(std::move(inner)), rotation_(rotation), mirror_(mirror) {}

  std::string name() const override { return inner_->name(); }
  double rate() const override { return inner_->rate(); }
  Expected<Json> SuiteFacts() const override { return inner_->SuiteFacts(); }

  Expected<bool> Read(cv::Mat* picture) override {
    Expected<bool> read = inner_->Read(&stored_);
    if (!read.ok() || !*read) return read;
    cv::Mat* upright = mirror_ ? &upright_ : picture;
    static constexpr int kTurns[] = {cv::ROTATE_90_CLOCKWISE, cv::ROTATE_180, cv::ROTATE_90_COUNTERCLOCKWISE};
    if (rotation_ == 0) {
      *upright = stored_;
    } else {
      cv::rotate(stored_, *upright, kTurns[rotation_ / 90 - 1]);
    }
    if (mirror_) cv::flip(*upright, *picture, 1);
    return true;
  }

  bool Rewind() override { return inner_->Rewind(); }

 private:
  std::unique_ptr<Source> inner_;
  int rotation_;
  bool mirror_;
  cv::Mat stored_, upright_;
};

}  // namespace

Expected<std::unique_ptr<Source>> OpenCamera(int index, std::optional<double> rate) {
  cv::VideoCapture capture;
  try {
    capture.open(index);
  } catch (const cv::Exception&) {
  }
  if (!capture.isOpened()) {
    return Unusable("camera " + std::to_string(index) +
                    ": there is none, or another program has it; play a file with --video or --suite");
  }
  if (rate.value_or(0) > 0) capture.set(cv::CAP_PROP_FPS, *rate);
  return std::unique_ptr<Source>(std::make_unique<Camera>(index, std::move(capture)));
}

Expected<std::unique_ptr<Source>> OpenVideo(const std::string& path, std::optional<double> rate) {
  if (Expected<std::string> hash = bundle::HashFile(path); !hash.ok()) return hash.status();
  cv::VideoCapture capture;
  cv::Mat first;
  try {
    capture.open(path);
  } catch (const cv::Exception&) {
  }
  if (!capture.isOpened() || !ReadPicture(&capture, &first)) {
    return Unusable(path + ": not a video, damaged, or of a kind that OpenCV was built without");
  }
  const double told = capture.get(cv::CAP_PROP_FPS);
  const double own = told > 0 && told <= kMaxRate ? told : kUsualRate;
  return std::unique_ptr<Source>(
      std::make_unique<Video>(path, rate.value_or(0) > 0 ? *rate : own, std::move(capture), std::move(first)));
}

Expected<std::unique_ptr<Source>> OpenSuite(const std::string& path, std::optional<double> rate) {
  SEGCORE_ASSIGN_OR_RETURN(bundle::Suite suite, bundle::Suite::Load(path));
  const double own = suite.fps();
  if (!rate && own <= 0) {
    return Unusable(path + ": not a motion suite: it has no rate; give one with --fps, or --suite another");
  }
  return std::unique_ptr<Source>(std::make_unique<MotionSuite>(std::move(suite), rate.value_or(0) > 0 ? *rate : own));
}

std::unique_ptr<Source> Turn(std::unique_ptr<Source> source, int rotation, bool mirror) {
  if (rotation == 0 && !mirror) return source;
  return std::make_unique<Turned>(std::move(source), rotation, mirror);
}

}  // namespace segcore::rtcpp
