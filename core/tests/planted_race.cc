// SPDX-License-Identifier: Apache-2.0
// A race on purpose, in a hand-over by condition_variable between two threads of which one runs LiteRT. Built with the
// thread sanitizer, whose suppression for LiteRT must not hide it: the test passes where the race is reported.
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>

#include "segcore/segmenter.h"

int main() {
  auto segmenter = segcore::Segmenter::FromFile(SEGCORE_MODELS "/model.int8.tflite", {});
  if (!segmenter.ok()) {
    std::fprintf(stderr, "%s\n", segmenter.status().message().c_str());
    return 1;
  }
  std::mutex mutex;
  std::condition_variable condition;
  bool done = false;
  int frames = 0;
  std::thread worker([&] {
    const std::vector<float> input((*segmenter)->input_size(), 0.5f);
    std::vector<float> output((*segmenter)->output_size());
    const bool ok = (*segmenter)->Invoke(input.data(), output.data()).ok();
    {
      const std::lock_guard<std::mutex> lock(mutex);
      done = true;
    }
    condition.notify_one();
    frames = ok ? 1 : 0;  // the race: handed over before it was written
  });
  {
    std::unique_lock<std::mutex> lock(mutex);
    condition.wait(lock, [&] { return done; });
  }
  std::printf("frames: %d\n", frames);
  worker.join();
  return 0;
}
