// SPDX-License-Identifier: Apache-2.0
import CSegCore

/// Why the core could not do what it was asked to.
public struct SegKitError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The kinds of failure the core tells apart.
  public enum Code: Int32, Sendable {
    case invalidArgument = 1
    case notFound = 2
    case invalidModel = 3
    case unsupported = 4
    case runtime = 5
    case cancelled = 6
    case `internal` = 7
  }

  /// What kind of failure it is.
  public let code: Code
  /// What is wrong, where, and how to mend it.
  public let message: String

  /// An error of the app's own making, such as a pixel buffer that cannot be locked.
  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }
}

/// Calls a function of the core that fills in an error, and throws that.
func check(_ call: (UnsafeMutablePointer<segcore_error>) -> segcore_code) throws(SegKitError) {
  var error = segcore_error()
  let code = call(&error)
  guard code != SEGCORE_OK else { return }
  let message = withUnsafeBytes(of: error.message) { bytes in
    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }
  throw SegKitError(SegKitError.Code(rawValue: code) ?? .internal, message)
}

/// The object that a function of the core made.
func made(
  _ make: (UnsafeMutablePointer<OpaquePointer?>, UnsafeMutablePointer<segcore_error>) -> segcore_code
) throws(SegKitError) -> OpaquePointer {
  var object: OpaquePointer?
  try check { error in make(&object, error) }
  guard let object else { throw SegKitError(.internal, "the core made nothing, and gave no reason") }
  return object
}
