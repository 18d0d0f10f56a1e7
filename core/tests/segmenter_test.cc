// SPDX-License-Identifier: Apache-2.0
#include "segcore/segmenter.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "allocations.h"
#include "litert/engine.h"
#include "model_file.h"

namespace segcore {
namespace {

constexpr const char* kVariants[] = {"fp32", "fp16", "dyn8", "int8"};

std::string ModelPath(const std::string& variant) { return SEGCORE_MODELS "/model." + variant + ".tflite"; }

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::unique_ptr<Segmenter> Loaded(const std::string& variant, int threads = 1) {
  SegmenterOptions options;
  options.threads = threads;
  auto segmenter = Segmenter::FromFile(ModelPath(variant), options);
  if (!segmenter.ok()) {
    ADD_FAILURE() << segmenter.status().message();
    abort();
  }
  return std::move(segmenter).value();
}

/// A frame of colours that are nowhere the same.
struct Frame {
  Frame(int width, int height) : pixels(std::size_t{3} * width * height) {
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i * 31 + i / 997);
    view = {pixels.data(), width, height, std::ptrdiff_t{3} * width, PixelFormat::kBgr};
  }
  std::vector<std::uint8_t> pixels;
  ImageView view;
};

void ExpectEqual(const Mask& a, const Mask& b) {
  EXPECT_EQ(a.size, b.size);
  EXPECT_EQ(a.probability, b.probability);
  EXPECT_EQ(a.alpha, b.alpha);
  EXPECT_EQ(a.picture, b.picture);
}

TEST(Segmenter, TellsWhatItLoaded) {
  const auto segmenter = Loaded("fp32", 2);
  const ModelInfo& info = segmenter->info();
  ASSERT_EQ(info.inputs.size(), 1u);
  EXPECT_EQ(info.inputs[0].dtype, "float32");
  EXPECT_EQ(info.inputs[0].shape,
            (std::vector<int>{1, segmenter->contract().input_height, segmenter->contract().input_width, 3}));
  ASSERT_EQ(info.outputs.size(), 1u);
  EXPECT_FALSE(info.litert_library.empty());
  EXPECT_EQ(info.threads, 2);
  EXPECT_EQ(info.accelerator, Accelerator::kCpu);
  EXPECT_FALSE(info.fell_back);
  EXPECT_GT(info.operators, 0);
  EXPECT_EQ(info.contract, ReadAll(SEGCORE_MODELS "/contract.toml"));
}

TEST(Segmenter, GivesTheSameMaskForTheSameFrameWithAnyNumberOfThreads) {
  const Frame frame(640, 360), other(320, 240);
  for (const char* variant : kVariants) {
    const auto one = Loaded(variant, 1), two = Loaded(variant, 2);
    Mask first, second, again;
    ASSERT_TRUE(one->Run(frame.view, {}, &first).ok());
    ASSERT_TRUE(two->Run(frame.view, {}, &second).ok());
    ASSERT_TRUE(one->Run(other.view, {}, &again).ok());
    EXPECT_NE(again.probability, first.probability) << variant << ": the frame counts";
    ASSERT_TRUE(one->Run(frame.view, {}, &again).ok());
    SCOPED_TRACE(variant);
    ExpectEqual(first, second);
    ExpectEqual(first, again);
  }
}

TEST(Segmenter, TheMaskSaysWhereTheFrameLies) {
  const Frame frame(64, 48);
  Mask mask;
  const auto segmenter = Loaded("int8");
  ASSERT_TRUE(segmenter->Run(frame.view, {90, true}, &mask).ok());
  EXPECT_EQ(mask.frame, (Size{64, 48}));
  EXPECT_EQ(mask.orientation, (Orientation{90, true}));
  EXPECT_EQ(mask.picture_size, (Size{segmenter->contract().input_width, segmenter->contract().input_height}));
  EXPECT_EQ(mask.probability.size(), static_cast<std::size_t>(mask.size.width) * mask.size.height);
  EXPECT_EQ(mask.alpha.size(), mask.probability.size());
  EXPECT_EQ(mask.content.width, mask.size.width);
  EXPECT_EQ(mask.content.height, mask.size.height);
  for (std::size_t i = 0; i < mask.alpha.size(); ++i) {
    ASSERT_GE(mask.probability[i], 0.0f);
    ASSERT_LE(mask.probability[i], 1.0f);
    ASSERT_EQ(mask.alpha[i], static_cast<int>(std::floor(255.0 * mask.probability[i] + 0.5)));
  }
  EXPECT_GT(mask.invoke_ns, 0);
}

TEST(Segmenter, ItsPartsMakeTheWhole) {
  const Frame frame(320, 240);
  const auto segmenter = Loaded("fp32");
  Mask mask;
  ASSERT_TRUE(segmenter->Run(frame.view, {}, &mask).ok());
  std::vector<float> input(segmenter->input_size()), output(segmenter->output_size());
  ASSERT_TRUE(segmenter->Preprocess(frame.view, {}, input.data()).ok());
  ASSERT_TRUE(segmenter->Invoke(input.data(), output.data()).ok());
  EXPECT_EQ(output, mask.probability);
}

TEST(Segmenter, SeveralAreIndependent) {
  const Frame frame(100, 80);
  Mask alone, beside;
  ASSERT_TRUE(Loaded("fp16")->Run(frame.view, {}, &alone).ok());
  const auto first = Loaded("fp16"), second = Loaded("int8");
  Mask other;
  ASSERT_TRUE(second->Run(frame.view, {}, &other).ok());
  ASSERT_TRUE(first->Run(frame.view, {}, &beside).ok());
  ExpectEqual(alone, beside);
}

TEST(Segmenter, MemoryMayGoOnceTheModelIsLoaded) {
  auto bytes = std::make_unique<std::string>(ReadAll(ModelPath("fp16")));
  auto segmenter = Segmenter::FromMemory(bytes->data(), bytes->size(), {});
  ASSERT_TRUE(segmenter.ok()) << segmenter.status().message();
  bytes.reset();
  const Frame frame(100, 80);
  Mask mask, expected;
  ASSERT_TRUE((*segmenter)->Run(frame.view, {}, &mask).ok());
  ASSERT_TRUE(Loaded("fp16")->Run(frame.view, {}, &expected).ok());
  ExpectEqual(mask, expected);
}

void ExpectRefused(const Expected<std::unique_ptr<Segmenter>>& segmenter, Code code, const std::string& reason) {
  ASSERT_FALSE(segmenter.ok());
  EXPECT_EQ(segmenter.status().code(), code) << segmenter.status().message();
  EXPECT_NE(segmenter.status().message().find(reason), std::string::npos) << segmenter.status().message();
}

TEST(SegmenterErrors, AMissingOrForeignFileIsNamed) {
  ExpectRefused(Segmenter::FromFile(SEGCORE_MODELS "/none.tflite", {}), Code::kNotFound, "none.tflite");
  ExpectRefused(Segmenter::FromFile(SEGCORE_MODELS, {}), Code::kInvalidArgument, SEGCORE_MODELS);
  ExpectRefused(Segmenter::FromFile(SEGCORE_MODELS "/contract.toml", {}), Code::kInvalidModel, "not a TFLite model");
  ExpectRefused(Segmenter::FromMemory(nullptr, 10, {}), Code::kInvalidArgument, "null");
  ExpectRefused(Segmenter::FromMemory("", 0, {}), Code::kInvalidModel, "not a TFLite model");
}

TEST(SegmenterErrors, AMissingLibraryIsNamed) {
  SegmenterOptions options;
  options.litert_library = "nowhere/libLiteRt.so";
  ExpectRefused(Segmenter::FromFile(ModelPath("int8"), options), Code::kNotFound, "nowhere/libLiteRt.so");
}

TEST(SegmenterErrors, OptionsOutOfRangeAreRefused) {
  SegmenterOptions options;
  for (const int threads : {0, -1, 257, std::numeric_limits<int>::max()}) {
    options.threads = threads;
    ExpectRefused(Segmenter::FromFile(ModelPath("int8"), options), Code::kInvalidArgument, "threads");
  }
  options.threads = 1;
  options.accelerator = static_cast<Accelerator>(7);
  ExpectRefused(Segmenter::FromFile(ModelPath("int8"), options), Code::kInvalidArgument, "accelerator");
}

TEST(SegmenterErrors, AContractThatDoesNotFitTheModelIsRefused) {
  const std::string contract = ReadAll(SEGCORE_MODELS "/contract.toml");
  const auto with = [&](const std::string& from, const std::string& to) {
    SegmenterOptions options;
    options.contract = contract;
    options.contract.replace(options.contract.find(from), from.size(), to);
    return Segmenter::FromFile(ModelPath("int8"), options);
  };
  ASSERT_TRUE(with("threshold = 0.5", "threshold = 0.25").ok()) << "the given contract counts, not the model's own";
  EXPECT_EQ((*with("threshold = 0.5", "threshold = 0.25"))->contract().threshold, 0.25);
  ExpectRefused(with("input_width = ", "input_width = 1"), Code::kInvalidModel, "the model takes float32 [1, ");
  ExpectRefused(with("foreground = 0", "foreground = 1"), Code::kInvalidModel, "the model gives float32 [1, ");
  ExpectRefused(with("\"probability\"", "\"softmax2\""), Code::kInvalidModel, "the model gives");
  ExpectRefused(with("scale", "skale"), Code::kInvalidModel, "contract: ");
}

TEST(SegmenterErrors, AMissingAcceleratorIsAnErrorOrARecordedFallback) {
  SegmenterOptions options;
  options.accelerator = Accelerator::kNpu;
  ExpectRefused(Segmenter::FromFile(ModelPath("int8"), options), Code::kUnsupported, "npu");
  options.allow_fallback = true;
  auto segmenter = Segmenter::FromFile(ModelPath("int8"), options);
  ASSERT_TRUE(segmenter.ok()) << segmenter.status().message();
  EXPECT_EQ((*segmenter)->info().accelerator, Accelerator::kCpu);
  EXPECT_TRUE((*segmenter)->info().fell_back);
  const Frame frame(100, 80);
  Mask mask, expected;
  ASSERT_TRUE((*segmenter)->Run(frame.view, {}, &mask).ok());
  ASSERT_TRUE(Loaded("int8")->Run(frame.view, {}, &expected).ok());
  ExpectEqual(mask, expected);
}

TEST(SegmenterErrors, AFailedCallLeavesItUsable) {
  const auto segmenter = Loaded("int8");
  const Frame frame(100, 80);
  Mask expected, mask;
  ASSERT_TRUE(segmenter->Run(frame.view, {}, &expected).ok());
  ImageView absurd = frame.view;
  absurd.width = 1 << 30;
  ImageView short_rows = frame.view;
  short_rows.stride = 1;
  ImageView unknown = frame.view;
  unknown.format = static_cast<PixelFormat>(99);
  ImageView half = frame.view;
  half.format = PixelFormat::kNv12;
  for (const ImageView& bad : {ImageView{}, absurd, short_rows, unknown, half}) {
    EXPECT_EQ(segmenter->Run(bad, {}, &mask).code(), Code::kInvalidArgument);
    EXPECT_EQ(segmenter->Preprocess(bad, {}, std::vector<float>(segmenter->input_size()).data()).code(),
              Code::kInvalidArgument);
  }
  EXPECT_EQ(segmenter->Run(frame.view, {45, false}, &mask).code(), Code::kInvalidArgument);
  EXPECT_EQ(segmenter->Run(frame.view, {}, nullptr).code(), Code::kInvalidArgument);
  EXPECT_EQ(segmenter->Preprocess(frame.view, {}, nullptr).code(), Code::kInvalidArgument);
  EXPECT_EQ(segmenter->Invoke(nullptr, nullptr).code(), Code::kInvalidArgument);
  ASSERT_TRUE(segmenter->Run(frame.view, {}, &mask).ok());
  ExpectEqual(mask, expected);
}

TEST(SegmenterAllocations, AFrameAllocatesNothingThatLiteRtDoesNotAllocateItself) {
  for (const char* variant : kVariants) {
    const std::string bytes = ReadAll(ModelPath(variant));
    const auto file = ReadModelFile(bytes);
    ASSERT_TRUE(file.ok());
    auto bare = litert::Engine::Create(bytes, file.value().inputs[0].shape, file.value().outputs[0].shape, {});
    ASSERT_TRUE(bare.ok()) << bare.status().message();
    const auto segmenter = Loaded(variant);
    const Frame frame(320, 180);
    Mask mask;
    for (int warm = 0; warm < 3; ++warm) {
      ASSERT_TRUE((*bare)->Run().ok());
      ASSERT_TRUE(segmenter->Run(frame.view, {90, true}, &mask).ok());
    }
    const std::uint64_t before = Allocations();
    for (int run = 0; run < 5; ++run) ASSERT_TRUE((*bare)->Run().ok());
    const std::uint64_t between = Allocations();
    for (int run = 0; run < 5; ++run) ASSERT_TRUE(segmenter->Run(frame.view, {90, true}, &mask).ok());
    EXPECT_EQ(Allocations() - between, between - before) << variant;
  }
}

}  // namespace
}  // namespace segcore
