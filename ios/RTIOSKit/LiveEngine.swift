// SPDX-License-Identifier: Apache-2.0
import Dispatch
import SegKit

/// Where drawn frames are shown, as the camera gave them: neither turned nor mirrored.
public protocol FrameDisplay: Sendable {
  /// Called on the core's render thread; the pixels are valid until it returns.
  func show(_ frame: Pipeline.Presented)
}

/// A network with its pipeline, from frames to what is shown.
///
/// It lives as long as its model, threads and accelerator stay the same. Its calls may come from any thread.
public final class LiveEngine: Sendable {
  /// What a network is loaded with.
  public struct Request: Equatable, Sendable {
    /// A `.tflite` file.
    public var model: String
    public var threads: Int
    public var accelerator: Accelerator

    public init(model: String, threads: Int, accelerator: Accelerator) {
      (self.model, self.threads, self.accelerator) = (model, threads, accelerator)
    }
  }

  /// What was loaded: the accelerator that really runs, too.
  public let info: Segmenter.Info
  private let pipeline: Pipeline
  private let orientation = Locked(Orientation.upright)
  private let statistics = Locked(FrameStatistics())
  /// nil once it has ended.
  private let taps = Locked<[Tap]?>([])

  /// Sees one frame, or the end; false where it wants no more.
  typealias Tap = @Sendable (Pipeline.Presented?, Orientation) -> Bool

  /// Loads the network; until another background is set it blurs. It takes a moment: not for the main thread.
  ///
  /// - Throws: ``SegKitError`` as SegKit has it. A missing accelerator is none: the CPU steps in, and ``info`` tells.
  public init(_ request: Request) throws {
    let segmenter = try Segmenter(
      contentsOfFile: request.model,
      options: .init(threads: request.threads, accelerator: request.accelerator, allowFallback: true))
    info = segmenter.info
    pipeline = try Pipeline(segmenter, background: .blur())
  }

  /// Starts to show frames.
  public func start(_ display: any FrameDisplay) throws {
    try pipeline.start { [orientation, statistics, taps] frame in
      display.show(frame)
      statistics.withLock { $0.add(frame.times, hidden: frame.hidden, at: now()) }
      let turned = orientation.withLock { $0 }
      taps.withLock { taps in taps?.removeAll { !$0(frame, turned) } }
      return true
    }
  }

  /// Copies a frame in; the oldest one that waits is dropped where there is no room.
  ///
  /// - Throws: what ended the pipeline.
  public func push(_ frame: any PixelSource) throws {
    try pipeline.push(frame, orientation: orientation.withLock { $0 })
  }

  /// What makes the frames from now on upright.
  public func turn(_ orientation: Orientation) { self.orientation.withLock { $0 = orientation } }

  /// Ends for good, at once. Whoever waits for a frame is told.
  public func stop() {
    try? pipeline.stop()  // an error has reached the caller of `push`
    let left = taps.withLock { taps in
      defer { taps = nil }
      return taps ?? []
    }
    for tap in left { _ = tap(nil, .upright) }
  }

  public func set(background: Background) throws { try pipeline.set(background: background) }

  public func set(picture: Image) throws { try pipeline.setImage(picture) }

  public func summary() -> FrameStatistics.Summary { statistics.withLock { $0.summary(at: now()) } }

  /// An upright copy of the next frame that is shown.
  ///
  /// - Throws: ``SegKitError`` with code `cancelled` if there is none any more.
  public func nextImage() async throws -> Image {
    try await withCheckedThrowingContinuation { continuation in
      tap { frame, orientation in
        continuation.resume(
          with: Result {
            guard let frame else { throw SegKitError(.cancelled, "the camera was stopped before the next frame") }
            return try frame.image().upright(orientation)
          })
        return false
      }
    }
  }

  /// Lets somebody see the frames from the next one on.
  func tap(_ tap: @escaping Tap) {
    let lives = taps.withLock { taps in
      taps?.append(tap)
      return taps != nil
    }
    if !lives { _ = tap(nil, .upright) }
  }
}

/// Nanoseconds of a clock that only goes forward.
func now() -> Int64 { Int64(DispatchTime.now().uptimeNanoseconds) }
