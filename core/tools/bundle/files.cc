// SPDX-License-Identifier: Apache-2.0
#include "bundle/files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "bundle/sha256.h"

namespace segcore::bundle {
namespace {

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

Status Unreadable(const std::string& path, int error) {
  return Status(Code::kNotFound, path + ": cannot read: " + std::strerror(error));
}

/// Hands a file's bytes over piece by piece.
template <typename Take>
Status ReadPieces(const std::string& path, const Take& take) {
  const File file(std::fopen(path.c_str(), "rb"));
  if (!file) return Unreadable(path, errno);
  struct stat facts;
  if (fstat(fileno(file.get()), &facts) == 0 && S_ISDIR(facts.st_mode)) return Unreadable(path, EISDIR);
  char piece[1 << 16];
  std::size_t got = 0;
  while ((got = std::fread(piece, 1, sizeof piece, file.get())) > 0) take(piece, got);
  return std::ferror(file.get()) ? Unreadable(path, errno) : Status();
}

}  // namespace

Expected<std::string> ReadFile(const std::string& path) {
  std::string data;
  SEGCORE_RETURN_IF_ERROR(ReadPieces(path, [&](const char* piece, std::size_t bytes) { data.append(piece, bytes); }));
  return data;
}

Expected<std::string> HashFile(const std::string& path) {
  Sha256 hash;
  SEGCORE_RETURN_IF_ERROR(ReadPieces(path, [&](const char* piece, std::size_t bytes) { hash.Update(piece, bytes); }));
  return hash.Hex();
}

Status WriteFile(const std::string& path, std::string_view data) {
  const std::size_t slash = path.rfind('/');
  const std::size_t name = slash == std::string::npos ? 0 : slash + 1;
  const std::string temporary =
      path.substr(0, name) + "." + path.substr(name) + ".tmp" + std::to_string(static_cast<long>(getpid()));
  File file(std::fopen(temporary.c_str(), "wb"));
  bool written = file && std::fwrite(data.data(), 1, data.size(), file.get()) == data.size();
  written = file && std::fclose(file.release()) == 0 && written;
  if (written && std::rename(temporary.c_str(), path.c_str()) == 0) return {};
  const int error = errno;
  std::remove(temporary.c_str());
  return Status(Code::kRuntime, path + ": cannot write: " + std::strerror(error) + "; choose another place");
}

}  // namespace segcore::bundle
