// SPDX-License-Identifier: Apache-2.0
#include "bundle/writer.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "bundle/files.h"
#include "bundle/npy.h"

namespace segcore::bundle {
namespace {

namespace fs = std::filesystem;

constexpr char kColumns[] =
    "seq,phase,restart,block,case,due_ns,start_ns,preprocess_ns,invoke_ns,postprocess_ns,refine_ns,composite_ns,"
    "total_ns,presented_ns,dropped,mask_age,thermal\n";
constexpr char kChecksums[] = "checksums.txt";

/// What macOS leaves beside files: folder settings, and attributes that a zip cannot hold; as in
/// harness/bundle_files.py.
bool IsLitter(const std::string& file) {
  const std::string name = fs::path(file).filename().string();
  const bool beside = file == "__MACOSX" || file.compare(0, 9, "__MACOSX/") == 0;
  return beside || name == ".DS_Store" || name.compare(0, 2, "._") == 0;
}

/// The files of a bundle by their paths inside it, hidden ones too, in order.
Expected<std::vector<std::string>> Files(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::recursive_directory_iterator next(folder, error), end; !error && next != end; next.increment(error)) {
    const std::string file = next->path().lexically_relative(folder).generic_string();
    if (next->is_regular_file(error) && !IsLitter(file)) files.push_back(file);
  }
  if (error) return Status(Code::kRuntime, folder + ": cannot list the folder: " + error.message());
  std::sort(files.begin(), files.end());
  return files;
}

/// What WriteFile leaves behind when it is killed.
bool IsLeftover(const std::string& file) {
  const std::string name = fs::path(file).filename().string();
  return name[0] == '.' && name.find(".tmp") != std::string::npos;
}

}  // namespace

Expected<Writer> Writer::Open(std::string folder, Json facts) {
  Writer writer;
  writer.folder_ = std::move(folder);
  writer.facts_ = std::move(facts);
  std::error_code error;
  fs::create_directories(writer.folder_, error);
  if (error) {
    return Status(Code::kInvalidArgument,
                  writer.folder_ + ": cannot make the folder: " + error.message() + "; choose another folder");
  }
  fs::remove(writer.folder_ + "/" + kChecksums, error);
  SEGCORE_ASSIGN_OR_RETURN(const auto files, Files(writer.folder_));
  for (const std::string& file : files) {
    if (IsLeftover(file)) fs::remove(writer.folder_ + "/" + file, error);
  }
  SEGCORE_RETURN_IF_ERROR(writer.Save());
  SEGCORE_RETURN_IF_ERROR(writer.ReadRows());
  return writer;
}

bool Writer::IsFinished(const std::string& folder, const Json& facts) {
  const Json* status = facts.Find("status");
  const bool partial = status != nullptr && status->string() != nullptr && *status->string() == "partial";
  return !partial && fs::exists(folder + "/" + kChecksums);
}

bool Writer::RemoveUnbegun(const std::string& folder) {
  const Expected<std::vector<std::string>> files = Files(folder);
  if (!files.ok() || !std::all_of(files.value().begin(), files.value().end(), IsLeftover)) return false;
  std::error_code error;
  fs::remove_all(folder, error);
  return !error;
}

Status Writer::ReadRows() {
  const std::string path = folder_ + "/samples.csv";
  if (!fs::exists(path)) return WriteFile(path, kColumns);
  SEGCORE_ASSIGN_OR_RETURN(std::string whole, ReadFile(path));
  // An interruption may have cut the last line: keep the whole ones.
  whole.resize(whole.rfind('\n') + 1);
  SEGCORE_RETURN_IF_ERROR(WriteFile(path, whole.empty() ? kColumns : whole));
  std::size_t line = whole.find('\n') + 1;
  while (line < whole.size()) {
    std::size_t field = line;
    for (int i = 0; i < 4; ++i) field = whole.find(',', field) + 1;  // seq, phase, restart, block
    sampled_.insert(whole.substr(field, whole.find(',', field) - field));
    line = whole.find('\n', line) + 1;
    ++rows_;
  }
  return {};
}

Status Writer::Save() { return WriteFile(folder_ + "/run.json", facts_.Dump(1) + "\n"); }

Status Writer::AddSamples(const std::vector<Sample>& samples) {
  std::string text;
  for (const Sample& s : samples) {
    text += std::to_string(rows_++) + ',' + s.phase + ',' + std::to_string(s.restart) + ',' + std::to_string(s.block) +
            ',' + s.case_id;
    for (const Sample::Field& field :
         {s.due_ns, s.start_ns, s.preprocess_ns, s.invoke_ns, s.postprocess_ns, s.refine_ns, s.composite_ns, s.total_ns,
          s.presented_ns, s.dropped, s.mask_age, Sample::Field()}) {
      text += ',';
      if (field) text += std::to_string(*field);
    }
    text += '\n';
  }
  const std::string path = folder_ + "/samples.csv";
  std::FILE* file = std::fopen(path.c_str(), "ab");
  bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  written = file != nullptr && std::fclose(file) == 0 && written;
  if (!written) return Status(Code::kRuntime, path + ": cannot write: " + std::strerror(errno));
  return {};
}

Status Writer::WriteTensor(const std::string& case_id, const float* map, int height, int width) {
  std::error_code error;
  fs::create_directory(folder_ + "/tensors", error);  // what is wrong with it, writing the file tells
  return WriteFile(TensorPath(case_id), EncodeNpy(map, height, width));
}

bool Writer::Done(const std::string& case_id) const {
  const Json* lane = facts_.Find("lane");
  const bool timed = lane == nullptr || lane->string() == nullptr || *lane->string() != "tensor";
  return fs::exists(TensorPath(case_id)) && (!timed || sampled_.count(case_id) > 0);
}

Status Writer::Finish(const char* status, Json error) {
  facts_["status"] = status;
  facts_["error"] = std::move(error);
  SEGCORE_RETURN_IF_ERROR(Save());
  SEGCORE_ASSIGN_OR_RETURN(const auto files, Files(folder_));
  std::string checksums;
  for (const std::string& file : files) {
    if (file == kChecksums) continue;
    SEGCORE_ASSIGN_OR_RETURN(const std::string hash, HashFile(folder_ + "/" + file));
    checksums += hash + "  " + file + "\n";
  }
  return WriteFile(folder_ + "/" + kChecksums, checksums);
}

}  // namespace segcore::bundle
