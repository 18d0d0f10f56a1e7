// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Where the application's files lie: the application, its tests and the harness that fetches the bundles agree on it.
public struct Places: Sendable {
  /// Packed suites, by id.
  public let suites: URL
  /// Run bundles.
  public let runs: URL
  public let settings: SettingsFile
  public let models: ModelLibrary

  /// - Parameters:
  ///   - bundle: the application itself; it holds `Suites/` and `Models/`.
  ///   - documents: what the user sees of it in Files.
  public init(bundle: URL, documents: URL) {
    suites = bundle.appendingPathComponent("Suites")
    runs = documents.appendingPathComponent("runs")
    settings = SettingsFile(documents.appendingPathComponent("settings.json"))
    models = ModelLibrary(
      bundled: bundle.appendingPathComponent("Models"), own: documents.appendingPathComponent("Models"))
  }

  /// Those of the running application.
  public static let ofApplication = Places(
    bundle: Bundle.main.bundleURL,
    documents: FileManager.default.urls(for: .documentDirectory, in: .userDomainMask)[0])
}
