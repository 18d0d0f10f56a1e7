// SPDX-License-Identifier: Apache-2.0
import SegKit

extension Image {
  /// The picture as people are meant to see it: turned, then mirrored. Not for NV12, which is given back as it is.
  ///
  /// The core draws into frames as they are stored; a screen and a movie turn them for free, a picture is turned here.
  public func upright(_ orientation: Orientation) throws -> Image {
    guard format != .nv12, orientation != .upright else { return self }
    let quarter = orientation.rotation == .right || orientation.rotation == .left
    let (newWidth, newHeight) = quarter ? (height, width) : (width, height)
    let pixel = format.bytesPerPixel
    let turned = [UInt8](unsafeUninitializedCapacity: bytes.count) { target, count in
      var out = 0
      for row in 0..<newHeight {
        for column in 0..<newWidth {
          let x = orientation.mirrored ? newWidth - 1 - column : column
          let source =
            switch orientation.rotation {
            case .none: row * width + x
            case .right: (height - 1 - x) * width + row
            case .half: (height - 1 - row) * width + width - 1 - x
            case .left: x * width + width - 1 - row
            }
          for channel in 0..<pixel { target[out + channel] = bytes[source * pixel + channel] }
          out += pixel
        }
      }
      count = out
    }
    return try Image(width: newWidth, height: newHeight, format: format, bytes: turned)
  }
}
