// SPDX-License-Identifier: Apache-2.0
#include "litert/library.h"

#include <dlfcn.h>

#include <filesystem>

#if !defined(SEGCORE_LITERT_LINKED)
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <system_error>
#include <vector>
#endif

namespace segcore::litert {

#if defined(SEGCORE_LITERT_LINKED)

Places PlacesOfProcess() { return {}; }

Expected<const Library*> Load(const std::string& path) {
  return Load(Places{path, "the option litert_library", "", {}});
}

Expected<const Library*> Load(const Places& places) {
  if (!places.named.empty()) {
    return Status(Code::kUnsupported, "LiteRT is linked into this build; no other can be loaded: " + places.named);
  }
  Dl_info info;
  const bool told = dladdr(reinterpret_cast<const void*>(&LiteRtCreateEnvironment), &info) != 0;
  static const Library library{{
#define SEGCORE_LITERT_LINK(name) &LiteRt##name,
                                   SEGCORE_LITERT_FUNCTIONS(SEGCORE_LITERT_LINK)
#undef SEGCORE_LITERT_LINK
                               },
                               told && info.dli_fname != nullptr ? info.dli_fname : "",
                               ""};
  return &library;
}

#else

namespace {

namespace fs = std::filesystem;

constexpr const char* kVariable = "SEGCORE_LITERT_LIBRARY";
constexpr const char* kMend =
    "install it with `pip install ai-edge-litert`, or name the library in SEGCORE_LITERT_LIBRARY";
#if defined(__APPLE__)
constexpr const char* kNames[] = {"libLiteRt.dylib", "libLiteRt.so"};
#else
constexpr const char* kNames[] = {"libLiteRt.so"};
#endif

// A function that releases before the interface declared in api.h do not have.
constexpr const char* kNewFunction = "LiteRtCreateModelFromFd";

/// What a search has found, or where it looked.
struct Search {
  std::string found;
  std::vector<std::string> looked;
};

bool IsFile(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

/// Absolute, without following links: what lies beside a linked library is what counts.
std::string Absolute(const fs::path& path) {
  std::error_code error;
  const fs::path result = fs::absolute(path, error).lexically_normal();
  return error ? path.string() : result.string();
}

/// Looks into the package folder below `packages`, which is some site-packages.
bool LookInPackages(const fs::path& packages, Search* search) {
  for (const char* name : kNames) {
    const fs::path path = packages / "ai_edge_litert" / name;
    if (IsFile(path)) {
      search->found = path.string();
      return true;
    }
  }
  return false;
}

/// Looks into the site-packages of an environment: <prefix>/lib/python3*/site-packages.
bool LookInEnvironment(const fs::path& prefix, Search* search) {
  std::error_code error;
  for (fs::directory_iterator entry(prefix / "lib", error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().filename().string().rfind("python3", 0) != 0) continue;
    if (LookInPackages(entry->path() / "site-packages", search)) return true;
  }
  return false;
}

/// Looks into every folder above `file`: the site-packages it lies in, or an environment, or the .venv of a checkout.
bool LookAbove(const std::string& file, Search* search) {
  search->looked.push_back("the folders above " + file +
                           " (ai_edge_litert, lib/python3*/site-packages, .venv/lib/python3*/site-packages)");
  for (fs::path folder = fs::path(file).parent_path(); !folder.empty(); folder = folder.parent_path()) {
    if (LookInPackages(folder, search) || LookInEnvironment(folder, search) ||
        LookInEnvironment(folder / ".venv", search)) {
      return true;
    }
    if (folder == folder.parent_path()) break;
  }
  return false;
}

/// The program or extension module that this code is part of; empty where it is not told.
std::string ThisObject() {
  Dl_info info;
  if (dladdr(reinterpret_cast<const void*>(&PlacesOfProcess), &info) == 0 || info.dli_fname == nullptr) return "";
  const std::string path = Absolute(info.dli_fname);
  return IsFile(path) ? path : "";
}

/// The running program; empty where the system does not tell in this way (there ThisObject() does).
std::string ThisProgram() {
  std::error_code error;
  const fs::path path = fs::read_symlink("/proc/self/exe", error);
  return error ? "" : path.string();
}

Search Find(const Places& places) {
  Search search;
  if (places.environment.empty()) {
    search.looked.push_back("VIRTUAL_ENV (not set)");
  } else {
    search.looked.push_back("VIRTUAL_ENV: " + (fs::path(places.environment) / "lib/python3*/site-packages").string());
    if (LookInEnvironment(places.environment, &search)) return search;
  }
  for (const std::string& program : places.programs) {
    if (LookAbove(program, &search)) return search;
  }
  return search;
}

/// The release that the package's metadata tells, such as "2.3.0"; empty where there is none.
std::string Release(const fs::path& library) {
  const std::string prefix = "ai_edge_litert-", suffix = ".dist-info";
  std::error_code error;
  const fs::path packages = library.parent_path().parent_path();
  for (fs::directory_iterator entry(packages, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.size() > prefix.size() + suffix.size() && name.rfind(prefix, 0) == 0 &&
        name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0) {
      return name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
    }
  }
  return "";
}

Status TooOld(const std::string& path, const std::string& release) {
  return Status(Code::kUnsupported, path + ": LiteRT " + release +
                                        " is too old, its interface was another one; "
                                        "2.2.0 or later is needed: `pip install 'ai-edge-litert>=2.2'`");
}

Status CheckRelease(const std::string& path, const std::string& release) {
  int major = 0, minor = 0;
  if (std::sscanf(release.c_str(), "%d.%d", &major, &minor) == 2 && (major < 2 || (major == 2 && minor < 2))) {
    return TooOld(path, release);
  }
  return {};
}

template <typename Function>
void Resolve(void* handle, const char* name, Function* function, std::string* missing) {
  *function = reinterpret_cast<Function>(dlsym(handle, name));
  if (*function == nullptr) *missing += std::string(missing->empty() ? "" : ", ") + name;
}

/// Loads the library at `path`, or by that name from the system's places.
Expected<Library> Open(const std::string& path) {
  const bool is_path = path.find('/') != std::string::npos;
  Library library;
  library.path = path;
  if (is_path) {
    library.version = Release(path);
    SEGCORE_RETURN_IF_ERROR(CheckRelease(path, library.version));
  }
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = dlerror();
    return Status(is_path ? Code::kUnsupported : Code::kNotFound,
                  "cannot load LiteRT: " + std::string(reason == nullptr ? path : reason));
  }
  if (dlsym(handle, kNewFunction) == nullptr && dlsym(handle, "LiteRtCreateEnvironment") != nullptr) {
    return TooOld(path, "before 2.2 (it has no " + std::string(kNewFunction) + ")");
  }
  std::string missing;
#define SEGCORE_LITERT_RESOLVE(name) Resolve(handle, "LiteRt" #name, &library.api.name, &missing);
  SEGCORE_LITERT_FUNCTIONS(SEGCORE_LITERT_RESOLVE)
#undef SEGCORE_LITERT_RESOLVE
  if (!missing.empty()) {
    return Status(Code::kUnsupported, path + ": not a LiteRT library that this version knows; it lacks " + missing);
  }
  // A library that the system found tells its path only now.
  Dl_info info;
  if (!is_path && dladdr(reinterpret_cast<const void*>(library.api.CreateEnvironment), &info) != 0) {
    library.path = Absolute(info.dli_fname);
    library.version = Release(library.path);
    SEGCORE_RETURN_IF_ERROR(CheckRelease(library.path, library.version));
  }
  return library;
}

/// Open(), once per path. The libraries are never closed, nor is the list of them: other static objects may still run
/// a model while the process ends.
Expected<const Library*> OpenOnce(const std::string& path) {
  static std::mutex& mutex = *new std::mutex;
  static std::map<std::string, Library>& opened = *new std::map<std::string, Library>;
  const std::lock_guard<std::mutex> lock(mutex);
  auto entry = opened.find(path);
  if (entry == opened.end()) {
    SEGCORE_ASSIGN_OR_RETURN(Library library, Open(path));
    entry = opened.emplace(path, std::move(library)).first;
  }
  return &entry->second;
}

}  // namespace

Places PlacesOfProcess() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  Places places{variable(kVariable), kVariable, variable("VIRTUAL_ENV"), {}};
  const std::string object = ThisObject(), program = ThisProgram();
  if (!object.empty()) places.programs.push_back(object);
  if (!program.empty() && program != object) places.programs.push_back(program);
  return places;
}

Expected<const Library*> Load(const std::string& path) {
  return Load(path.empty() ? PlacesOfProcess() : Places{path, "the option litert_library", "", {}});
}

Expected<const Library*> Load(const Places& places) {
  if (!places.named.empty()) {
    if (IsFile(places.named)) return OpenOnce(Absolute(places.named));
    return Status(Code::kNotFound, places.named + ": no such library, named by " + places.named_by + "; " + kMend);
  }
  Search search = Find(places);
  if (!search.found.empty()) return OpenOnce(Absolute(search.found));
  for (const char* name : kNames) {
    Expected<const Library*> library = OpenOnce(name);
    if (library.ok() || library.status().code() != Code::kNotFound) return library;
    search.looked.push_back("the system's libraries: " + library.status().message());
  }
  std::string message = std::string("LiteRT was not found; ") + kMend + ". Looked in:\n  " + kVariable + " (not set)";
  for (const std::string& place : search.looked) message += "\n  " + place;
  return Status(Code::kNotFound, message);
}

#endif

std::string AcceleratorFolder(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  return (folder.extension() == ".framework" ? folder.parent_path() : folder).string();
}

}  // namespace segcore::litert
