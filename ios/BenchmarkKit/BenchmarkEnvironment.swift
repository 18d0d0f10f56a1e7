// SPDX-License-Identifier: Apache-2.0

/// What a benchmark asks of the machine it runs on, beside the files and the network.
public protocol BenchmarkEnvironment: Sendable {
  /// Name of the program, for `tool.name`.
  var tool: String { get }
  var device: Device { get }
  /// How the Swift code was built: `Release` or `Debug`.
  var configuration: String { get }
  /// Asked before and after the timing, and between its blocks.
  func conditions() -> Conditions
  /// Asked before each frame or block of frames; nil where the platform does not tell.
  func thermal() -> Conditions.Thermal?
  /// Asked between frames; in the background a benchmark ends as if it was cancelled. Nil where there is no such thing.
  func isInForeground() -> Bool?
  /// Waits, while the device cools down.
  func pause(seconds: Double)
  /// Asked once, after everything else.
  func peakMemory() throws -> PeakMemory
}

/// Which machine it is; the core tells the rest.
public struct Device: Sendable, Equatable {
  public enum Kind: String, Sendable {
    case desktop
    case phone
    case tablet
    case simulator
  }

  public var kind: Kind
  /// The machine's identifier, such as `iPhone15,2`.
  public var model: String?

  public init(kind: Kind, model: String?) { (self.kind, self.model) = (kind, model) }
}

/// What may disturb a measurement at one moment; nil is what the platform does not tell.
public struct Conditions: Sendable, Equatable {
  public enum Thermal: String, Sendable, CaseIterable {
    case nominal
    case fair
    case serious
    case critical
  }

  public enum MemoryPressure: String, Sendable {
    case normal
    case warning
    case critical
  }

  /// The quality of service that the benchmark's thread has.
  public enum QoS: String, Sendable {
    case userInteractive = "user_interactive"
    case userInitiated = "user_initiated"
    case `default`
    case utility
    case background
  }

  public var thermal: Thermal?
  public var lowPowerMode: Bool?
  public var plugged: Bool?
  /// 0 to 100.
  public var batteryPercent: Int?
  public var memoryPressure: MemoryPressure?
  /// What the process may still take.
  public var availableMemoryBytes: Int?
  public var qos: QoS?
  /// Whether a debugger is attached to the process.
  public var debugger: Bool?
  public var foreground: Bool?

  public init(thermal: Thermal? = nil) { self.thermal = thermal }
}

/// The highest resident memory of a process.
public struct PeakMemory: Sendable, Equatable {
  public var bytes: Int
  /// How it was measured.
  public var how: String

  public init(bytes: Int, how: String) { (self.bytes, self.how) = (bytes, how) }
}
