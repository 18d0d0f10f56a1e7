// SPDX-License-Identifier: Apache-2.0
import CSegBundle
import Foundation
import SegKit

/// What the core's bundle tools say of the machine, the program and the moment, in the words of `run.json`.
package enum Machine {
  /// The core's, and SegKit's.
  package static let version = String(cString: segcore_version())

  static func device() throws(SegKitError) -> JSON { try tell(SEGBUNDLE_DEVICE) }
  static func conditions() throws(SegKitError) -> JSON { try tell(SEGBUNDLE_CONDITIONS) }
  /// How the core was built, and in which configuration the Swift code.
  package static func build(_ configuration: String) throws(SegKitError) -> JSON {
    try tell(SEGBUNDLE_BUILD).merging(["configuration": .string(configuration)])
  }
  static func peakMemory() throws(SegKitError) -> JSON { try tell(SEGBUNDLE_PEAK_MEMORY) }
  /// The time of day, ISO 8601, UTC.
  static func time() throws(SegKitError) -> JSON { try tell(SEGBUNDLE_TIME) }
  /// A name for a new session.
  static func newSession() throws(SegKitError) -> JSON { try tell(SEGBUNDLE_SESSION) }

  /// What runs a model: SegKit's release and that of LiteRT, of which an empty one is not known.
  static func runtime(liteRT release: String) -> String {
    "SegKit \(version) (LiteRT \(release.isEmpty ? "of unknown release" : release))"
  }

  /// The release of the LiteRT that these options choose, which stays loaded; empty where it is not told.
  static func liteRTRelease(_ options: Segmenter.Options) throws(SegKitError) -> String {
    var text: UnsafeMutablePointer<CChar>?
    try check { error in segbundle_litert_release(options.liteRTLibrary, &text, error) }
    guard let text else { throw SegKitError(.internal, "out of memory") }
    defer { segbundle_free(text) }
    return String(cString: text)
  }

  /// The SHA-256 of a file in hexadecimal.
  static func hash(ofFile path: String) throws(SegKitError) -> String {
    var hex = [CChar](repeating: 0, count: 65)
    try check { error in segbundle_hash_file(path, &hex, error) }
    return String(decoding: hex.dropLast().map(UInt8.init), as: UTF8.self)
  }

  /// A command line as segbench's own reader understands it: what was asked for, or the `text` to print instead.
  ///
  /// - Parameters:
  ///   - program: name for the texts.
  ///   - label: what runs are called by default.
  package static func commandLine(program: String, label: String, _ arguments: [String]) throws(SegKitError) -> JSON {
    var words = ([program] + arguments).map { strdup($0) }
    defer { for word in words { free(word) } }
    var text: UnsafeMutablePointer<CChar>?
    let count = Int32(words.count)
    try check { error in segbundle_command_line(program, label, count, &words, &text, error) }
    guard let text else { throw SegKitError(.internal, "out of memory") }
    defer { segbundle_free(text) }
    return try json(text)
  }

  private static func tell(_ what: some BinaryInteger) throws(SegKitError) -> JSON {
    guard let text = segbundle_tell(Int32(what)) else { throw SegKitError(.internal, "out of memory") }
    defer { segbundle_free(text) }
    return try json(text)
  }

  /// The value of a JSON text of the core's.
  static func json(_ text: UnsafePointer<CChar>) throws(SegKitError) -> JSON {
    do {
      return try JSON(parsing: Data(String(cString: text).utf8))
    } catch {
      throw SegKitError(.internal, "the core said something that is no JSON: \(error)")
    }
  }
}

/// A monotonic clock, the one that Python's `perf_counter_ns` reads.
package enum Clock {
  /// Nanoseconds; zero means nothing.
  package static func now() -> Int64 {
    #if canImport(Darwin)
      return Int64(clock_gettime_nsec_np(CLOCK_UPTIME_RAW))
    #else
      var time = timespec()
      clock_gettime(CLOCK_MONOTONIC, &time)
      return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    #endif
  }

  /// The `protocol.timer` part of run.json.
  static var facts: JSON {
    #if canImport(Darwin)
      let (name, clock) = ("CLOCK_UPTIME_RAW", CLOCK_UPTIME_RAW)
    #else
      let (name, clock) = ("CLOCK_MONOTONIC", CLOCK_MONOTONIC)
    #endif
    var resolution = timespec()
    clock_getres(clock, &resolution)
    let nanoseconds = Int(resolution.tv_sec) * 1_000_000_000 + Int(resolution.tv_nsec)
    return ["name": .string("clock_gettime(\(name))"), "resolution_ns": .int(max(1, nanoseconds))]
  }
}

/// Calls a function of the core that fills in an error, and throws that.
func check(_ call: (UnsafeMutablePointer<segcore_error>) -> segcore_code) throws(SegKitError) {
  var error = segcore_error()
  guard call(&error) == SEGCORE_OK else { throw SegKitError(error) }
}

extension SegKitError {
  init(_ error: segcore_error) {
    let message = withUnsafeBytes(of: error.message) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    self.init(Code(rawValue: error.code) ?? .internal, message)
  }
}
