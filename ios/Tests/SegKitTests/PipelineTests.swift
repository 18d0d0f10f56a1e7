// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import SegKit

/// Collects what a sink is called with, from any thread.
private final class Collected: @unchecked Sendable {
  private let lock = NSLock()
  private var images: [(sequence: UInt64, maskSequence: UInt64, image: Image)] = []

  func add(_ frame: Pipeline.Presented) throws {
    let image = try frame.image()
    lock.withLock { images.append((frame.sequence, frame.maskSequence, image)) }
  }

  var all: [(sequence: UInt64, maskSequence: UInt64, image: Image)] { lock.withLock { images } }
}

/// How another thread ended.
private final class Ended: @unchecked Sendable {
  private let condition = NSCondition()
  private var result: Result<Void, any Error>?

  func tell(_ result: Result<Void, any Error>) {
    condition.withLock { self.result = result }
    condition.signal()
  }

  func wait() -> Result<Void, any Error> {
    condition.withLock {
      while true {
        if let result { return result }
        condition.wait()
      }
    }
  }
}

@Suite struct PipelineTests {
  private let options = Pipeline.Options(dropOldest: false, output: .bgra)

  @Test func everyFrameIsDrawnWithItsOwnMask() throws {
    let pipeline = try Pipeline(
      Segmenter(contentsOfFile: Shipped.model("int8")), background: .colour(red: 0, green: 255, blue: 0),
      options: options)
    let (frame, collected) = (try Shipped.picture(), Collected())
    try pipeline.start { presented in (try? collected.add(presented)) != nil }
    for _ in 0..<6 { try pipeline.push(frame) }
    try pipeline.finish()

    let all = collected.all
    #expect(all.map(\.sequence) == all.map(\.maskSequence) && all.count == 6)
    #expect(all.allSatisfy { $0.image.width == frame.width && $0.image.height == frame.height })
    let counters = pipeline.counters
    #expect(counters.captured == 6 && counters.presented == 6 && counters.droppedBeforeInference == 0)
  }

  @Test func theBackgroundMayBeChangedWhileItRuns() throws {
    let pipeline = try Pipeline(
      Segmenter(contentsOfFile: Shipped.model("int8")), refiner: .init(smooth: false), background: .none,
      options: options)
    let (frame, collected) = (try Shipped.picture(), Collected())
    try pipeline.start { presented in (try? collected.add(presented)) != nil }
    try pipeline.push(frame)
    while pipeline.counters.presented < 1 { Thread.sleep(forTimeInterval: 0.001) }
    try pipeline.set(background: .colour(red: 9, green: 9, blue: 9))
    for _ in 0..<4 { try pipeline.push(frame) }
    try pipeline.finish()

    #expect(collected.all.first?.image == frame)
    #expect(collected.all.last?.image != frame)
  }

  @Test func aSinkMayEndIt() throws {
    let pipeline = try Pipeline(Segmenter(contentsOfFile: Shipped.model("int8")), options: options)
    let frame = try Shipped.picture()
    try pipeline.start { _ in false }
    #expect { for _ in 0..<100 { try pipeline.push(frame) } } throws: { ($0 as? SegKitError)?.code == .cancelled }
    try pipeline.finish()  // nobody is told twice
  }

  @Test func itMayBeStartedAgain() throws {
    let pipeline = try Pipeline(Segmenter(contentsOfFile: Shipped.model("int8")), options: options)
    let collected = Collected()
    for _ in 0..<2 {
      try pipeline.start { presented in (try? collected.add(presented)) != nil }
      try pipeline.push(Shipped.picture())
      try pipeline.finish()
    }
    #expect(collected.all.count == 2)
  }

  /// Only what the core does orders the two threads, so that the thread sanitizer sees the second start's sink stored
  /// beside the first one's, unless they are kept apart.
  @Test func anotherThreadMayStartItAgainBeforeTheFirstStartHasReturned() throws {
    let pipeline = try Pipeline(Segmenter(contentsOfFile: Shipped.model("int8")), options: options)
    let (frame, collected, ended) = (try Shipped.picture(), Collected(), Ended())
    let other = Thread {
      ended.tell(
        Result {
          while (try? pipeline.push(frame)) == nil { Thread.sleep(forTimeInterval: 0.0001) }
          try pipeline.stop()
          try pipeline.start { presented in (try? collected.add(presented)) != nil }
          try pipeline.push(frame)
          try pipeline.finish()
        })
    }
    other.start()
    try pipeline.start { _ in true }
    try ended.wait().get()

    #expect(collected.all.count == 1)
  }

  @Test func framesMayComeFromSeveralThreads() async throws {
    let pipeline = try Pipeline(Segmenter(contentsOfFile: Shipped.model("int8")), options: options)
    let (frame, collected) = (try Shipped.picture(), Collected())
    try pipeline.start { presented in (try? collected.add(presented)) != nil }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<4 { group.addTask { for _ in 0..<5 { try pipeline.push(frame) } } }
      try await group.waitForAll()
    }
    try pipeline.finish()

    #expect(collected.all.count == 20)
  }

  @Test func anOrientationIsThatOfTheNetworkAndOfTheBackground() throws {
    let (frame, orientation) = (try Shipped.picture(), Orientation(.right, mirrored: true))
    let room = try Shipped.picture(width: 30, height: 40, format: .rgb).flipped()
    var segmenter = try Segmenter(contentsOfFile: Shipped.model("int8"))
    var refiner = try Refiner()
    var mask = Mask()
    var compositor = try Compositor(background: .none)
    try compositor.setImage(room)
    try compositor.set(background: .image)
    var expected = try Image(width: frame.width, height: frame.height, format: .bgra)
    try segmenter.segment(frame, orientation: orientation, into: &mask)
    try refiner.smooth(&mask)
    try compositor.compose(frame, alpha: refiner.upsample(mask, to: frame), orientation: orientation, into: &expected)

    let pipeline = try Pipeline(
      Segmenter(contentsOfFile: Shipped.model("int8")), background: .none, options: options)
    try pipeline.setImage(room)
    try pipeline.set(background: .image)
    let collected = Collected()
    for turned in [orientation, .upright] {
      try pipeline.start { presented in (try? collected.add(presented)) != nil }
      try pipeline.push(frame, orientation: turned)
      try pipeline.finish()
    }

    #expect(collected.all.first?.image == expected && collected.all.last?.image != expected)
  }

  @Test func withLowLatencyAFrameIsDrawnWithTheNewestMaskThereIs() throws {
    let pipeline = try Pipeline(
      Segmenter(contentsOfFile: Shipped.model("int8")), background: .colour(red: 0, green: 255, blue: 0),
      options: .init(mode: .lowLatency, dropOldest: false))
    let (frame, collected) = (try Shipped.picture(), Collected())
    try pipeline.start { presented in (try? collected.add(presented)) != nil }
    for count in 1...6 {
      try pipeline.push(frame)
      // Let it draw this one, and have a mask for the next.
      while pipeline.counters.presented < count || pipeline.counters.inferred < count {
        Thread.sleep(forTimeInterval: 0.001)
      }
    }
    try pipeline.finish()

    let all = collected.all
    #expect(all.map(\.sequence) == Array(0..<6) && pipeline.counters.droppedBeforeDrawing == 0)
    #expect(all.dropFirst().allSatisfy { $0.sequence - $0.maskSequence <= 1 })
  }

  @Test func itStopsWhenItIsGone() throws {
    let collected = Collected()
    do {
      let pipeline = try Pipeline(Segmenter(contentsOfFile: Shipped.model("int8")), options: options)
      try pipeline.start { presented in (try? collected.add(presented)) != nil }
      try pipeline.push(Shipped.picture())
    }
    let count = collected.all.count
    Thread.sleep(forTimeInterval: 0.05)
    #expect(collected.all.count == count)
  }

  @Test func aWrongOptionIsRefusedAndTheSegmenterIsGoneAllTheSame() throws {
    #expect {
      _ = try Pipeline(Segmenter(contentsOfFile: Shipped.model("int8")), options: .init(queueCapacity: 0))
    } throws: { ($0 as? SegKitError)?.code == .invalidArgument }
  }
}
