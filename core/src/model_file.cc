// SPDX-License-Identifier: Apache-2.0
#include "model_file.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "flatbuffer.h"

namespace segcore {
namespace {

using flatbuffer::File;
using flatbuffer::Numbers;
using flatbuffer::Table;
using flatbuffer::Tables;

// Fields of the tables of the TFLite schema, in the order of their declaration.
namespace model_field {
constexpr int kOperatorCodes = 1, kSubgraphs = 2, kBuffers = 4, kMetadata = 6, kSignatures = 7;
}
namespace code_field {
constexpr int kDeprecatedBuiltin = 0, kBuiltin = 3;
}
namespace graph_field {
constexpr int kTensors = 0, kInputs = 1, kOutputs = 2, kOperators = 3;
}
namespace tensor_field {
constexpr int kShape = 0, kType = 1, kBuffer = 2, kName = 3, kQuantization = 4, kVariable = 5, kSparsity = 6,
              kSignature = 7;
}
namespace quantization_field {
constexpr int kScale = 2, kZeroPoint = 3, kDimension = 6;
}
namespace buffer_field {
constexpr int kData = 0, kOffset = 1, kSize = 2;
}
namespace operator_field {
constexpr int kCode = 0, kInputs = 1, kOutputs = 2, kOptionsType = 3, kOptions = 4, kLargeOffset = 9, kLargeSize = 10;
}
namespace metadata_field {
constexpr int kName = 0, kBuffer = 1;
}
namespace signature_field {
constexpr int kInputs = 0, kOutputs = 1, kKey = 2, kSubgraph = 4;
}
namespace binding_field {  // of a name in a signature to a tensor
constexpr int kName = 0, kTensor = 1;
}

// Kinds of operators.
constexpr int kAdd = 0, kConv = 3, kDepthwiseConv = 4, kDequantize = 6, kFullyConnected = 9, kSubtract = 41,
              kTransposeConv = 67, kQuantize = 114;
constexpr std::size_t kMaxRank = 8;                  // of LiteRT
constexpr std::int64_t kMaxTensorBytes = 1LL << 30;  // larger ones are nothing a segmentation network has

struct Type {
  const char* name;  // as NumPy calls it
  int bits;          // 0: no fixed size
};
constexpr Type kTypes[] = {{"float32", 32}, {"float16", 16},      {"int32", 32},     {"uint8", 8},      {"int64", 64},
                           {"str", 0},      {"bool", 8},          {"int16", 16},     {"complex64", 64}, {"int8", 8},
                           {"float64", 64}, {"complex128", 128},  {"uint64", 64},    {"resource", 0},   {"variant", 0},
                           {"uint32", 32},  {"uint16", 16},       {"int4", 4},       {"bfloat16", 16},  {"int2", 2},
                           {"uint4", 4},    {"float8_e4m3fn", 8}, {"float8_e5m2", 8}};
constexpr int kTypeCount = static_cast<int>(sizeof(kTypes) / sizeof(kTypes[0]));

/// Numbers among an operator's options that count pixels: 0 divides by zero, a negative one reads elsewhere.
struct Counted {
  int options_type;
  int field;
  std::int32_t missing;  // its value where the file does not tell
};
constexpr Counted kCounted[] = {
    {1, 1, 0},  {1, 2, 0},  {1, 4, 1}, {1, 5, 1},  // Conv2D: strides, dilations
    {2, 1, 0},  {2, 2, 0},  {2, 5, 1}, {2, 6, 1},  // DepthwiseConv2D: strides, dilations
    {5, 1, 0},  {5, 2, 0},  {5, 3, 0}, {5, 4, 0},  // Pool2D: strides, filter
    {49, 1, 0}, {49, 2, 0},                        // TransposeConv: strides
};
constexpr std::int32_t kMaxCount = 4096;
constexpr float kMaxScaleRatio = 1 << 14;  // of numbers to their sum; LiteRT ends the process beyond 2^19

Status Damaged(const std::string& problem) {
  return Status(Code::kInvalidModel,
                "the model file is damaged or cut short (" + problem + "); copy or export it again");
}

std::string Numbered(const char* what, std::size_t index) { return std::string(what) + " " + std::to_string(index); }

/// The values that a zero point of a type of quantised numbers may have; 0 for the others.
std::pair<std::int64_t, std::int64_t> Range(int type) {
  const std::string_view name = kTypes[type].name;
  if (name == "int8") return {-128, 127};
  if (name == "uint8") return {0, 255};
  if (name == "int16") return {-32768, 32767};
  if (name == "int4") return {-8, 7};
  if (name == "uint4") return {0, 15};
  if (name == "int2") return {-2, 1};
  return {0, 0};
}

std::vector<int> Shape(const Table& tensor) {
  std::vector<int> result;
  const Numbers<std::int32_t> shape = tensor.Vector<std::int32_t>(tensor_field::kShape);
  for (std::size_t axis = 0; axis < shape.size(); ++axis) result.push_back(shape[axis]);
  return result;
}

TensorInfo Describe(const Table& tensor) {
  TensorInfo info;
  info.name = std::string(tensor.Bytes(tensor_field::kName));
  info.dtype = kTypes[tensor.Number<std::int8_t>(tensor_field::kType, 0)].name;
  info.shape = Shape(tensor);
  // Any batch will do, it is run with the one of the shape.
  const Numbers<std::int32_t> signature = tensor.Vector<std::int32_t>(tensor_field::kSignature);
  for (std::size_t axis = 1; axis < signature.size() && axis < info.shape.size(); ++axis) {
    if (signature[axis] < 0) info.shape[axis] = -1;
  }
  return info;
}

/// Whether a signature gives names to just the tensors that its graph takes or gives.
bool SameTensors(const Tables& bindings, const Numbers<std::int32_t>& tensors) {
  if (bindings.size() != tensors.size()) return false;
  for (std::size_t binding = 0; binding < bindings.size(); ++binding) {
    if (bindings[binding].Bytes(binding_field::kName).data() == nullptr) return false;
    const auto named = bindings[binding].Number<std::int32_t>(binding_field::kTensor, 0);
    bool found = false;
    for (std::size_t index = 0; index < tensors.size(); ++index) found = found || tensors[index] == named;
    if (!found) return false;
  }
  return true;
}

/// Reads one file; the views it makes point into the bytes.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes), file_(bytes) {}

  Expected<ModelFile> Read();

 private:
  Status CheckBuffers();
  Status CheckGraph(const Table& graph);
  Status CheckTensor(const Table& tensor, std::size_t index);
  Status CheckQuantization(const Table& tensor, std::size_t index);
  Status CheckOperator(const Table& graph, const Table& op, std::size_t index);
  Status CheckOptions(const Table& op, std::size_t index);
  Status CheckKind(const Table& graph, const Table& op, std::size_t index) const;
  Status CheckScales(const Table& graph, const Table& op, std::size_t index) const;

  int Kind(const Table& op) const {
    const Table code = codes_[op.Number<std::uint32_t>(operator_field::kCode, 0)];
    return std::max<int>(code.Number<std::int8_t>(code_field::kDeprecatedBuiltin, 0),
                         code.Number<std::int32_t>(code_field::kBuiltin, 0));
  }
  Status CheckSignatures();
  void ReadInterface(ModelFile* result) const;
  Status ReadContract(ModelFile* result) const;

  std::string_view Data(std::size_t buffer) const { return buffers_[buffer].Bytes(buffer_field::kData); }
  std::string_view Constant(const Table& tensor) const {
    return Data(tensor.Number<std::uint32_t>(tensor_field::kBuffer, 0));
  }

  std::string_view bytes_;
  File file_;
  Table model_;
  Tables buffers_, graphs_, codes_;
  std::vector<bool> known_;  // by tensor of the graph that is checked: has a value where the next operator runs
};

Expected<ModelFile> Reader::Read() {
  if (bytes_.size() < 8 || bytes_.substr(4, 4) != "TFL3") {
    return Status(Code::kInvalidModel,
                  "not a TFLite model (no TFL3 identifier); export it again with `segmodel export`");
  }
  if (bytes_.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    return Status(Code::kUnsupported, "the model file is larger than 2 GiB");
  }
  model_ = Table::Root(file_);
  buffers_ = model_.Children(model_field::kBuffers);
  graphs_ = model_.Children(model_field::kSubgraphs);
  codes_ = model_.Children(model_field::kOperatorCodes);
  if (graphs_.empty() || codes_.empty() || buffers_.empty()) return Damaged("no graph inside");
  SEGCORE_RETURN_IF_ERROR(CheckBuffers());
  ModelFile result;
  for (std::size_t index = 0; index < graphs_.size(); ++index) {
    SEGCORE_RETURN_IF_ERROR(CheckGraph(graphs_[index]));
    result.operators += static_cast<int>(graphs_[index].Children(graph_field::kOperators).size());
  }
  SEGCORE_RETURN_IF_ERROR(CheckSignatures());
  ReadInterface(&result);
  SEGCORE_RETURN_IF_ERROR(ReadContract(&result));
  if (file_.damaged()) return Damaged("an offset points outside");
  return result;
}

Status Reader::CheckBuffers() {
  for (std::size_t index = 0; index < buffers_.size(); ++index) {
    // Buffers outside of the FlatBuffer are for models beyond 2 GiB.
    if (buffers_[index].Number<std::uint64_t>(buffer_field::kOffset, 0) > 1 ||
        buffers_[index].Number<std::uint64_t>(buffer_field::kSize, 0) > 1) {
      return Damaged(Numbered("buffer", index) + " lies outside");
    }
  }
  return {};
}

Status Reader::CheckGraph(const Table& graph) {
  const Tables tensors = graph.Children(graph_field::kTensors);
  known_.assign(tensors.size(), false);
  for (std::size_t index = 0; index < tensors.size(); ++index) {
    SEGCORE_RETURN_IF_ERROR(CheckTensor(tensors[index], index));
    known_[index] =
        !Constant(tensors[index]).empty() || tensors[index].Number<std::uint8_t>(tensor_field::kVariable, 0);
  }
  const Numbers<std::int32_t> inputs = graph.Vector<std::int32_t>(graph_field::kInputs);
  for (std::size_t index = 0; index < inputs.size(); ++index) {
    const auto tensor = static_cast<std::size_t>(inputs[index]);
    if (tensor >= known_.size() || known_[tensor])
      return Damaged(Numbered("graph input", index) + " is no free tensor");
    known_[tensor] = true;
  }
  const Tables operators = graph.Children(graph_field::kOperators);
  for (std::size_t index = 0; index < operators.size(); ++index) {
    SEGCORE_RETURN_IF_ERROR(CheckOperator(graph, operators[index], index));
  }
  const Numbers<std::int32_t> outputs = graph.Vector<std::int32_t>(graph_field::kOutputs);
  for (std::size_t index = 0; index < outputs.size(); ++index) {
    const auto tensor = static_cast<std::size_t>(outputs[index]);
    if (tensor >= known_.size() || !known_[tensor]) return Damaged(Numbered("graph output", index) + " is never made");
  }
  return {};
}

Status Reader::CheckTensor(const Table& tensor, std::size_t index) {
  const auto type = tensor.Number<std::int8_t>(tensor_field::kType, 0);
  if (type < 0 || type >= kTypeCount) return Damaged(Numbered("tensor", index) + " is of an unknown type");
  if (tensor.Number<std::uint32_t>(tensor_field::kBuffer, 0) >= buffers_.size()) {
    return Damaged(Numbered("tensor", index) + " names a buffer that is not there");
  }
  const Numbers<std::int32_t> shape = tensor.Vector<std::int32_t>(tensor_field::kShape);
  if (shape.size() > kMaxRank) return Damaged(Numbered("tensor", index) + " has too many dimensions");
  std::int64_t bits = kTypes[type].bits;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] < 0) return Damaged(Numbered("tensor", index) + " has a negative size");
    bits *= shape[axis];
    if (bits > 8 * kMaxTensorBytes) return Damaged(Numbered("tensor", index) + " is larger than 1 GiB");
  }
  const std::size_t constant = Constant(tensor).size();
  if (constant != 0 && kTypes[type].bits != 0 && !tensor.Has(tensor_field::kSparsity) &&
      constant != static_cast<std::size_t>((bits + 7) / 8)) {
    return Damaged(Numbered("tensor", index) + " has " + std::to_string(constant) + " bytes and needs " +
                   std::to_string((bits + 7) / 8));
  }
  return CheckQuantization(tensor, index);
}

Status Reader::CheckQuantization(const Table& tensor, std::size_t index) {
  const Table quantization = tensor.Child(tensor_field::kQuantization);
  if (!quantization) return {};
  const Numbers<float> scale = quantization.Vector<float>(quantization_field::kScale);
  const Numbers<std::int64_t> zero = quantization.Vector<std::int64_t>(quantization_field::kZeroPoint);
  const Numbers<std::int32_t> shape = tensor.Vector<std::int32_t>(tensor_field::kShape);
  const auto axis = quantization.Number<std::int32_t>(quantization_field::kDimension, 0);
  for (std::size_t channel = 0; channel < scale.size(); ++channel) {
    if (!std::isfinite(scale[channel]) || scale[channel] < 0)
      return Damaged(Numbered("tensor", index) + " has an absurd scale");
  }
  const auto [low, high] = Range(tensor.Number<std::int8_t>(tensor_field::kType, 0));
  for (std::size_t channel = 0; channel < zero.size(); ++channel) {
    if (zero[channel] < low || zero[channel] > high)
      return Damaged(Numbered("tensor", index) + " has an absurd zero point");
  }
  if (zero.size() > 1 && zero.size() != scale.size()) {
    return Damaged(Numbered("tensor", index) + " has another number of zero points than of scales");
  }
  if (scale.size() > 1 && (axis < 0 || static_cast<std::size_t>(axis) >= shape.size() ||
                           static_cast<std::size_t>(shape[static_cast<std::size_t>(axis)]) != scale.size())) {
    return Damaged(Numbered("tensor", index) + " has another number of scales than of channels");
  }
  return {};
}

Status Reader::CheckOperator(const Table& graph, const Table& op, std::size_t index) {
  if (op.Number<std::uint32_t>(operator_field::kCode, 0) >= codes_.size()) {
    return Damaged(Numbered("operator", index) + " is of an unknown kind");
  }
  if (op.Number<std::uint64_t>(operator_field::kLargeOffset, 0) > 1 ||
      op.Number<std::uint64_t>(operator_field::kLargeSize, 0) > 1) {
    return Damaged(Numbered("operator", index) + " has options outside");
  }
  const Numbers<std::int32_t> inputs = op.Vector<std::int32_t>(operator_field::kInputs);
  for (std::size_t input = 0; input < inputs.size(); ++input) {
    if (inputs[input] == -1) continue;  // an optional one that is left out
    const auto tensor = static_cast<std::size_t>(inputs[input]);
    if (tensor >= known_.size() || !known_[tensor]) {
      return Damaged(Numbered("operator", index) + " reads a tensor that is not made before it");
    }
  }
  const Numbers<std::int32_t> outputs = op.Vector<std::int32_t>(operator_field::kOutputs);
  if (outputs.empty()) return Damaged(Numbered("operator", index) + " makes nothing");
  for (std::size_t output = 0; output < outputs.size(); ++output) {
    const auto tensor = static_cast<std::size_t>(outputs[output]);
    if (tensor >= known_.size() || known_[tensor]) {
      return Damaged(Numbered("operator", index) + " writes a tensor that has a value already");
    }
    known_[tensor] = true;
  }
  SEGCORE_RETURN_IF_ERROR(CheckOptions(op, index));
  return CheckKind(graph, op, index);
}

/// What kinds of operators take for granted.
Status Reader::CheckKind(const Table& graph, const Table& op, std::size_t index) const {
  const int kind = Kind(op);
  const Numbers<std::int32_t> inputs = op.Vector<std::int32_t>(operator_field::kInputs);
  const Numbers<std::int32_t> outputs = op.Vector<std::int32_t>(operator_field::kOutputs);
  for (std::size_t input = 0; input < inputs.size(); ++input) {
    if (inputs[input] == -1 && (input < 2 || kind == kDepthwiseConv)) {
      return Damaged(Numbered("operator", index) + " leaves out what it needs");
    }
  }
  if (kind == kDepthwiseConv && inputs.size() != 3) return Damaged(Numbered("operator", index) + " has no bias");
  SEGCORE_RETURN_IF_ERROR(CheckScales(graph, op, index));
  if (kind != kDequantize && kind != kQuantize) return {};
  // As many numbers are read as the result has.
  const Tables tensors = graph.Children(graph_field::kTensors);
  if (inputs.size() == 1 && outputs.size() == 1 &&
      Shape(tensors[static_cast<std::size_t>(inputs[0])]) == Shape(tensors[static_cast<std::size_t>(outputs[0])])) {
    return {};
  }
  return Damaged(Numbered("operator", index) + " makes a tensor of another shape than it reads");
}

/// Quantised numbers have a scale, only weights have one for each channel, and those that are added up are within what
/// their common fixed point can hold.
Status Reader::CheckScales(const Table& graph, const Table& op, std::size_t index) const {
  const int kind = Kind(op);
  const bool weighs = kind == kConv || kind == kDepthwiseConv || kind == kFullyConnected || kind == kTransposeConv;
  const Tables tensors = graph.Children(graph_field::kTensors);
  float largest = 0, result = 0;
  for (const int field : {operator_field::kInputs, operator_field::kOutputs}) {
    const Numbers<std::int32_t> list = op.Vector<std::int32_t>(field);
    for (std::size_t position = 0; position < list.size(); ++position) {
      if (list[position] < 0) continue;
      const Table tensor = tensors[static_cast<std::size_t>(list[position])];
      const auto [low, high] = Range(tensor.Number<std::int8_t>(tensor_field::kType, 0));
      if (high < 127) continue;
      const bool weights = field == operator_field::kInputs && (kind == kDequantize || (weighs && position > 0));
      const Numbers<float> scale = tensor.Child(tensor_field::kQuantization).Vector<float>(quantization_field::kScale);
      if (scale.empty() || (scale.size() > 1 && !weights)) {
        return Damaged(Numbered("operator", index) + " needs another scale");
      }
      for (std::size_t channel = 0; channel < scale.size(); ++channel) {
        if (scale[channel] <= 0) return Damaged(Numbered("operator", index) + " needs a scale above zero");
      }
      if (field == operator_field::kOutputs) {
        result = scale[0];
      } else {
        largest = std::max(largest, scale[0]);
      }
    }
  }
  if ((kind == kAdd || kind == kSubtract) && result > 0 && largest > kMaxScaleRatio * result) {
    return Damaged(Numbered("operator", index) + " adds numbers that are far too large for its result");
  }
  return {};
}

Status Reader::CheckOptions(const Table& op, std::size_t index) {
  const int type = op.Number<std::uint8_t>(operator_field::kOptionsType, 0);
  const Table options = op.Child(operator_field::kOptions);
  for (const Counted& entry : kCounted) {
    if (entry.options_type != type) continue;
    const auto value = options.Number<std::int32_t>(entry.field, entry.missing);
    if (value < 1 || value > kMaxCount) {
      return Damaged(Numbered("operator", index) + " has a stride or filter of " + std::to_string(value));
    }
  }
  return {};
}

Status Reader::CheckSignatures() {
  const Tables signatures = model_.Children(model_field::kSignatures);
  for (std::size_t index = 0; index < signatures.size(); ++index) {
    const auto graph = signatures[index].Number<std::uint32_t>(signature_field::kSubgraph, 0);
    if (graph >= graphs_.size()) return Damaged(Numbered("signature", index) + " names a graph that is not there");
    const bool fits = signatures[index].Bytes(signature_field::kKey).data() != nullptr &&
                      SameTensors(signatures[index].Children(signature_field::kInputs),
                                  graphs_[graph].Vector<std::int32_t>(graph_field::kInputs)) &&
                      SameTensors(signatures[index].Children(signature_field::kOutputs),
                                  graphs_[graph].Vector<std::int32_t>(graph_field::kOutputs));
    if (!fits) return Damaged(Numbered("signature", index) + " names other tensors than its graph");
  }
  return {};
}

void Reader::ReadInterface(ModelFile* result) const {
  const Tables signatures = model_.Children(model_field::kSignatures);
  const std::size_t index = signatures.empty() ? 0 : signatures[0].Number<std::uint32_t>(signature_field::kSubgraph, 0);
  const Table graph = graphs_[index];
  const Tables tensors = graph.Children(graph_field::kTensors);
  for (const auto& [field, list] :
       {std::pair(graph_field::kInputs, &result->inputs), std::pair(graph_field::kOutputs, &result->outputs)}) {
    const Numbers<std::int32_t> indices = graph.Vector<std::int32_t>(field);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      list->push_back(Describe(tensors[static_cast<std::size_t>(indices[i])]));
    }
  }
}

Status Reader::ReadContract(ModelFile* result) const {
  const Tables entries = model_.Children(model_field::kMetadata);
  for (std::size_t index = 0; index < entries.size(); ++index) {
    if (entries[index].Bytes(metadata_field::kName) != "segmentation_contract") continue;
    const auto buffer = entries[index].Number<std::uint32_t>(metadata_field::kBuffer, 0);
    if (buffer >= buffers_.size()) return Damaged("its contract is not there");
    result->has_contract = true;
    result->contract = std::string(Data(buffer));
    return {};
  }
  return {};
}

}  // namespace

Expected<ModelFile> ReadModelFile(std::string_view bytes) { return Reader(bytes).Read(); }

}  // namespace segcore
