// SPDX-License-Identifier: Apache-2.0
import Foundation
import SegKit

@testable import BenchmarkKit

/// An environment that says what a test lets it say; everything else of a benchmark is real.
final class ScriptedEnvironment: BenchmarkEnvironment, @unchecked Sendable {
  let tool = "a test"
  var device = Device(kind: .phone, model: "iPhone15,2")
  var configuration = "Release"
  var told = Conditions()
  /// The thermal states, one for each pause; the last one stays.
  var states: [Conditions.Thermal] = []
  /// Answers to whether it is in the foreground, one for each question; the last one stays.
  var foreground: [Bool] = [true]
  private(set) var paused = 0.0

  func conditions() -> Conditions { told }
  func thermal() -> Conditions.Thermal? { states.first }

  func isInForeground() -> Bool? {
    defer { if foreground.count > 1 { foreground.removeFirst() } }
    return foreground.first
  }

  func pause(seconds: Double) {
    paused += seconds
    if states.count > 1 { states.removeFirst() }
  }

  func peakMemory() throws -> PeakMemory { PeakMemory(bytes: 12_345_678, how: "as told by a test") }
}

/// A folder that is gone when its owner is.
final class Folder {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("benchmark-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func callAsFunction(_ inside: String) -> String { path + "/" + inside }
}

/// What the repository ships, and a packed suite made for the tests.
enum Shipped {
  static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  static func model(_ variant: String = "int8") -> String {
    repository.appendingPathComponent("models/portrait/model.\(variant).tflite").path
  }

  /// Writes a packed suite of small pictures without masks.
  static func suite(_ count: Int = 3, in folder: String) throws {
    try FileManager.default.createDirectory(atPath: folder + "/images", withIntermediateDirectories: true)
    var cases: [JSON] = []
    for number in 0..<count {
      let (width, height) = (40 + number, 30)
      let pixels = Data((0..<width * height * 3).map { UInt8(($0 * (7 + number)) % 251) })
      let file = npy(pixels, height: height, width: width)
      let (name, bare) = ("images/figure-\(number).npy", folder + "/pixels")
      try file.write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
      try pixels.write(to: URL(fileURLWithPath: bare))
      let image: JSON = [
        "file": .string(name), "file_sha256": .string(try Machine.hash(ofFile: "\(folder)/\(name)")),
        "sha256": .string(try Machine.hash(ofFile: bare)),
      ]
      try FileManager.default.removeItem(atPath: bare)
      cases.append([
        "id": .string("figure-\(number)"), "height": .int(height), "width": .int(width), "image": image, "mask": nil,
        "tags": ["small"], "provenance": "made by a test",
      ])
    }
    let index: JSON = ["schema": "segmentation-suite/1", "id": "figures", "cases": .array(cases)]
    try index.encoded().write(to: URL(fileURLWithPath: folder + "/suite.json"))
  }

  private static func npy(_ pixels: Data, height: Int, width: Int) -> Data {
    var header = "{'descr': '|u1', 'fortran_order': False, 'shape': (\(height), \(width), 3), }"
    header += String(repeating: " ", count: 63 - (10 + header.count) % 64) + "\n"
    return Data([0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59, 1, 0, UInt8(header.count), 0]) + Data(header.utf8) + pixels
  }
}

/// One bundle as it lies on disk.
struct Found {
  let folder: String
  let facts: JSON

  init(_ folder: String) throws {
    self.folder = folder
    facts = try JSON(parsing: Data(contentsOf: URL(fileURLWithPath: folder + "/run.json")))
  }

  /// The bundle of a lane in a folder; there is one.
  init(_ lane: Lane, in out: String) throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: out).filter { $0.contains("-\(lane.rawValue)-") }
    guard names.count == 1 else { throw SegKitError(.notFound, "\(names.count) bundles of the \(lane.rawValue) lane") }
    try self.init("\(out)/\(names[0])")
  }

  var status: String? { facts["status"].string }

  /// The columns of samples.csv by their names.
  func column(_ name: String) throws -> [String] {
    let text = try String(contentsOfFile: folder + "/samples.csv", encoding: .utf8)
    let rows = text.split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
    guard let place = rows[0].firstIndex(where: { $0 == name }) else { return [] }
    return rows.dropFirst().map { String($0[place]) }
  }

  func tensors() throws -> [String: Data] {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder + "/tensors")
    return try Dictionary(
      uniqueKeysWithValues: names.map { ($0, try Data(contentsOf: URL(fileURLWithPath: "\(folder)/tensors/\($0)"))) })
  }

  /// Whether checksums.txt lists every other file with its hash.
  func isSealed() throws -> Bool {
    guard let text = try? String(contentsOfFile: folder + "/checksums.txt", encoding: .utf8) else { return false }
    let files = Files.list(folder).filter { $0 != "checksums.txt" }
    let lines = try files.map { "\(try Machine.hash(ofFile: folder + "/" + $0))  \($0)\n" }
    return text == lines.joined()
  }
}
