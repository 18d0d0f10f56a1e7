// SPDX-License-Identifier: Apache-2.0
// segbench-swift: runs a packed suite through SegKit and writes run bundles; the command line of segbench. In two modes
// it is somebody's child: `memory-pass`, its own, and `serve`, the harness runtime `swift`'s.
import BenchmarkKit
import Foundation
import SegKit

private nonisolated(unsafe) var interrupted: sig_atomic_t = 0

/// What the exit status says; the project's own.
private enum ExitCode: Int32 {
  case pass = 0
  case usage = 2
  case invalid = 4
  case interrupted = 130
}

private func tell(_ text: String, on file: FileHandle = .standardError) { file.write(Data(text.utf8)) }

private let onTerminal = isatty(STDERR_FILENO) != 0

/// One line on the terminal that is written over; silent elsewhere.
private func show(_ progress: BenchmarkProgress) {
  guard onTerminal else { return }
  tell("\r\u{1B}[K\(progress.activity) \(Int((100 * progress.fraction).rounded())) %")
}

private func clearProgress() {
  if onTerminal { tell("\r\u{1B}[K") }
}

/// Prints what became of each bundle, as `harness run` does.
private func tell(_ outcomes: [BundleOutcome], asJSON: Bool) throws -> ExitCode {
  if asJSON {
    tell(String(decoding: try JSON.array(outcomes.map(\.facts)).encoded(), as: UTF8.self) + "\n", on: .standardOutput)
  } else {
    for one in outcomes {
      let (lane, status) = (padded(one.lane.rawValue, 6), padded(one.status, 8))
      let why = one.error.map { "  (\($0))" } ?? ""
      tell("\(one.label)  \(lane)  \(status)  \(one.path)\(why)\n", on: .standardOutput)
    }
  }
  return outcomes.allSatisfy { $0.status == "complete" } ? .pass : .invalid
}

private func padded(_ text: String, _ width: Int) -> String {
  text + String(repeating: " ", count: max(0, width - text.count))
}

private func run(_ arguments: [String]) throws -> ExitCode {
  let read = try CommandLineRequest(arguments)
  guard let request = read.request else {
    tell(read.text, on: .standardOutput)
    return .pass
  }
  signal(SIGINT) { _ in
    interrupted = 1
    signal(SIGINT, SIG_DFL)  // a second Ctrl-C ends it at once
  }
  let environment = SystemEnvironment(tool: "segbench-swift") { try MemoryPass.measure(arguments) }
  let outcomes = try BenchmarkRunner(request, environment: environment).run(
    progress: show, isCancelled: { interrupted != 0 })
  clearProgress()
  let code = try tell(outcomes, asJSON: read.json)
  guard interrupted != 0 && code != .pass else { return code }
  tell("segbench-swift: interrupted; go on with the same command\n")
  return .interrupted
}

private func main() -> ExitCode {
  let arguments = Array(CommandLine.arguments.dropFirst())
  do {
    switch arguments.first {
    case MemoryPass.word: try MemoryPass.serve(Array(arguments.dropFirst()))
    case Server.word: try Server().serve()
    default: return try run(arguments)
    }
    return .pass
  } catch {
    clearProgress()
    tell("segbench-swift: \(error)\n")
    // What cannot be written is nothing that another command line would mend by itself.
    return (error as? SegKitError)?.code == .runtime ? .invalid : .usage
  }
}

exit(main().rawValue)
