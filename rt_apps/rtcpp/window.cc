// SPDX-License-Identifier: Apache-2.0
#include "window.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <opencv2/highgui.hpp>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "bundle/device.h"

namespace segcore::rtcpp {
namespace {

constexpr char kTitle[] = "rtcpp";
constexpr const char* kKeys[] = {"b blur   + - its strength   i image   c colour   n none",
                                 "l latency mode   m mask   space pause   s snapshot   h hide this   q quit"};
constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX, kLine = 16;  // height of a line of text in pixels
constexpr double kTextSize = 0.4;
constexpr std::int64_t kRatePeriod = 500 * 1000000L;  // how often the rates are taken anew, in nanoseconds

/// Whether a window can be opened. Without a display some builds of OpenCV end the process instead of raising: a
/// process of its own tries first.
bool CanOpen() {
#if defined(__APPLE__)
  return true;  // which allows no windows in a process that was split off
#else
  const pid_t process = fork();
  if (process == 0) {
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    try {
      cv::namedWindow("probe");
      cv::waitKey(1);
    } catch (const cv::Exception&) {
      _exit(1);
    }
    _exit(0);
  }
  int status = 1;
  return process > 0 && waitpid(process, &status, 0) == process && status == 0;
#endif
}

std::string Text(const char* format, double a, double b, double c) {
  char text[128];
  std::snprintf(text, sizeof text, format, a, b, c);
  return text;
}

std::string Stages(const Presented& p) {
  const auto ms = [](std::int64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e6; };
  return Text("preprocess %.1f   invoke %.1f   postprocess %.1f", ms(p.preprocess_ns), ms(p.invoke_ns),
              ms(p.postprocess_ns)) +
         Text("   refine %.1f   composite %.1f ms", ms(p.refine_ns), ms(p.composite_ns), 0);
}

}  // namespace

Expected<std::unique_ptr<Window>> Window::Open() {
  if (!CanOpen()) {
    return Status(Code::kUnsupported,
                  "no window can be opened here (no display, or an OpenCV without windows); use --headless");
  }
  return std::unique_ptr<Window>(new Window());
}

Window::~Window() {
  if (open_) cv::destroyAllWindows();
}

void Window::Show(const cv::Mat& picture) {
  if (!open_) cv::namedWindow(kTitle, cv::WINDOW_AUTOSIZE | cv::WINDOW_GUI_NORMAL);
  open_ = true;
  cv::imshow(kTitle, picture);
}

int Window::Key(int milliseconds) {
  if (!open_) return 0;
  const int key = cv::waitKey(milliseconds);
  if (cv::getWindowProperty(kTitle, cv::WND_PROP_VISIBLE) < 1) return kEscape;
  return key < 0 ? 0 : key & 0xFF;
}

const cv::Mat& Overlay::Over(const cv::Mat& picture, const Presented& presented, const Counters& counters,
                             std::uint64_t dropped, const std::string& state) {
  Measure(counters);
  if (shown_ == 2) return picture;
  const std::string age = presented.hidden ? "none: background hidden" : std::to_string(presented.mask_age);
  std::vector<std::string> lines = {rates_, "mask age " + age + "   dropped " + std::to_string(dropped) + "   " + state,
                                    Stages(presented)};
  if (shown_ == 0) {
    lines[1] += "   h keys";
  } else {
    lines.insert(lines.end(), std::begin(kKeys), std::end(kKeys));
  }
  int width = 0;
  for (const std::string& line : lines)
    width = std::max(width, cv::getTextSize(line, kFont, kTextSize, 1, nullptr).width);
  picture.copyTo(drawn_);
  const cv::Rect corner(0, 0, width + 16, 8 + kLine * static_cast<int>(lines.size()));
  cv::Mat behind = drawn_(corner & cv::Rect({}, drawn_.size()));
  behind *= 1.0 / 3;  // dark enough for white letters, whatever is shown
  int y = 0;
  for (const std::string& line : lines) {
    cv::putText(drawn_, line, {8, y += kLine}, kFont, kTextSize, cv::Scalar::all(255), 1, cv::LINE_AA);
  }
  return drawn_;
}

void Overlay::Measure(const Counters& counters) {
  const std::int64_t now = bundle::Now();
  if (since_ns_ != 0 && now - since_ns_ < kRatePeriod) return;
  if (since_ns_ != 0) {
    const auto rate = [&](std::uint64_t count, std::uint64_t before) {
      return static_cast<double>(count - before) * 1e9 / static_cast<double>(now - since_ns_);
    };
    rates_ = Text("captured %.1f   inferred %.1f   presented %.1f fps", rate(counters.captured, before_.captured),
                  rate(counters.inferred, before_.inferred), rate(counters.presented, before_.presented));
  }
  since_ns_ = now;
  before_ = counters;
}

}  // namespace segcore::rtcpp
