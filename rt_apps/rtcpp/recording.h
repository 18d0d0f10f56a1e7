// SPDX-License-Identifier: Apache-2.0
// What a live run leaves behind: a video, a snapshot, and a `live` run bundle. Every file is whole or not there.
#pragma once

#include <cstdint>
#include <memory>
#include <opencv2/videoio.hpp>
#include <string>
#include <vector>

#include "bundle/json.h"
#include "bundle/writer.h"
#include "segcore/status.h"

namespace segcore::rtcpp {

/// Writes pictures as a video, under a hidden name until Close().
class VideoRecorder {
 public:
  /// Error where the file's ending is none of .mp4 and .avi, or there is no such folder.
  static Expected<std::unique_ptr<VideoRecorder>> Create(const std::string& path, double rate);
  ~VideoRecorder();
  VideoRecorder(const VideoRecorder&) = delete;
  VideoRecorder& operator=(const VideoRecorder&) = delete;

  Status Add(const cv::Mat& picture);
  Status Close();

 private:
  VideoRecorder(std::string path, double rate);

  std::string path_, temporary_;
  double rate_;
  cv::VideoWriter writer_;
  cv::Size size_;
};

/// A picture as PNG.
Status WriteSnapshot(const std::string& path, const cv::Mat& picture);

/// What a run came to, for run.json and --json.
struct Totals {
  std::uint64_t captured = 0, inferred = 0, presented = 0, dropped = 0, hidden = 0;
  std::int64_t wall_ns = 0;  ///< from the first frame captured to the last picture shown
};

/// The `live` run bundle of one run; an interrupted one stays behind with status `partial`.
class LiveBundle {
 public:
  /// `facts` is a run.json but for the counters; it is put down in `folder`.
  static Expected<std::unique_ptr<LiveBundle>> Create(const std::string& folder, bundle::Json facts);

  const std::string& path() const { return writer_.folder(); }

  /// One picture that was shown. Rows are kept until the end: writing them now would disturb what is timed.
  void Add(bundle::Sample sample) { rows_.push_back(std::move(sample)); }

  /// Writes everything: a `complete` bundle, or a `failed` one that names the error.
  Status Finish(const Totals& totals, const Status& ended);

 private:
  explicit LiveBundle(bundle::Writer writer) : writer_(std::move(writer)) {}

  bundle::Writer writer_;
  std::vector<bundle::Sample> rows_;
};

}  // namespace segcore::rtcpp
