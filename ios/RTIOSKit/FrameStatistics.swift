// SPDX-License-Identifier: Apache-2.0
import SegKit

/// Frames per second and times of the stages, over the last frames shown.
public struct FrameStatistics: Sendable {
  /// Medians over the window; times in milliseconds.
  public struct Summary: Equatable, Sendable {
    /// Frames shown per second of the whole path.
    public var framesPerSecond = 0.0
    public var preprocess = 0.0
    public var invoke = 0.0
    public var postprocess = 0.0
    public var refine = 0.0
    public var composite = 0.0
    /// Whether the last frame had no mask, so that nobody is shown.
    public var hidden = false

    public init() {}
  }

  /// Length of the window, in nanoseconds.
  private let window: Int64
  private var frames: [(at: Int64, times: Pipeline.Times, hidden: Bool)] = []

  public init(window: Int64 = 2_000_000_000) { self.window = window }

  /// Takes in a frame.
  ///
  /// - Parameter time: when it was shown, in nanoseconds of a clock that only goes forward.
  public mutating func add(_ times: Pipeline.Times, hidden: Bool, at time: Int64) {
    frames.append((time, times, hidden))
    frames.removeAll { $0.at < time - window }
  }

  /// What the window shows. Without frames in it everything is 0.
  public func summary(at time: Int64) -> Summary {
    let frames = frames.filter { $0.at >= time - window }
    var summary = Summary()
    guard let first = frames.first, let last = frames.last else { return summary }
    func median(_ stage: KeyPath<Pipeline.Times, Int64>) -> Double {
      Double(frames.map { $0.times[keyPath: stage] }.sorted()[frames.count / 2]) / 1e6
    }
    if last.at > first.at { summary.framesPerSecond = Double(frames.count - 1) * 1e9 / Double(last.at - first.at) }
    summary.preprocess = median(\.preprocess)
    summary.invoke = median(\.invoke)
    summary.postprocess = median(\.postprocess)
    summary.refine = median(\.refine)
    summary.composite = median(\.composite)
    summary.hidden = last.hidden
    return summary
  }
}
