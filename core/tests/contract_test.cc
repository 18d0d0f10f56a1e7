// SPDX-License-Identifier: Apache-2.0
#include "segcore/contract.h"

#include <gtest/gtest.h>

#include <clocale>
#include <cmath>
#include <map>
#include <string>
#include <vector>

namespace segcore {
namespace {

using Lines = std::map<std::string, std::string>;

/// The text of a contract with some values replaced; an empty one leaves its line out.
std::string Text(const Lines& replaced = {}) {
  Lines lines{{"schema", "\"segmentation-contract/1\""},
              {"input_height", "224"},
              {"input_width", "144"},
              {"channels", "\"bgr\""},
              {"fit", "\"letterbox\""},
              {"resize", "\"area\""},
              {"scale", "[0.1, 0.2, 3]"},
              {"offset", "-1.0"},
              {"output", "\"logit\""},
              {"foreground", "2"},
              {"threshold", "0.25"}};
  for (const auto& [key, value] : replaced) lines[key] = value;
  std::string text;
  for (const auto& [key, value] : lines) {
    if (!value.empty()) text += key + " = " + value + "\n";
  }
  return text;
}

Contract Parsed(const std::string& text) {
  const Expected<Contract> contract = ParseContract(text, "test");
  EXPECT_TRUE(contract.ok()) << contract.status().message() << "\n" << text;
  return contract.ok() ? contract.value() : Contract();
}

void ExpectRefused(const std::string& text, const std::string& reason = "") {
  const Expected<Contract> contract = ParseContract(text, "some.toml");
  ASSERT_FALSE(contract.ok()) << text;
  EXPECT_EQ(contract.status().code(), Code::kInvalidModel);
  EXPECT_EQ(contract.status().message().rfind("some.toml: ", 0), 0u) << contract.status().message();
  EXPECT_NE(contract.status().message().find(reason), std::string::npos) << contract.status().message();
}

TEST(ContractText, IsReadWhole) {
  const Contract contract = Parsed(Text());
  EXPECT_EQ(contract.input_height, 224);
  EXPECT_EQ(contract.input_width, 144);
  EXPECT_EQ(contract.channels, Contract::Channels::kBgr);
  EXPECT_EQ(contract.fit, Contract::Fit::kLetterbox);
  EXPECT_EQ(contract.scale, (std::array<double, 3>{0.1, 0.2, 3.0}));
  EXPECT_EQ(contract.offset, (std::array<double, 3>{-1.0, -1.0, -1.0}));
  EXPECT_EQ(contract.output, Contract::Output::kLogit);
  EXPECT_EQ(contract.foreground, 2);
  EXPECT_EQ(contract.threshold, 0.25);
}

TEST(ContractText, MayHoldCommentsBlanksQuotedKeysAndEitherEndOfLine) {
  const std::string text =
      "# a comment \xc3\xa9\r\n\r\n"
      "  \"schema\"=\"segmentation-contract/1\" # why\r\n'input_height' = 1\r\n"
      "input_width\t=\t2\nchannels='rgb'\nfit=\"\"\"stretch\"\"\"\nresize=\"\\u0061rea\"\n"
      "scale = [ 1, # red\n  2.5,\n\n 3e0, ]\noffset = 0\noutput = '''\nsoftmax2'''\nforeground = 1\nthreshold = 1";
  const Contract contract = Parsed(text);
  EXPECT_EQ(contract.input_height, 1);
  EXPECT_EQ(contract.output, Contract::Output::kSoftmax2);
  EXPECT_EQ(contract.scale, (std::array<double, 3>{1.0, 2.5, 3.0}));
  EXPECT_EQ(contract.threshold, 1.0);
}

TEST(ContractText, NumbersAreThoseNearestToTheirDecimalText) {
  const std::map<std::string, double> numbers{
      {"0.00784313725490196", 0x1.0101010101010p-7},
      {"1_0.5_5e0_1", 105.5},
      {"+1E+02", 100},
      {"9007199254740993", 9007199254740992.0},
      {"0.30000000000000004440892098500626161694526672363281249", 0.30000000000000004},
      {"2.2250738585072011e-308", 0x1.ffffffffffffep-1023},
      {"1e-400", 0},
      {"0x1F_F", 511},
      {"0b101", 5},
      {"0o17", 15},
      {"123456789012345678901234567890", 123456789012345678901234567890.0}};
  for (const auto& [text, value] : numbers) {
    EXPECT_EQ(Parsed(Text({{"scale", text}})).scale[1], value) << text;
  }
  EXPECT_TRUE(std::signbit(Parsed(Text({{"offset", "-0.0"}})).offset[0]));
}

TEST(ContractText, IsReadTheSameInEveryLocale) {
  const std::string before = std::setlocale(LC_NUMERIC, nullptr);
  const bool comma = std::setlocale(LC_NUMERIC, "de_DE.UTF-8") != nullptr;
  EXPECT_EQ(Parsed(Text({{"threshold", "0.75"}})).threshold, 0.75) << (comma ? "decimal comma" : "no such locale here");
  std::setlocale(LC_NUMERIC, before.c_str());
}

TEST(ContractText, EveryKeyIsNeededOnceAndNoOtherIsKnown) {
  for (const char* key : {"schema", "input_height", "input_width", "channels", "fit", "resize", "scale", "offset",
                          "output", "foreground", "threshold"}) {
    ExpectRefused(Text({{key, ""}}), key);
    ExpectRefused(Text() + key + " = 1\n", "twice");
  }
  ExpectRefused(Text({{"treshold", "0.5"}}), "unknown key treshold");
}

TEST(ContractText, ValuesThatAreNotAllowedAreRefused) {
  const std::map<std::string, std::vector<std::string>> values{
      {"schema", {"\"segmentation-contract/2\"", "1"}},
      {"input_height", {"0", "16385", "-1", "224.0", "\"224\"", "[224]", "99999999999999999999999999999999999999999"}},
      {"channels", {"\"RGB\"", "\"\"", "1", "[1]"}},
      {"fit", {"\"crop\""}},
      {"resize", {"\"linear\""}},
      {"scale", {"[1, 2]", "[]", "[1, 2, 3, 4]", "1.0000001e30", "1e400", "\"1\""}},
      {"offset", {"-1e31", "1000000000000000019884624838657"}},
      {"output", {"\"softmax\""}},
      {"foreground", {"-1", "256", "0.0"}},
      {"threshold", {"-0.1", "1.0000000000000002", "\"0.5\"", "[0.5]"}}};
  for (const auto& [key, refused] : values) {
    for (const std::string& value : refused) ExpectRefused(Text({{key, value}}));
  }
  ExpectRefused(Text({{"output", "\"softmax2\""}, {"foreground", "2"}}), "foreground");
}

TEST(ContractText, WhatIsNoTomlOrNoContractIsRefusedWithItsLine) {
  ExpectRefused("schema = \"segmentation-contract/1\"\n\nfit\n", "line 3");
  for (const char* value : {"true",     "nan",         "inf",      "1979-05-27", "{}",  "rgb", "01",  ".5",
                            "1.",       "1e",          "1__0",     "_1",         "1_",  "0x",  "0xG", "--1",
                            "[1, 2, 3", "[[1], 2, 3]", "[1 2 3]",  "[,1, 2, 3]", "1 2", "\"a", "'a",  "\"a\nb\"",
                            "\"\\q\"",  "\"\\ud800\"", "\"\x01\"", "\"\"\"a",    ""}) {
    ExpectRefused(Text({{"scale", ""}}) + "scale = " + value + "\n");
  }
  ExpectRefused("[table]\n" + Text());
  ExpectRefused("a.b = 1\n" + Text());
  ExpectRefused("\"\"\"schema\"\"\" = 1\n");
  ExpectRefused("\xef\xbb\xbf" + Text());
  ExpectRefused("# \xff\n" + Text(), "UTF-8");
  ExpectRefused("# \xc0\x80\n" + Text(), "UTF-8");
  ExpectRefused("# \xed\xa0\x80\n" + Text(), "UTF-8");
  ExpectRefused(std::string("# \0\n", 4) + Text());
  ExpectRefused("#\r" + Text());
  ExpectRefused("");
}

TEST(ContentRect, StretchFillsTheTensor) {
  Contract contract;
  contract.fit = Contract::Fit::kStretch;
  const Rect rect = ContentRect(contract, {144, 256}, {1, 16384});
  EXPECT_EQ(rect.height, 256);
  EXPECT_EQ(rect.width, 144);
}

TEST(ContentRect, LetterboxIsTheLargestCentredRectangleOfTheFramesShape) {
  Contract contract;
  contract.fit = Contract::Fit::kLetterbox;
  const auto expect = [&](Size tensor, Size frame, Rect expected) {
    const Rect rect = ContentRect(contract, tensor, frame);
    EXPECT_EQ(rect.top, expected.top);
    EXPECT_EQ(rect.left, expected.left);
    EXPECT_EQ(rect.height, expected.height);
    EXPECT_EQ(rect.width, expected.width);
  };
  expect({224, 224}, {1280, 720}, {49, 0, 126, 224});
  expect({224, 224}, {720, 1280}, {0, 49, 224, 126});
  expect({224, 224}, {100, 100}, {0, 0, 224, 224});
  expect({4, 4}, {16, 14}, {0, 0, 4, 4});           // 3.5 rows, rounded half up
  expect({16384, 1}, {1, 16384}, {0, 8191, 1, 1});  // never less than a pixel
  expect({1, 16384}, {16384, 1}, {8191, 0, 1, 1});
}

}  // namespace
}  // namespace segcore
