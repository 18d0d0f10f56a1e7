// SPDX-License-Identifier: Apache-2.0
// Hands drawn pictures from the pipeline's render thread to the main thread, where windows must be used. The render
// thread waits until a picture was dealt with: what counts as presented has been seen.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "segcore/pipeline.h"
#include "segcore/status.h"

namespace segcore::rtcpp {

class Mailbox {
 public:
  /// Render thread: waits until the picture was dealt with, or nobody wants it any more.
  void Offer(const Presented& presented) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (closed_) return;
    offered_ = &presented;
    changed_.notify_all();
    changed_.wait(lock, [&] { return closed_ || offered_ == nullptr; });
    offered_ = nullptr;
  }

  /// Main thread: the next picture; null where none came in time. Valid until Done().
  const Presented* Take(std::chrono::milliseconds patience) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait_for(lock, patience, [&] { return offered_ != nullptr || ended_; });
    return offered_;
  }

  void Done() {
    const std::lock_guard<std::mutex> lock(mutex_);
    offered_ = nullptr;
    changed_.notify_all();
  }

  /// Main thread: no picture is wanted any more. Not between Take() and Done().
  void Close() {
    const std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

  /// No picture will come any more; `status` says why. The first error stays.
  void End(Status status) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
    if (status_.ok()) status_ = std::move(status);
    changed_.notify_all();
  }

  bool ended() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return ended_;
  }
  Status status() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return status_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  const Presented* offered_ = nullptr;
  bool closed_ = false, ended_ = false;
  Status status_;
};

}  // namespace segcore::rtcpp
