// SPDX-License-Identifier: Apache-2.0
// Where live pictures come from: a camera, a video file, or a motion suite, behind one interface. Knows pixels and
// rates; no models, no threads, no windows.
#pragma once

#include <memory>
#include <opencv2/core.hpp>
#include <optional>
#include <string>

#include "bundle/json.h"
#include "segcore/status.h"

namespace segcore::rtcpp {

/// Pictures one after the other, 8-bit BGR.
class Source {
 public:
  Source() = default;
  virtual ~Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  /// `camera:<index>`, `video:<name>` or `suite:<id>`.
  virtual std::string name() const = 0;
  /// Frames per second at which a file is played; 0 where there is none: a camera has a pace of its own.
  virtual double rate() const = 0;
  /// The `suite` part of run.json.
  virtual Expected<bundle::Json> SuiteFacts() const = 0;

  /// The next picture (true), or the end (false). An error: it broke off.
  virtual Expected<bool> Read(cv::Mat* picture) = 0;
  /// Starts over; false where that is not possible.
  virtual bool Rewind() = 0;
};

// `rate` is what the user asks for; 0: as fast as frames can be drawn; none: the source's own.

/// A camera of the system, which is asked for the rate.
Expected<std::unique_ptr<Source>> OpenCamera(int index, std::optional<double> rate);

/// A video file that OpenCV can decode.
Expected<std::unique_ptr<Source>> OpenVideo(const std::string& path, std::optional<double> rate);

/// A packed motion suite, played like a camera of its rate; any other packed suite where a rate is given.
Expected<std::unique_ptr<Source>> OpenSuite(const std::string& path, std::optional<double> rate);

/// Another source, turned clockwise by 0, 90, 180 or 270 degrees, then flipped left to right if `mirror`.
std::unique_ptr<Source> Turn(std::unique_ptr<Source> source, int rotation, bool mirror);

}  // namespace segcore::rtcpp
