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
  /// Median time of the steady frames in milliseconds; nil where none was timed.
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
    median = Self.median(of: folder.appendingPathComponent("samples.csv"))
  }

  /// The keys of `run.json` that are read.
  private struct Facts: Decodable {
    struct Suite: Decodable { let id: String }
    let runId: String
    let label: String
    let suite: Suite
    let lane: String
    let status: String
    let startedAt: String
  }

  private static func median(of samples: URL) -> Double? {
    guard let text = try? String(contentsOf: samples, encoding: .utf8) else { return nil }
    let rows = text.split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
    guard let phase = rows.first?.firstIndex(of: "phase"), let total = rows.first?.firstIndex(of: "total_ns")
    else { return nil }
    let times = rows.filter { $0.count > max(phase, total) && $0[phase] == "steady" }
      .compactMap { Double($0[total]) }.sorted()
    return times.isEmpty ? nil : times[(times.count - 1) / 2] / 1e6
  }
}
