// SPDX-License-Identifier: Apache-2.0
import BenchmarkKit
import Foundation
import SegKit

/// The memory pass: how much memory a process needs that loads the model and draws a few masks, and does nothing else.
enum MemoryPass {
  /// The mode in which this program is that process.
  static let word = "memory-pass"

  /// Starts the process for the same command line, and returns what it says.
  static func measure(_ arguments: [String]) throws -> PeakMemory {
    let child = Process()
    let answer = Pipe()
    child.executableURL = Bundle.main.executableURL
    child.arguments = [word] + arguments
    child.standardOutput = answer
    child.standardError = FileHandle.nullDevice
    try child.run()
    let text = answer.fileHandleForReading.readDataToEndOfFile()
    child.waitUntilExit()
    guard let told = try? JSON(parsing: text) else {
      throw SegKitError(.runtime, "the process of the memory pass ended early")
    }
    guard let bytes = told["peak_bytes"].int, let how = told["how"].string else {
      throw SegKitError(.runtime, "the process of the memory pass failed: \(told["error"].string ?? "")")
    }
    return PeakMemory(bytes: bytes, how: how)
  }

  /// Does the work, and says how much memory that took.
  static func serve(_ arguments: [String]) throws {
    signal(SIGINT, SIG_IGN)  // Ctrl-C reaches the whole group; the parent decides
    let replies = Replies()
    var told: JSON
    do {
      let environment = SystemEnvironment()
      guard let request = try CommandLineRequest(arguments).request else { return }
      try BenchmarkRunner(request, environment: environment).drawAFew()
      let peak = try environment.peakMemory()
      told = ["peak_bytes": .int(peak.bytes), "how": .string(peak.how)]
    } catch {
      told = ["error": .string("\(error)")]
    }
    try replies.write(told.encoded())
  }
}

/// A descriptor of its own for what is meant for the parent: libraries print to standard output as they like.
struct Replies {
  private let file: FileHandle

  /// Takes standard output over; what is printed there from now on goes to standard error.
  init() {
    file = FileHandle(fileDescriptor: dup(STDOUT_FILENO), closeOnDealloc: true)
    dup2(STDERR_FILENO, STDOUT_FILENO)
  }

  func write(_ data: Data) throws { try file.write(contentsOf: data) }
}
