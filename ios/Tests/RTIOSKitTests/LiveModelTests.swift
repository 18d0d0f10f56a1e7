// SPDX-License-Identifier: Apache-2.0
import Foundation
import SegKit
import Testing

@testable import RTIOSKit

/// With the real network, and a camera that gives still pictures.
@MainActor @Suite struct LiveModelTests {
  private let folder: Folder
  private let camera = StillCamera()
  private let screen = Screen()
  private var album = Album()
  private var clock = TestClock()

  @MainActor final class TestClock { var now = 0.0 }

  init() throws { folder = try Folder() }

  private func model(bundled: URL = Shipped.models) -> LiveModel {
    LiveModel(
      camera: camera, display: screen, library: album,
      models: ModelLibrary(bundled: bundled, own: folder.url.appendingPathComponent("Models")),
      settings: SettingsFile(folder.url.appendingPathComponent("settings.json")), policy: ThermalPolicy(patience: 60),
      clock: { [clock] in MainActor.assumeIsolated { clock.now } })
  }

  private func running() async -> LiveModel {
    let model = model()
    await model.start()
    return model
  }

  /// Gives frames until something holds.
  private func give(_ frame: Image, until holds: () async -> Bool) async throws {
    for _ in 0..<2_000 {
      if await holds() { return }
      camera.give(frame)
      try await Task.sleep(nanoseconds: 2_000_000)
    }
    Issue.record("it did not come about")
  }

  @Test func framesOfTheCameraAreShownAndTimed() async throws {
    let model = await running()
    #expect(model.state.session == .running && model.state.loaded?.accelerator == .cpu)
    try await give(Shipped.picture(width: 64, height: 48)) { screen.images.count >= 3 }
    await model.tick()

    #expect(screen.images.allSatisfy { $0.width == 64 && $0.height == 48 })
    #expect(model.state.statistics.invoke > 0 && model.state.statistics.framesPerSecond > 0)
    await model.stop()
    #expect(model.state.session == .idle && !camera.running && model.state.loaded == nil)
  }

  @Test func aRefusedPermissionStartsNothing() async {
    camera.answer = false
    let model = await running()
    #expect(model.state.session == .failed(.refused) && camera.started.isEmpty)
  }

  @Test func aPhoneCallStopsTheCameraAndItGoesOnAfterwards() async throws {
    let model = await running()
    await model.camera(says: .interruption(.inUse))
    #expect(model.state.session == .interrupted(.inUse) && !camera.running)
    await model.camera(says: .interruptionEnded(.inUse))
    #expect(model.state.session == .running && camera.running)
    try await give(Shipped.picture()) { !screen.images.isEmpty }
  }

  @Test func withoutAModelItSaysSo() async {
    let model = model(bundled: folder.url)
    await model.start()
    guard case .failed(.error(let reason)) = model.state.session else { return #expect(Bool(false)) }
    #expect(reason.contains("no model"))
  }

  @Test func whatTheCameraSaysOfAFailureEndsTheSession() async throws {
    let model = await running()
    await model.camera(says: .failure(.error("the sensor is gone")))
    #expect(model.state.session == .failed(.error("the sensor is gone")) && !camera.running)
  }

  @Test func theBackgroundChangesAtOnceAndIsRemembered() async throws {
    let model = await running()
    let loaded = model.state.loaded
    let frame = try Shipped.picture()
    await model.change {
      $0.effect = .colour
      $0.colour = .init(red: 0, green: 255, blue: 0)
    }
    try await give(frame) { screen.images.last.map { isGreen($0) } ?? false }
    await model.change { $0.effect = .off }
    let before = screen.images.count
    try await give(frame) { screen.images.count >= before + 4 }

    #expect(screen.images.last == frame)
    #expect(model.state.loaded == loaded && camera.started.count == 1)
    #expect(self.model().state.settings.effect == .off)
  }

  /// Whether a good part of it has the chosen colour.
  private func isGreen(_ image: Image) -> Bool {
    let pixels = stride(from: 0, to: image.bytes.count, by: 4)
    return 4 * pixels.count { image.bytes[$0..<$0 + 3] == [0, 255, 0] } > image.width * image.height
  }

  @Test func aModelThatIsGoneGivesWayToTheFirst() throws {
    var settings = LiveSettings()
    settings.model = "gone.tflite"
    try SettingsFile(folder.url.appendingPathComponent("settings.json")).save(settings)
    #expect(model().state.settings.model == "portrait dyn8")
  }

  @Test func threadsAndModelAreLoadedAnewWhileItRuns() async throws {
    let model = await running()
    await model.change {
      $0.threads = 1
      $0.model = "portrait int8"
    }
    #expect(model.state.loaded?.threads == 1 && model.state.session == .running && camera.running)
    try await give(Shipped.picture()) { !screen.images.isEmpty }
  }

  @Test func whatReallyRunsIsToldWhereTheAcceleratorIsMissing() async {
    let model = await running()
    await model.change { $0.accelerator = .gpu }
    #expect(model.state.loaded?.accelerator == .cpu && model.state.loaded?.fellBack == true)
    #expect(model.state.notice == Message(.acceleratorMissing) && model.state.settings.accelerator == .gpu)
  }

  @Test func aChosenPictureStandsBehindThePersonAndABadOneIsTold() async throws {
    struct Unreadable: Error {}
    let model = await running()
    await model.setPicture { throw Unreadable() }
    #expect(model.state.notice?.phrase == .error && model.state.settings.effect == .blur)
    let white = try Image(width: 8, height: 8, format: .rgb, bytes: [UInt8](repeating: 255, count: 192))
    await model.setPicture { white }
    #expect(model.state.settings.effect == .image)
    let frame = try Shipped.picture()
    try await give(frame) { screen.images.last.map { $0.bytes.count { $0 == 255 } > $0.bytes.count / 2 } ?? false }
  }

  @Test func aPictureThatIsChosenWhileTheNetworkLoadsStandsBehindThePerson() async throws {
    let model = model()
    let white = try Image(width: 8, height: 8, format: .rgb, bytes: [UInt8](repeating: 255, count: 192))
    var choice: Task<Bool, Never>?
    model.willChange = { [unowned model] in
      // What comes now is `running`, and then the network is loaded; meanwhile this has its turn.
      guard model.state.session == .askingPermission, choice == nil else { return }
      choice = Task {
        await model.setPicture { white }
        return model.state.loaded == nil
      }
    }
    await model.start()
    #expect(await choice?.value == true)
    let frame = try Shipped.picture()
    try await give(frame) { screen.images.last.map { $0.bytes.count { $0 == 255 } > $0.bytes.count / 2 } ?? false }
  }

  @Test func aBackgroundIsDrawnEvenIfItCannotBeRemembered() async throws {
    let model = await running()
    try FileManager.default.createDirectory(
      at: folder.url.appendingPathComponent("settings.json/in the way"), withIntermediateDirectories: true)
    await model.change {
      $0.effect = .colour
      $0.colour = .init(red: 0, green: 255, blue: 0)
    }
    #expect(model.state.notice?.phrase == .error && model.state.settings.effect == .colour)
    try await give(Shipped.picture()) { screen.images.last.map { isGreen($0) } ?? false }
  }

  @Test func theOtherCameraIsStarted() async {
    let model = await running()
    await model.change { $0.camera = .back }
    #expect(camera.started.map(\.position) == [.front, .back])
  }

  @Test func aPickedModelIsUsedAndABadOneIsTold() async throws {
    let model = await running()
    await model.add(model: Shipped.model("dyn8"))
    #expect(model.state.settings.model == "model.dyn8.tflite" && model.state.notice == nil)
    let bad = folder.url.appendingPathComponent("bad.tflite")
    try Data("x".utf8).write(to: bad)
    await model.add(model: bad)
    #expect(model.state.notice?.phrase == .modelRefused && model.state.settings.model == "model.dyn8.tflite")
  }

  @Test func heatLowersTheResolutionAndSaysSoUntilItHasBeenCool() async {
    let model = await running()
    await model.tick(.serious)
    #expect(model.state.degraded && camera.started.last?.resolution == .medium)
    await model.tick(.nominal)
    #expect(model.state.degraded)
    clock.now = 61
    await model.tick()
    #expect(!model.state.degraded && camera.started.last?.resolution == .high)
  }

  @Test func aPhotoIsTheNextFrameUprightAsInAMirror() async throws {
    let model = await running()
    await model.change { $0.effect = .off }
    let frame = try Shipped.picture()
    let photo = Task { await model.takePhoto() }
    try await give(frame) { model.state.notice != nil }
    await photo.value
    #expect(model.state.notice == Message(.photoSaved))
    #expect(album.pictures.withLock { $0 } == [try frame.upright(Orientation(.right, mirrored: true))])
  }

  @Test func aPhotoThatCannotBeSavedIsTold() async throws {
    var bench = self
    bench.album = Album(full: true)
    let model = await bench.running()
    let photo = Task { await model.takePhoto() }
    try await give(Shipped.picture()) { model.state.notice != nil }
    await photo.value
    #expect(model.state.notice?.phrase == .error)
  }

  @Test func whoMayNotAddToThePhotosIsTold() async {
    var bench = self
    bench.album = Album(allowed: false)
    let model = await bench.running()
    await model.startRecording()
    #expect(model.state.notice == Message(.photosRefused) && !model.state.recording)
  }

  @Test(.timeLimit(.minutes(1))) func aPhotoEndsWithTheSession() async throws {
    let model = await running()
    let photo = Task { await model.takePhoto() }
    try await Task.sleep(nanoseconds: 20_000_000)
    await model.stop()
    await photo.value
    #expect(album.pictures.withLock { $0.isEmpty })
  }

  @Test func aMovieHasTheFramesBetweenStartAndStop() async throws {
    let model = await running()
    await model.startRecording()
    #expect(model.state.recording)
    let before = screen.images.count
    try await give(Shipped.picture()) { screen.images.count >= before + 5 }
    await model.stopRecording()

    let movies = album.movies.withLock { $0 }
    #expect(movies.count == 1 && model.state.notice == Message(.movieSaved) && !model.state.recording)
    #expect(movies[0].first == 0 && zip(movies[0], movies[0].dropFirst()).allSatisfy { $0 < $1 })
  }

  @Test func aMovieEndsAndIsKeptWhenTheDeviceIsTurnedOrTheCameraTakenAway() async throws {
    let model = await running()
    let frame = try Shipped.picture()
    await model.startRecording()
    try await give(frame) { screen.images.count >= 2 }
    model.held(.landscapeLeft)
    try await give(frame) {
      await model.tick()
      return !model.state.recording
    }
    await model.startRecording()
    let before = screen.images.count
    try await give(frame) { screen.images.count >= before + 2 }
    await model.interrupted(.inUse)
    #expect(album.movies.withLock { $0.count } == 2)
  }
}
