// SPDX-License-Identifier: Apache-2.0
import SegKit

/// Runs the open bundles of a session with one loaded model. What goes wrong is thrown as a ``BundleFailure``.
struct Execution {
  let session: Session
  let open: [BundleWriter]
  let progress: (BenchmarkProgress) -> Void
  let isCancelled: () -> Bool

  private static let timedCases = 16  // frames the steady phase goes round; they stay in memory
  private static let cap = 10.0  // a steady phase that takes this many times its planned duration is given up
  private static let blockSeconds = 0.5  // length of one block: short enough for progress and for a prompt end
  private static let firstFrames = 4
  private static let coolingStep = 0.5  // seconds between looks at the thermal state

  private var environment: any BenchmarkEnvironment { session.environment }
  private var cases: [PackedSuite.Case] { session.suite.cases }

  func run() throws {
    report("loading", 0, of: 1)
    let start = Clock.now()
    let path = try load()
    let loaded = Clock.now() - start
    for writer in open {
      try recordLoading(writer, path, nanoseconds: Int(loaded))
      if writer.facts["lane"].string == Lane.image.rawValue {
        try runImages(writer, path)
      } else {
        try runTensors(writer, path)
      }
      if writer !== open.last { try BundleFailure.wrap("output") { try writer.finish("complete") } }
    }
    // The last bundle stays open for the timing and the memory.
    guard let timed = open.last else { return }
    if timed.facts["lane"].string == Lane.image.rawValue { try time(timed, path) }
    try goOn()
    report("memory pass", 0, of: 1)
    let peak = try BundleFailure.wrap("crash") { try environment.peakMemory() }
    timed.facts["memory"] = ["peak_bytes": .int(peak.bytes), "how": .string(peak.how)]
    try BundleFailure.wrap("output") { try timed.finish("complete") }
  }

  // MARK: - Parts of a run

  private func load() throws -> FramePath {
    do {
      return try session.load()
    } catch {
      let missing = [.notFound, .unsupported, .internal].contains(error.code)
      throw BundleFailure(kind: missing ? "runtime" : "model", message: error.message, caseID: nil)
    }
  }

  private func recordLoading(_ writer: BundleWriter, _ path: FramePath, nanoseconds: Int) throws {
    writer.facts["runtime"] = session.runtime(found: path.segmenter.info)
    setDefault(writer, "timing", "load_ns", .int(nanoseconds))
    let moment = try conditions()
    if writer.facts["conditions"]["before"] == .null {
      writer.facts["conditions"]["before"] = moment
    } else {  // another start: what was told of the first one is not true of this
      writer.facts["conditions"]["during"].append(place(writer).merging(moment))
    }
    try BundleFailure.wrap("output") { try writer.save() }
  }

  private func runTensors(_ writer: BundleWriter, _ path: FramePath) throws {
    let info = path.segmenter.info
    try forEachCase(writer, "tensor lane") { id, frame in
      let probability = try BundleFailure.wrap("runtime", case: id) { try path.runTensor(frame) }
      try BundleFailure.wrap("output", case: id) {
        try writer.write(probability, height: info.outputHeight, width: info.outputWidth, case: id)
      }
    }
  }

  private func runImages(_ writer: BundleWriter, _ path: FramePath) throws {
    var phase = Sample.Phase.cold
    try forEachCase(writer, "image lane") { id, frame in
      let thermal = environment.thermal()
      let times = try BundleFailure.wrap("runtime", case: id) { try path.run(frame) }
      let sample = Sample(
        phase: phase, restart: restart(writer), block: 0, caseID: id, times: times, thermal: thermal)
      try BundleFailure.wrap("output", case: id) {
        try writer.write(path.mask.probability, height: path.mask.height, width: path.mask.width, case: id)
        try writer.add([sample])
      }
      if phase == .warm {
        writer.facts["protocol"]["warmup"] = .int((writer.facts["protocol"]["warmup"].int ?? 0) + 1)
      } else {
        setDefault(writer, "timing", "first_inference_ns", .int(Int(times.total)))
      }
      phase = .warm
    }
  }

  /// One pass over the suite: `work` leaves each case's tensor, unless an earlier, interrupted pass has.
  private func forEachCase(_ writer: BundleWriter, _ activity: String, work: (String, Image) throws -> Void) throws {
    for (number, entry) in cases.enumerated() {
      try goOn()
      report(activity, Double(number), of: Double(cases.count))
      if writer.isDone(entry.id) { continue }
      let frame = try BundleFailure.wrap("suite", case: entry.id) { try session.suite.image(number) }
      try work(entry.id, frame)
    }
  }

  /// Blocks of frames until the profile is satisfied or its cap is reached.
  private func time(_ writer: BundleWriter, _ path: FramePath) throws {
    let profile = session.request.profile
    guard profile != .none else { return }
    try coolDown(writer)
    let frames = try (0..<min(Self.timedCases, cases.count)).map { number in
      try BundleFailure.wrap("suite", case: cases[number].id) { try session.suite.image(number) }
    }
    let start = Clock.now()
    var (number, blockFrames, block) = (0, Self.firstFrames, 0)
    while true {
      try goOn()
      let told = place(writer).merging(["block": .int(block)]).merging(environment.conditions().facts)
      writer.facts["conditions"]["during"].append(told)
      let thermal = environment.thermal()
      let began = Clock.now()
      var samples: [Sample] = []
      for _ in 0..<blockFrames {
        let id = cases[number % frames.count].id
        let times = try BundleFailure.wrap("runtime", case: id) { try path.run(frames[number % frames.count]) }
        samples.append(
          Sample(
            phase: .steady, restart: restart(writer), block: block, caseID: id, times: times, thermal: thermal))
        number += 1
      }
      let ended = Clock.now()
      try BundleFailure.wrap("output") {
        try writer.save()  // no times without what they were taken in, even if it is killed now
        try writer.add(samples)
      }
      let elapsed = Double(ended - start) / 1e9
      report("timing", min(elapsed, profile.duration), of: profile.duration)
      let satisfied = number >= profile.count && elapsed >= profile.duration
      if satisfied || elapsed >= Self.cap * max(profile.duration, 1) { break }
      let perFrame = max(Double(ended - began) / 1e9 / Double(blockFrames), 1e-6)
      blockFrames = Int(min(max((Self.blockSeconds / perFrame).rounded(), 1), 1024))
      block += 1
    }
    writer.facts["conditions"]["after"] = try conditions()
  }

  /// Waits for a nominal thermal state, as long as the request allows; the bundle says what came of it.
  private func coolDown(_ writer: BundleWriter) throws {
    guard var state = environment.thermal() else { return }
    let limit = session.request.thermalWait
    var waited = 0.0
    while state != .nominal && waited < limit {
      try goOn()
      report("waiting for the device to cool down", waited, of: limit)
      let step = min(Self.coolingStep, limit - waited)
      environment.pause(seconds: step)
      waited += step
      state = environment.thermal() ?? state
    }
    writer.facts["protocol"]["thermal_wait"] = [
      "limit_s": .number(limit), "waited_s": .number(waited), "reached": .string(state.rawValue),
    ]
  }

  // MARK: - Facts

  /// What this moment is like, as the core and the environment tell.
  private func conditions() throws -> JSON {
    try BundleFailure.wrap("runtime") { try Machine.conditions().merging(environment.conditions().facts) }
  }

  /// Which start of the process this is, and when.
  private func place(_ writer: BundleWriter) -> JSON {
    ["restart": .int(restart(writer)), "at_ns": .int(Int(Clock.now()))]
  }

  private func restart(_ writer: BundleWriter) -> Int { (writer.facts["protocol"]["restarts"].int ?? 1) - 1 }

  private func setDefault(_ writer: BundleWriter, _ part: String, _ key: String, _ value: JSON) {
    if writer.facts[part][key] == .null { writer.facts[part][key] = value }
  }

  /// Throws where the run is to end now.
  private func goOn() throws {
    if isCancelled() || environment.isInForeground() == false { throw Interruption() }
  }

  private func report(_ activity: String, _ done: Double, of total: Double) {
    progress(BenchmarkProgress(activity: activity, fraction: total > 0 ? done / total : 0))
  }
}

extension Conditions {
  /// The words of docs/run-bundle.md.
  var facts: JSON {
    var facts: JSON = [:]
    let told: [(String, JSON)] = [
      ("thermal", JSON(thermal)), ("low_power_mode", JSON(lowPowerMode)), ("memory_pressure", JSON(memoryPressure)),
      ("available_memory_bytes", JSON(availableMemoryBytes)), ("qos", JSON(qos)), ("debugger", JSON(debugger)),
      ("foreground", JSON(foreground)),
    ]
    for (key, value) in told where value != .null { facts[key] = value }
    if let batteryPercent {
      facts["power"] = ["plugged": JSON(plugged), "battery_percent": .int(batteryPercent)]
    }
    return facts
  }
}
