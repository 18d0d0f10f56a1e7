// SPDX-License-Identifier: Apache-2.0
import CSegCore
import Foundation

/// Frames in, composites out, on threads of the core's own.
///
/// Its calls may come from any thread. It stops when it is gone.
public final class Pipeline: @unchecked Sendable {
  /// How masks and frames belong together.
  public enum Mode: Int32, Sendable {
    /// A frame is drawn with its own mask.
    case synced = 0
    /// A frame is drawn at once, with the newest mask.
    case lowLatency = 1
  }

  public struct Options: Equatable, Sendable {
    public var mode: Mode
    /// Frames that may wait for a stage.
    public var queueCapacity: Int
    /// Drop the oldest frame where there is no room; else ``Pipeline/push(_:orientation:capturedAt:)`` waits.
    public var dropOldest: Bool
    /// In frames; with an older mask the background is hidden. nil is the core's own choice.
    public var maxMaskAge: Int?
    /// Any format but NV12.
    public var output: PixelFormat

    public init(
      mode: Mode = .synced, queueCapacity: Int = 2, dropOldest: Bool = true, maxMaskAge: Int? = nil,
      output: PixelFormat = .bgra
    ) {
      (self.mode, self.queueCapacity, self.dropOldest) = (mode, queueCapacity, dropOldest)
      (self.maxMaskAge, self.output) = (maxMaskAge, output)
    }

    var core: segcore_pipeline_options {
      var core = segcore_pipeline_options()
      segcore_pipeline_options_init(&core, MemoryLayout<segcore_pipeline_options>.size)
      (core.mode, core.queue_capacity) = (mode.rawValue, Int32(clamping: queueCapacity))
      (core.drop_oldest, core.output) = (dropOldest ? 1 : 0, output.rawValue)
      if let maxMaskAge { core.max_mask_age = Int32(clamping: maxMaskAge) }
      return core
    }
  }

  /// A drawn frame. Its pixels are valid until the sink returns.
  public struct Presented {
    /// Counts the frames pushed, from 0.
    public let sequence: UInt64
    /// The frame that the mask was made of.
    public let maskSequence: UInt64
    /// In frames.
    public let maskAge: Int
    /// There was no valid mask: nobody is shown.
    public let hidden: Bool
    /// What was given to ``Pipeline/push(_:orientation:capturedAt:)``, or when that was called.
    public let capturedAt: Int64
    public let times: Times
    let picture: segcore_mutable_image

    init(_ core: segcore_presented) {
      (sequence, maskSequence, maskAge) = (core.sequence, core.mask_sequence, Int(core.mask_age))
      (hidden, capturedAt, picture) = (core.hidden != 0, core.captured_ns, core.picture)
      times = Times(
        preprocess: core.preprocess_ns, invoke: core.invoke_ns, postprocess: core.postprocess_ns,
        refine: core.refine_ns, composite: core.composite_ns)
    }

    public var width: Int { Int(picture.width) }
    public var height: Int { Int(picture.height) }
    /// In bytes.
    public var stride: Int { picture.stride }
    /// `height` rows of `stride` bytes, the last one possibly shorter.
    public var bytes: UnsafeRawBufferPointer {
      let row = width * (PixelFormat(rawValue: picture.format)?.bytesPerPixel ?? 0)
      return UnsafeRawBufferPointer(start: picture.data, count: max(0, (height - 1) * stride + row))
    }

    /// A copy that stays.
    public func image() throws(SegKitError) -> Image {
      guard let format = PixelFormat(rawValue: picture.format) else {
        throw SegKitError(.internal, "the core drew pixels of the unknown format \(picture.format)")
      }
      let row = width * format.bytesPerPixel
      var copied: [UInt8] = []
      copied.reserveCapacity(row * height)
      for y in 0..<height { copied.append(contentsOf: bytes[y * stride..<y * stride + row]) }
      return try Image(width: width, height: height, format: format, bytes: copied)
    }
  }

  /// How long the stages of a frame took, in nanoseconds.
  public struct Times: Equatable, Sendable {
    public let preprocess: Int64
    public let invoke: Int64
    public let postprocess: Int64
    public let refine: Int64
    public let composite: Int64
  }

  /// What became of the frames so far, and how long the stages were busy, in nanoseconds.
  public struct Counters: Equatable, Sendable {
    public let captured: UInt64
    public let inferred: UInt64
    public let presented: UInt64
    public let hidden: UInt64
    public let droppedBeforeInference: UInt64
    public let droppedBeforeDrawing: UInt64
    public let captureBusy: Int64
    public let inferBusy: Int64
    public let renderBusy: Int64
  }

  /// Called on the pipeline's render thread with each frame; false ends it. It must not stop or wait for the pipeline.
  public typealias Sink = @Sendable (Presented) -> Bool

  private let handle: OpaquePointer
  /// Keeps the sink for as long as the core may call it; whoever starts a run sets it before the next one can.
  private var sink: SinkBox?
  private let starting = NSLock()

  /// - Parameter segmenter: is the pipeline's from now on.
  public init(
    _ segmenter: consuming Segmenter, refiner: Refiner.Options = .init(), background: Background = .blur(),
    feather: Int = Background.defaultFeather, options: Options = .init()
  ) throws(SegKitError) {
    let owned = segmenter.release()  // the core takes it over even where it fails
    let parts = (refiner.core, background.core(feather: feather), options.core)
    handle = try withUnsafePointers(parts.0, parts.1) { refiner, compositor throws(SegKitError) in
      try withUnsafePointer(to: parts.2) { options throws(SegKitError) in
        try made { pipeline, error in
          segcore_pipeline_create(owned, refiner, compositor, options, pipeline, error)
        }
      }
    }
  }

  deinit { segcore_pipeline_destroy(handle) }  // which waits for the render thread

  /// Starts the threads. It may be started again after ``finish()`` or ``stop()``.
  public func start(_ sink: @escaping Sink) throws(SegKitError) {
    let box = SinkBox(sink)
    starting.lock()
    defer { starting.unlock() }
    try check { error in
      segcore_pipeline_start(
        handle,
        { context, presented in
          guard let context, let presented else { return 1 }
          let box = Unmanaged<SinkBox>.fromOpaque(context).takeUnretainedValue()
          return box.sink(Presented(presented.pointee)) ? 0 : 1
        }, Unmanaged.passUnretained(box).toOpaque(), error)
    }
    self.sink = box
  }

  /// Copies a frame in.
  ///
  /// - Parameter time: nanoseconds of the system's steady clock; nil for now.
  /// - Throws: ``SegKitError``: the error that ended the pipeline, if nobody was told; after that, code `cancelled`.
  public func push(
    _ frame: some PixelSource, orientation: Orientation = .upright, capturedAt time: Int64? = nil
  ) throws {
    try frame.withImageView { view in
      try withUnsafePointers(view.core, orientation.core) { image, turned in
        try check { error in segcore_pipeline_push(handle, image, turned, time ?? 0, error) }
      }
    }
  }

  /// Takes no more frames and returns when all are drawn.
  ///
  /// - Throws: the first error of a stage.
  public func finish() throws(SegKitError) { try check { error in segcore_pipeline_wait(handle, error) } }

  /// Ends at once.
  ///
  /// - Throws: the first error of a stage.
  public func stop() throws(SegKitError) { try check { error in segcore_pipeline_stop(handle, error) } }

  public var counters: Counters {
    var core = segcore_counters()
    core.size = UInt32(MemoryLayout<segcore_counters>.size)
    // Fails on null pointers only.
    _ = segcore_pipeline_counters(handle, &core, nil)
    return Counters(
      captured: core.captured, inferred: core.inferred, presented: core.presented, hidden: core.hidden,
      droppedBeforeInference: core.dropped_infer, droppedBeforeDrawing: core.dropped_render,
      captureBusy: core.capture_busy_ns, inferBusy: core.infer_busy_ns, renderBusy: core.render_busy_ns)
  }

  /// Changes what is drawn, from one of the next frames on.
  public func set(background: Background, feather: Int = Background.defaultFeather) throws(SegKitError) {
    try withUnsafePointer(to: background.core(feather: feather)) { options throws(SegKitError) in
      try check { error in segcore_pipeline_set_background(handle, options, error) }
    }
  }

  /// The upright picture for ``Background/image``; it is copied.
  public func setImage(_ image: some PixelSource) throws {
    try image.withImageView { view in
      try withUnsafePointer(to: view.core) { pixels in
        try check { error in segcore_pipeline_set_image(handle, pixels, error) }
      }
    }
  }
}

private final class SinkBox: Sendable {
  let sink: Pipeline.Sink
  init(_ sink: @escaping Pipeline.Sink) { self.sink = sink }
}
