// SPDX-License-Identifier: Apache-2.0
import Foundation
import SegKit

/// What is drawn behind the person, as the user chooses it.
public enum Effect: String, Sendable, CaseIterable, Codable { case blur, image, colour, off }

/// What the user has chosen for the live picture.
public struct LiveSettings: Equatable, Sendable, Codable {
  public var effect = Effect.blur
  public var colour = Colour(red: 0, green: 120, blue: 80)
  public var camera = CameraPosition.front
  /// Threads of the network.
  public var threads = 2
  /// Asked for; what runs is another question, see ``LiveEngine/info``.
  public var accelerator = AcceleratorChoice.cpu
  /// Id of a ``ModelChoice``; nil for the first one.
  public var model: String?

  public init() {}

  public struct Colour: Equatable, Sendable, Codable {
    public var red: UInt8
    public var green: UInt8
    public var blue: UInt8

    public init(red: UInt8, green: UInt8, blue: UInt8) { (self.red, self.green, self.blue) = (red, green, blue) }

    /// Red, green and blue from 0 to 1; what lies outside is moved to the nearer end.
    public init(_ parts: [Double]) {
      let bytes = parts.map { UInt8((min(max($0, 0), 1) * 255).rounded()) }
      self.init(red: bytes[0], green: bytes[1], blue: bytes[2])
    }

    /// Red, green and blue from 0 to 1.
    public var parts: [Double] { [red, green, blue].map { Double($0) / 255 } }
  }

  /// The core's word for the effect.
  public var background: Background {
    switch effect {
    case .blur: .blur()
    case .image: .image
    case .colour: .colour(red: colour.red, green: colour.green, blue: colour.blue)
    case .off: .none
    }
  }
}

/// The accelerators worth a switch: on Apple's systems the GPU is reached by Metal.
public enum AcceleratorChoice: String, Sendable, CaseIterable, Codable {
  case cpu, gpu

  public var accelerator: Accelerator { self == .gpu ? .gpu : .cpu }
}

/// Settings as a JSON file.
public struct SettingsFile: Sendable {
  public let url: URL

  public init(_ url: URL) { self.url = url }

  /// What was saved last; the defaults where there is nothing, or nothing that can be read.
  public func load() -> LiveSettings {
    guard let data = try? Data(contentsOf: url), var settings = try? JSONDecoder().decode(LiveSettings.self, from: data)
    else { return LiveSettings() }
    settings.threads = max(1, min(settings.threads, ProcessInfo.processInfo.activeProcessorCount))
    return settings
  }

  /// Writes them, under another name first.
  public func save(_ settings: LiveSettings) throws {
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try JSONEncoder().encode(settings).write(to: url, options: .atomic)
  }
}
