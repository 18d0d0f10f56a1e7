// SPDX-License-Identifier: Apache-2.0
// Not compiled on Linux: needs Apple's SDK.
import ImageIO
import RTIOSKit
import SegKit
import SwiftUI

/// Shows the newest drawn frame.
final class Screen: ObservableObject, FrameDisplay, @unchecked Sendable {
  @Published private(set) var picture: CGImage?

  func show(_ frame: Pipeline.Presented) {
    guard let picture = try? frame.image().picture() else { return }
    DispatchQueue.main.async { self.picture = picture }
  }
}

struct ScreenView: View {
  @ObservedObject var screen: Screen
  let camera: CameraPosition

  var body: some View {
    GeometryReader { space in
      if let picture = screen.picture {
        // The interface stays upright on the device, and so does the sensor: frames are always turned alike.
        SwiftUI.Image(
          picture, scale: 1, orientation: camera == .front ? .leftMirrored : .right,
          label: Text(Phrase.picture.localized())
        )
        .resizable().scaledToFill().frame(width: space.size.width, height: space.size.height).clipped()
      }
    }
  }
}

extension SegKit.Image {
  private static let space = CGColorSpaceCreateDeviceRGB()

  /// For Core Graphics, which takes BGRA as it is.
  func picture() throws -> CGImage {
    let layout = CGBitmapInfo(rawValue: CGImageAlphaInfo.noneSkipFirst.rawValue).union(.byteOrder32Little)
    guard format == .bgra, let data = CGDataProvider(data: Data(bytes) as CFData),
      let image = CGImage(
        width: width, height: height, bitsPerComponent: 8, bitsPerPixel: 32, bytesPerRow: 4 * width,
        space: Self.space, bitmapInfo: layout, provider: data, decode: nil, shouldInterpolate: false,
        intent: .defaultIntent)
    else { throw SegKitError(.unsupported, "no picture can be made of \(format)") }
    return image
  }

  /// A picture file, upright, its longer side 1280 pixels at most.
  init(contentsOf file: URL) throws {
    let options: [CFString: Any] = [
      kCGImageSourceCreateThumbnailFromImageAlways: true, kCGImageSourceCreateThumbnailWithTransform: true,
      kCGImageSourceThumbnailMaxPixelSize: 1280,
    ]
    guard let source = CGImageSourceCreateWithURL(file as CFURL, nil),
      let image = CGImageSourceCreateThumbnailAtIndex(source, 0, options as CFDictionary)
    else { throw SegKitError(.unsupported, "\(file.lastPathComponent) is no picture that can be read") }
    let (width, height) = (image.width, image.height)
    var bytes = [UInt8](repeating: 0, count: 4 * width * height)
    bytes.withUnsafeMutableBytes { buffer in
      let context = CGContext(
        data: buffer.baseAddress, width: width, height: height, bitsPerComponent: 8, bytesPerRow: 4 * width,
        space: Self.space, bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)
      context?.draw(image, in: CGRect(x: 0, y: 0, width: width, height: height))
    }
    try self.init(width: width, height: height, format: .rgba, bytes: bytes)
  }
}
