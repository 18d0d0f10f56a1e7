// SPDX-License-Identifier: Apache-2.0
// rtcpp: replaces the background of a camera's pictures, by way of the core.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>
#include <string>

#include "application.h"
#include "bundle/arguments.h"
#include "bundle/files.h"

namespace segcore::rtcpp {
namespace {

using bundle::Arguments;
using bundle::ExitCode;

volatile std::sig_atomic_t g_interrupted = 0;

constexpr char kUsageText[] =
    "Usage: rtcpp (--camera N | --video FILE | --suite FOLDER) --model FILE [options]\n\n"
    "Replaces the background of a camera's pictures.\n\n";
constexpr char kMoreText[] =
    "\nKeys: b blur, + - its strength · i image · c colour · n none · l latency mode · m mask · space pause ·\n"
    "      s snapshot · h keys, no text, text · q or Esc quit\n"
    "Exit status: 0 ended · 2 usage or bad input · 4 broke off (camera lost, damaged model) · 130 Ctrl-C\n";

Arguments Options() {
  return Arguments({
      {"camera", "N", "Camera of the system, from 0."},
      {"video", "FILE", "Video file."},
      {"suite", "FOLDER", "Packed motion suite, played like a camera of its rate."},
      {"model", "FILE", "The .tflite file."},
      {"contract", "FILE", "Contract of a model that carries none."},
      {"litert", "PATH", "The LiteRT library; else it is looked for, see docs/litert.md."},
      {"background", "KIND", "What to draw behind the person: blur, none, colour or image.  [blur]"},
      {"blur", "N", "Standard deviation of the blur in thousandths of the longer side.  [25]"},
      {"colour", "R,G,B", "Colour of the background, red, green and blue.  [0,120,60]"},
      {"image", "FILE", "Picture of the background."},
      {"mode", "MODE", "synced: every picture with its own mask; low-latency: at once with the newest.  [synced]"},
      {"no-smooth", "", "Do not steady the mask over time."},
      {"guided", "", "Draw the mask's edges to the picture's own."},
      {"threads", "N", "Threads of the network.  [1]"},
      {"rotation", "DEGREES", "Turn the picture clockwise: 0, 90, 180 or 270.  [0]"},
      {"mirror", "", "Then flip it left to right."},
      {"fps", "N", "Play a file at this rate, or ask it of a camera; 0: as fast as a file can be drawn.  [its own]"},
      {"headless", "", "Open no window; a file is played once."},
      {"frames", "N", "End after N captured frames."},
      {"record", "FILE", "Write what is drawn as a video, .mp4 or .avi."},
      {"snapshot", "FILE.png", "Write the last picture."},
      {"fps-report", "FOLDER", "Write a run bundle for harness compare into this folder."},
      {"json", "", "Print the result as JSON."},
  });
}

Status Usage(const std::string& message) { return Status(Code::kInvalidArgument, message); }

Status ReadColour(const std::string& text, std::array<std::uint8_t, 3>* colour) {
  int r = 0, g = 0, b = 0, end = 0;
  const bool read = std::sscanf(text.c_str(), "%3d,%3d,%3d%n", &r, &g, &b, &end) == 3;
  if (!read || static_cast<std::size_t>(end) != text.size() || std::min({r, g, b}) < 0 || std::max({r, g, b}) > 255) {
    return Usage("--colour is " + text + ", expected red, green and blue from 0 to 255, such as 0,120,60");
  }
  *colour = {static_cast<std::uint8_t>(r), static_cast<std::uint8_t>(g), static_cast<std::uint8_t>(b)};
  return {};
}

Status ReadImage(const std::string& path, cv::Mat* image) {
  SEGCORE_ASSIGN_OR_RETURN(const std::string data, bundle::ReadFile(path));
  try {
    *image = cv::imdecode(std::vector<char>(data.begin(), data.end()), cv::IMREAD_COLOR);
  } catch (const cv::Exception&) {
    image->release();
  }
  return image->empty() ? Usage(path + ": not a picture that can be read") : Status();
}

Expected<Settings> ReadSettings(const Arguments& arguments) {
  Settings settings;
  if (!arguments.Has("model")) return Usage("--model is missing; see --help");
  settings.model = arguments.Get("model");
  settings.contract = arguments.Get("contract");
  settings.segmenter.litert_library = arguments.Get("litert");
  SEGCORE_ASSIGN_OR_RETURN(settings.segmenter.threads, arguments.Integer("threads", 1, 1, 256));
  settings.refiner = {!arguments.Has("no-smooth"), arguments.Has("guided")};
  SEGCORE_ASSIGN_OR_RETURN(const std::string kind, arguments.Choice("background", {"blur", "none", "colour", "image"}));
  settings.compositor.background = kind == "none"     ? Background::kNone
                                   : kind == "colour" ? Background::kColour
                                   : kind == "image"  ? Background::kImage
                                                      : Background::kBlur;
  SEGCORE_ASSIGN_OR_RETURN(settings.compositor.blur_permille, arguments.Integer("blur", 25, 1, 200));
  if (arguments.Has("colour")) {
    SEGCORE_RETURN_IF_ERROR(ReadColour(arguments.Get("colour"), &settings.compositor.colour));
  }
  if (arguments.Has("image")) SEGCORE_RETURN_IF_ERROR(ReadImage(arguments.Get("image"), &settings.image));
  if (kind == "image" && settings.image.empty()) return Usage("--background image needs a picture: --image FILE");
  SEGCORE_ASSIGN_OR_RETURN(const std::string mode, arguments.Choice("mode", {"synced", "low-latency"}));
  settings.mode = mode == "synced" ? Mode::kSynced : Mode::kLowLatency;
  SEGCORE_ASSIGN_OR_RETURN(const double fps, arguments.Number("fps", -1, 0, 1000));
  settings.paced = fps != 0;
  SEGCORE_ASSIGN_OR_RETURN(const int frames, arguments.Integer("frames", 0, 1, 1000000000));
  settings.frames = static_cast<std::uint64_t>(frames);
  settings.record = arguments.Get("record");
  settings.snapshot = arguments.Get("snapshot");
  settings.report = arguments.Get("fps-report");
  return settings;
}

Expected<std::unique_ptr<Source>> OpenSource(const Arguments& arguments) {
  if (arguments.Has("camera") + arguments.Has("video") + arguments.Has("suite") != 1) {
    return Usage("name one source: --camera N, --video FILE or --suite MOTION_SUITE");
  }
  SEGCORE_ASSIGN_OR_RETURN(const double fps, arguments.Number("fps", 0, 0, 1000));
  const std::optional<double> rate = arguments.Has("fps") ? std::optional(fps) : std::nullopt;
  SEGCORE_ASSIGN_OR_RETURN(const std::string rotation, arguments.Choice("rotation", {"0", "90", "180", "270"}));
  SEGCORE_ASSIGN_OR_RETURN(const int camera, arguments.Integer("camera", 0, 0, 1000));
  Expected<std::unique_ptr<Source>> source = arguments.Has("camera")  ? OpenCamera(camera, rate)
                                             : arguments.Has("video") ? OpenVideo(arguments.Get("video"), rate)
                                                                      : OpenSuite(arguments.Get("suite"), rate);
  if (!source.ok()) return source;
  return Turn(*std::move(source), std::atoi(rotation.c_str()), arguments.Has("mirror"));
}

std::string Member(const bundle::Json& facts, const char* key) {
  const bundle::Json* member = facts.Find(key);
  return member == nullptr ? "" : member->string() != nullptr ? *member->string() : member->Dump();
}

std::string InWords(const bundle::Json& facts) {
  std::string text = Member(facts, "source") + ", " + Member(facts, "mode") + ":";
  for (const char* name : {"captured", "inferred", "presented"}) {
    text += std::string(" ") + name + " " + Member(facts, name) + " (" +
            Member(facts, (std::string(name) + "_fps").c_str()) + " fps),";
  }
  text += " dropped " + Member(facts, "dropped") + ", hidden " + Member(facts, "hidden");
  return facts.Find("bundle")->is_null() ? text : text + "\nBundle: " + Member(facts, "bundle");
}

/// What is wrong with the command line, or with what it names, another one mends; everything else is a broken run.
ExitCode CodeOf(const Status& status) {
  return status.code() == Code::kInvalidArgument || status.code() == Code::kNotFound ? bundle::kUsage
                                                                                     : bundle::kInvalid;
}

ExitCode Fail(const Status& status) {
  std::fprintf(stderr, "rtcpp: %s\n", status.message().c_str());
  return CodeOf(status);
}

ExitCode Main(int argc, char** argv) {
  // What goes wrong is said once, by our errors.
  setenv("OPENCV_FFMPEG_LOGLEVEL", "-8", 0);
  setenv("QT_LOGGING_RULES", "default.warning=false", 0);
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
  Arguments arguments = Options();
  if (Status status = arguments.Parse(argc, argv); !status.ok()) return Fail(status);
  if (arguments.Has("help")) {
    std::printf("%s%s%s", kUsageText, arguments.Help().c_str(), kMoreText);
    return bundle::kPass;
  }
  if (arguments.Has("version")) {
    std::printf("rtcpp, version %s\n", SEGCORE_VERSION);
    return bundle::kPass;
  }
  Expected<Settings> settings = ReadSettings(arguments);
  if (!settings.ok()) return Fail(settings.status());
  std::unique_ptr<Window> window;
  if (!arguments.Has("headless")) {
    Expected<std::unique_ptr<Window>> opened = Window::Open();
    if (!opened.ok()) return Fail(opened.status());
    window = *std::move(opened);
  }
  Expected<std::unique_ptr<Source>> source = OpenSource(arguments);
  if (!source.ok()) return Fail(source.status());
  std::signal(SIGINT, [](int) {
    g_interrupted = 1;
    std::signal(SIGINT, SIG_DFL);  // a second Ctrl-C ends it at once
  });
  Expected<Result> result = Run(*std::move(source), *settings, window.get(), [] { return g_interrupted != 0; });
  if (!result.ok()) return Fail(result.status());
  std::printf("%s\n", arguments.Has("json") ? result->facts.Dump(1).c_str() : InWords(result->facts).c_str());
  if (!result->ended.ok()) {
    std::fprintf(stderr, "rtcpp: %s\n", result->ended.message().c_str());
    return bundle::kInvalid;
  }
  return g_interrupted != 0 ? bundle::kInterrupted : bundle::kPass;
}

}  // namespace
}  // namespace segcore::rtcpp

int main(int argc, char** argv) {
  try {
    return segcore::rtcpp::Main(argc, argv);
  } catch (const cv::Exception& error) {  // OpenCV's, which is used for cameras, files and the window
    std::fprintf(stderr, "rtcpp: OpenCV failed: %s\n", error.err.c_str());
    return segcore::bundle::kInvalid;
  }
}
