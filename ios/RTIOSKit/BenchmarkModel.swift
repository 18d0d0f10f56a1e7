// SPDX-License-Identifier: Apache-2.0
import BenchmarkKit
import Foundation
import SegKit

/// The benchmark: a model over a suite, run bundles as the result.
@MainActor public final class BenchmarkModel: ViewModel {
  public enum Phase: Equatable, Sendable {
    case idle
    case running(BenchmarkProgress)
    /// It was cancelled or went into the background, before the application was started too. The same choice goes on
    /// where it ended.
    case partial
    case complete
    case failed(String)
  }

  public struct State: Equatable, Sendable {
    public var models: [ModelChoice] = []
    public var suites: [SuiteChoice] = []
    /// Ids; nil for the first one.
    public var model: String?
    public var suite: String?
    public var profile = Profile.quick
    public var phase = Phase.idle
    /// What lies in the folder for bundles, the newest first.
    public var runs: [RecordedRun] = []

    public var isRunning: Bool {
      if case .running = phase { return true }
      return false
    }

    public var chosenModel: ModelChoice? { models.first { $0.id == model } ?? models.first }
    public var chosenSuite: SuiteChoice? { suites.first { $0.id == suite } ?? suites.first }
    public var canRun: Bool { !isRunning && chosenModel != nil && chosenSuite != nil }
  }

  public private(set) var state = State() { willSet { willChange() } }

  private let models: ModelLibrary
  private let suites: URL
  private let out: URL
  private let options: @MainActor () -> Segmenter.Options
  private let environment: any BenchmarkEnvironment
  private var cancelled = Locked(false)
  private var looking: Task<Void, Never>?

  /// - Parameters:
  ///   - suites: folder of packed suites.
  ///   - out: folder for bundles.
  ///   - options: how the network is to be run, asked when a run begins.
  public init(
    models: ModelLibrary, suites: URL, out: URL, options: @escaping @MainActor () -> Segmenter.Options,
    environment: any BenchmarkEnvironment = SystemEnvironment()
  ) {
    (self.models, self.suites, self.out) = (models, suites, out)
    (self.options, self.environment) = (options, environment)
    super.init()
    refresh()
  }

  /// Looks again at what can be run and what has been.
  public func refresh() {
    state.models = models.all()
    state.suites = SuiteChoice.all(in: suites)
    state.runs = RecordedRun.all(in: out)
    findPartial()
  }

  /// Another choice; what was partial stays in its folder, and is gone on with when it is chosen again.
  public func choose(model: String? = nil, suite: String? = nil, profile: Profile? = nil) {
    guard !state.isRunning else { return }
    var changed = state
    changed.model = model ?? state.model
    changed.suite = suite ?? state.suite
    changed.profile = profile ?? state.profile
    guard changed != state else { return }
    changed.phase = .idle
    state = changed
    findPartial()
  }

  /// Says so where what is chosen would go on with an interrupted run. That is known once model and suite have been
  /// read, which others need not wait for.
  private func findPartial() {
    looking?.cancel()
    looking = nil
    guard state.phase == .idle || state.phase == .partial else { return }
    guard state.runs.contains(where: { $0.status == "partial" }), let runner = chosen() else {
      state.phase = .idle
      return
    }
    looking = Task { [weak self] in
      let partial = (try? await onOwnThread { try runner.isInterrupted() }) == true
      self?.found(partial: partial, cancelled: Task.isCancelled)
    }
  }

  private func found(partial: Bool, cancelled: Bool) {
    // Another choice, or a run that has begun meanwhile.
    guard !cancelled, state.phase == .idle || state.phase == .partial else { return }
    state.phase = partial ? .partial : .idle
  }

  /// Waits until it is known whether what is chosen is partial.
  func looked() async { await looking?.value }

  /// What would run now.
  private func chosen() -> BenchmarkRunner? {
    guard state.canRun, let model = state.chosenModel, let suite = state.chosenSuite else { return nil }
    let request = BenchmarkRequest(
      model: model.path, suite: suite.path, out: out.path, profile: state.profile, options: options())
    return BenchmarkRunner(request, environment: environment)
  }

  /// Runs what is chosen to its end, on a thread of its own.
  public func run() async {
    guard let runner = chosen() else { return }
    let cancelled = Locked(false)
    self.cancelled = cancelled
    state.phase = .running(BenchmarkProgress(activity: "", fraction: 0))
    do {
      let outcomes = try await onOwnThread {
        try runner.run(
          progress: { progress in Task { @MainActor [weak self] in self?.show(progress, of: cancelled) } },
          isCancelled: { cancelled.withLock { $0 } })
      }
      state.phase = Self.phase(after: outcomes)
    } catch {
      state.phase = .failed("\(error)")
    }
    refresh()
  }

  /// Ends a run after the frame it is at. Nothing that was done is lost.
  public func cancel() { cancelled.withLock { $0 = true } }

  /// Times of an application that nobody sees are not those of one in front: the run ends, and can go on later.
  public func enteredBackground() { cancel() }

  private func show(_ progress: BenchmarkProgress, of run: Locked<Bool>) {
    // What was said last may arrive after the end.
    guard state.isRunning, run === cancelled else { return }
    state.phase = .running(progress)
  }

  private static func phase(after outcomes: [BundleOutcome]) -> Phase {
    if let failed = outcomes.first(where: { $0.status == "failed" }) { return .failed(failed.error ?? failed.status) }
    return outcomes.allSatisfy { $0.status == "complete" } ? .complete : .partial
  }
}

/// Runs what blocks for seconds or minutes, where nobody else waits for the thread.
func onOwnThread<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
  try await withCheckedThrowingContinuation { continuation in
    let thread = Thread { continuation.resume(with: Result { try body() }) }
    thread.qualityOfService = .userInitiated
    thread.stackSize = 8 << 20  // as the main thread has
    thread.start()
  }
}
