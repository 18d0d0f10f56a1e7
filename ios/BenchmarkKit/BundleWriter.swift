// SPDX-License-Identifier: Apache-2.0
import Foundation
import SegKit

/// One timed frame: a row of `samples.csv`, without its number.
struct Sample {
  enum Phase: String {
    /// The first inference after loading.
    case cold
    /// Before the timing.
    case warm
    /// Frame after frame.
    case steady
  }

  let phase: Phase
  let restart: Int
  let block: Int
  let caseID: String
  let times: FramePath.Times
  let thermal: Conditions.Thermal?
}

/// Writes one run bundle (docs/run-bundle.md). An interrupted one stays behind with status `partial`, and opening its
/// folder again goes on with it.
final class BundleWriter {
  let folder: String
  /// The content of `run.json`; change it, then ``save()`` or ``finish(_:error:)``.
  var facts: JSON
  private var rows = 0
  private var sampled: Set<String> = []

  private static let columns =
    "seq,phase,restart,block,case,due_ns,start_ns,preprocess_ns,invoke_ns,postprocess_ns,refine_ns,composite_ns,"
    + "total_ns,presented_ns,dropped,mask_age,thermal\n"
  private static let checksums = "checksums.txt"

  /// Makes the folder, or goes on with what an interruption left in it, and writes the facts as `run.json`.
  init(folder: String, facts: JSON) throws(SegKitError) {
    (self.folder, self.facts) = (folder, facts)
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw SegKitError(
        .invalidArgument, "\(folder): cannot make the folder: \(Files.reason(error)); choose another folder")
    }
    for file in Files.list(folder) where file == Self.checksums || Files.isLeftover(file) {
      try? FileManager.default.removeItem(atPath: folder + "/" + file)
    }
    try save()
    try readRows()
  }

  /// Whether everything of a bundle has been written, its checksums too, which are last.
  static func isFinished(_ folder: String, _ facts: JSON) -> Bool {
    facts["status"].string != "partial" && Files.exists(folder + "/" + checksums)
  }

  /// Removes a bundle's folder that was killed before there was anything in it; false where something is.
  static func removeUnbegun(_ folder: String) -> Bool {
    guard Files.isFolder(folder), Files.list(folder).allSatisfy(Files.isLeftover) else { return false }
    return (try? FileManager.default.removeItem(atPath: folder)) != nil
  }

  var status: String { facts["status"].string ?? "" }

  func save() throws(SegKitError) {
    let text: Data
    do { text = try facts.encoded() } catch { throw SegKitError(.internal, "\(folder): run.json: \(error)") }
    try Files.write(text + Data("\n".utf8), to: folder + "/run.json")
  }

  func add(_ samples: [Sample]) throws(SegKitError) {
    var text = ""
    for sample in samples {
      let times = sample.times
      text += "\(rows),\(sample.phase.rawValue),\(sample.restart),\(sample.block),\(sample.caseID),,\(times.start),"
      text += "\(times.preprocess),\(times.invoke),\(times.postprocess),,,\(times.total),,,,"
      text += (sample.thermal?.rawValue ?? "") + "\n"
      rows += 1
    }
    let path = folder + "/samples.csv"
    do {
      let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
      defer { try? file.close() }
      try file.seekToEnd()
      try file.write(contentsOf: Data(text.utf8))
    } catch {
      throw SegKitError(.runtime, "\(path): cannot write: \(Files.reason(error))")
    }
  }

  /// Writes the probability of a case, `height × width`.
  func write(_ map: [Float], height: Int, width: Int, case id: String) throws(SegKitError) {
    // What is wrong with the folder, writing the file tells.
    try? FileManager.default.createDirectory(atPath: folder + "/tensors", withIntermediateDirectories: true)
    try Files.write(Self.npy(map, height: height, width: width), to: tensor(id))
  }

  /// Whether an earlier, interrupted pass left this case's tensor, and in the image lane its sample as well.
  func isDone(_ id: String) -> Bool {
    Files.exists(tensor(id)) && (facts["lane"].string == Lane.tensor.rawValue || sampled.contains(id))
  }

  /// Writes the final `run.json`, `complete` or `failed` with an error, and then the checksums.
  func finish(_ status: String, error: JSON = nil) throws(SegKitError) {
    facts["status"] = .string(status)
    facts["error"] = error
    try save()
    var lines = ""
    for file in Files.list(folder) where file != Self.checksums {
      lines += "\(try Machine.hash(ofFile: folder + "/" + file))  \(file)\n"
    }
    try Files.write(Data(lines.utf8), to: folder + "/" + Self.checksums)
  }

  private func tensor(_ id: String) -> String { folder + "/tensors/\(id).npy" }

  private func readRows() throws(SegKitError) {
    let path = folder + "/samples.csv"
    guard Files.exists(path) else { return try Files.write(Data(Self.columns.utf8), to: path) }
    guard let text = FileManager.default.contents(atPath: path) else {
      throw SegKitError(.runtime, "\(path): cannot read it")
    }
    // An interruption may have cut the last line: keep the whole ones.
    let lines = String(decoding: text, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
      .dropLast()
    let whole = lines.isEmpty ? Self.columns : lines.joined(separator: "\n") + "\n"
    try Files.write(Data(whole.utf8), to: path)
    for line in lines.dropFirst() {
      sampled.insert(String(line.split(separator: ",", omittingEmptySubsequences: false).dropFirst(4).first ?? ""))
      rows += 1
    }
  }

  /// An NPY file, format 1.0, of float32 numbers.
  private static func npy(_ map: [Float], height: Int, width: Int) -> Data {
    let magic: [UInt8] = [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59, 1, 0]
    var header = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(height), \(width)), }"
    // The numbers begin at a multiple of 64 bytes.
    header += String(repeating: " ", count: 63 - (magic.count + 2 + header.count) % 64) + "\n"
    var file = Data(magic + [UInt8(header.count & 0xFF), UInt8(header.count >> 8)])
    file.append(contentsOf: header.utf8)
    map.map(\.bitPattern.littleEndian).withUnsafeBytes { file.append(contentsOf: $0) }
    return file
  }
}
