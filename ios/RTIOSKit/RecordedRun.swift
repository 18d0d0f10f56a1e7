// SPDX-License-Identifier: Apache-2.0
import Foundation

/// What a list tells of a run bundle. Everything else is the harness's business.
public struct RecordedRun: Equatable, Sendable, Identifiable {
  /// The run's id.
  public let id: String
  /// The bundle's folder.
  public let folder: URL
  /// What tables call it, such as `swift:int8`.
  public let label: String
  public let suite: String
  public let lane: String
  public let status: String
  public let startedAt: String
  /// Median time of a frame in milliseconds; nil where none was timed.
  public let median: Double?

  /// The bundles in a folder, the newest first. What is no bundle is left out.
  public static func all(in folder: URL) -> [RecordedRun] {
    let found = try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    return (found ?? []).filter { $0.pathExtension == "run" }.compactMap(RecordedRun.init).sorted {
      ($0.startedAt, $0.id) > ($1.startedAt, $1.id)
    }
  }

  /// nil if the folder has no `run.json` that can be read.
  public init?(_ folder: URL) {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    guard let data = try? Data(contentsOf: folder.appendingPathComponent("run.json")),
      let facts = try? decoder.decode(Facts.self, from: data)
    else { return nil }
    (id, self.folder, label, suite) = (facts.runId, folder, facts.label, facts.suite.id)
    (lane, status, startedAt) = (facts.lane, facts.status, facts.startedAt)
    median = facts.timing.steady?.p50Ns.map { $0 / 1e6 }
  }

  /// The keys of `run.json` that are read.
  private struct Facts: Decodable {
    struct Suite: Decodable { let id: String }
    struct Timing: Decodable { let steady: Steady? }
    struct Steady: Decodable { let p50Ns: Double? }
    let runId: String
    let label: String
    let suite: Suite
    let lane: String
    let status: String
    let startedAt: String
    let timing: Timing
  }
}
