// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import RTIOSKit

@MainActor @Suite struct AppModelTests {
  private let folder: Folder
  private let camera = StillCamera()

  init() throws { folder = try Folder() }

  private func running() async throws -> AppModel {
    let bundle = folder.url.appendingPathComponent("app")
    try Shipped.copyModel(to: bundle.appendingPathComponent("Models"))
    let app = AppModel(
      camera: camera, display: Screen(), library: Album(), places: Places(bundle: bundle, documents: folder.url))
    await app.live.start()
    #expect(app.live.state.session == .running)
    return app
  }

  @Test func theCameraRestsInTheBackground() async throws {
    let app = try await running()
    await app.entersBackground()
    #expect(app.live.state.session == .interrupted(.background) && !camera.running)
    await app.isInFront()
    #expect(app.live.state.session == .running && camera.running)
  }

  @Test func theCameraIsOffBesideABenchmark() async throws {
    let app = try await running()
    await app.shows(.benchmark)
    #expect(app.live.state.session == .idle && !camera.running)
  }
}
