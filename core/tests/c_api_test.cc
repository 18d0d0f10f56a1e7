// SPDX-License-Identifier: Apache-2.0
#include "segcore/c_api.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr char kModel[] = SEGCORE_MODELS "/model.int8.tflite";

segcore_segmenter* Load() {
  segcore_segmenter* segmenter = nullptr;
  segcore_error error;
  EXPECT_EQ(segcore_segmenter_create_from_file(kModel, nullptr, &segmenter, &error), SEGCORE_OK) << error.message;
  return segmenter;
}

struct Picture {
  Picture(int width, int height) : bytes(static_cast<std::size_t>(width) * height * 3) {
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 100);
    image = {bytes.data(), width, height, static_cast<std::ptrdiff_t>(width) * 3, SEGCORE_BGR, nullptr, 0, 0};
    target = {bytes.data(), width, height, static_cast<std::ptrdiff_t>(width) * 3, SEGCORE_BGR};
  }
  std::vector<std::uint8_t> bytes;
  segcore_image image;
  segcore_mutable_image target;
};

TEST(CApi, SegmentsAndDrawsAFrame) {
  segcore_segmenter* segmenter = Load();
  segcore_mask* mask = segcore_mask_create();
  EXPECT_EQ(segcore_mask_alpha(mask), nullptr);
  Picture frame(64, 48), out(64, 48);
  segcore_error error;
  ASSERT_EQ(segcore_segmenter_run(segmenter, &frame.image, nullptr, mask, &error), SEGCORE_OK) << error.message;
  EXPECT_EQ(error.message[0], '\0');
  EXPECT_NE(segcore_mask_alpha(mask), nullptr);
  EXPECT_NE(segcore_mask_probability(mask), nullptr);
  EXPECT_GT(segcore_mask_width(mask) * segcore_mask_height(mask), 0);
  std::int64_t preprocess = -1, invoke = -1;
  segcore_mask_times(mask, &preprocess, &invoke, nullptr);
  EXPECT_GE(preprocess, 0);
  EXPECT_GT(invoke, 0);

  segcore_refiner* refiner = nullptr;
  ASSERT_EQ(segcore_refiner_create(nullptr, &refiner, &error), SEGCORE_OK) << error.message;
  ASSERT_EQ(segcore_refiner_smooth(refiner, mask, &error), SEGCORE_OK) << error.message;
  std::vector<std::uint8_t> alpha(64 * 48);
  const segcore_plane plane{alpha.data(), 64, 48, 64};
  ASSERT_EQ(segcore_refiner_upsample(refiner, mask, &frame.image, &plane, &error), SEGCORE_OK) << error.message;

  segcore_compositor* compositor = nullptr;
  ASSERT_EQ(segcore_compositor_create(nullptr, &compositor, &error), SEGCORE_OK) << error.message;
  ASSERT_EQ(segcore_compositor_run(compositor, &frame.image, &plane, nullptr, &out.target, &error), SEGCORE_OK)
      << error.message;
  ASSERT_EQ(segcore_compositor_hide(compositor, &frame.image, nullptr, &out.target, &error), SEGCORE_OK)
      << error.message;

  segcore_compositor_destroy(compositor);
  segcore_refiner_destroy(refiner);
  segcore_mask_destroy(mask);
  segcore_segmenter_destroy(segmenter);
}

TEST(CApi, TellsWhatWasLoaded) {
  segcore_segmenter* segmenter = Load();
  segcore_model_info info{};
  EXPECT_EQ(segcore_segmenter_info(segmenter, &info, nullptr), SEGCORE_INVALID_ARGUMENT) << "its size is not set";
  info.size = sizeof info;
  ASSERT_EQ(segcore_segmenter_info(segmenter, &info, nullptr), SEGCORE_OK);
  EXPECT_GE(std::min(info.input_width, info.input_height), 32);
  EXPECT_EQ(info.output_channels, 1);
  EXPECT_GT(info.operators, 10);
  EXPECT_NE(std::string(info.contract).find("segmentation-contract/1"), std::string::npos);
  EXPECT_NE(std::string(info.litert_library), "");

  const std::size_t pixels = static_cast<std::size_t>(info.input_width) * info.input_height, count = 3 * pixels;
  std::vector<float> tensor(count), output(pixels);
  Picture frame(30, 20);
  segcore_error error;
  EXPECT_EQ(segcore_segmenter_preprocess(segmenter, &frame.image, nullptr, tensor.data(), count - 1, &error),
            SEGCORE_INVALID_ARGUMENT);
  EXPECT_EQ(segcore_segmenter_preprocess(segmenter, &frame.image, nullptr, tensor.data(), count, &error), SEGCORE_OK);
  EXPECT_EQ(segcore_segmenter_invoke(segmenter, tensor.data(), count, output.data(), 1, &error),
            SEGCORE_INVALID_ARGUMENT);
  EXPECT_EQ(segcore_segmenter_invoke(segmenter, tensor.data(), count, output.data(), output.size(), &error),
            SEGCORE_OK);

  std::vector<float> probability(output.size());
  std::vector<std::uint8_t> alpha(output.size());
  EXPECT_EQ(segcore_segmenter_activate(segmenter, output.data(), output.size(), probability.data(), alpha.data(),
                                       alpha.size() - 1, &error),
            SEGCORE_INVALID_ARGUMENT);
  EXPECT_EQ(segcore_segmenter_activate(segmenter, output.data(), output.size(), probability.data(), alpha.data(),
                                       alpha.size(), &error),
            SEGCORE_OK);
  segcore_mask* mask = segcore_mask_create();
  ASSERT_EQ(segcore_segmenter_run(segmenter, &frame.image, nullptr, mask, &error), SEGCORE_OK);
  EXPECT_TRUE(std::equal(probability.begin(), probability.end(), segcore_mask_probability(mask)));
  EXPECT_TRUE(std::equal(alpha.begin(), alpha.end(), segcore_mask_alpha(mask)));
  segcore_mask_destroy(mask);
  segcore_segmenter_destroy(segmenter);
}

TEST(CApi, NullPointersAreErrorsAndNotCrashes) {
  segcore_segmenter* segmenter = Load();
  segcore_mask* mask = segcore_mask_create();
  segcore_compositor* compositor = nullptr;
  segcore_refiner* refiner = nullptr;
  segcore_pipeline* pipeline = nullptr;
  ASSERT_EQ(segcore_compositor_create(nullptr, &compositor, nullptr), SEGCORE_OK);
  ASSERT_EQ(segcore_refiner_create(nullptr, &refiner, nullptr), SEGCORE_OK);
  Picture frame(8, 8);
  std::vector<std::uint8_t> alpha(64);
  const segcore_plane plane{alpha.data(), 8, 8, 8};
  const segcore_image hollow{nullptr, 8, 8, 24, SEGCORE_BGR, nullptr, 0, 0};
  segcore_compositor_options compositor_options;
  segcore_compositor_options_init(&compositor_options, sizeof compositor_options);

  segcore_error e;
  const std::vector<segcore_code> codes = {
      segcore_segmenter_create_from_file(nullptr, nullptr, &segmenter, &e),
      segcore_segmenter_create_from_file(kModel, nullptr, nullptr, &e),
      segcore_segmenter_create_from_memory(nullptr, 100, nullptr, &segmenter, &e),
      segcore_segmenter_info(nullptr, nullptr, &e),
      segcore_segmenter_info(segmenter, nullptr, &e),
      segcore_segmenter_run(nullptr, &frame.image, nullptr, mask, &e),
      segcore_segmenter_run(segmenter, nullptr, nullptr, mask, &e),
      segcore_segmenter_run(segmenter, &frame.image, nullptr, nullptr, &e),
      segcore_segmenter_run(segmenter, &hollow, nullptr, mask, &e),
      segcore_segmenter_preprocess(segmenter, &frame.image, nullptr, nullptr, 0, &e),
      segcore_segmenter_invoke(segmenter, nullptr, 0, nullptr, 0, &e),
      segcore_segmenter_activate(segmenter, nullptr, 0, nullptr, nullptr, 0, &e),
      segcore_refiner_create(nullptr, nullptr, &e),
      segcore_refiner_smooth(nullptr, mask, &e),
      segcore_refiner_smooth(refiner, nullptr, &e),
      segcore_refiner_upsample(refiner, nullptr, &frame.image, &plane, &e),
      segcore_refiner_upsample(refiner, mask, nullptr, &plane, &e),
      segcore_refiner_upsample(refiner, mask, &frame.image, nullptr, &e),
      segcore_refiner_upsample(refiner, mask, &frame.image, &plane, &e),  // the mask was never filled
      segcore_compositor_create(nullptr, nullptr, &e),
      segcore_compositor_set_options(nullptr, &compositor_options, &e),
      segcore_compositor_set_image(compositor, nullptr, &e),
      segcore_compositor_run(nullptr, &frame.image, &plane, nullptr, &frame.target, &e),
      segcore_compositor_run(compositor, nullptr, &plane, nullptr, &frame.target, &e),
      segcore_compositor_run(compositor, &frame.image, nullptr, nullptr, &frame.target, &e),
      segcore_compositor_run(compositor, &frame.image, &plane, nullptr, nullptr, &e),
      segcore_compositor_hide(compositor, &frame.image, nullptr, nullptr, &e),
      segcore_pipeline_create(nullptr, nullptr, nullptr, nullptr, &pipeline, &e),
      segcore_pipeline_start(nullptr, nullptr, nullptr, &e),
      segcore_pipeline_push(nullptr, &frame.image, nullptr, 0, &e),
      segcore_pipeline_wait(nullptr, &e),
      segcore_pipeline_stop(nullptr, &e),
      segcore_pipeline_counters(nullptr, nullptr, &e),
      segcore_pipeline_set_background(nullptr, &compositor_options, &e),
      segcore_pipeline_set_image(nullptr, &frame.image, &e),
  };
  for (std::size_t i = 0; i < codes.size(); ++i) EXPECT_EQ(codes[i], SEGCORE_INVALID_ARGUMENT) << "call " << i;

  segcore_segmenter_options_init(nullptr, 100);
  segcore_mask_times(nullptr, nullptr, nullptr, nullptr);
  EXPECT_EQ(segcore_mask_alpha(nullptr), nullptr);
  EXPECT_EQ(segcore_mask_width(nullptr), 0);
  segcore_refiner_reset(nullptr);
  segcore_segmenter_destroy(nullptr);
  segcore_mask_destroy(nullptr);
  segcore_refiner_destroy(nullptr);
  segcore_compositor_destroy(nullptr);
  segcore_pipeline_destroy(nullptr);
  segcore_compositor_destroy(compositor);
  segcore_refiner_destroy(refiner);
  segcore_mask_destroy(mask);
  segcore_segmenter_destroy(segmenter);
}

TEST(CApi, AFailedCallLeavesTheObjectUsable) {
  segcore_segmenter* segmenter = Load();
  segcore_mask* mask = segcore_mask_create();
  Picture frame(40, 30);
  segcore_image absurd = frame.image;
  absurd.width = 1 << 30;
  segcore_error error;
  const segcore_orientation tilted{45, 0};
  EXPECT_EQ(segcore_segmenter_run(segmenter, &absurd, nullptr, mask, &error), SEGCORE_INVALID_ARGUMENT);
  EXPECT_NE(std::string(error.message).find("1073741824"), std::string::npos) << error.message;
  EXPECT_EQ(segcore_segmenter_run(segmenter, &frame.image, &tilted, mask, &error), SEGCORE_INVALID_ARGUMENT);
  EXPECT_EQ(segcore_segmenter_run(segmenter, &frame.image, nullptr, mask, &error), SEGCORE_OK) << error.message;
  segcore_mask_destroy(mask);
  segcore_segmenter_destroy(segmenter);
}

TEST(CApi, OptionsOfAnOlderCallerKeepTheDefaultsOfWhatItDoesNotKnow) {
  segcore_compositor_options options;
  std::memset(&options, 0x7F, sizeof options);
  const std::size_t known = offsetof(segcore_compositor_options, blur_permille);
  segcore_compositor_options_init(&options, known);
  EXPECT_EQ(options.size, known);
  EXPECT_EQ(options.background, SEGCORE_BACKGROUND_BLUR);
  EXPECT_EQ(options.blur_permille, 0x7F7F7F7F) << "a caller's memory beyond its struct is not touched";
  segcore_compositor* compositor = nullptr;
  segcore_error error;
  EXPECT_EQ(segcore_compositor_create(&options, &compositor, &error), SEGCORE_OK) << error.message;
  segcore_compositor_destroy(compositor);

  options.size = 0;
  EXPECT_EQ(segcore_compositor_create(&options, &compositor, &error), SEGCORE_INVALID_ARGUMENT);
  EXPECT_NE(std::string(error.message).find("_init"), std::string::npos) << error.message;
}

TEST(CApi, OptionsThatCannotBeAreRefused) {
  segcore_segmenter* segmenter = nullptr;
  segcore_error error;
  segcore_segmenter_options options;
  segcore_segmenter_options_init(&options, sizeof options);
  options.accelerator = 9;
  EXPECT_EQ(segcore_segmenter_create_from_file(kModel, &options, &segmenter, &error), SEGCORE_INVALID_ARGUMENT);
  EXPECT_EQ(segmenter, nullptr);

  segcore_compositor_options drawing;
  segcore_compositor_options_init(&drawing, sizeof drawing);
  drawing.background = 9;
  segcore_compositor* compositor = nullptr;
  EXPECT_EQ(segcore_compositor_create(&drawing, &compositor, &error), SEGCORE_INVALID_ARGUMENT);

  segcore_pipeline_options flow;
  segcore_pipeline_options_init(&flow, sizeof flow);
  flow.queue_capacity = 0;
  segcore_pipeline* pipeline = nullptr;
  EXPECT_EQ(segcore_pipeline_create(Load(), nullptr, nullptr, &flow, &pipeline, &error), SEGCORE_INVALID_ARGUMENT);
  EXPECT_EQ(pipeline, nullptr);
}

TEST(CApi, LongMessagesAreCutAtAWholeCharacter) {
  const std::string path = std::string(1015, 'x') + "\u00e4\u00e4\u00e4\u00e4.tflite";
  segcore_segmenter* segmenter = nullptr;
  for (std::size_t skip = 0; skip < 4; ++skip) {
    segcore_error error;
    EXPECT_EQ(segcore_segmenter_create_from_file(path.c_str() + skip, nullptr, &segmenter, &error), SEGCORE_NOT_FOUND);
    const std::string message = error.message;
    EXPECT_LT(message.size(), sizeof error.message);
    EXPECT_NE(static_cast<unsigned char>(message.back()), 0xC3) << "half of a character";
  }
}

TEST(CApi, ThePipelinePresentsWhatIsPushed) {
  segcore_pipeline_options options;
  segcore_pipeline_options_init(&options, sizeof options);
  options.drop_oldest = 0;
  segcore_pipeline* pipeline = nullptr;
  segcore_error error;
  ASSERT_EQ(segcore_pipeline_create(Load(), nullptr, nullptr, &options, &pipeline, &error), SEGCORE_OK)
      << error.message;
  std::vector<std::uint64_t> shown;
  const segcore_sink sink = [](void* context, const segcore_presented* presented) -> std::int32_t {
    EXPECT_NE(presented->picture.data, nullptr);
    EXPECT_EQ(presented->mask_age, 0);
    static_cast<std::vector<std::uint64_t>*>(context)->push_back(presented->sequence);
    return 0;
  };
  ASSERT_EQ(segcore_pipeline_start(pipeline, sink, &shown, &error), SEGCORE_OK) << error.message;
  Picture frame(64, 48);
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(segcore_pipeline_push(pipeline, &frame.image, nullptr, 0, &error), SEGCORE_OK) << error.message;
  }
  ASSERT_EQ(segcore_pipeline_wait(pipeline, &error), SEGCORE_OK) << error.message;
  EXPECT_EQ(shown, (std::vector<std::uint64_t>{0, 1, 2, 3, 4}));
  segcore_counters counters{};
  counters.size = sizeof counters;
  ASSERT_EQ(segcore_pipeline_counters(pipeline, &counters, &error), SEGCORE_OK);
  EXPECT_EQ(counters.presented, 5u);
  segcore_pipeline_destroy(pipeline);
}

TEST(CApi, ASinkThatRefusesEndsThePipelineAndTheCallerLearnsIt) {
  segcore_pipeline* pipeline = nullptr;
  segcore_error error;
  ASSERT_EQ(segcore_pipeline_create(Load(), nullptr, nullptr, nullptr, &pipeline, &error), SEGCORE_OK) << error.message;
  const segcore_sink sink = [](void*, const segcore_presented*) -> std::int32_t { return 7; };
  ASSERT_EQ(segcore_pipeline_start(pipeline, sink, nullptr, &error), SEGCORE_OK) << error.message;
  Picture frame(64, 48);
  ASSERT_EQ(segcore_pipeline_push(pipeline, &frame.image, nullptr, 0, &error), SEGCORE_OK) << error.message;
  EXPECT_EQ(segcore_pipeline_wait(pipeline, &error), SEGCORE_CANCELLED);
  EXPECT_NE(std::string(error.message).find('7'), std::string::npos) << error.message;
  segcore_pipeline_destroy(pipeline);
}

}  // namespace
