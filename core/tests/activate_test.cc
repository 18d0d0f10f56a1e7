// SPDX-License-Identifier: Apache-2.0
#include "activate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "reference.h"

namespace segcore {
namespace {

using reference::AtEveryLevel;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

struct Activated {
  std::vector<float> probability;
  std::vector<std::uint8_t> alpha;
};

Activated ActivateAs(Contract::Output kind, int foreground, int channels, const std::vector<float>& output) {
  Contract contract;
  contract.output = kind;
  contract.foreground = foreground;
  const std::size_t pixels = output.size() / channels;
  Activated result{std::vector<float>(pixels), std::vector<std::uint8_t>(pixels)};
  const Status status =
      Activate(contract, output.data(), pixels, channels, result.probability.data(), result.alpha.data());
  EXPECT_TRUE(status.ok()) << status.message();
  return result;
}

TEST(Activate, AlphaChangesExactlyWhereTheDefinitionRoundsUp) {
  // 255 p + 1/2 reaches k at p = (k - 1/2) / 255: the nearest floats on both sides of every step.
  std::vector<float> p;
  for (int k = 1; k <= 255; ++k) {
    const float edge = static_cast<float>((k - 0.5) / 255.0);
    for (const float value : {std::nextafter(edge, 0.0f), edge, std::nextafter(edge, 1.0f)}) p.push_back(value);
  }
  AtEveryLevel([&] {
    const Activated result = ActivateAs(Contract::Output::kProbability, 0, 1, p);
    EXPECT_EQ(result.probability, p);
    for (std::size_t i = 0; i < p.size(); ++i) {
      const auto expected = static_cast<int>(std::floor(255.0 * static_cast<double>(p[i]) + 0.5));
      EXPECT_EQ(result.alpha[i], expected) << p[i];
    }
  });
}

TEST(Activate, WhatIsNoProbabilityIsClippedAndWhatIsNoNumberIsBackground) {
  AtEveryLevel([] {
    // Many, so that vectors and what remains behind them are both tried.
    std::vector<float> p;
    std::vector<std::uint8_t> expected;
    for (int i = 0; i < 37; ++i) {
      for (const auto& [value, alpha] : {std::pair{kNaN, 0}, std::pair{-kInfinity, 0}, std::pair{kInfinity, 255},
                                         std::pair{-0.5f, 0}, std::pair{1.5f, 255}, std::pair{1e30f, 255},
                                         std::pair{0.5f, 128}, std::pair{-0.0f, 0}, std::pair{1.0f, 255}}) {
        p.push_back(value);
        expected.push_back(static_cast<std::uint8_t>(alpha));
      }
    }
    EXPECT_EQ(ActivateAs(Contract::Output::kProbability, 0, 1, p).alpha, expected);
  });
}

/// Logits from -130 to 130, dense around 0, and what is beyond.
std::vector<float> Logits() {
  std::vector<float> logits{0.0f, -0.0f, kInfinity, -kInfinity, 3.4e38f, -3.4e38f, 1e-40f};
  for (int i = -1300; i <= 1300; ++i) {
    logits.push_back(static_cast<float>(i) / 10);
    logits.push_back(static_cast<float>(i) / 1234);
  }
  return logits;
}

TEST(Activate, ALogitBecomesTheNearestFloatToItsLogisticOrTheNext) {
  const std::vector<float> logits = Logits();
  AtEveryLevel([&] {
    const Activated result = ActivateAs(Contract::Output::kLogit, 0, 1, logits);
    for (std::size_t i = 0; i < logits.size(); ++i) {
      const long double exact = 1.0L / (1.0L + std::exp(-static_cast<long double>(logits[i])));
      const float nearest = static_cast<float>(exact);
      const float got = result.probability[i];
      EXPECT_TRUE(got == nearest || std::nextafter(got, nearest) == nearest) << logits[i] << ": " << got;
      EXPECT_EQ(result.alpha[i], static_cast<int>(std::floor(255.0 * static_cast<double>(got) + 0.5)));
    }
  });
}

TEST(Activate, EveryVectorLevelGivesTheSameBits) {
  const std::vector<float> logits = Logits();
  std::vector<std::vector<float>> seen;
  AtEveryLevel([&] { seen.push_back(ActivateAs(Contract::Output::kLogit, 0, 1, logits).probability); });
  for (const std::vector<float>& probability : seen) EXPECT_EQ(probability, seen.front());
}

TEST(Activate, TwoLogitsBecomeTheLogisticOfTheirDifference) {
  AtEveryLevel([] {
    std::vector<float> pairs, differences;
    for (const float logit : Logits()) {
      const float rounded = std::isinf(logit) ? logit : std::round(logit * 64) / 64;
      pairs.insert(pairs.end(), {rounded + 1.5f, 1.5f});
      differences.push_back(pairs[pairs.size() - 2] - 1.5f);
    }
    const std::vector<float> expected = ActivateAs(Contract::Output::kLogit, 0, 1, differences).probability;
    EXPECT_EQ(ActivateAs(Contract::Output::kSoftmax2, 0, 2, pairs).probability, expected);
    const std::vector<float> other = ActivateAs(Contract::Output::kSoftmax2, 1, 2, pairs).probability;
    for (std::size_t i = 0; i < other.size(); ++i) EXPECT_NEAR(other[i] + expected[i], 1.0f, 1e-7f);
  });
}

TEST(Activate, WhatIsNoNumberStaysNoneAndIsBackground) {
  AtEveryLevel([] {
    for (const auto& [kind, channels] :
         {std::pair{Contract::Output::kProbability, 1}, std::pair{Contract::Output::kLogit, 1},
          std::pair{Contract::Output::kSoftmax2, 2}}) {
      const Activated result = ActivateAs(kind, 0, channels, std::vector<float>(34, kNaN));
      for (std::size_t i = 0; i < result.alpha.size(); ++i) {
        EXPECT_TRUE(std::isnan(result.probability[i]));
        EXPECT_EQ(result.alpha[i], 0);
      }
    }
  });
}

TEST(Activate, ChannelsThatDoNotFitTheContractAreAnError) {
  const auto code = [](Contract::Output kind, int foreground, int channels) {
    Contract contract;
    contract.output = kind;
    contract.foreground = foreground;
    const float output[8] = {};
    float probability;
    std::uint8_t alpha;
    return Activate(contract, output, 1, channels, &probability, &alpha).code();
  };
  EXPECT_EQ(code(Contract::Output::kProbability, 1, 1), Code::kInvalidModel);
  EXPECT_EQ(code(Contract::Output::kLogit, 2, 2), Code::kInvalidModel);
  EXPECT_EQ(code(Contract::Output::kSoftmax2, 0, 1), Code::kInvalidModel);
  EXPECT_EQ(code(Contract::Output::kSoftmax2, 0, 3), Code::kInvalidModel);
  EXPECT_EQ(code(Contract::Output::kSoftmax2, 1, 2), Code::kOk);
}

TEST(Activate, TheForegroundIsTakenFromItsChannel) {
  const std::vector<float> output{0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f};
  EXPECT_EQ(ActivateAs(Contract::Output::kProbability, 2, 3, output).probability, (std::vector<float>{0.3f, 0.6f}));
  EXPECT_EQ(ActivateAs(Contract::Output::kProbability, 0, 2, output).probability,
            (std::vector<float>{0.1f, 0.3f, 0.5f}));
}

}  // namespace
}  // namespace segcore
