// SPDX-License-Identifier: Apache-2.0
import BenchmarkKit
import Foundation
import SegKit
import Testing

@testable import RTIOSKit

/// With the real runner and the real network, on a suite of two small pictures.
@MainActor @Suite(.serialized) struct BenchmarkModelTests {
  private let folder: Folder
  private let places: Places

  init() throws {
    folder = try Folder()
    places = Places(bundle: folder.url.appendingPathComponent("app"), documents: folder.url)
    try TinySuite.write(to: places.suites.appendingPathComponent("tiny"))
    try Shipped.copyModel(to: folder.url.appendingPathComponent("app/Models"))
  }

  private func model(_ environment: any BenchmarkEnvironment = SystemEnvironment()) -> BenchmarkModel {
    BenchmarkModel(
      models: places.models, suites: places.suites, out: places.runs, options: { .init(threads: 1) },
      environment: environment)
  }

  @Test func aRunLeavesABundleForEachLane() async {
    let model = model()
    #expect(model.state.chosenModel?.id == "portrait int8" && model.state.chosenSuite?.id == "tiny")
    model.choose(profile: Profile.none)
    await model.run()

    #expect(model.state.phase == .complete)
    #expect(Set(model.state.runs.map(\.lane)) == ["tensor", "image"])
    #expect(model.state.runs.allSatisfy { $0.status == "complete" && $0.suite == "tiny" && $0.label == "swift:int8" })
  }

  @Test func theListTellsTheMedianOfTheSteadyFramesAsTheBundleHasThem() async throws {
    let model = model()
    model.choose(profile: .quick)
    await model.run()

    let run = try #require(model.state.runs.first { $0.lane == "image" })
    let text = try String(contentsOf: run.folder.appendingPathComponent("samples.csv"), encoding: .utf8)
    let times = text.split(separator: "\n").filter { $0.contains(",steady,") }
      .compactMap { Double($0.split(separator: ",", omittingEmptySubsequences: false)[12]) }
    let median = try #require(run.median)
    #expect(times.count >= 64)
    #expect(2 * times.filter { $0 <= median * 1e6 }.count >= times.count)
    #expect(2 * times.filter { $0 >= median * 1e6 }.count >= times.count)
    #expect(model.state.runs.first { $0.lane == "tensor" }?.median == nil)
  }

  @Test func progressIsTold() async {
    let model = model()
    model.choose(profile: Profile.none)
    var seen: [BenchmarkProgress] = []
    model.willChange = { [unowned model] in
      if case .running(let progress) = model.state.phase { seen.append(progress) }
    }
    await model.run()
    #expect(seen.contains { !$0.activity.isEmpty } && seen.allSatisfy { (0...1).contains($0.fraction) })
  }

  @Test func whatTheBackgroundInterruptsIsPartialAndGoesOn() async {
    let environment = Pocket()
    let model = model(environment)
    model.choose(profile: Profile.none)
    environment.foreground.withLock { $0 = false }
    await model.run()
    #expect(model.state.phase == .partial)
    #expect(!model.state.runs.isEmpty && model.state.runs.allSatisfy { $0.status == "partial" })

    let before = Set(model.state.runs.map(\.id))
    environment.foreground.withLock { $0 = true }
    await model.run()
    #expect(model.state.phase == .complete)
    #expect(Set(model.state.runs.map(\.id)) == before && model.state.runs.allSatisfy { $0.status == "complete" })
  }

  @Test func whatWasPartialGoesOnAfterTheApplicationWasStartedAnew() async {
    let environment = Pocket()
    let before = model(environment)
    before.choose(profile: Profile.none)
    environment.foreground.withLock { $0 = false }
    await before.run()

    environment.foreground.withLock { $0 = true }
    let model = model(environment)
    await model.looked()
    #expect(model.state.phase == .idle)  // the profile is another one
    model.choose(profile: Profile.none)
    await model.looked()
    #expect(model.state.phase == .partial)
    model.refresh()
    #expect(model.state.phase == .partial)  // and stays so while it is looked for again
    await model.run()
    #expect(model.state.phase == .complete && model.state.runs.count == 2)
    model.choose(profile: .quick)
    model.choose(profile: Profile.none)
    await model.looked()
    #expect(model.state.phase == .idle)
  }

  @Test func modelAndSuiteAreReadForItWhereTheScreenDoesNotWait() async {
    let environment = Pocket()
    let before = model(environment)
    environment.foreground.withLock { $0 = false }
    await before.run()
    await before.looked()
    environment.askedOn.withLock { $0 = [] }

    let (screen, model) = here { self.model(environment) }  // nobody else has this thread in between
    await model.looked()

    #expect(model.state.phase == .partial)
    let asked = environment.askedOn.withLock { $0 }
    #expect(!asked.isEmpty && !asked.contains(ObjectIdentifier(screen)))
  }

  /// The thread on which a body ran to its end.
  private func here<R>(_ body: () -> R) -> (Thread, R) { (Thread.current, body()) }

  @Test func whatIsFoundOfAnEarlierChoiceIsOfNoConcern() async {
    let environment = Pocket()
    let model = model(environment)
    environment.foreground.withLock { $0 = false }
    await model.run()
    await model.looked()
    #expect(model.state.phase == .partial)

    model.refresh()
    model.choose(profile: Profile.none)
    await model.looked()
    #expect(model.state.phase == .idle)
  }

  @Test func aRunCanBeCancelled() async {
    let model = model()
    model.choose(profile: .submission)
    model.willChange = { [unowned model] in
      if case .running(let progress) = model.state.phase, !progress.activity.isEmpty { model.enteredBackground() }
    }
    await model.run()
    #expect(model.state.phase == .partial && model.state.canRun)
  }

  @Test func aDamagedSuiteIsTold() async throws {
    let picture = places.suites.appendingPathComponent("tiny/images/a.npy")
    try Data("x".utf8).write(to: picture)
    let model = model()
    await model.run()
    guard case .failed(let reason) = model.state.phase else {
      Issue.record("\(model.state.phase)")
      return
    }
    #expect(reason.contains("a.npy") && model.state.runs.isEmpty)
  }

  @Test func withoutSuitesThereIsNothingToRun() async throws {
    try FileManager.default.removeItem(at: places.suites)
    let model = model()
    #expect(!model.state.canRun)
    await model.run()
    #expect(model.state.phase == .idle)
  }
}

@Suite struct BenchmarkPlanTests {
  private let models = ["portrait int8", "mine.tflite"].map { ModelChoice(id: $0, path: "/models/\($0)") }
  private let suites = ["tiny", "large"].map { SuiteChoice(id: $0, path: "/suites/\($0)") }

  private func cases(_ environment: [String: String]) throws -> [BenchmarkCase] {
    try BenchmarkPlan.cases(
      models: models, suites: suites, out: URL(fileURLWithPath: "/runs"), environment: environment)
  }

  @Test func everyModelMeetsEverySuite() throws {
    let cases = try cases([:])
    let names = ["portrait_int8_on_tiny", "portrait_int8_on_large", "mine_tflite_on_tiny", "mine_tflite_on_large"]
    #expect(cases.map(\.name) == names.map { "test_\($0)" })
    #expect(cases[0].request.model == "/models/portrait int8" && cases[0].request.suite == "/suites/tiny")
    #expect(cases.allSatisfy { $0.request.profile == .quick && $0.request.out == "/runs" })
  }

  @Test func theEnvironmentNarrowsItDown() throws {
    let cases = try cases([
      "HARNESS_MODELS": "mine.tflite", "HARNESS_SUITES": "tiny", "HARNESS_PROFILE": "normal", "HARNESS_THREADS": "2",
    ])
    #expect(cases.map(\.name) == ["test_mine_tflite_on_tiny"])
    #expect(cases[0].request.profile == .normal && cases[0].request.options.threads == 2)
  }

  @Test(arguments: ["portrait", "portrait:int8", "portrait int8"])
  func aModelIsNamedWithOrWithoutItsVariant(_ name: String) throws {
    let cases = try cases(["HARNESS_MODELS": name, "HARNESS_SUITES": "tiny"])
    #expect(cases.map(\.name) == ["test_portrait_int8_on_tiny"])
  }

  @Test(arguments: [
    ["HARNESS_PROFILE": "long"], ["HARNESS_THREADS": "0"], ["HARNESS_MODELS": "theirs"], ["HARNESS_SUITES": "huge"],
  ]) func whatDoesNotExistIsAnError(_ environment: [String: String]) {
    #expect(throws: SegKitError.self) { try cases(environment) }
  }

  @Test func nothingToRunIsAnError() {
    #expect(throws: SegKitError.self) {
      try BenchmarkPlan.cases(models: [], suites: suites, out: URL(fileURLWithPath: "/runs"), environment: [:])
    }
  }
}

/// The machine of the tests, as a phone that may be in a pocket.
private final class Pocket: BenchmarkEnvironment {
  private let system = SystemEnvironment()
  let foreground = Locked(true)
  /// The threads on which it was asked what device it is.
  let askedOn = Locked<Set<ObjectIdentifier>>([])

  var tool: String { system.tool }
  var device: Device {
    askedOn.withLock { _ = $0.insert(ObjectIdentifier(Thread.current)) }
    return system.device
  }
  var configuration: String { system.configuration }
  func conditions() -> Conditions { system.conditions() }
  func thermal() -> Conditions.Thermal? { .nominal }
  func isInForeground() -> Bool? { foreground.withLock { $0 } }
  func pause(seconds: Double) {}
  func peakMemory() throws -> PeakMemory { try system.peakMemory() }
}
