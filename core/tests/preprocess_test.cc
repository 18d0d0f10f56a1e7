// SPDX-License-Identifier: Apache-2.0
#include "preprocess.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "allocations.h"
#include "reference.h"

namespace segcore {
namespace {

using reference::AtEveryLevel;
using reference::Frame;
using reference::MakeFrame;
using reference::Picture;

Contract MakeContract(Size input, Contract::Fit fit = Contract::Fit::kStretch,
                      Contract::Channels channels = Contract::Channels::kRgb) {
  Contract contract;
  contract.input_width = input.width;
  contract.input_height = input.height;
  contract.fit = fit;
  contract.channels = channels;
  contract.scale = {0.00784313725, 1.0 / 255, 0.0171247538};
  contract.offset = {-1.0, 0.1, -2.0357142857};
  return contract;
}

/// The definition: turn upright, fit, look up.
void Expected(const Contract& contract, const Frame& frame, Orientation orientation, Picture* picture,
              std::vector<float>* tensor) {
  const Picture upright = reference::TurnUpright(frame.rgb, orientation);
  const Rect rect = ContentRect(contract, picture->size, upright.size);
  const Picture content = reference::Resize(upright, {rect.width, rect.height});
  for (int y = 0; y < rect.height; ++y) {
    for (int x = 0; x < rect.width; ++x) {
      for (int c = 0; c < 3; ++c) picture->at(rect.left + x, rect.top + y, c) = content.at(x, y, c);
    }
  }
  for (std::size_t i = 0; i < picture->bytes.size(); ++i) {
    const std::size_t colour = contract.channels == Contract::Channels::kRgb ? i % 3 : 2 - i % 3;
    const double product = picture->bytes[i / 3 * 3 + colour] * contract.scale[colour];
    tensor->push_back(static_cast<float>(product + contract.offset[colour]));
  }
}

void ExpectExact(const Contract& contract, Preprocessor& preprocessor, const Frame& frame, Orientation orientation) {
  const Size input{contract.input_width, contract.input_height};
  Picture expected(input, 3), picture = reference::Noise(input, 3, 9);
  std::vector<float> expected_tensor, tensor(picture.bytes.size(), -7.0f);
  Expected(contract, frame, orientation, &expected, &expected_tensor);

  const Status status = preprocessor.Run(frame.view, orientation, picture.bytes.data(), tensor.data());

  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(picture.bytes, expected.bytes);
  EXPECT_EQ(std::memcmp(tensor.data(), expected_tensor.data(), tensor.size() * sizeof(float)), 0);
}

TEST(Preprocess, IsExactForEveryFormatStrideAndOrientation) {
  AtEveryLevel([] {
    for (const auto fit : {Contract::Fit::kStretch, Contract::Fit::kLetterbox}) {
      const Contract contract = MakeContract({28, 21}, fit);
      Preprocessor preprocessor(contract);
      for (const Size size : {Size{64, 36}, Size{51, 67}}) {
        for (int format = 0; format <= 4; ++format) {
          for (const Orientation orientation : reference::Orientations()) {
            SCOPED_TRACE("format " + std::to_string(format) + ", rotation " + std::to_string(orientation.rotation));
            const bool upwards = orientation.mirrored;
            const Frame frame = MakeFrame(size, static_cast<PixelFormat>(format), format * 3, upwards, format + 1);
            ExpectExact(contract, preprocessor, frame, orientation);
          }
        }
      }
    }
  });
}

TEST(Preprocess, IsExactForSizesDrawnAtRandom) {
  std::mt19937 random(11);
  AtEveryLevel([&] {
    for (int i = 0; i < 60; ++i) {
      const auto side = [&] { return static_cast<int>(1 + random() % 70); };
      const Contract contract = MakeContract({side(), side()}, static_cast<Contract::Fit>(random() % 2),
                                             static_cast<Contract::Channels>(random() % 2));
      Preprocessor preprocessor(contract);
      const Frame frame = MakeFrame({side(), side()}, static_cast<PixelFormat>(random() % 5), 2, i % 2 == 0, i);
      SCOPED_TRACE("draw " + std::to_string(i));
      ExpectExact(contract, preprocessor, frame, reference::Orientations()[random() % 8]);
    }
  });
}

TEST(Preprocess, TheSmallestAndTheNarrowestFramesAreExact) {
  for (const Size size : {Size{1, 1}, Size{1, 100}, Size{100, 1}, Size{3, 2000}}) {
    const Contract contract = MakeContract({16, 16}, Contract::Fit::kLetterbox);
    Preprocessor preprocessor(contract);
    for (const Orientation orientation : reference::Orientations()) {
      ExpectExact(contract, preprocessor, MakeFrame(size, PixelFormat::kBgr, 0, false, 5), orientation);
      ExpectExact(contract, preprocessor, MakeFrame(size, PixelFormat::kNv12, 0, false, 6), orientation);
    }
  }
}

TEST(Preprocess, NothingIsReadBehindTheLastPixelOfAFrame) {
  // Under the address sanitizer: each frame ends where its memory ends.
  for (int format = 0; format <= 4; ++format) {
    const Contract contract = MakeContract({5, 4});
    Preprocessor preprocessor(contract);
    for (int width = 1; width < 40; ++width) {
      const Frame frame = MakeFrame({width, 3}, static_cast<PixelFormat>(format), 0, false, width);
      ExpectExact(contract, preprocessor, frame, {});
    }
  }
}

TEST(Preprocess, NothingIsAllocatedAfterTheFirstFrameOfASize) {
  const Contract contract = MakeContract({28, 28}, Contract::Fit::kLetterbox);
  std::vector<std::uint8_t> picture(28 * 28 * 3);
  std::vector<float> tensor(28 * 28 * 3);
  for (int format = 0; format <= 4; ++format) {
    const Frame frame = MakeFrame({160, 91}, static_cast<PixelFormat>(format), 0, false, 1);
    for (const Orientation orientation : reference::Orientations()) {
      Preprocessor preprocessor(contract);
      ASSERT_TRUE(preprocessor.Run(frame.view, orientation, picture.data(), tensor.data()).ok());
      const std::uint64_t before = Allocations();
      ASSERT_TRUE(preprocessor.Run(frame.view, orientation, picture.data(), tensor.data()).ok());
      EXPECT_EQ(Allocations(), before) << "format " << format << ", rotation " << orientation.rotation;
    }
  }
}

TEST(Preprocess, BadInputIsAnErrorAndTheNextFrameIsFine) {
  const Contract contract = MakeContract({8, 8});
  Preprocessor preprocessor(contract);
  Frame frame = MakeFrame({10, 10}, PixelFormat::kBgr, 0, false, 1);
  std::vector<std::uint8_t> picture(8 * 8 * 3);
  std::vector<float> tensor(8 * 8 * 3);
  ImageView broken = frame.view;
  broken.stride = 29;

  EXPECT_EQ(preprocessor.Run({}, {}, picture.data(), tensor.data()).code(), Code::kInvalidArgument);
  EXPECT_EQ(preprocessor.Run(broken, {}, picture.data(), tensor.data()).code(), Code::kInvalidArgument);
  EXPECT_EQ(preprocessor.Run(frame.view, {45, false}, picture.data(), tensor.data()).code(), Code::kInvalidArgument);
  EXPECT_EQ(preprocessor.Run(frame.view, {}, nullptr, tensor.data()).code(), Code::kInvalidArgument);
  ExpectExact(contract, preprocessor, frame, {});
}

}  // namespace
}  // namespace segcore
