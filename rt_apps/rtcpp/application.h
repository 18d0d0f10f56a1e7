// SPDX-License-Identifier: Apache-2.0
// The application: takes drawn pictures from the pipeline, shows and records them, and obeys the keyboard.
#pragma once

#include <functional>
#include <memory>
#include <opencv2/core.hpp>
#include <string>

#include "bundle/json.h"
#include "recording.h"
#include "segcore/pipeline.h"
#include "source.h"
#include "window.h"

namespace segcore::rtcpp {

/// What to run, beside the source.
struct Settings {
  std::string model;     ///< .tflite file
  std::string contract;  ///< file; empty: the model's own
  SegmenterOptions segmenter;
  RefinerOptions refiner;
  CompositorOptions compositor;
  cv::Mat image;  ///< the background's picture, BGR; empty for none
  Mode mode = Mode::kSynced;
  bool paced = true;         ///< play a file at its rate; false: as fast as it can be drawn, dropping nothing
  std::uint64_t frames = 0;  ///< end after so many captured frames; 0: no such end
  std::string record, snapshot, report;  ///< files and folder to write; empty for none
};

struct Result {
  Totals totals;
  Status ended;        ///< why it broke off, if it did
  bundle::Json facts;  ///< for --json; rates are frames per second of the whole path
};

/// Runs until the source ends, `settings.frames` are captured, the person at the keyboard has enough, or `interrupted`
/// says so. With a window a file starts over when it ends. Error where nothing has run: the model cannot be used, or
/// what is to be written cannot be. What was recorded until a run breaks off is kept.
Expected<Result> Run(std::unique_ptr<Source> source, const Settings& settings, Window* window,
                     const std::function<bool()>& interrupted);

}  // namespace segcore::rtcpp
