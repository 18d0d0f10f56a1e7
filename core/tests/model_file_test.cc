// SPDX-License-Identifier: Apache-2.0
#include "model_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "flat_writer.h"

namespace segcore {
namespace {

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// A network of two operators: weights of half precision are made float, and folded with the input.
struct TinyModel {
  using Int = std::int32_t;

  std::vector<Int> input_shape{1, 2, 2, 3}, weights_shape{1, 1, 1, 3}, float_shape{1, 1, 1, 3},
      output_shape{1, 2, 2, 1}, output_signature{};
  std::int8_t weights_type = 1;
  Int weights_buffer = 1;
  std::string weights_data = std::string(6, '\x3c');
  std::vector<float> scale{};
  std::vector<std::int64_t> zero_point{};
  Int axis = 0;
  std::vector<Int> graph_inputs{0}, graph_outputs{3};
  std::vector<Int> conv_inputs{0, 2, -1}, conv_outputs{3};
  Int conv_code = 1, conv_kind = 3, stride = 1, dilation = 1;
  Int signature_input = 0, signature_graph = 0;
  bool signature_names = true;
  Int contract_buffer = 2;
  std::uint64_t buffer_offset = 0;

  std::string Bytes() const {
    const auto tensor = [](std::vector<Int> shape, std::int8_t type, Int buffer, const char* name) {
      FlatTable table;
      table.fields = {{0, std::move(shape)}, {1, type}, {2, buffer}, {3, std::string(name)}};
      return table;
    };
    FlatTable mask = tensor(output_shape, 0, 0, "mask");
    if (!output_signature.empty()) mask.fields[7] = output_signature;
    FlatTable weights = tensor(weights_shape, weights_type, weights_buffer, "weights");
    if (!scale.empty() || !zero_point.empty()) {
      weights.single[4] = {FlatTable{{{2, scale}, {3, zero_point}, {6, axis}}, {}}};
    }
    FlatTable dequantize{{{0, Int{0}}, {1, std::vector<Int>{1}}, {2, std::vector<Int>{2}}}, {}};
    FlatTable conv{{{0, conv_code}, {1, conv_inputs}, {2, conv_outputs}, {3, std::int8_t{1}}}, {}};
    conv.single[4] = {FlatTable{{{1, stride}, {2, stride}, {4, dilation}, {5, dilation}}, {}}};
    FlatTable graph{{{0, std::vector<FlatTable>{tensor(input_shape, 0, 0, "picture"), weights,
                                                tensor(float_shape, 0, 0, "float"), mask}},
                     {1, graph_inputs},
                     {2, graph_outputs},
                     {3, std::vector<FlatTable>{dequantize, conv}}},
                    {}};
    const auto binding = [&](const char* name, Int index) {
      FlatTable table{{{1, index}}, {}};
      if (signature_names) table.fields[0] = std::string(name);
      return std::vector<FlatTable>{table};
    };
    FlatTable signature{{{0, binding("input", signature_input)},
                         {1, binding("output", 3)},
                         {2, std::string("serving_default")},
                         {4, signature_graph}},
                        {}};
    FlatTable outside;
    if (buffer_offset != 0) outside.fields[1] = buffer_offset;
    FlatTable model{
        {{0, Int{3}},
         {1,
          std::vector<FlatTable>{FlatTable{{{0, std::int8_t{6}}, {3, Int{6}}}, {}}, FlatTable{{{3, conv_kind}}, {}}}},
         {2, std::vector<FlatTable>{graph}},
         {4, std::vector<FlatTable>{outside, FlatTable{{{0, weights_data}}, {}},
                                    FlatTable{{{0, std::string("the contract")}}, {}}}},
         {6, std::vector<FlatTable>{FlatTable{{{0, std::string("segmentation_contract")}, {1, contract_buffer}}, {}}}},
         {7, std::vector<FlatTable>{signature}}},
        {}};
    return FlatWriter::Write(model, "TFL3");
  }
};

TEST(ModelFile, TellsTensorsOperatorsAndContract) {
  const auto file = ReadModelFile(TinyModel().Bytes());
  ASSERT_TRUE(file.ok()) << file.status().message();
  ASSERT_EQ(file.value().inputs.size(), 1u);
  EXPECT_EQ(file.value().inputs[0].name, "picture");
  EXPECT_EQ(file.value().inputs[0].dtype, "float32");
  EXPECT_EQ(file.value().inputs[0].shape, (std::vector<int>{1, 2, 2, 3}));
  ASSERT_EQ(file.value().outputs.size(), 1u);
  EXPECT_EQ(file.value().outputs[0].name, "mask");
  EXPECT_EQ(file.value().operators, 2);
  EXPECT_TRUE(file.value().has_contract);
  EXPECT_EQ(file.value().contract, "the contract");
}

TEST(ModelFile, ASizeThatIsOnlyKnownWhenItRunsIsTold) {
  TinyModel model;
  model.output_signature = {-1, -1, 2, 1};
  const auto file = ReadModelFile(model.Bytes());
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file.value().outputs[0].shape, (std::vector<int>{1, -1, 2, 1})) << "any batch is run with one picture";
}

TEST(ModelFile, EveryShippedVariantIsSoundAndCarriesTheContract) {
  const std::string contract = ReadAll(SEGCORE_MODELS "/contract.toml");
  for (const std::string variant : {"fp32", "fp16", "dyn8", "int8"}) {
    const auto file = ReadModelFile(ReadAll(SEGCORE_MODELS "/model." + variant + ".tflite"));
    ASSERT_TRUE(file.ok()) << variant << ": " << file.status().message();
    EXPECT_EQ(file.value().contract, contract) << variant;
    EXPECT_GT(file.value().operators, 0) << variant;
  }
}

TEST(ModelFile, WhatIsNoModelIsRefused) {
  for (const std::string& bytes : {std::string(), std::string("TFL3"), std::string("PK\3\4, a zip archive"),
                                   std::string("\0\0\0\0TFL3", 8), std::string("\xff\xff\xff\xffTFL3", 8)}) {
    const auto file = ReadModelFile(bytes);
    ASSERT_FALSE(file.ok());
    EXPECT_EQ(file.status().code(), Code::kInvalidModel);
  }
}

TEST(ModelFile, ATruncatedModelIsRefusedWhereverItIsCut) {
  const std::string whole = TinyModel().Bytes();
  std::size_t shortest = whole.size();
  while (shortest > 0 && ReadModelFile(std::string_view(whole).substr(0, shortest - 1)).ok()) --shortest;
  EXPECT_GT(shortest + 8, whole.size()) << "only the padding at the end may be missing";
  for (std::size_t size = 0; size < shortest; ++size) {
    EXPECT_FALSE(ReadModelFile(std::string_view(whole).substr(0, size)).ok()) << size;
  }
}

TEST(ModelFile, NoByteOfAModelLeadsTheReaderOutside) {
  const std::string whole = TinyModel().Bytes();
  for (std::size_t position = 0; position < whole.size(); ++position) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::string damaged = whole;
      damaged[position] = static_cast<char>(damaged[position] ^ flip);
      (void)ReadModelFile(damaged).ok();  // the sanitizers watch
    }
  }
}

struct Fault {
  const char* what;
  std::function<void(TinyModel*)> make;
};

class ModelFileFault : public testing::TestWithParam<Fault> {};

TEST_P(ModelFileFault, IsRefused) {
  TinyModel model;
  GetParam().make(&model);
  const auto file = ReadModelFile(model.Bytes());
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.status().code(), Code::kInvalidModel);
  EXPECT_NE(file.status().message().find("damaged"), std::string::npos) << file.status().message();
}

INSTANTIATE_TEST_SUITE_P(
    Model, ModelFileFault,
    testing::Values(
        Fault{"ATensorWithoutItsBuffer", [](TinyModel* m) { m->weights_buffer = 3; }},
        Fault{"ATensorOfAnUnknownType", [](TinyModel* m) { m->weights_type = 99; }},
        Fault{"ATensorOfANegativeType", [](TinyModel* m) { m->weights_type = -1; }},
        Fault{"FewerBytesThanTheShapeNeeds", [](TinyModel* m) { m->weights_data.pop_back(); }},
        Fault{"MoreBytesThanTheShapeNeeds", [](TinyModel* m) { m->weights_data.push_back('\0'); }},
        Fault{"AShapeOfTooManyDimensions", [](TinyModel* m) { m->output_shape.assign(9, 1); }},
        Fault{"ANegativeSide", [](TinyModel* m) { m->output_shape[1] = -1; }},
        Fault{"AnAbsurdlyLargeTensor", [](TinyModel* m) { m->output_shape = {1, 1 << 20, 1 << 20, 1 << 20}; }},
        Fault{"AScaleThatIsNoNumber", [](TinyModel* m) { m->scale = {std::numeric_limits<float>::quiet_NaN()}; }},
        Fault{"AnotherNumberOfScalesThanOfChannels",
              [](TinyModel* m) {
                m->scale = {1, 1};
                m->axis = 3;
              }},
        Fault{"AQuantisedAxisThatIsNotThere",
              [](TinyModel* m) {
                m->scale = {1, 1, 1};
                m->axis = 4;
              }},
        Fault{"AnotherNumberOfZeroPointsThanOfScales",
              [](TinyModel* m) {
                m->scale = {1, 1, 1};
                m->zero_point = {0, 0};
                m->axis = 3;
              }},
        Fault{"AZeroPointOutsideItsType",
              [](TinyModel* m) {
                m->weights_type = 9;
                m->weights_data.resize(3);
                m->scale = {1};
                m->zero_point = {-32769};
              }},
        Fault{"AnUnknownOperator", [](TinyModel* m) { m->conv_code = 2; }},
        Fault{"AnOperatorThatReadsOutside", [](TinyModel* m) { m->conv_inputs[1] = 4; }},
        Fault{"AnOperatorThatReadsWhatIsMadeLater", [](TinyModel* m) { m->conv_inputs[1] = 3; }},
        Fault{"AnOperatorThatReadsANegativeTensor", [](TinyModel* m) { m->conv_inputs[1] = -2; }},
        Fault{"AnOperatorThatMakesNothing", [](TinyModel* m) { m->conv_outputs.clear(); }},
        Fault{"AnOperatorThatWritesOutside", [](TinyModel* m) { m->conv_outputs[0] = -1; }},
        Fault{"AnOperatorThatWritesWeights", [](TinyModel* m) { m->conv_outputs[0] = 1; }},
        Fault{"AnOperatorThatWritesTheInput", [](TinyModel* m) { m->conv_outputs[0] = 0; }},
        Fault{"AStrideOfZero", [](TinyModel* m) { m->stride = 0; }},
        Fault{"ANegativeDilation", [](TinyModel* m) { m->dilation = -1; }},
        Fault{"ADepthwiseConvolutionWithoutBias", [](TinyModel* m) { m->conv_kind = 4; }},
        Fault{"AConvolutionWithoutWeights", [](TinyModel* m) { m->conv_inputs[1] = -1; }},
        Fault{"QuantisedNumbersWithoutAScale",
              [](TinyModel* m) {
                m->weights_type = 9;
                m->weights_data.resize(3);
              }},
        Fault{"AScaleOfZero",
              [](TinyModel* m) {
                m->weights_type = 9;
                m->weights_data.resize(3);
                m->scale = {0};
              }},
        Fault{"ScalesByChannelForWhatIsNoWeight",
              [](TinyModel* m) {
                m->weights_type = 9;
                m->weights_data.resize(3);
                m->scale = {1, 1, 1};
                m->axis = 3;
                m->conv_inputs = {0, 1};
                m->conv_kind = 0;
              }},
        Fault{"WeightsThatChangeTheirShape", [](TinyModel* m) { m->float_shape = {1, 1, 3, 3}; }},
        Fault{"AGraphInputOutside", [](TinyModel* m) { m->graph_inputs[0] = 9; }},
        Fault{"AGraphInputThatIsAConstant", [](TinyModel* m) { m->graph_inputs[0] = 1; }},
        Fault{"AGraphOutputThatNobodyMakes",
              [](TinyModel* m) {
                m->conv_outputs[0] = 3;
                m->graph_outputs[0] = 4;
              }},
        Fault{"ASignatureOfAnotherGraph", [](TinyModel* m) { m->signature_graph = 1; }},
        Fault{"ASignatureOfAnotherTensor", [](TinyModel* m) { m->signature_input = 2; }},
        Fault{"ASignatureWithoutNames", [](TinyModel* m) { m->signature_names = false; }},
        Fault{"AContractThatIsNotThere", [](TinyModel* m) { m->contract_buffer = 3; }},
        Fault{"ABufferOutsideOfTheFile", [](TinyModel* m) { m->buffer_offset = 4096; }}),
    [](const testing::TestParamInfo<Fault>& fault) { return std::string(fault.param.what); });

}  // namespace
}  // namespace segcore
