// SPDX-License-Identifier: Apache-2.0
import SegKit

/// Runs a packed suite through SegKit and writes run bundles (docs/run-bundle.md), as `segbench` does it in C++.
public struct BenchmarkRunner: Sendable {
  let request: BenchmarkRequest
  let environment: any BenchmarkEnvironment

  public init(_ request: BenchmarkRequest, environment: any BenchmarkEnvironment = SystemEnvironment()) {
    (self.request, self.environment) = (request, environment)
  }

  /// Runs every lane to its end, and goes on with an interrupted run found in the request's folder. Blocking; call it off
  /// the main thread.
  ///
  /// - Parameters:
  ///   - progress: told what is being done, on the calling thread.
  ///   - isCancelled: asked between frames, while timing every half a second; then bundles stay `partial`.
  /// - Returns: what became of the bundles, in the order of the lanes.
  /// - Throws: ``SegKitError`` where nothing has run: no such model or suite, damaged pictures, a folder that holds
  ///   something else; and where a bundle cannot be written.
  public func run(progress: (BenchmarkProgress) -> Void, isCancelled: () -> Bool) throws -> [BundleOutcome] {
    let model = try ModelFile(path: request.model, contract: request.contract)
    let suite = try PackedSuite(path: request.suite)
    progress(BenchmarkProgress(activity: "checking the suite", fraction: 0))
    try suite.verify()
    let session = Session(request: request, environment: environment, model: model, suite: suite)
    let bundles = try session.openBundles()
    let open = bundles.compactMap(\.writer)
    do {
      try BundleFailure.wrap("model") { try model.checkDamage() }
      if !open.isEmpty {
        try withoutActuallyEscaping(progress) { progress in
          try withoutActuallyEscaping(isCancelled) { isCancelled in
            try Execution(session: session, open: open, progress: progress, isCancelled: isCancelled).run()
          }
        }
      }
    } catch is Interruption {
      for writer in open where writer.status == "partial" { try writer.save() }
    } catch let failure as BundleFailure {
      for writer in open where writer.status == "partial" { try writer.finish("failed", error: failure.facts) }
    }
    return bundles.map(\.outcome)
  }

  /// Whether ``run(progress:isCancelled:)`` would go on with an interrupted run.
  ///
  /// - Throws: ``SegKitError`` where there is no such model or suite, or the folder holds something else.
  public func isInterrupted() throws -> Bool {
    let model = try ModelFile(path: request.model, contract: request.contract)
    let suite = try PackedSuite(path: request.suite)
    return try Session(request: request, environment: environment, model: model, suite: suite).isInterrupted()
  }

  /// What the memory pass does, in a process that does nothing else: loads the model and draws a few masks.
  package func drawAFew() throws {
    let model = try ModelFile(path: request.model, contract: request.contract)
    let suite = try PackedSuite(path: request.suite)
    let session = Session(request: request, environment: environment, model: model, suite: suite)
    let path = try session.load()
    for number in 0..<Session.memoryFrames { _ = try path.run(suite.image(number % suite.cases.count)) }
  }
}

/// The run was cancelled, or went to the background.
struct Interruption: Error {}

/// Why a run ends before it is complete: the `error` part of run.json.
struct BundleFailure: Error {
  /// Which part is to blame: a word of the schema.
  let kind: String
  let message: String
  let caseID: String?

  var facts: JSON { ["kind": .string(kind), "message": .string(message), "case": JSON(caseID)] }

  /// Calls a body; what it throws is the failure of that part.
  static func wrap<R>(_ kind: String, case id: String? = nil, _ body: () throws -> R) throws -> R {
    do {
      return try body()
    } catch {
      throw BundleFailure(kind: kind, message: (id.map { "case \($0): " } ?? "") + "\(error)", caseID: id)
    }
  }
}
