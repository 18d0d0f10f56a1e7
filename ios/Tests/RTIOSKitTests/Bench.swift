// SPDX-License-Identifier: Apache-2.0
import Foundation
import SegKit

@testable import RTIOSKit

/// A camera that gives the same picture when it is told to, as fast as that.
@MainActor final class StillCamera: Camera {
  var permission = CameraPermission.unknown
  /// The user's answer.
  var answer = true
  private(set) var started: [(position: CameraPosition, resolution: Resolution)] = []
  private(set) var running = false
  private var deliver: (@Sendable (any PixelSource) -> Void)?

  func askPermission() async -> Bool { answer }

  func start(
    _ position: CameraPosition, _ resolution: Resolution, deliver: @escaping @Sendable (any PixelSource) -> Void
  ) throws {
    started.append((position, resolution))
    (running, self.deliver) = (true, deliver)
  }

  func stop() { (running, deliver) = (false, nil) }

  func give(_ frame: Image) { deliver?(frame) }
}

/// Keeps what is shown.
final class Screen: FrameDisplay {
  private let kept = Locked<[Image]>([])

  func show(_ frame: Pipeline.Presented, orientation: Orientation) {
    guard let image = try? frame.image().upright(orientation) else { return }
    kept.withLock { $0.append(image) }
  }

  var images: [Image] { kept.withLock { $0 } }
}

/// Keeps pictures, and movies as the times of their frames.
final class Album: MediaLibrary {
  struct Full: Error {}
  let pictures = Locked<[Image]>([])
  let movies = Locked<[[Double]]>([])
  let full: Bool

  init(full: Bool = false) { self.full = full }

  func save(_ picture: Image) async throws {
    if full { throw Full() }
    pictures.withLock { $0.append(picture) }
  }

  func save(movie: URL) async throws {
    let times = try JSONDecoder().decode([Double].self, from: Data(contentsOf: movie))
    try FileManager.default.removeItem(at: movie)
    movies.withLock { $0.append(times) }
  }

  func movie(width: Int, height: Int, orientation: Orientation) throws -> any MovieWriter { Writer() }

  private final class Writer: MovieWriter {
    let times = Locked<[Double]>([])

    func append(_ frame: Pipeline.Presented, at seconds: Double) throws { times.withLock { $0.append(seconds) } }

    func finish() async throws -> URL {
      let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
      try JSONEncoder().encode(times.withLock { $0 }).write(to: file)
      return file
    }

    func cancel() {}
  }
}

/// What the repository ships, and a folder that is gone afterwards.
enum Shipped {
  static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  static let models = repository.appendingPathComponent("models")

  static func model(_ variant: String) -> URL { models.appendingPathComponent("portrait/model.\(variant).tflite") }

  static func picture(width: Int = 64, height: Int = 48, format: PixelFormat = .bgra) throws -> Image {
    let bytes = (0..<width * height * format.bytesPerPixel).map { index in
      index % 4 == 3 && format == .bgra ? 255 : UInt8(truncatingIfNeeded: index &* 31)
    }
    return try Image(width: width, height: height, format: format, bytes: bytes)
  }
}

/// A folder that is removed with it.
final class Folder {
  let url = FileManager.default.temporaryDirectory.appendingPathComponent("rtios-\(UUID().uuidString)")
  init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }
  deinit { try? FileManager.default.removeItem(at: url) }
}
