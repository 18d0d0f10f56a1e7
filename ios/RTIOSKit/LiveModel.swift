// SPDX-License-Identifier: Apache-2.0
import Foundation
import SegKit

/// The live picture: camera, network and what is shown.
///
/// What happens outside (permission, interruptions, heat, how the device is held) comes in as calls; what the view
/// draws is ``state``.
@MainActor public final class LiveModel: ViewModel {
  public struct State: Equatable, Sendable {
    public var session = Session.State.idle
    public var settings = LiveSettings()
    public var models: [ModelChoice] = []
    /// What is loaded and really runs; nil before the first frame may come.
    public var loaded: Segmenter.Info?
    public var statistics = FrameStatistics.Summary()
    public var resolution = Resolution.high
    /// The device is hot, and less is shown than could be.
    public var degraded = false
    public var recording = false
    /// What the user has to be told once.
    public var notice: Message?
  }

  public private(set) var state = State() { willSet { willChange() } }

  private let camera: any Camera
  private let display: any FrameDisplay
  private let library: any MediaLibrary
  private let models: ModelLibrary
  private let file: SettingsFile
  private let clock: () -> Double

  private var session = Session()
  private var policy: ThermalPolicy
  private var engine: LiveEngine?
  private var busy = false
  private var request: LiveEngine.Request?
  private var recorder: MovieRecorder?
  private var picture = BackgroundPicture.gradient
  private var held = DeviceOrientation.portrait

  /// - Parameter clock: seconds of a clock that only goes forward.
  public init(
    camera: any Camera, display: any FrameDisplay, library: any MediaLibrary, models: ModelLibrary,
    settings: SettingsFile, policy: ThermalPolicy = ThermalPolicy(),
    clock: @escaping () -> Double = { ProcessInfo.processInfo.systemUptime }
  ) {
    (self.camera, self.display, self.library) = (camera, display, library)
    (self.models, file, self.policy, self.clock) = (models, settings, policy, clock)
    super.init()
    state.settings = settings.load()
    state.models = models.all()
    if !state.models.contains(where: { $0.id == state.settings.model }) {
      state.settings.model = state.models.first?.id  // it was removed, or none has been chosen yet
    }
  }

  // MARK: - The session

  /// Asks for permission if that has not been done, loads the network, and starts the camera.
  public func start() async {
    guard handle(.start) else { return }
    handle(.permission(granted: await camera.mayUse()))
    await run()
  }

  public func stop() async {
    handle(.stop)
    await halt()
  }

  /// The camera is taken away for a while. A movie that is being recorded ends here, and is kept.
  public func interrupted(_ reason: Interruption) async {
    guard handle(.interruption(reason)) else { return }
    await halt()
  }

  public func interruptionEnded(_ reason: Interruption) async {
    guard handle(.interruptionEnded(reason)) else { return }
    await run()
  }

  /// The camera, or whatever delivers frames, has failed.
  public func failed(_ message: String) async {
    guard handle(.failure(.error(message))) else { return }
    await halt()
  }

  /// What the camera itself has to say: interruptions and failures.
  public func camera(says event: Session.Event) async {
    switch event {
    case .interruption(let reason): await interrupted(reason)
    case .interruptionEnded(let reason): await interruptionEnded(reason)
    case .failure(.error(let reason)): await failed(reason)
    default: break
    }
  }

  @discardableResult private func handle(_ event: Session.Event) -> Bool {
    let changed = session.handle(event)
    if changed { state.session = session.state }
    return changed
  }

  /// Brings engine and camera to what the settings say, if the session runs.
  private func run() async {
    guard !busy else { return }  // whoever is at it looks again
    busy = true
    defer { busy = false }
    do {
      while session.state == .running {
        let wanted = try wantedRequest()
        if engine == nil || wanted != request {
          try await load(wanted)  // which takes a moment, in which everything may have changed
          continue
        }
        return try startCamera()
      }
      await halt()
    } catch {
      await failed("\(error)")
    }
  }

  private func startCamera() throws {
    guard let engine else { return }
    turn()
    try camera.start(state.settings.camera, policy.resolution) { [weak self] frame in
      do {
        try engine.push(frame)
      } catch {
        Task { [weak self] in await self?.pushFailed(error, engine) }
      }
    }
  }

  private func load(_ wanted: LiveEngine.Request) async throws {
    camera.stop()
    engine?.stop()
    (engine, state.loaded) = (nil, nil)
    let made = try await Task.detached { try LiveEngine(wanted) }.value
    try made.set(picture: picture)  // which, like the background, may have been chosen while it was loaded
    try made.set(background: state.settings.background)
    try made.start(display)
    (engine, request, state.loaded) = (made, wanted, made.info)
    if made.info.fellBack { state.notice = Message(.acceleratorMissing) }
  }

  private func wantedRequest() throws -> LiveEngine.Request {
    let chosen = state.models.first { $0.id == state.settings.model } ?? state.models.first
    guard let chosen else { throw SegKitError(.notFound, "there is no model in the application; see docs/ios.md") }
    return LiveEngine.Request(
      model: chosen.path, threads: state.settings.threads, accelerator: state.settings.accelerator.accelerator)
  }

  private func pushFailed(_ error: any Error, _ failing: LiveEngine) async {
    // An engine that was stopped on purpose refuses the frames that were still on their way.
    guard failing === engine else { return }
    await failed("\(error)")
  }

  private func halt() async {
    camera.stop()
    engine?.stop()
    (engine, state.loaded) = (nil, nil)
    state.statistics = FrameStatistics.Summary()
    await stopRecording()
  }

  // MARK: - Settings

  /// Changes settings. The background changes at once; another model, other threads or another accelerator load anew.
  public func change(_ change: (inout LiveSettings) -> Void) async {
    var settings = state.settings
    change(&settings)
    guard settings != state.settings else { return }
    let before = state.settings
    do {
      try engine?.set(background: settings.background)
      state.settings = settings  // what is drawn, even if it cannot be remembered
      try file.save(settings)
    } catch {
      tell(error)
    }
    let needsRun = (try? wantedRequest()) != request || settings.camera != before.camera
    if engine != nil, needsRun { await run() }
  }

  /// The picture behind the person, for ``Effect/image``.
  public func setPicture(_ load: () throws -> Image) async {
    do {
      picture = try load()
      try engine?.set(picture: picture)
      await change { $0.effect = .image }
    } catch {
      tell(error)
    }
  }

  /// Takes in a model file that the user has picked, and uses it.
  public func add(model picked: URL) async {
    do {
      let models = models
      let choice = try await Task.detached { try models.add(picked) }.value
      state.models = models.all()
      await change { $0.model = choice.id }
    } catch {
      state.notice = Message(.modelRefused, picked.lastPathComponent, "\(error)")
    }
  }

  // MARK: - The device

  public func held(_ held: DeviceOrientation) {
    self.held = held
    turn()
  }

  private func turn() { engine?.turn(held.orientation(of: state.settings.camera)) }

  /// Called every half second or so.
  ///
  /// - Parameter thermal: how hot the device is; nil where it does not tell.
  public func tick(_ thermal: Thermal? = nil) async {
    if let engine { state.statistics = engine.summary() }
    if recorder?.ended == true { await stopRecording() }
    guard policy.update(thermal ?? .nominal, now: clock()) else { return }
    (state.resolution, state.degraded) = (policy.resolution, policy.degraded)
    if engine != nil { await run() }
  }

  // MARK: - Export

  public func takePhoto() async {
    guard await mayAdd(), let engine else { return }
    do {
      try await library.save(engine.nextImage())
      state.notice = Message(.photoSaved)
    } catch {
      tell(error)
    }
  }

  private func mayAdd() async -> Bool {
    let may = await library.mayAdd()
    if !may { state.notice = Message(.photosRefused) }
    return may
  }

  public func startRecording() async {
    guard await mayAdd(), recorder == nil, let engine else { return }
    let recorder = MovieRecorder(library)
    self.recorder = recorder
    state.recording = true
    engine.tap(recorder.take)
  }

  public func stopRecording() async {
    guard let recorder else { return }
    (self.recorder, state.recording) = (nil, false)
    do {
      try await recorder.finish()
      state.notice = Message(.movieSaved)
    } catch {
      tell(error)
    }
  }

  // MARK: - Notices

  public func tell(_ error: any Error) { state.notice = Message(.error, "\(error)") }

  public func dismissNotice() { state.notice = nil }
}

/// A picture to stand in front of before the user has chosen one.
enum BackgroundPicture {
  /// From blue to violet, downwards.
  static let gradient: Image = {
    let side = 64
    var rows: [UInt8] = []
    for y in 0..<UInt8(side) {
      for _ in 0..<side { rows += [40 + y, 70 + y / 2, 160 + y] }
    }
    do {
      return try Image(width: side, height: side, format: .rgb, bytes: rows)
    } catch {
      preconditionFailure("\(error)")
    }
  }()
}
