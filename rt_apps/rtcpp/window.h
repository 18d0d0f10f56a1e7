// SPDX-License-Identifier: Apache-2.0
// The window: shows pictures with what is being measured written over them, and says which keys were pressed.
#pragma once

#include <cstdint>
#include <memory>
#include <opencv2/core.hpp>
#include <string>

#include "segcore/pipeline.h"
#include "segcore/status.h"

namespace segcore::rtcpp {

constexpr int kEscape = 27;

/// One window of the screen; it opens with the first picture. Used by the main thread.
class Window {
 public:
  /// Error where no window can be opened here. Call it while there is one thread.
  static Expected<std::unique_ptr<Window>> Open();
  ~Window();
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  void Show(const cv::Mat& picture);
  /// The key pressed since the last call, kEscape for a closed window as well; 0 for none.
  int Key(int milliseconds = 1);

 private:
  Window() = default;

  bool open_ = false;
};

/// Frames per second, mask age, dropped frames and stage times, as lines of text over a corner of a picture.
class Overlay {
 public:
  /// Figures, figures and keys, nothing, and so on.
  void Next() { shown_ = (shown_ + 1) % 3; }

  /// The picture with the lines on it. `dropped` frames were never shown; `state` says what is drawn, and how.
  const cv::Mat& Over(const cv::Mat& picture, const Presented& presented, const Counters& counters,
                      std::uint64_t dropped, const std::string& state);

 private:
  void Measure(const Counters& counters);

  int shown_ = 0;
  cv::Mat drawn_;
  std::int64_t since_ns_ = 0;
  Counters before_;
  std::string rates_ = "captured, inferred, presented: measuring";
};

}  // namespace segcore::rtcpp
