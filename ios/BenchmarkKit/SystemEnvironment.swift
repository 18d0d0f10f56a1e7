// SPDX-License-Identifier: Apache-2.0
import Foundation

/// The machine that the program runs on.
public struct SystemEnvironment: BenchmarkEnvironment {
  public let tool: String
  private let memoryPass: (@Sendable () throws -> PeakMemory)?

  /// - Parameters:
  ///   - tool: name of the program.
  ///   - memoryPass: measures memory in a process of its own, where the platform has such; else it is this process's
  ///     peak.
  public init(
    tool: String = ProcessInfo.processInfo.processName, memoryPass: (@Sendable () throws -> PeakMemory)? = nil
  ) {
    (self.tool, self.memoryPass) = (tool, memoryPass)
  }

  public var configuration: String {
    #if DEBUG
      "Debug"
    #else
      "Release"
    #endif
  }

  public func pause(seconds: Double) { Thread.sleep(forTimeInterval: seconds) }

  public func peakMemory() throws -> PeakMemory {
    if let memoryPass { return try memoryPass() }
    let facts = try Machine.peakMemory()
    return PeakMemory(bytes: facts["peak_bytes"].int ?? 0, how: facts["how"].string ?? "")
  }
}

#if !canImport(Darwin)
  extension SystemEnvironment {
    public var device: Device { Device(kind: .desktop, model: nil) }
    public func thermal() -> Conditions.Thermal? { nil }
    public func isInForeground() -> Bool? { nil }

    public func conditions() -> Conditions {
      var conditions = Conditions()
      conditions.debugger = Self.number("TracerPid:", in: "/proc/self/status").map { $0 != 0 }
      conditions.availableMemoryBytes = Self.number("MemAvailable:", in: "/proc/meminfo").map { $0 << 10 }
      return conditions
    }

    /// The number after a key in a file of the kernel's.
    private static func number(_ key: String, in path: String) -> Int? {
      guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
      let line = text.split(separator: "\n").first { $0.hasPrefix(key) }
      return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
    }
  }
#endif
