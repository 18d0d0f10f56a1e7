// SPDX-License-Identifier: Apache-2.0
#include "recording.h"

#include <unistd.h>

#include <filesystem>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "bundle/device.h"
#include "bundle/files.h"

namespace segcore::rtcpp {
namespace {

namespace fs = std::filesystem;

int Codec(const std::string& ending) {
  if (ending == ".mp4") return cv::VideoWriter::fourcc('m', 'p', '4', 'v');
  if (ending == ".avi") return cv::VideoWriter::fourcc('M', 'J', 'P', 'G');
  return 0;
}

}  // namespace

Expected<std::unique_ptr<VideoRecorder>> VideoRecorder::Create(const std::string& path, double rate) {
  const fs::path file(path);
  if (Codec(file.extension().string()) == 0) {
    return Status(Code::kInvalidArgument, path + ": cannot record such a file; use .mp4 or .avi");
  }
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  if (!fs::is_directory(folder)) {
    return Status(Code::kNotFound,
                  path + ": there is no folder " + folder.string() + "; choose another place with --record");
  }
  return std::unique_ptr<VideoRecorder>(new VideoRecorder(path, rate));
}

VideoRecorder::VideoRecorder(std::string path, double rate) : path_(std::move(path)), rate_(rate) {
  const fs::path file(path_);
  const std::string hidden = "." + file.stem().string() + ".tmp" + std::to_string(getpid());
  temporary_ = (file.parent_path() / (hidden + file.extension().string())).string();
}

VideoRecorder::~VideoRecorder() {
  if (!writer_.isOpened()) return;
  writer_.release();
  std::error_code error;
  fs::remove(temporary_, error);
}

Status VideoRecorder::Add(const cv::Mat& picture) {
  try {
    if (!writer_.isOpened()) {
      size_ = picture.size();
      writer_.open(temporary_, Codec(fs::path(path_).extension().string()), rate_, size_);
    }
    if (!writer_.isOpened()) {
      return Status(Code::kRuntime, path_ + ": cannot write a video there; choose another place with --record");
    }
    cv::Mat fitted = picture;
    if (picture.size() != size_) cv::resize(picture, fitted, size_);
    writer_.write(fitted);
  } catch (const cv::Exception& error) {
    return Status(Code::kRuntime, path_ + ": cannot write the video: " + error.err);
  }
  return {};
}

Status VideoRecorder::Close() {
  if (!writer_.isOpened()) return {};
  writer_.release();
  std::error_code error;
  fs::rename(temporary_, path_, error);
  return error ? Status(Code::kRuntime, path_ + ": cannot write: " + error.message()) : Status();
}

Status WriteSnapshot(const std::string& path, const cv::Mat& picture) {
  std::vector<unsigned char> png;
  if (!cv::imencode(".png", picture, png)) return Status(Code::kInternal, path + ": cannot be made a PNG file");
  return bundle::WriteFile(path, {reinterpret_cast<const char*>(png.data()), png.size()});
}

Expected<std::unique_ptr<LiveBundle>> LiveBundle::Create(const std::string& folder, bundle::Json facts) {
  const bundle::Json* id = facts.Find("run_id");
  const std::string path = (fs::path(folder) / (*id->string() + ".run")).string();
  SEGCORE_ASSIGN_OR_RETURN(bundle::Writer writer, bundle::Writer::Open(path, std::move(facts)));
  return std::unique_ptr<LiveBundle>(new LiveBundle(std::move(writer)));
}

Status LiveBundle::Finish(const Totals& totals, const Status& ended) {
  bundle::Json& facts = writer_.facts();
  bundle::Json& live = facts["live"];
  live["captured"] = totals.captured;
  live["inferred"] = totals.inferred;
  live["presented"] = totals.presented;
  live["dropped"] = totals.dropped;
  live["hidden"] = totals.hidden;
  live["wall_ns"] = totals.wall_ns;
  facts["conditions"]["after"] = bundle::Conditions();
  SEGCORE_RETURN_IF_ERROR(writer_.AddSamples(rows_));
  if (ended.ok()) return writer_.Finish("complete");
  return writer_.Finish("failed", bundle::Json::Object{{"kind", "runtime"}, {"message", ended.message()}});
}

}  // namespace segcore::rtcpp
