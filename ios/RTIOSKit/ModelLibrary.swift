// SPDX-License-Identifier: Apache-2.0
import Foundation
import SegKit

/// A network that can be chosen.
public struct ModelChoice: Equatable, Sendable, Identifiable {
  /// What the user reads, such as `portrait int8`; unique.
  public let id: String
  /// A `.tflite` file.
  public let path: String
}

/// The networks of the application, and those the user has put beside them.
public struct ModelLibrary: Sendable {
  /// Model folders: `<name>/model.<variant>.tflite`.
  private let bundled: URL
  /// `Documents/Models`: files of the user.
  private let own: URL

  public init(bundled: URL, own: URL) { (self.bundled, self.own) = (bundled, own) }

  /// All of them: the application's first, by name.
  public func all() -> [ModelChoice] {
    let folders = entries(of: bundled).flatMap { folder in
      entries(of: folder).compactMap { file -> ModelChoice? in
        let parts = file.lastPathComponent.split(separator: ".")
        guard parts.count == 3, parts[0] == "model", parts[2] == "tflite" else { return nil }
        return ModelChoice(id: "\(folder.lastPathComponent) \(parts[1])", path: file.path)
      }
    }
    let files = entries(of: own).filter { $0.pathExtension == "tflite" }
    return folders + files.map { ModelChoice(id: $0.lastPathComponent, path: $0.path) }
  }

  /// Copies a file the user has picked, after a look whether it can be used.
  ///
  /// A file that is there already is not copied again; another one of the same name gets a number.
  ///
  /// - Throws: ``SegKitError`` if it is no network with a contract; nothing is left behind then.
  public func add(_ picked: URL) throws -> ModelChoice {
    let bytes = try Data(contentsOf: picked)
    _ = try Segmenter(model: [UInt8](bytes))
    try FileManager.default.createDirectory(at: own, withIntermediateDirectories: true)
    let target = place(for: bytes, named: picked.deletingPathExtension().lastPathComponent)
    if !FileManager.default.fileExists(atPath: target.path) { try bytes.write(to: target, options: .atomic) }
    return ModelChoice(id: target.lastPathComponent, path: target.path)
  }

  /// The first name that is free, or has these bytes.
  private func place(for bytes: Data, named name: String) -> URL {
    var number = 1
    while true {
      let file = own.appendingPathComponent(number == 1 ? "\(name).tflite" : "\(name)-\(number).tflite")
      guard let there = try? Data(contentsOf: file), there != bytes else { return file }
      number += 1
    }
  }

  private func entries(of folder: URL) -> [URL] {
    let found = try? FileManager.default.contentsOfDirectory(
      at: folder, includingPropertiesForKeys: nil, options: .skipsHiddenFiles)
    return (found ?? []).sorted { $0.lastPathComponent < $1.lastPathComponent }
  }
}
