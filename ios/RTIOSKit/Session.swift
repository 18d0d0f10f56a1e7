// SPDX-License-Identifier: Apache-2.0

/// Why a session waits.
public enum Interruption: Equatable, Sendable {
  /// The application is not in front.
  case background
  /// Another application has the camera, or a phone call.
  case inUse
  /// The system took the camera away to save power or heat.
  case pressure
}

/// Why a session cannot go on.
public enum Failure: Equatable, Sendable {
  /// The camera may not be used; only the system's settings can change that.
  case refused
  /// The reason as SegKit, the camera or the system gives it.
  case error(String)
}

/// What a camera session is doing, and what may come next.
///
/// It only decides; ``LiveModel`` does. An event that means nothing in a state changes nothing: the system sends some
/// twice, and some late.
public struct Session: Equatable, Sendable {
  public enum State: Equatable, Sendable {
    case idle
    case askingPermission
    case running
    /// Until every reason is gone; the newest one is told.
    case interrupted(Interruption)
    case failed(Failure)
  }

  public enum Event: Equatable, Sendable {
    case start
    case stop
    case permission(granted: Bool)
    case interruption(Interruption)
    case interruptionEnded(Interruption)
    case failure(Failure)
  }

  public private(set) var state = State.idle
  /// What keeps it interrupted: a call that is taken also puts the application into the background.
  private var reasons: [Interruption] = []

  public init() {}

  /// Takes an event in.
  ///
  /// - Returns: whether the state is another one now.
  @discardableResult public mutating func handle(_ event: Event) -> Bool {
    let before = state
    switch (state, event) {
    case (.idle, .start), (.failed, .start): state = .askingPermission
    case (.askingPermission, .permission(granted: true)): state = .running
    case (.askingPermission, .permission(granted: false)): state = .failed(.refused)
    case (.running, .interruption(let reason)), (.interrupted, .interruption(let reason)):
      reasons = reasons.filter { $0 != reason } + [reason]
      state = .interrupted(reason)
    case (.interrupted, .interruptionEnded(let reason)):
      reasons.removeAll { $0 == reason }
      state = reasons.last.map { .interrupted($0) } ?? .running
    case (.running, .failure(let failure)), (.askingPermission, .failure(let failure)),
      (.interrupted, .failure(let failure)):
      state = .failed(failure)
    case (_, .stop): state = .idle
    default: break
    }
    if case .interrupted = state {} else { reasons = [] }
    return state != before
  }
}
