// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "segcore/segmenter.h"

namespace segcore {
namespace {

namespace fs = std::filesystem;

std::string ReadAll(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void WriteAll(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

class WeightCache : public testing::Test {
 protected:
  WeightCache() {
    std::string name = testing::TempDir() + "segcore-XXXXXX";
    folder = mkdtemp(&name[0]);
    cache = folder / "weights.bin";
  }
  ~WeightCache() override { fs::remove_all(folder); }

  /// The output for a fixed input of a model that uses the cache at `file`, if any.
  static std::vector<float> Output(const std::string& model, const fs::path& file) {
    SegmenterOptions options;
    options.weight_cache = file.string();
    auto segmenter = Segmenter::FromMemory(model.data(), model.size(), options);
    if (!segmenter.ok()) {
      ADD_FAILURE() << segmenter.status().message();
      return {};
    }
    std::vector<float> input((*segmenter)->input_size()), output((*segmenter)->output_size());
    for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<float>(i % 255) / 128.0f - 1.0f;
    EXPECT_TRUE((*segmenter)->Invoke(input.data(), output.data()).ok());
    return output;
  }

  fs::path folder, cache;
  const std::string model = ReadAll(SEGCORE_MODELS "/model.fp32.tflite");
  const std::string other = ReadAll(SEGCORE_MODELS "/model.int8.tflite");
  const std::vector<float> expected = Output(model, "");
};

TEST_F(WeightCache, IsBuiltOnceAndReadAfterwards) {
  EXPECT_EQ(Output(model, cache), expected);
  ASSERT_TRUE(fs::exists(cache));
  const auto built = fs::last_write_time(cache) - std::chrono::hours(1);
  fs::last_write_time(cache, built);
  EXPECT_EQ(Output(model, cache), expected);
  EXPECT_EQ(fs::last_write_time(cache), built) << "it was written again";
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 2) << "nothing else is left";
}

TEST_F(WeightCache, OfAnotherModelIsMadeAnew) {
  const std::vector<float> expected_other = Output(other, "");
  EXPECT_EQ(Output(model, cache), expected);
  EXPECT_EQ(Output(other, cache), expected_other);
  EXPECT_EQ(Output(model, cache), expected);
}

TEST_F(WeightCache, OfAModelWithOtherWeightsIsMadeAnew) {
  std::string changed = model;
  for (std::size_t i = changed.size() / 4; i < changed.size() / 2; i += 4096)
    changed[i] = static_cast<char>(changed[i] ^ 1);
  const std::vector<float> expected_changed = Output(changed, "");
  ASSERT_NE(expected_changed, expected) << "the weights count";
  EXPECT_EQ(Output(model, cache), expected);
  EXPECT_EQ(Output(changed, cache), expected_changed);
}

TEST_F(WeightCache, ThatIsDamagedIsMadeAnew) {
  Output(model, cache);
  const std::string whole = ReadAll(cache);
  std::string flipped = whole;
  for (std::size_t i = 4096; i < flipped.size(); i += 1024) flipped[i] = static_cast<char>(flipped[i] ^ 0x55);
  for (const std::string& damaged : {flipped, whole.substr(0, whole.size() / 2), std::string(), std::string("text"),
                                     whole + '\0', std::string(1 << 20, '\xff')}) {
    WriteAll(cache, damaged);
    EXPECT_EQ(Output(model, cache), expected) << damaged.size();
    EXPECT_EQ(ReadAll(cache), whole) << damaged.size();
  }
  WriteAll(cache.string() + ".sum", "text");
  EXPECT_EQ(Output(model, cache), expected);
}

TEST_F(WeightCache, IsNotWrittenToWhileAnotherReadsIt) {
  SegmenterOptions options;
  options.weight_cache = cache.string();
  auto reader = Segmenter::FromMemory(model.data(), model.size(), options);
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  Output(other, cache);  // makes it anew
  std::vector<float> input((*reader)->input_size(), 0.5f), first((*reader)->output_size()), second = first;
  ASSERT_TRUE((*reader)->Invoke(input.data(), first.data()).ok());
  auto plain = Segmenter::FromMemory(model.data(), model.size(), {});
  ASSERT_TRUE(plain.ok());
  ASSERT_TRUE((*plain)->Invoke(input.data(), second.data()).ok());
  EXPECT_EQ(first, second);
}

TEST_F(WeightCache, ThatCannotBeWrittenIsAnError) {
  SegmenterOptions options;
  options.weight_cache = (folder / "none" / "weights.bin").string();
  const auto segmenter = Segmenter::FromMemory(model.data(), model.size(), options);
  ASSERT_FALSE(segmenter.ok());
  EXPECT_EQ(segmenter.status().code(), Code::kInvalidArgument);
  EXPECT_NE(segmenter.status().message().find("weight cache"), std::string::npos) << segmenter.status().message();
}

}  // namespace
}  // namespace segcore
