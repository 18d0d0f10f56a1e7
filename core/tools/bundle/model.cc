// SPDX-License-Identifier: Apache-2.0
#include "bundle/model.h"

#include <filesystem>
#include <map>

#include "bundle/activations.h"
#include "bundle/files.h"
#include "bundle/sha256.h"
#include "flatbuffer.h"
#include "model_file.h"
#include "segcore/contract.h"

namespace segcore::bundle {
namespace {

namespace fs = std::filesystem;

/// What the weights and activations are, whatever the file is called. Constants feed operators directly (int8 with int8
/// activations: int8; with float ones: dyn8), or as float16 (fp16); everything else is fp32.
std::string Variant(std::string_view bytes) {
  enum : int { kSubgraphs = 2, kBuffers = 4 };                   // fields of a model
  enum : int { kType = 1, kBuffer = 2 };                         // fields of a tensor
  enum : std::int8_t { kFloat32 = 0, kFloat16 = 1, kInt8 = 9 };  // types of tensors
  const flatbuffer::File file(bytes);
  const flatbuffer::Table model = flatbuffer::Table::Root(file);
  const flatbuffer::Tables graphs = model.Children(kSubgraphs), buffers = model.Children(kBuffers);
  if (graphs.empty()) return "fp32";
  const flatbuffer::Tables tensors = graphs[0].Children(0);
  std::map<std::int8_t, int> constants, activations;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto buffer = tensors[i].Number<std::uint32_t>(kBuffer, 0);
    const bool constant = buffer < buffers.size() && !buffers[buffer].Bytes(0).empty();
    ++(constant ? constants : activations)[tensors[i].Number<std::int8_t>(kType, kFloat32)];
  }
  if (activations[kInt8] > activations[kFloat32]) return "int8";
  if (constants[kInt8] > 0) return "dyn8";
  return constants[kFloat16] > 0 ? "fp16" : "fp32";
}

/// Whether the folder's model.json, written by the export, lists a file of this name with this hash; null where there
/// is none, or it does not list the file.
Json Listed(const fs::path& path, const std::string& sha256) {
  Expected<std::string> text = ReadFile((path.parent_path() / "model.json").string());
  if (!text.ok()) return {};
  Expected<Json> table = Json::Parse(*text, "model.json");
  const Json* variants = table.ok() ? table->Find("variants") : nullptr;
  if (variants == nullptr || variants->object() == nullptr) return {};
  for (const auto& [name, entry] : *variants->object()) {
    const Json *file = entry.Find("file"), *hash = entry.Find("sha256");
    if (file == nullptr || file->string() == nullptr || *file->string() != path.filename().string()) continue;
    return hash != nullptr && hash->string() != nullptr && *hash->string() == sha256;
  }
  return {};
}

Json Tensors(const std::vector<TensorInfo>& tensors) {
  Json::Array facts;
  for (const TensorInfo& tensor : tensors) {
    facts.push_back(Json::Object{{"name", tensor.name},
                                 {"shape", Json::Array(tensor.shape.begin(), tensor.shape.end())},
                                 {"dtype", tensor.dtype}});
  }
  return facts;
}

}  // namespace

Expected<Model> ReadModel(const std::string& path, const std::string& contract) {
  Model model;
  Expected<std::string> data = ReadFile(path);
  if (!data.ok()) return Status(Code::kNotFound, data.status().message() + "; --model takes a .tflite file");
  model.data = *std::move(data);
  Expected<ModelFile> file = ReadModelFile(model.data);
  if (!file.ok()) {
    model.damage = Status(file.status().code(), path + ": " + file.status().message());
    return model;
  }
  const fs::path beside = fs::path(path).parent_path() / "contract.toml";
  std::string where = path + " (metadata)";
  if (contract.empty() && file->has_contract) {
    model.contract = file->contract;
  } else if (contract.empty() && !fs::exists(beside)) {
    return Status(Code::kInvalidArgument, path + ": the model has no contract; say how to use it with --contract FILE");
  } else {
    where = contract.empty() ? beside.string() : contract;
    SEGCORE_ASSIGN_OR_RETURN(model.contract, ReadFile(where));
  }
  if (Expected<Contract> parsed = ParseContract(model.contract, where); !parsed.ok()) {
    return Status(Code::kInvalidArgument, parsed.status().message());
  }
  model.variant = Variant(model.data);
  const std::string sha256 = Sha256::Of(model.data);
  model.facts = Json::Object{{"name", fs::path(path).stem().string()},
                             {"variant", model.variant},
                             {"format", "tflite"},
                             {"sha256", sha256},
                             {"bytes", model.data.size()},
                             {"contract", model.contract},
                             {"ops", file->operators},
                             {"activations", Activations(model.data)},
                             {"listed", Listed(path, sha256)},
                             {"inputs", Tensors(file->inputs)},
                             {"outputs", Tensors(file->outputs)}};
  return model;
}

}  // namespace segcore::bundle
