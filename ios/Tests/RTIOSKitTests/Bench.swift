// SPDX-License-Identifier: Apache-2.0
import Foundation
import SegKit

@testable import BenchmarkKit
@testable import RTIOSKit

/// A camera that gives the same picture when it is told to, as fast as that.
@MainActor final class StillCamera: Camera {
  /// The user's answer.
  var answer = true
  private(set) var started: [(position: CameraPosition, resolution: Resolution)] = []
  private(set) var running = false
  private var deliver: (@Sendable (any PixelSource) -> Void)?

  func mayUse() async -> Bool { answer }

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

  func show(_ frame: Pipeline.Presented) {
    guard let image = try? frame.image() else { return }
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
  let allowed: Bool

  init(full: Bool = false, allowed: Bool = true) { (self.full, self.allowed) = (full, allowed) }

  func mayAdd() async -> Bool { allowed }

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

  /// Puts one variant of the shipped model into a folder of model folders.
  static func copyModel(to models: URL) throws {
    let folder = models.appendingPathComponent("portrait")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try FileManager.default.copyItem(at: model("int8"), to: folder.appendingPathComponent("model.int8.tflite"))
  }

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

/// A packed suite of two pictures of 24 × 32 pixels, without masks (docs/suite.md).
enum TinySuite {
  static func write(to folder: URL) throws {
    let images = folder.appendingPathComponent("images")
    try FileManager.default.createDirectory(at: images, withIntermediateDirectories: true)
    let cases = try ["a", "b"].map { id in
      let pixels = Data((0..<32 * 24 * 3).map { UInt8(truncatingIfNeeded: $0 &* (id == "a" ? 7 : 11)) })
      let file = images.appendingPathComponent("\(id).npy")
      try pixels.write(to: file)
      let hash = try Machine.hash(ofFile: file.path)
      try (npyHeader + pixels).write(to: file)
      let fileHash = try Machine.hash(ofFile: file.path)
      return """
        {"id": "\(id)", "height": 32, "width": 24, "mask": null, "tags": [], "provenance": "made by a test",
         "image": {"file": "images/\(id).npy", "sha256": "\(hash)", "file_sha256": "\(fileHash)"}}
        """
    }
    let json = """
      {"schema": "segmentation-suite/1", "id": "tiny", "cases": [\(cases.joined(separator: ","))]}
      """
    try Data(json.utf8).write(to: folder.appendingPathComponent("suite.json"))
  }

  /// NPY version 1.0: magic number, length of the text, the text, which is filled up to 128 bytes.
  private static var npyHeader: Data {
    let text = "{'descr': '|u1', 'fortran_order': False, 'shape': (32, 24, 3), }"
    let filled = text + String(repeating: " ", count: 117 - text.count) + "\n"
    return Data([0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59, 1, 0, 118, 0]) + Data(filled.utf8)
  }
}
