// SPDX-License-Identifier: Apache-2.0
// Damaged models through the whole path: loading and one invocation. They run in child processes, so that a crash of
// LiteRT is counted and the next model has its turn.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "flatbuffer.h"
#include "segcore/segmenter.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

#if defined(__SANITIZE_THREAD__)
constexpr unsigned kModels = 40;  // of each variant; this sanitizer takes its time
#else
constexpr unsigned kModels = 250;
#endif
constexpr unsigned kSeconds = 60;  // for one model; none needs a tenth of it

namespace segcore {
namespace {

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// Positions outside of the weights, where damage changes what the file says and not only what it computes.
std::vector<std::size_t> Structure(const std::string& model) {
  constexpr int kBuffers = 4, kData = 0;
  const flatbuffer::File file(model);
  const flatbuffer::Tables buffers = flatbuffer::Table::Root(file).Children(kBuffers);
  std::vector<bool> weights(model.size(), false);
  for (std::size_t index = 0; index < buffers.size(); ++index) {
    const std::string_view data = buffers[index].Bytes(kData);
    if (data.size() < 256) continue;
    const auto start = weights.begin() + (data.data() - model.data());
    std::fill(start, start + static_cast<std::ptrdiff_t>(data.size()), true);
  }
  std::vector<std::size_t> positions;
  for (std::size_t position = 0; position < model.size(); ++position) {
    if (!weights[position]) positions.push_back(position);
  }
  return positions;
}

/// One of eight is cut short, one has up to eight places changed anywhere, the others in their structure.
std::string Damaged(std::string model, const std::vector<std::size_t>& structure, unsigned seed) {
  std::mt19937 random(seed);
  const unsigned kind = random() % 8;
  if (kind == 0) {
    model.resize(random() % model.size());
    return model;
  }
  for (unsigned change = kind < 4 ? 1 : 1 + random() % 8; change > 0; --change) {
    const std::size_t position = kind == 1 ? random() % model.size() : structure[random() % structure.size()];
    const unsigned how = random() % 4, bit = random() % 8, byte = random() % 256;
    char& target = model[position];
    switch (how) {
      case 0:
        target = static_cast<char>(target ^ (1 << bit));
        break;
      case 1:
        target = static_cast<char>(byte);
        break;
      case 2:
        target = static_cast<char>(byte % 2 == 0 ? 0 : 255);
        break;
      default: {  // another number that might have stood there, such as the index of another tensor
        const std::int32_t number = static_cast<std::int32_t>(byte) - 2;
        if (position / 4 * 4 + 4 <= model.size()) std::memcpy(&model[position / 4 * 4], &number, sizeof(number));
      }
    }
  }
  return model;
}

/// True if the model ran; an error is as good.
bool LoadAndRun(const std::string& model) {
  auto segmenter = Segmenter::FromMemory(model.data(), model.size(), {});
  if (!segmenter.ok()) return false;
  const std::vector<float> input((*segmenter)->input_size(), 0.25f);
  std::vector<float> output((*segmenter)->output_size());
  return (*segmenter)->Invoke(input.data(), output.data()).ok();
}

struct Tally {
  unsigned ran = 0, refused = 0;
  std::vector<std::pair<unsigned, int>> ended;  // seed and status of children that did not come back
};

/// Whether memory was lost that nobody can free any more; only known where the address sanitizer watches.
bool Leaked() {
#if defined(__SANITIZE_ADDRESS__)
  return __lsan_do_recoverable_leak_check() != 0;
#else
  return false;
#endif
}

/// The models from `first` on in a child, which tells of each as it is done. Returns the first it did not tell of.
unsigned RunChild(const std::string& model, const std::vector<std::size_t>& structure, unsigned first, unsigned end,
                  Tally* tally) {
  int channel[2];
  if (pipe(channel) != 0) abort();
  const pid_t child = fork();
  if (child == 0) {
    for (unsigned seed = first; seed < end; ++seed) {
      alarm(kSeconds);
      const char result = LoadAndRun(Damaged(model, structure, seed)) ? 1 : 0;
      if (write(channel[1], &result, 1) != 1) _exit(1);
    }
    _exit(Leaked() ? 2 : 0);
  }
  close(channel[1]);
  char result = 0;
  unsigned next = first;
  while (read(channel[0], &result, 1) == 1) {
    ++next;
    ++(result == 1 ? tally->ran : tally->refused);
  }
  close(channel[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (status != 0) tally->ended.emplace_back(next, status);
  return next;
}

class DamagedModels : public testing::TestWithParam<const char*> {};

TEST_P(DamagedModels, AreErrorsAndNoCrash) {
  const std::string model = ReadAll(std::string(SEGCORE_MODELS "/model.") + GetParam() + ".tflite");
  const std::vector<std::size_t> structure = Structure(model);
  ASSERT_FALSE(structure.empty());
  const char* given = std::getenv("SEGCORE_FUZZ");  // more models than the test takes the time for
  const unsigned count = given == nullptr ? kModels : static_cast<unsigned>(std::strtoul(given, nullptr, 10));
  Tally tally;
  for (unsigned seed = 0; seed < count; ++seed) seed = RunChild(model, structure, seed, count, &tally);
  for (const auto& [seed, status] : tally.ended) {
    ADD_FAILURE() << "model " << seed << ": "
                  << (WIFSIGNALED(status) ? strsignal(WTERMSIG(status))
                                          : "exit " + std::to_string(WEXITSTATUS(status)));
  }
  EXPECT_GT(tally.ran, count / 10) << "most damage goes unnoticed: it is in names, or too small";
  EXPECT_GT(tally.refused, count / 10);
  RecordProperty("ran", static_cast<int>(tally.ran));
  RecordProperty("refused", static_cast<int>(tally.refused));
}

INSTANTIATE_TEST_SUITE_P(Variant, DamagedModels, testing::Values("fp32", "fp16", "dyn8", "int8"),
                         [](const testing::TestParamInfo<const char*>& variant) { return std::string(variant.param); });

}  // namespace
}  // namespace segcore
