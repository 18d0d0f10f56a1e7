// SPDX-License-Identifier: Apache-2.0
import CSegCore

/// From masks of single frames to the alpha of a video.
public struct Refiner: ~Copyable, @unchecked Sendable {
  /// What is done to masks.
  public struct Options: Equatable, Sendable {
    /// Smooth by the masks before, weighted by uncertainty.
    public var smooth: Bool
    /// Follow the frame's edges, instead of enlarging linearly.
    public var guided: Bool

    public init(smooth: Bool = true, guided: Bool = false) { (self.smooth, self.guided) = (smooth, guided) }

    var core: segcore_refiner_options {
      var core = segcore_refiner_options()
      segcore_refiner_options_init(&core, MemoryLayout<segcore_refiner_options>.size)
      (core.smooth, core.guided) = (smooth ? 1 : 0, guided ? 1 : 0)
      return core
    }
  }

  private let handle: OpaquePointer

  public init(_ options: Options = Options()) throws(SegKitError) {
    handle = try withUnsafePointer(to: options.core) { options throws(SegKitError) in
      try made { refiner, error in segcore_refiner_create(options, refiner, error) }
    }
  }

  deinit { segcore_refiner_destroy(handle) }

  /// Smooths a mask's alpha in place.
  public mutating func smooth(_ mask: inout Mask) throws(SegKitError) {
    let target = mask.handle
    try check { error in segcore_refiner_smooth(handle, target, error) }
  }

  /// The alpha of a stored frame, at its size.
  public mutating func upsample(_ mask: borrowing Mask, to frame: some PixelSource) throws -> Plane {
    var alpha = Plane(width: 0, height: 0)
    try upsample(mask, to: frame, into: &alpha)
    return alpha
  }

  /// The same into a plane that is used again, frame after frame; one of another size is replaced.
  public mutating func upsample(_ mask: borrowing Mask, to frame: some PixelSource, into alpha: inout Plane) throws {
    let (refiner, source) = (handle, mask.handle)
    try frame.withImageView { view in
      if alpha.width != view.width || alpha.height != view.height {
        alpha = Plane(width: view.width, height: view.height)
      }
      try alpha.withCore { plane in
        try withUnsafePointers(view.core, plane) { image, plane in
          try check { error in segcore_refiner_upsample(refiner, source, image, plane, error) }
        }
      }
    }
  }

  /// Forgets the masks before: a new video begins.
  public mutating func reset() { segcore_refiner_reset(handle) }
}
