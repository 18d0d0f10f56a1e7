// SPDX-License-Identifier: Apache-2.0
// Not compiled on Linux: needs Apple's SDK.
import AVFoundation
import Photos
import RTIOSKit
import SegKit
import UIKit

/// The user's photos.
struct PhotoLibrary: MediaLibrary {
  func mayAdd() async -> Bool { await PHPhotoLibrary.requestAuthorization(for: .addOnly) == .authorized }

  func save(_ picture: SegKit.Image) async throws {
    let image = UIImage(cgImage: try picture.picture())
    try await PHPhotoLibrary.shared().performChanges { PHAssetChangeRequest.creationRequestForAsset(from: image) }
  }

  func save(movie: URL) async throws {
    defer { try? FileManager.default.removeItem(at: movie) }
    try await PHPhotoLibrary.shared().performChanges {
      PHAssetChangeRequest.creationRequestForAssetFromVideo(atFileURL: movie)
    }
  }

  func movie(width: Int, height: Int, orientation: SegKit.Orientation) throws -> any MovieWriter {
    try MovieFile(width: width, height: height, orientation: orientation)
  }
}

/// An H.264 movie in a temporary file.
private final class MovieFile: MovieWriter, @unchecked Sendable {
  private let writer: AVAssetWriter
  private let input: AVAssetWriterInput
  private let adaptor: AVAssetWriterInputPixelBufferAdaptor

  init(width: Int, height: Int, orientation: SegKit.Orientation) throws {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).mp4")
    writer = try AVAssetWriter(outputURL: file, fileType: .mp4)
    input = AVAssetWriterInput(
      mediaType: .video,
      outputSettings: [AVVideoCodecKey: AVVideoCodecType.h264, AVVideoWidthKey: width, AVVideoHeightKey: height])
    input.expectsMediaDataInRealTime = true
    // Turned clockwise, then mirrored, and moved back to where it was.
    let turned = CGAffineTransform(rotationAngle: CGFloat(orientation.rotation.rawValue) * .pi / 180)
    let mirrored = turned.concatenating(CGAffineTransform(scaleX: orientation.mirrored ? -1 : 1, y: 1))
    let box = CGRect(x: 0, y: 0, width: width, height: height).applying(mirrored)
    input.transform = mirrored.concatenating(CGAffineTransform(translationX: -box.minX, y: -box.minY))
    adaptor = AVAssetWriterInputPixelBufferAdaptor(
      assetWriterInput: input,
      sourcePixelBufferAttributes: [
        kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_32BGRA,
        kCVPixelBufferWidthKey as String: width, kCVPixelBufferHeightKey as String: height,
      ])
    writer.add(input)
    guard writer.startWriting() else { throw failure }
    writer.startSession(atSourceTime: .zero)
  }

  private var failure: any Error { writer.error ?? SegKitError(.runtime, "the movie cannot be written") }

  func append(_ frame: Pipeline.Presented, at seconds: Double) throws {
    var made: CVPixelBuffer?
    guard input.isReadyForMoreMediaData, let pool = adaptor.pixelBufferPool,
      CVPixelBufferPoolCreatePixelBuffer(nil, pool, &made) == kCVReturnSuccess, let buffer = made
    else { return }  // a frame less
    CVPixelBufferLockBaseAddress(buffer, [])
    if let target = CVPixelBufferGetBaseAddress(buffer), let source = frame.bytes.baseAddress {
      let stride = CVPixelBufferGetBytesPerRow(buffer)
      for row in 0..<frame.height { memcpy(target + row * stride, source + row * frame.stride, 4 * frame.width) }
    }
    CVPixelBufferUnlockBaseAddress(buffer, [])
    let time = CMTime(seconds: seconds, preferredTimescale: 90_000)
    guard adaptor.append(buffer, withPresentationTime: time) else { throw failure }
  }

  func finish() async throws -> URL {
    input.markAsFinished()
    await writer.finishWriting()
    guard writer.status == .completed else { throw failure }
    return writer.outputURL
  }

  func cancel() { writer.cancelWriting() }
}
