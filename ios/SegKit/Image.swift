// SPDX-License-Identifier: Apache-2.0
import CSegCore

/// How pixels lie in memory.
public enum PixelFormat: Int32, Sendable, CaseIterable {
  case rgb = 0
  case bgr = 1
  case rgba = 2
  case bgra = 3
  /// A plane of brightness, and one of half the size with blue and red differences in turn.
  case nv12 = 4

  /// Bytes of a pixel; of NV12, of its first plane.
  public var bytesPerPixel: Int {
    switch self {
    case .rgb, .bgr: 3
    case .rgba, .bgra: 4
    case .nv12: 1
    }
  }
}

/// How NV12 becomes red, green and blue.
public enum YUVMatrix: Int32, Sendable, CaseIterable {
  case bt601Limited = 0
  case bt601Full = 1
  case bt709Limited = 2
  case bt709Full = 3
}

/// How a stored frame is made upright: turned clockwise, then flipped left to right if mirrored.
public struct Orientation: Equatable, Sendable {
  public enum Rotation: Int32, Sendable, CaseIterable {
    case none = 0
    case right = 90
    case half = 180
    case left = 270
  }

  public var rotation: Rotation
  public var mirrored: Bool

  public init(_ rotation: Rotation = .none, mirrored: Bool = false) {
    self.rotation = rotation
    self.mirrored = mirrored
  }

  /// Upright as it is.
  public static let upright = Orientation()

  var core: segcore_orientation {
    segcore_orientation(rotation: rotation.rawValue, mirrored: mirrored ? 1 : 0)
  }
}

/// Pixels in somebody else's memory, to read; valid only in the call it is given to.
public struct ImageView {
  let core: segcore_image

  /// Pixels of one plane.
  ///
  /// - Parameters:
  ///   - data: the first row; of `height` rows, `stride` bytes from one to the next.
  ///   - stride: in bytes; may be more than a row needs, or negative.
  public init(
    _ data: UnsafePointer<UInt8>, width: Int, height: Int, stride: Int, format: PixelFormat
  ) {
    core = segcore_image(
      data: data, width: Int32(clamping: width), height: Int32(clamping: height), stride: stride,
      format: format.rawValue, chroma: nil, chroma_stride: 0, matrix: 0)
  }

  /// NV12: brightness, and a plane of half the size with both colour differences.
  public init(
    luma: UnsafePointer<UInt8>, lumaStride: Int, chroma: UnsafePointer<UInt8>, chromaStride: Int, width: Int,
    height: Int, matrix: YUVMatrix
  ) {
    core = segcore_image(
      data: luma, width: Int32(clamping: width), height: Int32(clamping: height), stride: lumaStride,
      format: PixelFormat.nv12.rawValue, chroma: chroma, chroma_stride: chromaStride, matrix: matrix.rawValue)
  }

  public var width: Int { Int(core.width) }
  public var height: Int { Int(core.height) }
}

/// Pixels in somebody else's memory, to write; valid only in the call it is given to.
public struct MutableImageView {
  let core: segcore_mutable_image

  /// - Parameter format: any but NV12.
  public init(
    _ data: UnsafeMutablePointer<UInt8>, width: Int, height: Int, stride: Int, format: PixelFormat
  ) {
    core = segcore_mutable_image(
      data: data, width: Int32(clamping: width), height: Int32(clamping: height), stride: stride,
      format: format.rawValue)
  }
}

/// Whatever has pixels that the core can read: an ``Image``, a `CVPixelBuffer`.
public protocol PixelSource {
  /// Calls a body with the pixels, which stay where they are until it returns.
  func withImageView<R>(_ body: (ImageView) throws -> R) throws -> R
}

/// Whatever has pixels that the core can write.
public protocol PixelTarget {
  /// Calls a body with the pixels, which stay where they are until it returns.
  mutating func withMutableImageView<R>(_ body: (MutableImageView) throws -> R) throws -> R
}

/// A picture that owns its bytes, without gaps between rows.
public struct Image: Equatable, Sendable, PixelSource, PixelTarget {
  public let width: Int
  public let height: Int
  public let format: PixelFormat
  /// How NV12 becomes colours; of other formats without meaning.
  public let matrix: YUVMatrix
  /// `height` rows of `width` pixels; of NV12 followed by the colours' plane, `⌈height/2⌉` rows of `2⌈width/2⌉` bytes.
  public internal(set) var bytes: [UInt8]

  /// A picture of these bytes.
  ///
  /// - Throws: ``SegKitError`` if there are more or fewer of them than such a picture has.
  public init(
    width: Int, height: Int, format: PixelFormat, matrix: YUVMatrix = .bt709Full, bytes: [UInt8]
  ) throws(SegKitError) {
    guard width > 0, height > 0, width <= 1 << 15, height <= 1 << 15 else {
      throw SegKitError(.invalidArgument, "a picture of \(width)×\(height): sides are 1 to 32768 pixels")
    }
    let needed = Image.byteCount(width: width, height: height, format: format)
    guard bytes.count == needed else {
      throw SegKitError(
        .invalidArgument, "\(width)×\(height) \(format): \(bytes.count) bytes given, \(needed) needed")
    }
    (self.width, self.height, self.format, self.matrix, self.bytes) = (width, height, format, matrix, bytes)
  }

  /// A black picture.
  public init(width: Int, height: Int, format: PixelFormat) throws(SegKitError) {
    let sane = width > 0 && height > 0 && width <= 1 << 15 && height <= 1 << 15
    let count = sane ? Image.byteCount(width: width, height: height, format: format) : 0
    try self.init(width: width, height: height, format: format, bytes: [UInt8](repeating: 0, count: count))
  }

  /// Bytes of such a picture.
  public static func byteCount(width: Int, height: Int, format: PixelFormat) -> Int {
    let first = width * height * format.bytesPerPixel
    return format == .nv12 ? first + chromaStride(width) * ((height + 1) / 2) : first
  }

  public func withImageView<R>(_ body: (ImageView) throws -> R) throws -> R {
    try bytes.withUnsafeBufferPointer { buffer in
      let start = buffer.baseAddress!
      guard format == .nv12 else {
        return try body(
          ImageView(start, width: width, height: height, stride: width * format.bytesPerPixel, format: format))
      }
      return try body(
        ImageView(
          luma: start, lumaStride: width, chroma: start + width * height, chromaStride: Image.chromaStride(width),
          width: width, height: height, matrix: matrix))
    }
  }

  public mutating func withMutableImageView<R>(_ body: (MutableImageView) throws -> R) throws -> R {
    let (width, height, format) = (width, height, format)
    return try bytes.withUnsafeMutableBufferPointer { buffer in
      try body(
        MutableImageView(
          buffer.baseAddress!, width: width, height: height, stride: width * format.bytesPerPixel, format: format))
    }
  }

  private static func chromaStride(_ width: Int) -> Int { (width + 1) / 2 * 2 }
}

/// A plane of 8-bit values without gaps between rows, such as the alpha of a frame.
public struct Plane: Equatable, Sendable {
  public let width: Int
  public let height: Int
  public internal(set) var bytes: [UInt8]

  /// A plane of zeros.
  ///
  /// - Precondition: neither side is negative.
  public init(width: Int, height: Int) {
    precondition(width >= 0 && height >= 0, "a plane of \(width)×\(height): no side may be negative")
    (self.width, self.height) = (width, height)
    bytes = [UInt8](repeating: 0, count: width * height)
  }

  mutating func withCore<R>(_ body: (segcore_plane) throws -> R) rethrows -> R {
    let (width, height) = (Int32(clamping: width), Int32(clamping: height))
    return try bytes.withUnsafeMutableBufferPointer { buffer in
      try body(segcore_plane(data: buffer.baseAddress, width: width, height: height, stride: Int(width)))
    }
  }

  /// The same for a call that only reads: the core's struct for planes serves both.
  func withCoreToRead<R>(_ body: (segcore_plane) throws -> R) rethrows -> R {
    let (width, height) = (Int32(clamping: width), Int32(clamping: height))
    return try bytes.withUnsafeBufferPointer { buffer in
      let start = UnsafeMutablePointer(mutating: buffer.baseAddress)
      return try body(segcore_plane(data: start, width: width, height: height, stride: Int(width)))
    }
  }
}
