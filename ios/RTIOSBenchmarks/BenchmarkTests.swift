// SPDX-License-Identifier: Apache-2.0
// Not compiled on Linux: needs Apple's SDK.
import BenchmarkKit
import ObjectiveC
import RTIOSKit
import XCTest

/// One test for each model and suite in the application; its bundles are attached to the result, and stay in
/// `Documents/runs`. ``BenchmarkPlan`` says what the environment may change.
final class BenchmarkTests: XCTestCase {
  override class var defaultTestSuite: XCTestSuite {
    let tests = XCTestSuite(forTestCaseClass: self)
    do {
      let places = Places.ofApplication
      let cases = try BenchmarkPlan.cases(
        models: places.models.all(), suites: SuiteChoice.all(in: places.suites), out: places.runs,
        environment: ProcessInfo.processInfo.environment)
      for benchmark in cases { tests.addTest(test(benchmark.name) { try $0.run(benchmark) }) }
    } catch {
      tests.addTest(test("test_there_is_something_to_run") { _ in throw error })
    }
    return tests
  }

  /// XCTest runs methods: this makes one.
  private static func test(_ name: String, _ body: @escaping (BenchmarkTests) throws -> Void) -> XCTestCase {
    let method: @convention(block) (BenchmarkTests) -> Void = { test in
      do { try body(test) } catch { XCTFail("\(error)") }
    }
    let selector = NSSelectorFromString(name)
    class_addMethod(self, selector, imp_implementationWithBlock(method), "v@:")
    return BenchmarkTests(selector: selector)
  }

  /// The main thread stays free, as in the application: it is told when the device locks itself or somebody leaves.
  private func run(_ benchmark: BenchmarkCase) throws {
    let ended = expectation(description: benchmark.name)
    let outcomes = Locked<Result<[BundleOutcome], Error>>(.success([]))
    benchmark.run { result in
      outcomes.withLock { $0 = result }
      ended.fulfill()
    }
    wait(for: [ended], timeout: 24 * 3600)
    for outcome in try outcomes.withLock({ try $0.get() }) {
      let zipped = try zipFile(of: URL(fileURLWithPath: outcome.path))
      let attachment = XCTAttachment(contentsOfFile: zipped)
      attachment.name = zipped.lastPathComponent
      attachment.lifetime = .keepAlways
      add(attachment)
      XCTAssertEqual(outcome.status, "complete", "\(outcome.lane): \(outcome.error ?? "")")
    }
  }
}
