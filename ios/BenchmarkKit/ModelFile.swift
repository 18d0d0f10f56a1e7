// SPDX-License-Identifier: Apache-2.0
import CSegBundle
import SegKit

/// A `.tflite` file and what it says of itself. Nothing is run here.
final class ModelFile {
  private let handle: OpaquePointer
  /// The `model` part of run.json; null where the file is damaged.
  let facts: JSON

  /// Reads a file and the contract it is used with.
  ///
  /// - Parameter contract: file of the contract; nil: the model's own, or `contract.toml` beside it.
  /// - Throws: ``SegKitError`` where the file is missing, or the contract is missing or wrong.
  init(path: String, contract: String?) throws(SegKitError) {
    var made: OpaquePointer?
    try check { error in segbundle_model_read(path, contract, &made, error) }
    handle = made!
    facts = try Machine.json(segbundle_model_facts(handle))
  }

  deinit { segbundle_model_destroy(handle) }

  /// The file's content.
  var bytes: [UInt8] {
    var count = 0
    let start = segbundle_model_data(handle, &count)
    return Array(UnsafeRawBufferPointer(start: start, count: count))
  }

  /// The text of the contract that it is used with.
  var contract: String { String(cString: segbundle_model_contract(handle)) }

  /// Throws why the file cannot be run, if so.
  func checkDamage() throws(SegKitError) { try check { error in segbundle_model_damage(handle, error) } }
}
