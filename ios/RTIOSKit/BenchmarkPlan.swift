// SPDX-License-Identifier: Apache-2.0
import BenchmarkKit
import Foundation
import SegKit

/// A packed suite that can be chosen.
public struct SuiteChoice: Equatable, Sendable, Identifiable {
  public let id: String
  public let path: String

  /// The suites in a folder, by name.
  public static func all(in folder: URL) -> [SuiteChoice] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.sorted().compactMap { name in
      let suite = folder.appendingPathComponent(name)
      let isSuite = FileManager.default.fileExists(atPath: suite.appendingPathComponent("suite.json").path)
      return isSuite ? SuiteChoice(id: name, path: suite.path) : nil
    }
  }
}

/// One benchmark of a device farm: a model over a suite.
public struct BenchmarkCase: Equatable, Sendable {
  /// Name of its test, such as `test_portrait_int8_on_portraits`.
  public let name: String
  public let request: BenchmarkRequest

  /// Runs it on a thread of its own, so that the caller's goes on.
  ///
  /// - Parameter ended: told what became of the bundles, or what has kept them from being made; on any thread.
  public func run(ended: @escaping @Sendable (Result<[BundleOutcome], any Error>) -> Void) {
    let runner = BenchmarkRunner(request)
    Task {
      do {
        ended(.success(try await onOwnThread { try runner.run(progress: { _ in }, isCancelled: { false }) }))
      } catch {
        ended(.failure(error))
      }
    }
  }
}

/// Every model over every suite, as the environment narrows it down.
///
/// `xcodebuild` hands on what begins with `TEST_RUNNER_`: `TEST_RUNNER_HARNESS_PROFILE=normal xcodebuild …`.
public enum BenchmarkPlan {
  /// - Parameters:
  ///   - out: folder for the bundles.
  ///   - environment: `HARNESS_PROFILE`, `HARNESS_THREADS`; `HARNESS_MODELS` and `HARNESS_SUITES`: ids separated by
  ///     commas, of a model also `portrait` for all variants of it, or `portrait:int8`. Absent: quick, one thread, all.
  /// - Throws: ``SegKitError`` if a value is none of the known ones, or nothing is left to run.
  public static func cases(
    models: [ModelChoice], suites: [SuiteChoice], out: URL, environment: [String: String]
  ) throws -> [BenchmarkCase] {
    let profile = try value("HARNESS_PROFILE", of: environment, or: .quick, Profile.init(rawValue:))
    let threads = try value("HARNESS_THREADS", of: environment, or: 1) { Int($0).flatMap { $0 > 0 ? $0 : nil } }
    let models = try chosen("HARNESS_MODELS", of: environment, from: models)
    let suites = try chosen("HARNESS_SUITES", of: environment, from: suites)
    return models.flatMap { model in
      suites.map { suite in
        let request = BenchmarkRequest(
          model: model.path, suite: suite.path, out: out.path, profile: profile, options: .init(threads: threads))
        return BenchmarkCase(name: "test_\(identifier(model.id))_on_\(identifier(suite.id))", request: request)
      }
    }
  }

  private static func value<T>(
    _ key: String, of environment: [String: String], or standard: T, _ parse: (String) -> T?
  ) throws -> T {
    guard let text = environment[key] else { return standard }
    guard let value = parse(text) else { throw SegKitError(.invalidArgument, "\(key)=\(text): no such value") }
    return value
  }

  private static func chosen<T: Identifiable<String>>(
    _ key: String, of environment: [String: String], from all: [T]
  ) throws -> [T] {
    guard !all.isEmpty else {
      throw SegKitError(.notFound, "no models or suites in the application; see docs/ios.md, “Models and suites”")
    }
    guard let text = environment[key] else { return all }
    return try text.split(separator: ",").flatMap { part in
      let id = part.replacingOccurrences(of: ":", with: " ")
      let choices = all.filter { $0.id == id || $0.id.hasPrefix(id + " ") }
      guard !choices.isEmpty else {
        throw SegKitError(.notFound, "\(key): there is no \(part), but \(all.map(\.id).joined(separator: ", "))")
      }
      return choices
    }
  }

  private static func identifier(_ id: String) -> String {
    String(id.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
  }
}
