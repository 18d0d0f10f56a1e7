// SPDX-License-Identifier: Apache-2.0
import CSegCore

/// What is drawn behind the person.
public enum Background: Equatable, Sendable {
  /// The frame as it is.
  case none
  /// The frame blurred, by a standard deviation in thousandths of its longer side.
  case blur(permille: Int = Background.defaultBlur)
  case colour(red: UInt8, green: UInt8, blue: UInt8)
  /// The picture given to ``Compositor/setImage(_:)``, or the pipeline's; it has to be given first.
  case image

  /// The core's own choice.
  public static let defaultBlur = Int(defaults.blur_permille)
  /// The core's own choice.
  public static let defaultFeather = Int(defaults.feather)

  private static var defaults: segcore_compositor_options {
    var core = segcore_compositor_options()
    segcore_compositor_options_init(&core, MemoryLayout<segcore_compositor_options>.size)
    return core
  }

  /// The core's struct for it.
  ///
  /// - Parameter feather: alpha below it is background, above 255 - feather person; 0 to 127.
  func core(feather: Int) -> segcore_compositor_options {
    var core = Self.defaults
    core.feather = Int32(clamping: feather)
    switch self {
    case .none: core.background = Int32(SEGCORE_BACKGROUND_NONE)
    case .blur(let permille):
      core.background = Int32(SEGCORE_BACKGROUND_BLUR)
      core.blur_permille = Int32(clamping: permille)
    case .colour(let red, let green, let blue):
      core.background = Int32(SEGCORE_BACKGROUND_COLOUR)
      (core.red, core.green, core.blue) = (red, green, blue)
    case .image: core.background = Int32(SEGCORE_BACKGROUND_IMAGE)
    }
    return core
  }
}

/// Draws a person before another background.
public struct Compositor: ~Copyable, @unchecked Sendable {
  private let handle: OpaquePointer

  /// - Throws: ``SegKitError`` if a value is out of its range.
  public init(background: Background = .blur(), feather: Int = Background.defaultFeather) throws(SegKitError) {
    handle = try withUnsafePointer(to: background.core(feather: feather)) { options throws(SegKitError) in
      try made { compositor, error in segcore_compositor_create(options, compositor, error) }
    }
  }

  deinit { segcore_compositor_destroy(handle) }

  /// Changes what is drawn from the next frame on.
  public mutating func set(background: Background, feather: Int = Background.defaultFeather) throws(SegKitError) {
    try withUnsafePointer(to: background.core(feather: feather)) { options throws(SegKitError) in
      try check { error in segcore_compositor_set_options(handle, options, error) }
    }
  }

  /// The upright picture for ``Background/image``; it is copied.
  public mutating func setImage(_ image: some PixelSource) throws {
    let compositor = handle
    try image.withImageView { view in
      try withUnsafePointer(to: view.core) { pixels in
        try check { error in segcore_compositor_set_image(compositor, pixels, error) }
      }
    }
  }

  /// The composite of a frame and its alpha.
  ///
  /// - Parameters:
  ///   - alpha: of the frame's size, see ``Refiner/upsample(_:to:)``.
  ///   - target: of the frame's size, any format but NV12.
  public mutating func compose(
    _ frame: some PixelSource, alpha: Plane, orientation: Orientation = .upright, into target: inout some PixelTarget
  ) throws {
    let compositor = handle
    try target.withMutableImageView { out in
      try frame.withImageView { view in
        try alpha.withCoreToRead { plane in
          try withUnsafePointers(view.core, orientation.core) { image, turned in
            try withUnsafePointers(plane, out.core) { plane, out in
              try check { error in segcore_compositor_run(compositor, image, plane, turned, out, error) }
            }
          }
        }
      }
    }
  }

  /// The frame as it looks without a person: what to show while there is no mask.
  public mutating func hide(
    _ frame: some PixelSource, orientation: Orientation = .upright, into target: inout some PixelTarget
  ) throws {
    let compositor = handle
    try target.withMutableImageView { out in
      try frame.withImageView { view in
        try withUnsafePointers(view.core, orientation.core) { image, turned in
          try withUnsafePointer(to: out.core) { out in
            try check { error in segcore_compositor_hide(compositor, image, turned, out, error) }
          }
        }
      }
    }
  }
}
