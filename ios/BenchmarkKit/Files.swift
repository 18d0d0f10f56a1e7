// SPDX-License-Identifier: Apache-2.0
import Foundation
import SegKit

/// Whole files: written under a temporary name and renamed, so that whatever has its own name is whole.
enum Files {
  /// Writes a whole file; on an error nothing of it is left.
  static func write(_ data: Data, to path: String) throws(SegKitError) {
    let url = URL(fileURLWithPath: path)
    let temporary = url.deletingLastPathComponent().appendingPathComponent(
      ".\(url.lastPathComponent).tmp\(ProcessInfo.processInfo.processIdentifier)")
    do {
      try data.write(to: temporary)
      guard rename(temporary.path, path) == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    } catch {
      try? FileManager.default.removeItem(at: temporary)
      throw SegKitError(.runtime, "\(path): cannot write: \(reason(error)); choose another place")
    }
  }

  /// The system's words for what went wrong.
  static func reason(_ error: any Error) -> String {
    let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError ?? error as NSError
    return underlying.domain == NSPOSIXErrorDomain
      ? String(cString: strerror(Int32(underlying.code))) : error.localizedDescription
  }

  /// The files below a folder by their paths inside it, hidden ones too, in order; those that macOS leaves beside files
  /// (folder settings, and attributes that a zip cannot hold) are none, as in harness/bundle_files.py.
  static func list(_ folder: String) -> [String] {
    let found = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
    return found.filter { !isFolder(folder + "/" + $0) && !isLitter($0) }.sorted()
  }

  private static func isLitter(_ file: String) -> Bool {
    let parts = file.split(separator: "/")
    return parts.first == "__MACOSX" || parts.last == ".DS_Store" || parts.last?.hasPrefix("._") == true
  }

  static func isFolder(_ path: String) -> Bool {
    var folder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &folder) && folder.boolValue
  }

  static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  /// Whether it is what ``write(_:to:)`` leaves behind when it is killed.
  static func isLeftover(_ file: String) -> Bool {
    let name = file.split(separator: "/").last ?? ""
    return name.hasPrefix(".") && name.contains(".tmp")
  }
}
