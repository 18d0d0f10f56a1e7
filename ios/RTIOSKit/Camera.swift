// SPDX-License-Identifier: Apache-2.0
import SegKit

public enum CameraPosition: String, Sendable, CaseIterable, Codable { case front, back }

/// What a camera is asked for.
public enum Resolution: Int, Sendable, CaseIterable, Comparable {
  case low, medium, high

  /// Of a frame as the sensor gives it, in pixels.
  public var size: (width: Int, height: Int) {
    switch self {
    case .low: (640, 480)
    case .medium: (960, 540)
    case .high: (1280, 720)
    }
  }

  public static func < (one: Resolution, other: Resolution) -> Bool { one.rawValue < other.rawValue }
}

/// A source of frames.
@MainActor public protocol Camera: AnyObject {
  /// Whether it may be used; asks the user the first time.
  func mayUse() async -> Bool

  /// Delivers frames, on a thread of its own, until it is stopped. Called again, it goes on with the new setup.
  ///
  /// - Parameter deliver: called with frames as the sensor gives them: neither turned nor mirrored.
  /// - Throws: if there is no such camera, or the system does not give it.
  func start(
    _ position: CameraPosition, _ resolution: Resolution,
    deliver: @escaping @Sendable (any PixelSource) -> Void
  ) throws

  func stop()
}

/// How the user holds the device, by what is up on its screen.
///
/// Its raw values are those of UIKit's `UIDeviceOrientation`, which has others for a device that lies on a table.
public enum DeviceOrientation: Int, Sendable, CaseIterable {
  case portrait = 1
  case upsideDown
  /// The side of the front camera is on the left, or on the right.
  case landscapeLeft, landscapeRight

  /// What makes a frame of a camera upright.
  ///
  /// Both sensors lie on their side: an upright device gives frames that have to be turned by a quarter. The front one
  /// looks the other way, so that lying devices are opposite for it; and people know themselves from mirrors.
  public func orientation(of camera: CameraPosition) -> Orientation {
    let front = camera == .front
    let rotation: Orientation.Rotation =
      switch self {
      case .portrait: .right
      case .upsideDown: .left
      case .landscapeLeft: front ? .half : .none
      case .landscapeRight: front ? .none : .half
      }
    return Orientation(rotation, mirrored: front)
  }
}
