// SPDX-License-Identifier: Apache-2.0
import CSegBundle
import SegKit

/// A packed suite: hash-locked pictures, read one at a time.
final class PackedSuite {
  struct Case {
    let id: String
    let width: Int
    let height: Int
  }

  private let handle: OpaquePointer
  let path: String
  /// The `suite` part of run.json.
  let facts: JSON
  let cases: [Case]

  /// Reads and checks the `suite.json` of a folder. Pictures are read, and checked, later.
  init(path: String) throws(SegKitError) {
    var made: OpaquePointer?
    try check { error in segbundle_suite_load(path, &made, error) }
    handle = made!
    self.path = path
    facts = try Machine.json(segbundle_suite_facts(handle))
    cases = facts["cases"].array.map { entry in
      Case(id: entry["id"].string ?? "", width: entry["width"].int ?? 0, height: entry["height"].int ?? 0)
    }
  }

  deinit { segbundle_suite_destroy(handle) }

  /// Reads every file and throws the first thing that is wrong.
  func verify() throws(SegKitError) { try check { error in segbundle_suite_verify(handle, error) } }

  /// The picture of a case, its file checked against its hash.
  func image(_ index: Int) throws(SegKitError) -> Image {
    let entry = cases[index]
    var bytes = [UInt8](repeating: 0, count: entry.width * entry.height * 3)
    let count = bytes.count
    try check { error in segbundle_suite_read_image(handle, index, &bytes, count, error) }
    return try Image(width: entry.width, height: entry.height, format: .rgb, bytes: bytes)
  }
}
