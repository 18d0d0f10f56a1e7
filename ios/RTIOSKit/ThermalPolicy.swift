// SPDX-License-Identifier: Apache-2.0
import BenchmarkKit

/// How hot the device says it is.
public typealias Thermal = Conditions.Thermal

/// Gives up resolution when the device is hot, and takes it back when it has been cool for a while.
///
/// Down at once, up slowly: a device that has just cooled down is hot again within seconds at full load, and a picture
/// that changes its size all the time is worse than a small one.
public struct ThermalPolicy: Sendable {
  /// How long it has to stay cool before a step up, or hot before another step down, in seconds.
  public let patience: Double
  public private(set) var resolution = Resolution.high
  private var hot = false
  /// When it became hot or cool, or a step was made since.
  private var since = 0.0

  public init(patience: Double = 60) { self.patience = patience }

  /// Whether less is shown than could be.
  public var degraded: Bool { resolution < .high }

  /// Takes in how hot it is: whenever that changes, and every now and then.
  ///
  /// - Parameter now: seconds of any clock that only goes forward.
  /// - Returns: whether ``resolution`` is another one now.
  @discardableResult public mutating func update(_ thermal: Thermal, now: Double) -> Bool {
    let before = resolution
    let isHot = thermal == .serious || thermal == .critical
    if isHot != hot {
      (hot, since) = (isHot, now)
      if isHot { step(-1) }
    } else if now - since >= patience {
      since = now
      step(isHot ? -1 : 1)
    }
    if thermal == .critical { resolution = .low }
    return resolution != before
  }

  private mutating func step(_ by: Int) {
    resolution = Resolution(rawValue: resolution.rawValue + by) ?? resolution
  }
}
