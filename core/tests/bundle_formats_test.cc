// SPDX-License-Identifier: Apache-2.0
// What segbench reads and writes without a library: JSON, NPY, SHA-256, command lines.
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "bundle/arguments.h"
#include "bundle/json.h"
#include "bundle/npy.h"
#include "bundle/sha256.h"

namespace segcore::bundle {
namespace {

std::string Reread(const std::string& text) {
  const Expected<Json> value = Json::Parse(text, "text");
  return value.ok() ? value.value().Dump() : value.status().message();
}

// --- JSON ----------------------------------------------------------------------------------------

TEST(Json, IsReadAndWrittenUnchanged) {
  for (const char* text : {"null", "true", "false", "0", "-0.5", "9223372036854775807", "-9223372036854775808", "0.1",
                           "1e+30", "\"\"", "\"\xC3\xA9 \xF0\x9F\x98\x80 \\\" \\\\ \\n \\u0001\"", "[]", "{}",
                           "[[],{},[1,2.5,null]]", "{\"b\":1,\"a\":{\"c\":[true]}}"}) {
    EXPECT_EQ(Reread(text), text);
  }
}

TEST(Json, SpaceBetweenTokensMeansNothing) { EXPECT_EQ(Reread(" {\"a\" :\n[ 1 ,\t2 ]\r} "), "{\"a\":[1,2]}"); }

TEST(Json, EscapesBecomeCharacters) {
  EXPECT_EQ(Reread(R"("\u0041\u00e9\u20ac\ud83d\ude00\/")"), "\"A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80/\"");
}

TEST(Json, WholeNumbersBeyond64BitsBecomeReal) { EXPECT_EQ(Reread("9223372036854775808"), "9.223372036854776e+18"); }

TEST(Json, RealNumbersReadBackAsTheSameNumber) {
  for (const double value : {0.1, 1.0 / 3, 6.0, 1e-300, std::numeric_limits<double>::max()}) {
    double reread = 0;
    const Expected<Json> json = Json::Parse(Json(value).Dump(), "text");
    ASSERT_TRUE(json.ok());
    EXPECT_TRUE(json.value().number(&reread));
    EXPECT_EQ(reread, value);
  }
}

TEST(Json, WhatIsNoFiniteNumberIsWrittenAsNull) {
  EXPECT_EQ(Json(std::numeric_limits<double>::quiet_NaN()).Dump(), "null");
}

TEST(Json, IndentedTextHasOneValueALine) {
  EXPECT_EQ(Json(Json::Object{{"a", Json::Array{1, 2}}, {"b", Json::Object{}}}).Dump(1),
            "{\n \"a\": [\n  1,\n  2\n ],\n \"b\": {}\n}");
}

TEST(Json, MembersAreFoundChangedAndAdded) {
  Json json = Json::Object{{"a", 1}};
  json["a"] = "x";
  json["b"]["c"] = true;

  EXPECT_EQ(json.Dump(), R"({"a":"x","b":{"c":true}})");
  EXPECT_EQ(json.Find("z"), nullptr);
  EXPECT_EQ(Json("text").Find("a"), nullptr);
}

TEST(Json, WhatIsNoJsonIsRefusedWithItsLine) {
  for (const char* text : {"",
                           " ",
                           "{",
                           "[1,]",
                           "{\"a\":1,}",
                           "{\"a\" 1}",
                           "{a:1}",
                           "{'a':1}",
                           "01",
                           "1.",
                           ".5",
                           "+1",
                           "-",
                           "1e",
                           "NaN",
                           "Infinity",
                           "tru",
                           "nulll",
                           "\"a",
                           "\"\t\"",
                           "\"\\x\"",
                           "\"\\u12g4\"",
                           "[1 2]",
                           "1 2",
                           "\"\\ud800\"",
                           "\"\\ud800\\u0041\"",
                           "\"\\udc00\"",
                           "\"\x80\"",
                           "\"\xC0\x80\"",
                           "\"\xE2\x82\"",
                           "\"\xED\xA0\x80\"",
                           "\"\xF5\x80\x80\x80\"",
                           "1e999",
                           "{\"a\":1,\"a\":2}",
                           "\xEF\xBB\xBF{}",
                           "// x"}) {
    const Expected<Json> value = Json::Parse(text, "suite.json");
    ASSERT_FALSE(value.ok()) << text;
    EXPECT_EQ(value.status().message().rfind("suite.json: not readable JSON: line 1: ", 0), 0u) << text;
  }
  EXPECT_NE(Json::Parse("{\n\n x", "f").status().message().find("line 3"), std::string::npos);
}

TEST(Json, DepthIsBounded) {
  EXPECT_TRUE(Json::Parse(std::string(60, '[') + std::string(60, ']'), "f").ok());
  EXPECT_FALSE(Json::Parse(std::string(1000000, '['), "f").ok());
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"a\":";
  EXPECT_FALSE(Json::Parse(objects, "f").ok());
}

TEST(Json, TextCutAnywhereIsRefused) {
  const std::string whole = R"({"id":"caf\u00e9","cases":[{"a":-1.5e3,"b":[true,null]}]})";
  ASSERT_TRUE(Json::Parse(whole, "f").ok());
  for (std::size_t n = 0; n < whole.size(); ++n) EXPECT_FALSE(Json::Parse(whole.substr(0, n), "f").ok()) << n;
}

TEST(Json, TextWithAnyByteChangedIsReadOrRefused) {
  const std::string whole = R"({"id":"caf\u00e9","cases":[{"a":-1.5e3,"b":[true,null]}]})";
  int refused = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = whole;
      changed[at] = static_cast<char>(byte);
      const Expected<Json> value = Json::Parse(changed, "f");
      refused += !value.ok();
      if (value.ok()) {
        EXPECT_EQ(Reread(value.value().Dump()), value.value().Dump());
      }
    }
  }
  EXPECT_GT(refused, 0);
}

// --- SHA-256 -------------------------------------------------------------------------------------

TEST(Sha256, GivesThePublishedValues) {
  EXPECT_EQ(Sha256::Of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256::Of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256::Of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(Sha256::Of(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, EveryLengthIsPaddedRight) {
  // Hash of the hashes of 0, 1, … 199 bytes, as Python's hashlib gives it.
  Sha256 all;
  std::string data;
  for (int n = 0; n < 200; ++n) {
    const std::string hex = Sha256::Of(data);
    all.Update(hex.data(), hex.size());
    data.push_back(static_cast<char>(n));
  }
  EXPECT_EQ(all.Hex(), "7a38a844c9e159de39f0862ee2e28569a8250831150a3fbf0a59c001129b2fb2");
}

TEST(Sha256, PiecesGiveTheHashOfTheWhole) {
  std::string data;
  for (int i = 0; i < 1000; ++i) data.push_back(static_cast<char>(i * 7));
  for (const std::size_t piece : {1, 3, 63, 64, 65, 200}) {
    Sha256 hash;
    for (std::size_t at = 0; at < data.size(); at += piece) {
      hash.Update(data.data() + at, std::min(piece, data.size() - at));
    }
    EXPECT_EQ(hash.Hex(), Sha256::Of(data)) << piece;
  }
}

// --- NPY -----------------------------------------------------------------------------------------

std::string Npy(const std::string& header, const std::string& data) {
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header + data;
}

TEST(Npy, PixelsAreReadWithTheirShape) {
  const std::string file =
      Npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2, 3), }   \n", std::string("\0\1\2\3\4\5", 6));
  const Expected<NpyBytes> array = ParseNpy(file, "a.npy");

  ASSERT_TRUE(array.ok()) << array.status().message();
  EXPECT_EQ(array.value().shape, (std::vector<std::size_t>{1, 2, 3}));
  EXPECT_EQ(array.value().data, std::string("\0\1\2\3\4\5", 6));
}

TEST(Npy, TheHeadersKeysMayStandInAnyOrder) {
  EXPECT_TRUE(ParseNpy(Npy("{\"shape\":(2,),'fortran_order':False,'descr':'|u1'}", "ab"), "a.npy").ok());
}

TEST(Npy, WhatIsNoArrayOfPixelsIsRefused) {
  const std::string data("abcdef");
  for (const std::string& file :
       {std::string(), data, Npy("", data), Npy("{}", data), Npy("{'descr': '|u1', 'fortran_order': False}", data),
        Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (6,)}", data),
        Npy("{'descr': '|u1', 'fortran_order': True, 'shape': (6,)}", data),
        Npy("{'descr': '|u1', 'fortran_order': False, 'shape': (7,)}", data),
        Npy("{'descr': '|u1', 'fortran_order': False, 'shape': (5,)}", data),
        Npy("{'descr': '|u1', 'fortran_order': False, 'shape': (-6,)}", data),
        Npy("{'descr': '|u1', 'fortran_order': False, 'shape': (999999999, 999999999, 999999999)}", data),
        Npy("{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999,)}", data),
        Npy("{'descr': '|u1', 'descr': '|u1', 'shape': (6,)}", data),
        Npy("{'descr': '|u1', 'fortran_order': False, 'shape': (6,)} x", data),
        Npy("{'descr': '|u1', 'fortran_order': False, 'shape': (6,), 'more': 1}", data)}) {
    EXPECT_EQ(ParseNpy(file, "a.npy").status().message().rfind("a.npy: not a readable NPY file: ", 0), 0u) << file;
  }
}

TEST(Npy, AFileCutAnywhereIsRefused) {
  const std::string whole = Npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }\n", "abcdef");
  ASSERT_TRUE(ParseNpy(whole, "a.npy").ok());
  for (std::size_t n = 0; n < whole.size(); ++n) EXPECT_FALSE(ParseNpy(whole.substr(0, n), "a.npy").ok()) << n;
}

TEST(Npy, AMapIsWrittenAsVersion1WithAlignedNumbers) {
  const float map[6] = {0, 0.5F, 1, -1, 1e-30F, 2};
  const std::string file = EncodeNpy(map, 2, 3);

  EXPECT_EQ(file.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  EXPECT_EQ((file.size() - sizeof map) % 64, 0u);
  EXPECT_EQ(std::memcmp(file.data() + file.size() - sizeof map, map, sizeof map), 0);
  EXPECT_NE(file.find("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"), std::string::npos);
}

// --- command lines -------------------------------------------------------------------------------

Arguments Known() {
  return Arguments({{"model", "FILE", "The model."}, {"json", "", "As JSON."}, {"n", "N", "Number."}});
}

Status Parse(Arguments* arguments, std::vector<std::string> words) {
  std::vector<char*> argv;
  words.insert(words.begin(), "program");
  for (std::string& word : words) argv.push_back(word.data());
  return arguments->Parse(static_cast<int>(argv.size()), argv.data());
}

TEST(Arguments, ValuesStandBehindASpaceOrAnEqualsSign) {
  Arguments arguments = Known();

  ASSERT_TRUE(Parse(&arguments, {"--model", "a b", "--n=-1", "--json"}).ok());
  EXPECT_EQ(arguments.Get("model"), "a b");
  EXPECT_EQ(*arguments.Integer("n", 0, -5, 5), -1);
  EXPECT_TRUE(arguments.Has("json"));
}

TEST(Arguments, WhatIsWrongIsNamed) {
  for (const auto& [words, part] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"model"}, "model"},
           {{"--modle", "x"}, "--modle"},
           {{"--model"}, "--model needs a value"},
           {{"--model="}, "--model needs a value"},
           {{"--json=1"}, "--json takes no value"},
           {{"--n", "1", "--n", "2"}, "--n is given twice"},
       }) {
    Arguments arguments = Known();
    EXPECT_NE(Parse(&arguments, words).message().find(part), std::string::npos) << part;
  }
}

TEST(Arguments, NumbersAndWordsAreChecked) {
  for (const char* value : {"x", "1x", "nan", "6", "-6", "1e9"}) {
    Arguments arguments = Known();
    ASSERT_TRUE(Parse(&arguments, {"--n", value}).ok());
    EXPECT_NE(arguments.Integer("n", 0, -5, 5).status().message().find("from -5 to 5"), std::string::npos) << value;
  }
  Arguments arguments = Known();
  ASSERT_TRUE(Parse(&arguments, {"--n", "1.5"}).ok());
  EXPECT_EQ(*arguments.Number("n", 0, -5, 5), 1.5);
  EXPECT_FALSE(arguments.Integer("n", 0, -5, 5).ok());
  EXPECT_EQ(*arguments.Choice("model", {"both", "image"}), "both");
  EXPECT_NE(arguments.Choice("n", {"both", "image"}).status().message().find("both, image"), std::string::npos);
}

}  // namespace
}  // namespace segcore::bundle
