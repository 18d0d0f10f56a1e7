// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Tells one listener that something is about to change.
///
/// Apple's `Observable` needs iOS 17, and Combine does not exist on Linux; the application turns this into an
/// `ObservableObject` in four lines.
@MainActor open class ViewModel {
  /// Called before each change.
  public var willChange: @MainActor () -> Void = {}

  public init() {}
}

/// A value that several threads read and change, one at a time.
public final class Locked<Value>: @unchecked Sendable {
  private let lock = NSLock()
  private var value: Value

  public init(_ value: sending Value) { self.value = value }

  public func withLock<R>(_ body: (inout Value) throws -> R) rethrows -> R {
    lock.lock()
    defer { lock.unlock() }
    return try body(&value)
  }
}
