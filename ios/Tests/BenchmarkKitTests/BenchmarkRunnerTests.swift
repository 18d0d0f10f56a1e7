// SPDX-License-Identifier: Apache-2.0
import Foundation
import SegKit
import Testing

@testable import BenchmarkKit

/// Runs a request to its end, or until it has asked so many times whether to go on: once before each picture, each pause
/// and each timed block.
@discardableResult
private func run(
  _ request: BenchmarkRequest, in environment: ScriptedEnvironment = ScriptedEnvironment(), cancelAfter: Int = .max,
  progress: (BenchmarkProgress) -> Void = { _ in }
) throws -> [BundleOutcome] {
  var asked = 0
  return try BenchmarkRunner(request, environment: environment).run(progress: progress) {
    asked += 1
    return asked > cancelAfter
  }
}

@Suite struct BenchmarkRunnerTests {
  let folder: Folder
  let request: BenchmarkRequest

  init() throws {
    folder = try Folder()
    try Shipped.suite(in: folder("suite"))
    request = BenchmarkRequest(
      model: Shipped.model(), suite: folder("suite"), out: folder("out"), profile: .none)
  }

  // MARK: - What it leaves

  @Test func aRunLeavesOneSealedBundleForEachLane() throws {
    let outcomes = try run(request)

    #expect(outcomes.map(\.lane) == [.tensor, .image])
    #expect(outcomes.allSatisfy { $0.status == "complete" && $0.error == nil && $0.label == "swift:int8" })
    for outcome in outcomes {
      let found = try Found(outcome.path)
      #expect(try found.isSealed())
      #expect(found.status == "complete" && found.facts["lane"].string == outcome.lane.rawValue)
      #expect(outcome.path == folder("out") + "/\(found.facts["run_id"].string ?? "").run")
      #expect(found.facts["runtime"]["name"] == "swift" && found.facts["tool"]["name"] == "a test")
      #expect(found.facts["suite"]["cases"].array.count == 3)
    }
    let (tensor, image) = (try Found(outcomes[0].path), try Found(outcomes[1].path))
    #expect(tensor.facts["session"] == image.facts["session"])
    #expect(try tensor.tensors() == image.tensors() && tensor.tensors().count == 3)
    #expect(image.facts["memory"] == ["peak_bytes": 12_345_678, "how": "as told by a test"])
    #expect(try image.column("phase") == ["cold", "warm", "warm"])
  }

  @Test func theDeviceIsWhatTheEnvironmentSays() throws {
    let environment = ScriptedEnvironment()
    environment.device = Device(kind: .simulator, model: "iPhone15,2")
    environment.configuration = "Debug"

    try run(request, in: environment)

    let facts = try Found(.image, in: folder("out")).facts
    #expect(facts["device"]["kind"] == "simulator" && facts["device"]["model"] == "iPhone15,2")
    #expect(facts["device"]["emulated"] == true)
    #expect(facts["build"]["configuration"] == "Debug")
  }

  @Test func timesAreTakenUntilTheProfileIsSatisfiedAndEachBlockSaysWhatItWasLike() throws {
    var request = request
    (request.profile, request.lanes) = (.quick, [.image])
    let environment = ScriptedEnvironment()
    environment.told = Conditions(thermal: .fair)
    environment.told.lowPowerMode = false
    (environment.told.plugged, environment.told.batteryPercent) = (true, 81)
    environment.told.memoryPressure = .normal
    environment.told.availableMemoryBytes = 1 << 30
    environment.told.qos = .userInitiated
    (environment.told.debugger, environment.told.foreground) = (false, true)
    environment.states = [.nominal]

    try run(request, in: environment)

    let found = try Found(.image, in: folder("out"))
    let phases = try found.column("phase")
    let steady = phases.indices.filter { phases[$0] == "steady" }
    let starts = try found.column("start_ns").map { try #require(Int($0)) }
    #expect(steady.count >= 64 && starts[steady.last!] - starts[steady.first!] > 5_000_000_000)
    let blocks = Set(try found.column("block").enumerated().filter { steady.contains($0.offset) }.map(\.element))
    let during = found.facts["conditions"]["during"].array
    #expect(Set(during.map { "\($0["block"].int ?? -1)" }) == blocks && during.count == blocks.count)
    #expect(
      during.allSatisfy {
        $0["thermal"] == "fair" && $0["low_power_mode"] == false && $0["memory_pressure"] == "normal"
          && $0["power"] == ["plugged": true, "battery_percent": 81] && $0["qos"] == "user_initiated"
          && $0["available_memory_bytes"] == .int(1 << 30) && $0["debugger"] == false && $0["foreground"] == true
          && $0["restart"] == 0 && ($0["at_ns"].int ?? 0) > 0
      })
    #expect(found.facts["conditions"]["before"]["thermal"] == "fair")
    #expect(found.facts["conditions"]["after"]["debugger"] == false)
    #expect(Set(try found.column("thermal")) == ["nominal"])
  }

  @Test func whatThePlatformDoesNotTellIsAbsent() throws {
    try run(request)

    let found = try Found(.image, in: folder("out"))
    for word in ["thermal", "power", "qos", "debugger", "foreground", "low_power_mode"] {
      #expect(found.facts["conditions"]["before"][word] == .null)
    }
    #expect(Set(try found.column("thermal")) == [""])
    #expect(found.facts["protocol"]["thermal_wait"] == .null)
  }

  @Test func theSystemTellsWhatItCan() throws {
    let environment = SystemEnvironment(tool: "a test")
    let told = environment.conditions()

    #expect(environment.tool == "a test" && ["Debug", "Release"].contains(environment.configuration))
    #expect(told.debugger != nil)
    #expect(try environment.peakMemory().bytes > 1 << 20)
    #if os(Linux)
      #expect(environment.device == Device(kind: .desktop, model: nil))
      #expect(told.debugger == false && told.availableMemoryBytes ?? 0 > 1 << 20)
      #expect(environment.thermal() == nil && environment.isInForeground() == nil)
    #endif
  }

  // MARK: - Heat

  @Test func timingWaitsUntilTheDeviceHasCooledDown() throws {
    var request = request
    (request.profile, request.lanes, request.thermalWait) = (.quick, [.image], 60)
    let environment = ScriptedEnvironment()
    environment.states = [.serious, .serious, .fair, .nominal]
    var told: [String] = []

    try run(request, in: environment, cancelAfter: 3 + 3 + 1) { told.append($0.activity) }

    let found = try Found(.image, in: folder("out"))
    let expected: JSON = ["limit_s": 60, "waited_s": .number(1.5), "reached": "nominal"]
    #expect(found.facts["protocol"]["thermal_wait"] == expected)
    #expect(environment.paused == 1.5)
    #expect(told.contains("waiting for the device to cool down"))
    #expect(try found.column("thermal").prefix(3).allSatisfy { $0 == "serious" })
    #expect(try found.column("thermal").last == "nominal")
  }

  @Test func waitingEndsAtItsLimitAndTheBundleSaysSo() throws {
    var request = request
    (request.profile, request.lanes, request.thermalWait) = (.quick, [.image], 2.25)
    let environment = ScriptedEnvironment()
    environment.states = [.critical]

    try run(request, in: environment, cancelAfter: 3 + 5 + 1)

    let found = try Found(.image, in: folder("out"))
    let expected: JSON = ["limit_s": .number(2.25), "waited_s": .number(2.25), "reached": "critical"]
    #expect(found.facts["protocol"]["thermal_wait"] == expected)
    #expect(try found.column("phase").filter { $0 == "steady" }.count == 4)
    #expect(environment.paused == 2.25)
  }

  @Test func nothingIsWaitedForWhereNothingIsTimed() throws {
    let environment = ScriptedEnvironment()
    environment.states = [.critical]

    try run(request, in: environment)

    #expect(environment.paused == 0)
  }

  @Test func waitingCanBeCancelled() throws {
    var request = request
    (request.profile, request.lanes, request.thermalWait) = (.quick, [.image], 300)
    let environment = ScriptedEnvironment()
    environment.states = [.critical]

    let outcomes = try run(request, in: environment, cancelAfter: 10)

    #expect(outcomes.map(\.status) == ["partial"])
    #expect(environment.paused < 5)
  }

  // MARK: - Interruptions

  @Test(arguments: 0...6) func aRunThatWasCancelledAnywhereIsFinishedByTheNext(questions: Int) throws {
    var whole = request
    whole.out = folder("whole")
    try run(whole)

    let cancelled = try run(request, cancelAfter: questions)
    let resumed = try run(request)

    #expect(cancelled.contains { $0.status == "partial" })
    #expect(resumed.allSatisfy { $0.status == "complete" })
    #expect(resumed.map(\.path) == cancelled.map(\.path))
    for lane in Lane.allCases {
      let (found, expected) = (try Found(lane, in: folder("out")), try Found(lane, in: folder("whole")))
      #expect(try found.isSealed() && found.tensors() == expected.tensors())
    }
    let image = try Found(.image, in: folder("out"))
    #expect(try image.column("case") == ["figure-0", "figure-1", "figure-2"])
    #expect(try image.column("seq") == ["0", "1", "2"])
  }

  @Test func theBackgroundEndsARunAndTheForegroundGoesOnWithIt() throws {
    let environment = ScriptedEnvironment()
    environment.foreground = [true, true, true, true, true, false]

    #expect(try run(request, in: environment).map(\.status) == ["complete", "partial"])
    environment.foreground = [true]

    #expect(try run(request, in: environment).map(\.status) == ["complete", "complete"])
    #expect(try Found(.image, in: folder("out")).facts["protocol"]["restarts"] == 2)
  }

  @Test func whatWasTimedBeforeAnInterruptionStays() throws {
    var request = request
    (request.profile, request.lanes) = (.quick, [.image])

    try run(request, cancelAfter: 5)
    let first = try Found(.image, in: folder("out"))
    let rows = try first.column("seq").count
    try run(request, cancelAfter: 5)

    let found = try Found(.image, in: folder("out"))
    #expect(first.status == "partial" && first.facts["conditions"]["during"].array.count == 2)
    let restarts = try found.column("restart")
    #expect(restarts.prefix(rows).allSatisfy { $0 == "0" } && restarts.dropFirst(rows).allSatisfy { $0 == "1" })
    #expect(found.facts["conditions"]["during"].array.first?["restart"] == 0)
    #expect(found.facts["conditions"]["during"].array.last?["restart"] == 1)
  }

  @Test func anotherMachineSystemOrBuildDoesNotFinishAnInterruptedRun() throws {
    let changes: [(String, (ScriptedEnvironment) -> Void)] = [
      ("device.model", { $0.device.model = "iPhone16,1" }),
      ("device.kind", { $0.device.kind = .simulator }),
      ("build.configuration", { $0.configuration = "Debug" }),
    ]
    for (number, (key, change)) in changes.enumerated() {
      var request = request
      (request.out, request.sharesFolder) = (folder("\(number)"), false)
      try run(request, cancelAfter: 4)
      let environment = ScriptedEnvironment()
      change(environment)

      #expect {
        try run(request, in: environment)
      } throws: {
        "\($0)".contains("is an interrupted run of something else, with another \(key); finish it")
      }
      request.sharesFolder = true
      #expect(try run(request, in: environment).allSatisfy { $0.status == "complete" })
      #expect(try FileManager.default.contentsOfDirectory(atPath: request.out).count == 4)
      #expect(try run(request).allSatisfy { $0.status == "complete" })
      #expect(try FileManager.default.contentsOfDirectory(atPath: request.out).count == 4)
    }
  }

  @Test(arguments: [
    "device.cpu", "device.arch", "device.cores", "device.os", "build.simd", "tool.version", "runtime.version",
  ])
  func whatTheCoreTellsOfTheMachineCountsAsWell(key: String) throws {
    var request = request
    request.sharesFolder = false
    try run(request, cancelAfter: 1)
    let begun = try Found(.image, in: folder("out"))
    let parts = key.split(separator: ".").map(String.init)
    for lane in Lane.allCases {
      let found = try Found(lane, in: folder("out"))
      var facts = found.facts
      facts[parts[0]][parts[1]] = "another"
      try facts.encoded().write(to: URL(fileURLWithPath: found.folder + "/run.json"))
    }

    #expect { try run(request) } throws: { "\($0)".contains("with another \(key); finish it") }
    #expect(begun.status == "partial")
  }

  @Test func aSessionThatWasBegunWithAnotherLiteRTIsLeftAsAWholeAndANewOneBegins() throws {
    try run(request, cancelAfter: 1)
    for (lane, version) in [(Lane.image, JSON.null), (.tensor, "SegKit 0.1.0 (LiteRT 2.2.0)")] {
      let found = try Found(lane, in: folder("out"))
      var facts = found.facts
      facts["runtime"]["version"] = version
      try facts.encoded().write(to: URL(fileURLWithPath: found.folder + "/run.json"))
    }

    #expect(try !BenchmarkRunner(request, environment: ScriptedEnvironment()).isInterrupted())
    #expect(try run(request).allSatisfy { $0.status == "complete" })
    #expect(try FileManager.default.contentsOfDirectory(atPath: request.out).count == 4)
  }

  @Test func timesHaveTheirConditionsBesideThemAtAnyMoment() throws {
    var request = request
    (request.profile, request.lanes) = (.quick, [.image])
    var looks = 0
    try run(request, cancelAfter: 3 + 3) { progress in
      guard progress.activity == "timing", let found = try? Found(.image, in: request.out) else { return }
      looks += 1
      let blocks = (try? found.column("block").last) ?? ""
      #expect(found.facts["conditions"]["during"].array.last?["block"].int == Int(blocks))
    }
    #expect(looks == 3)
  }

  @Test func eachStartTellsWhatItWasLike() throws {
    let environment = ScriptedEnvironment()
    environment.told.debugger = false
    try run(request, in: environment, cancelAfter: 4)
    environment.told.debugger = true
    try run(request, in: environment)

    let told = try Found(.image, in: folder("out")).facts["conditions"]
    #expect(told["before"]["debugger"] == false && told["during"].array.count == 1)
    #expect(told["during"].array.first?["debugger"] == true && told["during"].array.first?["restart"] == 1)
  }

  @Test func whatMacOSLeavesBesideFilesIsNotOfTheBundle() throws {
    try run(request, cancelAfter: 4)
    let bundle = try Found(.image, in: folder("out"))
    for litter in [".DS_Store", "tensors/._figure-0.npy", "__MACOSX/x"] {
      let file = URL(fileURLWithPath: "\(bundle.folder)/\(litter)")
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data("x".utf8).write(to: file)
    }

    try run(request)

    let sealed = try String(contentsOfFile: bundle.folder + "/checksums.txt", encoding: .utf8)
    let names = sealed.split(separator: "\n").map { String($0.dropFirst(66)) }
    #expect(names == ["run.json", "samples.csv"] + (0..<3).map { "tensors/figure-\($0).npy" })
  }

  /// A bundle is cut after each of its files in the order in which they are written, and inside of the last one, under
  /// its temporary name.
  @Test(arguments: Lane.allCases)
  func aBundleCutOffAfterAnyOfItsFilesIsPartialAndFinishedByTheNextRun(lane: Lane) throws {
    var request = request
    request.lanes = [lane]
    try run(request)
    let whole = try Found(lane, in: folder("out"))
    let name = (whole.folder as NSString).lastPathComponent
    var cuts = 0
    for (number, cut) in try Cut.all(of: whole).enumerated() {
      let out = folder("cut-\(number)")
      try cut.write(to: "\(out)/\(name)")

      let begun = try? Found("\(out)/\(name)")
      #expect(begun?.status != "complete" || !FileManager.default.fileExists(atPath: "\(out)/\(name)/checksums.txt"))
      var again = request
      again.out = out
      let outcomes = try run(again)

      #expect(outcomes.map(\.status) == ["complete"], "\(cut)")
      let found = try Found(lane, in: out)
      #expect(try found.isSealed(), "\(cut)")
      #expect(try found.tensors() == whole.tensors(), "\(cut)")
      #expect(begun == nil || found.folder == "\(out)/\(name)", "\(cut)")
      if lane == .image { #expect(try found.column("case") == ["figure-0", "figure-1", "figure-2"], "\(cut)") }
      cuts += 1
    }
    #expect(cuts >= 14)
  }

  // MARK: - Folders

  @Test func anAppKeepsTheBundlesOfManyRunsInOneFolder() throws {
    var other = request
    other.model = Shipped.model("fp32")

    try run(request)
    try run(request)
    try run(other, cancelAfter: 2)
    try run(request)
    let resumed = try run(other)

    #expect(resumed.map(\.status) == ["complete", "complete"])
    let names = try FileManager.default.contentsOfDirectory(atPath: folder("out"))
    #expect(names.filter { $0.hasPrefix("swift-int8-") }.count == 6)
    #expect(names.filter { $0.hasPrefix("swift-tensor-") || $0.hasPrefix("swift-image-") }.count == 2)
  }

  @Test func aCommandsFolderIsOfOneRun() throws {
    var request = request
    request.sharesFolder = false
    try run(request)

    #expect { try run(request) } throws: { "\($0)".contains("holds results already; choose another folder") }

    var interrupted = request
    interrupted.out = folder("interrupted")
    try run(interrupted, cancelAfter: 2)
    interrupted.options.threads = 2
    #expect { try run(interrupted) } throws: { "\($0)".contains("is an interrupted run of something else") }
  }

  // MARK: - Bad input

  @Test func aDamagedPictureIsNamedAndNothingIsWritten() throws {
    try Data("no picture".utf8).write(to: URL(fileURLWithPath: folder("suite/images/figure-1.npy")))

    #expect { try run(request) } throws: { "\($0)".contains("figure-1.npy: the file was changed") }
    #expect(!FileManager.default.fileExists(atPath: folder("out")))
  }

  @Test(arguments: ["[", "{}", #"{"schema": "segmentation-suite/1", "id": "a", "cases": []}"#])
  func aDamagedSuiteIsNamed(text: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: folder("suite/suite.json")))

    #expect { try run(request) } throws: { "\($0)".contains("suite.json: not") }
  }

  @Test func aMissingModelIsNamed() throws {
    var request = request
    request.model = folder("none.tflite")

    #expect { try run(request) } throws: { ($0 as? SegKitError)?.code == .notFound && "\($0)".contains("none.tflite") }
  }

  @Test func aDamagedModelIsAFailedRun() throws {
    var request = request
    request.model = folder("cut.tflite")
    let model = try Data(contentsOf: URL(fileURLWithPath: Shipped.model()))
    try model.prefix(100_000).write(to: URL(fileURLWithPath: request.model))

    let outcomes = try run(request)

    for outcome in outcomes {
      let found = try Found(outcome.path)
      #expect(outcome.status == "failed" && outcome.error?.contains("cut.tflite") == true)
      #expect(try found.facts["error"]["kind"] == "model" && found.facts["model"] == .null && found.isSealed())
    }
  }

  @Test func aMissingLibraryIsTheRuntimesFault() throws {
    var request = request
    request.options.liteRTLibrary = folder("libNone.so")

    let outcomes = try run(request)

    #expect(outcomes.allSatisfy { $0.status == "failed" && $0.error?.contains("libNone.so") == true })
    #expect(try Found(.image, in: folder("out")).facts["error"]["kind"] == "runtime")
  }

  @Test func aFolderThatCannotBeMadeIsNamed() throws {
    var request = request
    request.out = folder("suite/suite.json/out")

    #expect { try run(request) } throws: { "\($0)".contains("cannot make the folder") }
  }
}

/// What an interruption leaves of a bundle.
struct Cut: CustomStringConvertible {
  let description: String
  let files: [String: Data]

  func write(to folder: String) throws {
    try FileManager.default.createDirectory(atPath: folder + "/tensors", withIntermediateDirectories: true)
    for (name, data) in files { try data.write(to: URL(fileURLWithPath: "\(folder)/\(name)")) }
  }

  /// Every state between two files of a whole bundle, and with the next one half written.
  static func all(of whole: Found) throws -> [Cut] {
    var partial = whole.facts
    (partial["status"], partial["error"]) = ("partial", nil)
    let rows = try String(contentsOfFile: whole.folder + "/samples.csv", encoding: .utf8).split(separator: "\n")
    func samples(_ count: Int) -> Data { Data(rows.prefix(count + 1).map { $0 + "\n" }.joined().utf8) }
    func file(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: "\(whole.folder)/\(name)")) }

    var steps: [(String, Data)] = [("run.json", try partial.encoded()), ("samples.csv", samples(0))]
    for (number, entry) in whole.facts["suite"]["cases"].array.enumerated() {
      let tensor = "tensors/\(entry["id"].string ?? "").npy"
      steps.append((tensor, try file(tensor)))
      if rows.count > 1 { steps.append(("samples.csv", samples(number + 1))) }
    }
    steps += [("run.json", try file("run.json")), ("checksums.txt", try file("checksums.txt"))]

    var files: [String: Data] = [:]
    var cuts: [Cut] = []
    for (name, data) in steps {
      cuts.append(Cut(description: "before \(name), with \(files.count) files", files: files))
      let parts = name.split(separator: "/")
      let temporary = (parts.dropLast() + [".\(parts.last!).tmp4711"]).joined(separator: "/")
      let half = files.merging([temporary: data.prefix(data.count / 2)]) { $1 }
      cuts.append(Cut(description: "inside of \(name), with \(files.count) files", files: half))
      files[name] = data
    }
    return cuts
  }
}
