// SPDX-License-Identifier: Apache-2.0
// Pixel buffers of Apple's systems. Not compiled on Linux, so not in the tests there.
#if canImport(CoreVideo)
  import CoreVideo
  import Foundation

  /// BGRA, and NV12 with full or video range, as cameras give them.
  extension CVPixelBuffer: PixelSource, PixelTarget {
    public func withImageView<R>(_ body: (ImageView) throws -> R) throws -> R {
      try withLockedBytes(.readOnly) { format in
        let (width, height) = (CVPixelBufferGetWidth(self), CVPixelBufferGetHeight(self))
        guard format == .nv12 else {
          let start = try bytes(CVPixelBufferGetBaseAddress(self))
          let stride = CVPixelBufferGetBytesPerRow(self)
          return try body(ImageView(start, width: width, height: height, stride: stride, format: format))
        }
        return try body(
          ImageView(
            luma: bytes(CVPixelBufferGetBaseAddressOfPlane(self, 0)),
            lumaStride: CVPixelBufferGetBytesPerRowOfPlane(self, 0),
            chroma: bytes(CVPixelBufferGetBaseAddressOfPlane(self, 1)),
            chromaStride: CVPixelBufferGetBytesPerRowOfPlane(self, 1), width: width, height: height, matrix: matrix))
      }
    }

    /// Calls a body with the pixels to write, BGRA only.
    public func withMutableImageView<R>(_ body: (MutableImageView) throws -> R) throws -> R {
      try withLockedBytes([]) { format in
        guard format == .bgra else {
          throw SegKitError(.unsupported, "a pixel buffer to draw into must be BGRA, not \(format)")
        }
        return try body(
          MutableImageView(
            bytes(CVPixelBufferGetBaseAddress(self)), width: CVPixelBufferGetWidth(self),
            height: CVPixelBufferGetHeight(self), stride: CVPixelBufferGetBytesPerRow(self), format: format))
      }
    }

    private func withLockedBytes<R>(
      _ flags: CVPixelBufferLockFlags, _ body: (PixelFormat) throws -> R
    ) throws -> R {
      let format: PixelFormat
      switch CVPixelBufferGetPixelFormatType(self) {
      case kCVPixelFormatType_32BGRA: format = .bgra
      case kCVPixelFormatType_420YpCbCr8BiPlanarFullRange, kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange:
        format = .nv12
      case let other:
        throw SegKitError(.unsupported, "pixel format \(other): set the camera's output to BGRA or 420 bi-planar")
      }
      let locked = CVPixelBufferLockBaseAddress(self, flags)
      guard locked == kCVReturnSuccess else {
        throw SegKitError(.runtime, "the pixel buffer cannot be locked (CVReturn \(locked))")
      }
      defer { CVPixelBufferUnlockBaseAddress(self, flags) }
      return try body(format)
    }

    private func bytes(_ start: UnsafeMutableRawPointer?) throws -> UnsafeMutablePointer<UInt8> {
      guard let start else { throw SegKitError(.runtime, "the pixel buffer has no bytes in memory") }
      return start.assumingMemoryBound(to: UInt8.self)
    }

    /// What its attachments say; BT.709 where they say nothing, as cameras of Apple's devices record.
    private var matrix: YUVMatrix {
      let full = CVPixelBufferGetPixelFormatType(self) == kCVPixelFormatType_420YpCbCr8BiPlanarFullRange
      let named = CVBufferCopyAttachment(self, kCVImageBufferYCbCrMatrixKey, nil) as? String
      if named == kCVImageBufferYCbCrMatrix_ITU_R_601_4 as String { return full ? .bt601Full : .bt601Limited }
      return full ? .bt709Full : .bt709Limited
    }
  }
#endif
