// SPDX-License-Identifier: Apache-2.0
#include "bundle/activations.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <vector>

#include "flatbuffer.h"

namespace segcore::bundle {
namespace {

using flatbuffer::Numbers;
using flatbuffer::Table;
using flatbuffer::Tables;

/// Bytes of an element, by the number of its type in the TFLite schema; 0 where it has no size in whole bytes.
constexpr int kItemBytes[] = {4, 2, 4, 1, 8, 0, 1, 2, 0, 1, 8, 0, 8, 0, 0, 4, 2, 0, 2};

/// Bytes of a tensor; -1 where the file does not tell.
std::int64_t Size(const Table& tensor) {
  const auto type = static_cast<std::size_t>(tensor.Number<std::int8_t>(1, 0));
  std::int64_t size = type < std::size(kItemBytes) ? kItemBytes[type] : 0;
  if (size == 0) return -1;
  const Numbers<std::int32_t> shape = tensor.Vector<std::int32_t>(0), signature = tensor.Vector<std::int32_t>(7);
  for (std::size_t axis = 0; axis < signature.size(); ++axis) {
    if (signature[axis] < 0) return -1;
  }
  for (std::size_t axis = 0; axis < shape.size(); ++axis) size *= shape[axis];
  return size;
}

}  // namespace

Json Activations(std::string_view bytes) {
  const flatbuffer::File file(bytes);
  const Tables graphs = Table::Root(file).Children(2);
  if (graphs.size() != 1) return {};
  enum : int { kTensors = 0, kInputs = 1, kOutputs = 2, kOperators = 3 };  // of a graph, the middle two of an operator
  const Table graph = graphs[0];
  const Tables tensors = graph.Children(kTensors), operators = graph.Children(kOperators);
  std::map<std::int32_t, std::size_t> born, dies;
  const auto last_used = [&dies](const Numbers<std::int32_t>& list, std::size_t step) {
    for (std::size_t i = 0; i < list.size(); ++i) dies[list[i]] = step;
  };
  const Numbers<std::int32_t> inputs = graph.Vector<std::int32_t>(kInputs);
  for (std::size_t i = 0; i < inputs.size(); ++i) born[inputs[i]] = 0;
  for (std::size_t step = 0; step < operators.size(); ++step) {
    const Numbers<std::int32_t> made = operators[step].Vector<std::int32_t>(kOutputs);
    for (std::size_t i = 0; i < made.size(); ++i) born.emplace(made[i], step);
    last_used(operators[step].Vector<std::int32_t>(kInputs), step);
    last_used(made, step);
  }
  if (!operators.empty()) last_used(graph.Vector<std::int32_t>(kOutputs), operators.size() - 1);

  std::vector<std::int64_t> change(operators.size() + 1);
  std::int64_t total = 0;
  for (const auto& [tensor, step] : born) {
    const std::int64_t size = Size(tensors[static_cast<std::size_t>(tensor)]);
    if (size < 0) return {};
    total += size;
    change[step] += size;
    const auto end = dies.find(tensor);
    change[std::min((end == dies.end() ? step : end->second) + 1, operators.size())] -= size;
  }
  std::int64_t alive = 0, peak = 0;
  for (const std::int64_t step : change) peak = std::max(peak, alive += step);
  return Json::Object{{"tensors", born.size()}, {"bytes", total}, {"peak_bytes", peak}};
}

}  // namespace segcore::bundle
