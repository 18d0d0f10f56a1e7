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
    try TinySuite.write(to: bundle.appendingPathComponent("Suites/tiny"))
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

  @Test(.timeLimit(.minutes(1))) func aBenchmarkEndsWhenThePageOfTheCameraIsShownAndCanGoOn() async throws {
    let app = try await running()
    await app.shows(.benchmark)
    app.benchmark.choose(profile: .submission)
    let run = Task { await app.benchmark.run() }
    while !app.benchmark.state.isRunning { await Task.yield() }

    await app.shows(.live)
    await run.value

    #expect(app.benchmark.state.phase == .partial && app.benchmark.state.canRun)
  }
}
