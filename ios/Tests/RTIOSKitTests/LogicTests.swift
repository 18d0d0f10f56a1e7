// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import RTIOSKit
@testable import SegKit

@Suite struct SessionTests {
  private func state(after events: [Session.Event]) -> Session.State {
    var session = Session()
    for event in events { session.handle(event) }
    return session.state
  }

  private static let running: [Session.Event] = [.start, .permission(granted: true)]

  @Test func itAsksBeforeItRuns() {
    #expect(state(after: [.start]) == .askingPermission)
    #expect(state(after: Self.running) == .running)
  }

  @Test func aRefusalIsAFailureOfItsOwnAndMayBeTriedAgain() {
    #expect(state(after: [.start, .permission(granted: false)]) == .failed(.refused))
    #expect(state(after: [.start, .permission(granted: false), .start]) == .askingPermission)
  }

  @Test func itGoesOnWhenTheLastInterruptionIsOver() {
    let both = Self.running + [.interruption(.inUse), .interruption(.background)]
    #expect(state(after: both) == .interrupted(.background))
    #expect(state(after: both + [.interruptionEnded(.background)]) == .interrupted(.inUse))
    #expect(state(after: both + [.interruptionEnded(.inUse)]) == .interrupted(.background))
    #expect(state(after: both + [.interruptionEnded(.inUse), .interruptionEnded(.background)]) == .running)
  }

  @Test func anOldInterruptionDoesNotHoldANewSession() {
    let again: [Session.Event] =
      Self.running + [.interruption(.inUse), .stop] + Self.running + [.interruption(.background)]
    #expect(state(after: again + [.interruptionEnded(.background)]) == .running)
  }

  @Test func whatMeansNothingChangesNothing() {
    var session = Session()
    let events: [Session.Event] = [
      .permission(granted: true), .interruption(.background), .interruptionEnded(.background), .failure(.refused),
      .stop,
    ]
    for event in events {
      let changed = session.handle(event)
      #expect(!changed && session.state == .idle)
    }
  }

  @Test func itFailsAndIsStoppedFromEverywhere() {
    for before in [[.start], Self.running, Self.running + [.interruption(.pressure)]] {
      #expect(state(after: before + [.failure(.error("x"))]) == .failed(.error("x")))
      #expect(state(after: before + [.stop]) == .idle)
    }
  }
}

@Suite struct ThermalPolicyTests {
  @Test func itGivesUpResolutionAtOnceAndTakesItBackSlowly() {
    var policy = ThermalPolicy(patience: 60)
    func update(_ thermal: Thermal, now: Double) -> Bool { policy.update(thermal, now: now) }
    #expect(update(.serious, now: 100) && policy.resolution == .medium && policy.degraded)
    #expect(!update(.serious, now: 159))
    #expect(update(.serious, now: 160) && policy.resolution == .low)
    #expect(!update(.fair, now: 170))
    #expect(!update(.nominal, now: 229))
    #expect(update(.nominal, now: 230) && policy.resolution == .medium)
    #expect(!update(.nominal, now: 289))
    #expect(update(.nominal, now: 290) && policy.resolution == .high && !policy.degraded)
  }

  @Test func aShortCoolSpellTakesNothingBack() {
    var policy = ThermalPolicy(patience: 60)
    policy.update(.critical, now: 0)
    #expect(policy.resolution == .low)
    for minute in 1...5 {
      let now = Double(minute) * 60
      policy.update(.fair, now: now - 59)
      policy.update(.serious, now: now - 1)
      #expect(policy.resolution == .low)
    }
  }

  @Test func aFairStateChangesNothing() {
    var policy = ThermalPolicy()
    for second in 0..<300 { policy.update(.fair, now: Double(second)) }
    #expect(!policy.degraded)
  }
}

@Suite struct OrientationTests {
  @Test func framesOfBothCamerasBecomeUpright() {
    #expect(DeviceOrientation.portrait.orientation(of: .back) == Orientation(.right))
    #expect(DeviceOrientation.landscapeLeft.orientation(of: .back) == Orientation(.none))
    #expect(DeviceOrientation.portrait.orientation(of: .front) == Orientation(.right, mirrored: true))
    #expect(DeviceOrientation.landscapeLeft.orientation(of: .front) == Orientation(.half, mirrored: true))
  }

  @Test func aPictureIsTurnedClockwiseThenMirrored() throws {
    // 1 2 3
    // 4 5 6
    let picture = try Image(width: 3, height: 2, format: .rgb, bytes: (1...6).flatMap { [$0, 0, 9] })
    func shown(_ orientation: Orientation) throws -> [[UInt8]] {
      let turned = try picture.upright(orientation)
      #expect(turned.bytes.count == 18 && turned.bytes[2] == 9)
      return (0..<turned.height).map { y in (0..<turned.width).map { turned.bytes[(y * turned.width + $0) * 3] } }
    }
    #expect(try shown(Orientation(.none)) == [[1, 2, 3], [4, 5, 6]])
    #expect(try shown(Orientation(.right)) == [[4, 1], [5, 2], [6, 3]])
    #expect(try shown(Orientation(.half)) == [[6, 5, 4], [3, 2, 1]])
    #expect(try shown(Orientation(.left)) == [[3, 6], [2, 5], [1, 4]])
    #expect(try shown(Orientation(.none, mirrored: true)) == [[3, 2, 1], [6, 5, 4]])
    #expect(try shown(Orientation(.right, mirrored: true)) == [[1, 4], [2, 5], [3, 6]])
  }

  @Test func oppositePosturesAreHalfATurnApart() {
    for camera in CameraPosition.allCases {
      func degrees(_ held: DeviceOrientation) -> Int32 { held.orientation(of: camera).rotation.rawValue }
      #expect(abs(degrees(.portrait) - degrees(.upsideDown)) == 180)
      #expect(abs(degrees(.landscapeLeft) - degrees(.landscapeRight)) == 180)
    }
  }
}

@Suite struct FrameStatisticsTests {
  private func times(_ invoke: Int64) -> Pipeline.Times {
    Pipeline.Times(preprocess: 1_000_000, invoke: invoke, postprocess: 0, refine: 0, composite: 500_000)
  }

  @Test func itCountsIntervalsAndTellsMedians() {
    var statistics = FrameStatistics()
    for frame in 0..<31 {
      statistics.add(times(frame == 30 ? 900_000_000 : 20_000_000), hidden: false, at: Int64(frame) * 50_000_000)
    }
    let summary = statistics.summary(at: 1_500_000_000)
    #expect(summary.framesPerSecond == 20)
    #expect(summary.invoke == 20 && summary.preprocess == 1 && summary.composite == 0.5)
  }

  @Test func whatIsOldIsForgotten() {
    var statistics = FrameStatistics(window: 1_000)
    statistics.add(times(1), hidden: true, at: 0)
    #expect(statistics.summary(at: 500).hidden)
    #expect(statistics.summary(at: 2_000) == FrameStatistics.Summary())
  }
}

@Suite struct SettingsFileTests {
  @Test func whatIsSavedIsLoaded() throws {
    let folder = try Folder()
    let file = SettingsFile(folder.url.appendingPathComponent("deep/settings.json"))
    var settings = LiveSettings()
    (settings.effect, settings.threads, settings.model) = (.colour, 1, "portrait int8")
    try file.save(settings)
    #expect(file.load() == settings)
  }

  @Test func withoutAFileOrWithABrokenOneThereAreDefaults() throws {
    let folder = try Folder()
    let url = folder.url.appendingPathComponent("settings.json")
    #expect(SettingsFile(url).load() == LiveSettings())
    try Data("{".utf8).write(to: url)
    #expect(SettingsFile(url).load() == LiveSettings())
  }

  @Test func moreThreadsThanTheDeviceHasAreNotTried() throws {
    let folder = try Folder()
    let file = SettingsFile(folder.url.appendingPathComponent("settings.json"))
    var settings = LiveSettings()
    settings.threads = 4096
    try file.save(settings)
    #expect(file.load().threads == ProcessInfo.processInfo.activeProcessorCount)
  }
}

@Suite struct ModelLibraryTests {
  private let folder: Folder
  private let library: ModelLibrary

  init() throws {
    folder = try Folder()
    library = ModelLibrary(bundled: Shipped.models, own: folder.url.appendingPathComponent("Models"))
  }

  private var own: [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: folder.url.appendingPathComponent("Models").path)) ?? []
  }

  @Test func theVariantsOfAModelFolderCanBeChosen() {
    #expect(library.all().map(\.id) == ["dyn8", "fp16", "fp32", "int8"].map { "portrait \($0)" })
  }

  @Test func aPickedModelIsCopiedOnceUnderItsName() throws {
    let first = try library.add(Shipped.model("int8"))
    let second = try library.add(Shipped.model("int8"))
    #expect(first.id == "model.int8.tflite" && second == first && own.count == 1)
    #expect(try Data(contentsOf: URL(fileURLWithPath: first.path)) == Data(contentsOf: Shipped.model("int8")))
  }

  @Test func anotherModelOfTheSameNameDoesNotReplaceIt() throws {
    let picked = folder.url.appendingPathComponent("net.tflite")
    for variant in ["int8", "dyn8"] {
      try? FileManager.default.removeItem(at: picked)
      try FileManager.default.copyItem(at: Shipped.model(variant), to: picked)
      _ = try library.add(picked)
    }
    #expect(own.sorted() == ["net-2.tflite", "net.tflite"])
    #expect(library.all().suffix(2).map(\.id) == ["net-2.tflite", "net.tflite"])
  }

  @Test func whatIsNoNetworkIsRefusedAndLeavesNothing() throws {
    let picked = folder.url.appendingPathComponent("net.tflite")
    try Data("no network".utf8).write(to: picked)
    #expect { try library.add(picked) } throws: { ($0 as? SegKitError)?.code == .invalidModel }
    #expect(own.isEmpty)
  }
}
