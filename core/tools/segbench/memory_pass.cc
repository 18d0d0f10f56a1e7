// SPDX-License-Identifier: Apache-2.0
#include "segbench/memory_pass.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <utility>

#include "bundle/device.h"

namespace segcore::segbench {
namespace {

[[noreturn]] void Serve(const std::function<Status()>& work, int from, int to) {
  std::signal(SIGINT, SIG_IGN);  // Ctrl-C reaches the whole group; the parent decides
  char go = 0;
  if (read(from, &go, 1) == 1) {
    const Status status = work();
    const std::string reply = status.ok() ? bundle::PeakMemory().Dump()
                                          : bundle::Json(bundle::Json::Object{{"error", status.message()}}).Dump();
    if (write(to, reply.data(), reply.size()) < 0) _exit(1);
  }
  _exit(0);
}

}  // namespace

Expected<MemoryPass> MemoryPass::Prepare(const std::function<Status()>& work) {
  int requests[2], replies[2];
  if (pipe(requests) != 0) return Status(Code::kInternal, std::string("no pipe: ") + std::strerror(errno));
  if (pipe(replies) != 0) {
    close(requests[0]);
    close(requests[1]);
    return Status(Code::kInternal, std::string("no pipe: ") + std::strerror(errno));
  }
  const pid_t process = fork();
  if (process == 0) {
    close(requests[1]);
    close(replies[0]);
    Serve(work, requests[0], replies[1]);
  }
  close(requests[0]);
  close(replies[1]);
  MemoryPass pass(process, requests[1], replies[0]);
  if (process < 0) return Status(Code::kInternal, std::string("no new process: ") + std::strerror(errno));
  return pass;
}

MemoryPass::MemoryPass(MemoryPass&& other) noexcept
    : process_(std::exchange(other.process_, -1)),
      to_(std::exchange(other.to_, -1)),
      from_(std::exchange(other.from_, -1)) {}

MemoryPass::~MemoryPass() {
  if (to_ >= 0) close(to_);
  if (from_ >= 0) close(from_);
  if (process_ > 0) waitpid(process_, nullptr, 0);
}

Expected<bundle::Json> MemoryPass::Measure() {
  std::string reply;
  char chunk[256];
  if (write(to_, "g", 1) == 1) {
    for (ssize_t got; (got = read(from_, chunk, sizeof chunk)) > 0 || (got < 0 && errno == EINTR);) {
      if (got > 0) reply.append(chunk, static_cast<std::size_t>(got));
    }
  }
  Expected<bundle::Json> facts = bundle::Json::Parse(reply, "memory pass");
  const bundle::Json* error = facts.ok() ? facts->Find("error") : nullptr;
  if (!facts.ok() || error != nullptr) {
    return Status(Code::kRuntime, "the process of the memory pass " + (error != nullptr && error->string() != nullptr
                                                                           ? "failed: " + *error->string()
                                                                           : std::string("ended early")));
  }
  return facts;
}

}  // namespace segcore::segbench
