// SPDX-License-Identifier: Apache-2.0
// Only Apple's systems make a zip without another library. Not compiled on Linux, so not in the tests there.
#if canImport(Darwin)
  import Foundation

  /// Packs a folder, such as a run bundle, into the temporary folder: `<run_id>.run` becomes `<run_id>.run.zip`.
  public func zipFile(of folder: URL) throws -> URL {
    let target = FileManager.default.temporaryDirectory.appendingPathComponent(folder.lastPathComponent + ".zip")
    var failed: NSError?
    var copied: Result<Void, any Error>?
    // For uploading, the system makes a zip of a folder; it is gone after the call.
    NSFileCoordinator().coordinate(readingItemAt: folder, options: .forUploading, error: &failed) { made in
      try? FileManager.default.removeItem(at: target)
      copied = Result { try FileManager.default.copyItem(at: made, to: target) }
    }
    if let failed { throw failed }
    try copied?.get()
    return target
  }
#endif
