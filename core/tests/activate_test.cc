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

TEST(Activate, TheForegroundIsTakenFromItsChannel) {
  const std::vector<float> output{0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f};
  EXPECT_EQ(ActivateAs(Contract::Output::kProbability, 2, 3, output).probability, (std::vector<float>{0.3f, 0.6f}));
  EXPECT_EQ(ActivateAs(Contract::Output::kProbability, 0, 2, output).probability,
            (std::vector<float>{0.1f, 0.3f, 0.5f}));
}

}  // namespace
}  // namespace segcore
