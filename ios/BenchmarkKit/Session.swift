// SPDX-License-Identifier: Apache-2.0
import Foundation
import SegKit

/// A request with everything it names looked up, and the bundles of its run: new ones, or those that an interruption
/// left in the folder.
struct Session {
  /// The bundle of one lane; without a writer where nothing is left to do.
  struct Bundle {
    let lane: Lane
    let folder: String
    let writer: BundleWriter?
    let finished: JSON

    var outcome: BundleOutcome {
      let facts = writer?.facts ?? finished
      return BundleOutcome(
        path: folder, label: facts["label"].string ?? "", lane: lane, status: facts["status"].string ?? "",
        failure: facts["error"])
    }
  }

  static let memoryFrames = 4

  let request: BenchmarkRequest
  let environment: any BenchmarkEnvironment
  let model: ModelFile
  let suite: PackedSuite

  var label: String {
    if let label = request.label { return label }
    let variant = model.facts["variant"].string ?? "fp32"
    return variant == "fp32" ? request.runtime : "\(request.runtime):\(variant)"
  }

  func load() throws(SegKitError) -> FramePath {
    var options = request.options
    options.contract = model.contract
    return try FramePath(Segmenter(model: model.bytes, options: options))
  }

  // MARK: - Facts

  private func initialFacts(_ lane: Lane, session: String) throws(SegKitError) -> JSON {
    let profile = lane == .image ? request.profile : .none
    let name = String(label.map { ($0.isASCII && ($0.isLetter || $0.isNumber)) || "._-".contains($0) ? $0 : "-" })
    let device: JSON = [
      "kind": JSON(environment.device.kind), "emulated": .bool(environment.device.kind == .simulator),
    ]
    let model: JSON = environment.device.model.map { ["model": .string($0)] } ?? [:]
    return [
      "schema": "run/1",
      "run_id": .string("\(name)-\(lane.rawValue)-\(session)"),
      "kind": "suite",
      "status": "partial",
      "error": nil,
      "label": .string(label),
      "session": ["id": .string(session), "arm": .string(label), "order": 0],
      "started_at": try Machine.time(),
      "tool": [
        "name": .string(environment.tool), "version": .string(Machine.version), "commit": nil, "dirty": nil,
      ],
      "suite": suite.facts,
      "model": self.model.facts,
      "runtime": runtime(found: nil),
      "device": try Machine.device().merging(device).merging(model),
      "build": try Machine.build(environment.configuration),
      "lane": .string(lane.rawValue),
      "protocol": [
        "profile": .string(profile.rawValue), "count": .int(profile.count), "duration_s": .number(profile.duration),
        "parity": true, "warmup": 0, "restarts": 1, "seed": nil, "timer": Clock.facts,
      ],
      "conditions": [:],
      "timing": [:],
      "memory": [:],
      "request": [
        "spec": .string(label), "profile": .string(request.profile.rawValue),
        "allow_fallback": .bool(request.options.allowFallback),
        "weight_cache": .bool(request.options.weightCache != nil),
      ],
    ]
  }

  /// The `runtime` part of run.json: what was asked for, and what was found once a model is loaded.
  func runtime(found: Segmenter.Info?) -> JSON {
    let asked: JSON = [
      "delegate": .string("\(request.options.accelerator)"), "threads": .int(request.options.threads),
    ]
    return [
      "name": .string(request.runtime), "version": JSON(found?.version), "requested": asked,
      "actual": found?.facts ?? [:],
    ]
  }

  /// Where two runs must agree for one to finish the other: its facts speak for everything in the bundle.
  private static let identity = [
    "label", "request", "suite.sha256", "model.sha256", "model.contract", "runtime.name", "runtime.version",
    "runtime.requested", "device.kind", "device.model", "device.cpu", "device.arch", "device.cores", "device.os",
    "build.compiler", "build.configuration", "build.simd", "tool.version",
  ]

  /// Keys in which an interrupted run is another one than this; none where this one may finish it.
  private func differences(_ interrupted: JSON) throws(SegKitError) -> [String] {
    var wanted = try initialFacts(.image, session: "")
    if interrupted[path: "runtime.version"] != .null {  // LiteRT is loaded only if that run had loaded it
      wanted["runtime"]["version"] = .string(Machine.runtime(liteRT: try Machine.liteRTRelease(request.options)))
    }
    return Self.identity.filter { interrupted[path: $0] != wanted[path: $0] }
  }

  // MARK: - Bundles

  /// Whether an interruption left bundles in the folder that this run would go on with.
  func isInterrupted() throws(SegKitError) -> Bool {
    try !interruptedBundles(bundlesInFolder()).ours.isEmpty
  }

  /// The bundles that an interruption left: those of a run that this one would go on with, and of the others the keys in
  /// which they differ.
  private func interruptedBundles(
    _ found: [String: JSON]
  ) throws(SegKitError) -> (ours: [String: JSON], others: [String: [String]]) {
    let interrupted = found.filter { !BundleWriter.isFinished($0.key, $0.value) }
    var others: [String: [String]] = [:]
    for (path, facts) in interrupted {
      let keys = try differences(facts)
      if !keys.isEmpty { others[path] = keys }
    }
    // A session is gone on with as a whole, or not at all.
    let foreign = Set(others.keys.compactMap { interrupted[$0]?[path: "session.id"].string })
    return (interrupted.filter { !foreign.contains($0.value[path: "session.id"].string ?? "") }, others)
  }

  /// The bundles of this run, in the order of its lanes.
  func openBundles() throws(SegKitError) -> [Bundle] {
    let found = try bundlesInFolder()
    let (ours, others) = try interruptedBundles(found)
    if !request.sharesFolder && !found.isEmpty && ours.isEmpty {
      guard let other = others.min(by: { $0.key < $1.key }) else {
        throw inUse(request.out, "holds results already")
      }
      throw inUse(
        other.key,
        "is an interrupted run of something else, with another "
          + other.value.joined(separator: ", ") + "; finish it with what it was started with")
    }
    let newest = ours.values.max { ($0["started_at"].string ?? "") < ($1["started_at"].string ?? "") }
    let id = if let newest { newest["session"]["id"] } else { try Machine.newSession() }
    var bundles: [Bundle] = []
    for lane in request.lanes { bundles.append(try openBundle(lane, session: id.string ?? "", found: found)) }
    return bundles
  }

  private func openBundle(_ lane: Lane, session: String, found: [String: JSON]) throws(SegKitError) -> Bundle {
    var facts = try initialFacts(lane, session: session)
    let folder = "\(request.out)/\(facts["run_id"].string ?? "").run"
    if let earlier = found[folder] {
      if BundleWriter.isFinished(folder, earlier) {
        return Bundle(lane: lane, folder: folder, writer: nil, finished: earlier)
      }
      facts = earlier
      if let status = earlier["status"].string, status != "partial" {
        // Cut between its last facts and its checksums.
        try BundleWriter(folder: folder, facts: facts).finish(status, error: facts["error"])
        return Bundle(lane: lane, folder: folder, writer: nil, finished: facts)
      }
      facts["protocol"]["restarts"] = .int((facts["protocol"]["restarts"].int ?? 0) + 1)
    }
    let writer = try BundleWriter(folder: folder, facts: facts)
    return Bundle(lane: lane, folder: folder, writer: writer, finished: nil)
  }

  /// The run.json of every bundle in the folder, by the bundle's path.
  private func bundlesInFolder() throws(SegKitError) -> [String: JSON] {
    var bundles: [String: JSON] = [:]
    for name in (try? FileManager.default.contentsOfDirectory(atPath: request.out)) ?? [] where name.hasSuffix(".run") {
      let path = "\(request.out)/\(name)"
      guard let text = FileManager.default.contents(atPath: path + "/run.json") else {
        if BundleWriter.removeUnbegun(path) || request.sharesFolder { continue }
        throw inUse(path, "not a run bundle: it has no run.json; remove it")
      }
      if let facts = try? JSON(parsing: text) {
        bundles[path] = facts
      } else if !request.sharesFolder {
        throw inUse(path, "not a run bundle: its run.json is damaged; remove it")
      }
    }
    return bundles
  }

  private func inUse(_ path: String, _ why: String) -> SegKitError {
    SegKitError(.invalidArgument, "\(path): \(why); choose another folder with --out")
  }
}

extension Segmenter.Info {
  /// SegKit's release and that of the LiteRT it loaded.
  package var version: String {
    Machine.runtime(liteRT: liteRTVersion)
  }

  /// What runs the network: the `runtime.actual` part of run.json.
  package var facts: JSON {
    [
      "delegate": .string("\(accelerator)"), "threads": .int(threads), "fell_back": .bool(fellBack),
      "total_ops": .int(operators),
    ]
  }
}
