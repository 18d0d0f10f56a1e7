// SPDX-License-Identifier: Apache-2.0
import CSegCore

/// Where a person is in a frame, at the model's resolution.
public struct Mask: ~Copyable, @unchecked Sendable {
  let handle: OpaquePointer

  /// An empty mask, for ``Segmenter/segment(_:orientation:into:)`` to fill.
  public init() {
    guard let made = segcore_mask_create() else { fatalError("out of memory") }
    handle = made
  }

  deinit { segcore_mask_destroy(handle) }

  /// 0 before the first run.
  public var width: Int { Int(segcore_mask_width(handle)) }
  /// 0 before the first run.
  public var height: Int { Int(segcore_mask_height(handle)) }

  /// The probability that a pixel shows a person, in [0, 1], row by row.
  public var probability: [Float] { values(segcore_mask_probability(handle)) }

  /// The same in 255 steps; smoothed by a ``Refiner``.
  public var alpha: [UInt8] { values(segcore_mask_alpha(handle)) }

  /// How long the last run took.
  public var times: StageTimes {
    var times = (preprocess: Int64(0), invoke: Int64(0), activate: Int64(0))
    segcore_mask_times(handle, &times.preprocess, &times.invoke, &times.activate)
    return StageTimes(
      preprocess: times.preprocess, invoke: times.invoke,
      activate: times.activate)
  }

  private func values<T>(_ plane: UnsafePointer<T>?) -> [T] {
    plane.map { Array(UnsafeBufferPointer(start: $0, count: width * height)) } ?? []
  }
}

/// How long the stages of a ``Segmenter`` took, in nanoseconds.
public struct StageTimes: Equatable, Sendable {
  /// Frame to input tensor.
  public let preprocess: Int64
  /// The network.
  public let invoke: Int64
  /// Output tensor to alpha.
  public let activate: Int64
}
