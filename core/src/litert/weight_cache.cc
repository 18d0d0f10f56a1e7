// SPDX-License-Identifier: Apache-2.0
#include "litert/weight_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

namespace segcore::litert {
namespace {

namespace fs = std::filesystem;

/// FNV-1a over words of eight bytes: finds damage and mix-ups, not malice.
class Checksum {
 public:
  void Add(std::string_view bytes) {
    while (!bytes.empty()) {
      std::uint64_t word = 0;
      const std::size_t taken = bytes.size() < sizeof(word) ? bytes.size() : sizeof(word);
      std::memcpy(&word, bytes.data(), taken);
      hash_ = (hash_ ^ word) * 0x100000001b3;
      bytes.remove_prefix(taken);
    }
  }
  std::string Text() const {
    char text[20];
    std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(hash_));
    return text;
  }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325;
};

/// Checksum and size of an open file; empty where it cannot be read or holds nothing.
std::string Describe(int descriptor) {
  std::vector<char> block(1 << 18);
  Checksum sum;
  off_t position = 0;
  for (;;) {
    const ssize_t count = pread(descriptor, block.data(), block.size(), position);
    if (count < 0) return "";
    if (count == 0) break;
    sum.Add(std::string_view(block.data(), static_cast<std::size_t>(count)));
    position += count;
  }
  return position == 0 ? "" : sum.Text() + " " + std::to_string(position);
}

std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Status Unwritable(const std::string& path, const std::string& reason) {
  return Status(Code::kInvalidArgument, path + ": the weight cache cannot be written: " + reason);
}

bool Rename(const std::string& from, const std::string& to) { return std::rename(from.c_str(), to.c_str()) == 0; }

}  // namespace

Status WeightCache::Open(const std::string& path, std::string_view model, std::string_view library) {
  path_ = path;
  Checksum sum;
  sum.Add(model);
  sum.Add(library);
  owner_ = "segcore-weights/1 " + sum.Text() + " ";
  descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ >= 0) {
    const std::string found = Describe(descriptor_);
    if (!found.empty() && ReadText(path + ".sum") == owner_ + found) return {};
    close(descriptor_);
    descriptor_ = -1;
  }
  // XNNPACK ends the process where the disk is full. Packed weights are at most twice as large as a model's.
  std::error_code error;
  const fs::path folder = fs::absolute(path, error).parent_path();
  const fs::space_info space = fs::space(folder, error);
  if (error) return Unwritable(path, error.message());
  if (space.available < 4 * model.size() + (1u << 20)) return Unwritable(path, "too little room on the disk");
  static std::atomic<unsigned> count{0};
  temporary_ = path + "." + std::to_string(getpid()) + "-" + std::to_string(++count) + ".tmp";
  descriptor_ = open(temporary_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor_ < 0) {
    temporary_.clear();
    return Unwritable(path, std::strerror(errno));
  }
  return {};
}

WeightCache::~WeightCache() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!temporary_.empty()) std::remove(temporary_.c_str());
}

int WeightCache::TakeDescriptor() const { return descriptor_ < 0 ? -1 : fcntl(descriptor_, F_DUPFD_CLOEXEC, 3); }

Status WeightCache::Keep() {
  const std::string content = temporary_.empty() ? "" : Describe(descriptor_);
  if (descriptor_ >= 0) close(descriptor_);
  descriptor_ = -1;
  if (content.empty()) return {};  // it was whole, or there is none, or nothing in the model is packed
  const std::string sum = temporary_ + ".sum";
  std::ofstream file(sum, std::ios::binary | std::ios::trunc);
  file << owner_ << content;
  file.close();
  if (!file || !Rename(temporary_, path_) || !Rename(sum, path_ + ".sum")) {
    const std::string reason = std::strerror(errno);
    std::remove(sum.c_str());
    return Unwritable(path_, reason);
  }
  temporary_.clear();
  return {};
}

}  // namespace segcore::litert
