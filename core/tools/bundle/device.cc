// SPDX-License-Identifier: Apache-2.0
#include "bundle/device.h"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#if defined(__APPLE__)
#include <TargetConditionals.h>
#include <sys/sysctl.h>
#elif defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "simd.h"

namespace segcore::bundle {
namespace {

namespace fs = std::filesystem;

std::string Trim(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

/// The first line of a file of /proc or /sys; empty where there is none.
std::string FirstLine(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return Trim(line);
}

std::optional<double> Number(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  return end == text.c_str() ? std::optional<double>() : value;
}

/// The folders in a folder of /sys; none where there is no such folder.
std::vector<fs::path> Entries(const char* folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator next(folder, error), end; !error && next != end; next.increment(error)) {
    entries.push_back(next->path());
  }
  return entries;
}

/// The values of the lines of /proc/cpuinfo whose key begins like this.
std::vector<std::string> CpuInfo(const std::string& key) {
  std::vector<std::string> values;
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (line.compare(0, key.size(), key) == 0 && colon != std::string::npos) {
      values.push_back(Trim(line.substr(colon + 1)));
    }
  }
  return values;
}

#if defined(__APPLE__)
std::string Sysctl(const char* name) {
  char value[256] = "";
  std::size_t bytes = sizeof value - 1;
  return sysctlbyname(name, value, &bytes, nullptr, 0) == 0 ? std::string(value) : std::string();
}
#endif

utsname Machine() {
  utsname names{};
  uname(&names);
  return names;
}

std::string CpuName() {
#if defined(__APPLE__)
  if (const std::string name = Sysctl("machdep.cpu.brand_string"); !name.empty()) return name;
#endif
  for (const char* key : {"model name", "Model"}) {
    if (const auto names = CpuInfo(key); !names.empty()) return names[0];
  }
  return Machine().machine;
}

Json MachineModel() {
#if defined(__APPLE__)
  const std::string name = Sysctl("hw.model");
#else
  const std::string name = FirstLine("/sys/class/dmi/id/product_name");
#endif
  return name.empty() ? Json() : Json(name);
}

std::string OsName() {
  const utsname names = Machine();
  const std::string kernel = std::string(" (kernel ") + names.release + ")";
#if defined(__APPLE__)
  const std::string system = TARGET_OS_IPHONE ? "iOS " : "macOS ";
  if (const std::string version = Sysctl("kern.osproductversion"); !version.empty()) return system + version + kernel;
#endif
  std::ifstream file("/etc/os-release");
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, 12, "PRETTY_NAME=") == 0) {
      line = line.substr(12);
      line.erase(std::remove(line.begin(), line.end(), '"'), line.end());
      return line + kernel;
    }
  }
  return std::string(names.sysname) + kernel;
}

/// The instruction set, as uname calls it; on a phone that tells the phone's model instead.
std::string Arch() {
#if defined(__APPLE__) && defined(__aarch64__)
  return "arm64";
#else
  return Machine().machine;
#endif
}

int Cores() {
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

/// Mean frequency of the processors.
std::optional<double> FrequencyMhz() {
  double sum = 0;
  int count = 0;
  for (const fs::path& cpu : Entries("/sys/devices/system/cpu")) {
    if (const auto khz = Number(FirstLine(cpu / "cpufreq/scaling_cur_freq"))) sum += *khz / 1000, ++count;
  }
  if (count == 0) {
    for (const std::string& text : CpuInfo("cpu MHz")) {
      if (const auto mhz = Number(text)) sum += *mhz, ++count;
    }
  }
  return count == 0 ? std::optional<double>() : sum / count;
}

/// The hottest sensor.
std::optional<double> Temperature() {
  std::optional<double> hottest;
  const auto look = [&](const fs::path& sensor) {
    const auto value = Number(FirstLine(sensor));
    if (value && *value != 0) hottest = std::max(hottest.value_or(-1e9), *value / 1000);
  };
  for (const fs::path& chip : Entries("/sys/class/hwmon")) {
    for (int i = 1; i <= 32; ++i) look(chip / ("temp" + std::to_string(i) + "_input"));
  }
  for (const fs::path& zone : Entries("/sys/class/thermal")) {
    if (zone.filename().string().compare(0, 12, "thermal_zone") == 0) look(zone / "temp");
  }
  return hottest;
}

Json Power() {
  Json plugged, charge;
  for (const fs::path& supply : Entries("/sys/class/power_supply")) {
    const std::string type = FirstLine(supply / "type");
    if (type == "Mains") plugged = Json(FirstLine(supply / "online") == "1");
    if (type == "Battery") {
      if (const auto percent = Number(FirstLine(supply / "capacity"))) charge = Json(std::llround(*percent));
    }
  }
  if (charge.is_null()) return {};
  return Json::Object{{"plugged", plugged}, {"battery_percent", charge}};
}

double Rounded(double value) { return std::round(value * 100) / 100; }

}  // namespace

Json DescribeDevice() {
  return Json::Object{{"kind", "desktop"}, {"model", MachineModel()}, {"cpu", CpuName()}, {"arch", Arch()},
                      {"cores", Cores()},  {"os", OsName()},          {"emulated", false}};
}

Json Conditions() {
  Json facts{Json::Object()};
  double load[3];
  if (getloadavg(load, 3) == 3) {
    facts["load"] = Json::Array{Rounded(load[0]), Rounded(load[1]), Rounded(load[2])};
  }
  if (const auto frequency = FrequencyMhz()) facts["frequency_mhz"] = std::llround(*frequency);
  if (const auto temperature = Temperature()) facts["temperature_c"] = *temperature;
  if (Json power = Power(); !power.is_null()) facts["power"] = std::move(power);
  return facts;
}

Json Tool(const char* name) {
  return Json::Object{{"name", name}, {"version", SEGCORE_VERSION}, {"commit", nullptr}, {"dirty", nullptr}};
}

Json Build() {
#if defined(__clang__)
  const char* compiler = "clang " __clang_version__;
#else
  const char* compiler = "gcc " __VERSION__;
#endif
  static constexpr const char* kLevels[] = {"baseline", "avx2", "avx512"};
  return Json::Object{{"compiler", compiler},
                      {"configuration", SEGCORE_CONFIGURATION},
                      {"simd", kLevels[static_cast<int>(simd::Current())]}};
}

Json Timer() {
  timespec resolution{};
  clock_getres(CLOCK_MONOTONIC, &resolution);
  const long long nanoseconds = resolution.tv_sec * 1000000000LL + resolution.tv_nsec;
  return Json::Object{{"name", "std::chrono::steady_clock"}, {"resolution_ns", std::max(1LL, nanoseconds)}};
}

std::int64_t Now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Json PeakMemory() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, 6, "VmHWM:") != 0) continue;
    if (const auto kib = Number(line.substr(6))) {
      return Json::Object{{"peak_bytes", std::llround(*kib * 1024)}, {"how", "VmHWM of /proc/self/status"}};
    }
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
#if defined(__APPLE__)
  const long long unit = 1;
#else
  const long long unit = 1024;
#endif
  return Json::Object{{"peak_bytes", usage.ru_maxrss * unit}, {"how", "ru_maxrss of getrusage"}};
}

namespace {

std::string UtcTime(const char* format) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[64];
  return std::string(text, std::strftime(text, sizeof text, format, &parts));
}

}  // namespace

std::string IsoTime() { return UtcTime("%Y-%m-%dT%H:%M:%S+00:00"); }

std::string NewSession() {
  char tail[8];
  std::snprintf(tail, sizeof tail, "-%04x", std::random_device()() & 0xFFFFu);
  return UtcTime("%Y%m%d-%H%M%S") + tail;
}

}  // namespace segcore::bundle
