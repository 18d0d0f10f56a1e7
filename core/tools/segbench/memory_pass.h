// SPDX-License-Identifier: Apache-2.0
// The memory pass: how much memory a process needs that loads the model and draws a few masks, and does nothing else.
#pragma once

#include <sys/types.h>

#include <functional>

#include "bundle/json.h"
#include "segcore/status.h"

namespace segcore::segbench {

/// A process that is split off while this one is still small and single-threaded, and waits.
class MemoryPass {
 public:
  /// `work` is what it will do, in the new process.
  static Expected<MemoryPass> Prepare(const std::function<Status()>& work);
  MemoryPass(MemoryPass&& other) noexcept;
  MemoryPass& operator=(MemoryPass&&) = delete;
  /// Ends the process.
  ~MemoryPass();

  /// Lets it work; the `memory` part of run.json. Once.
  Expected<bundle::Json> Measure();

 private:
  MemoryPass(pid_t process, int to, int from) : process_(process), to_(to), from_(from) {}

  pid_t process_;
  int to_, from_;
};

}  // namespace segcore::segbench
