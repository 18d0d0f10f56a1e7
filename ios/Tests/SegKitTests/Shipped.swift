// SPDX-License-Identifier: Apache-2.0
import Foundation

@testable import SegKit

/// What the repository ships, and pictures to try it on.
enum Shipped {
  static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  static func model(_ variant: String) -> String {
    repository.appendingPathComponent("models/portrait/model.\(variant).tflite").path
  }

  /// A picture with a bright blob on a dark gradient, the same for the same arguments.
  static func picture(width: Int = 61, height: Int = 47, format: PixelFormat = .bgra) throws -> Image {
    var bytes: [UInt8] = []
    var state: UInt32 = 7
    for y in 0..<height {
      for x in 0..<width {
        state = state &* 1_664_525 &+ 1_013_904_223
        let inside = (2 * x - width) * (2 * x - width) + (2 * y - height) * (2 * y - height) < width * height / 2
        let pixel = [x * 255 / width, y * 255 / height, inside ? 220 : 30].map { UInt8($0 / 2 + Int(state >> 29)) }
        bytes += format.bytesPerPixel == 4 ? pixel + [255] : pixel
      }
    }
    return try Image(width: width, height: height, format: format, bytes: bytes)
  }
}

extension Image {
  /// The pixel at a place, as its bytes are stored.
  subscript(x: Int, y: Int) -> ArraySlice<UInt8> {
    let start = (y * width + x) * format.bytesPerPixel
    return bytes[start..<start + format.bytesPerPixel]
  }

  /// The same picture with its columns the other way round.
  func flipped() throws -> Image {
    var turned: [UInt8] = []
    for y in 0..<height { for x in (0..<width).reversed() { turned += self[x, y] } }
    return try Image(width: width, height: height, format: format, bytes: turned)
  }

  /// The same picture turned clockwise by a quarter.
  func turnedRight() throws -> Image {
    var turned: [UInt8] = []
    for y in 0..<width { for x in 0..<height { turned += self[y, height - 1 - x] } }
    return try Image(width: height, height: width, format: format, bytes: turned)
  }
}
