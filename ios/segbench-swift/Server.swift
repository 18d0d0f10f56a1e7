// SPDX-License-Identifier: Apache-2.0
import BenchmarkKit
import Foundation
import SegKit

/// The child of the harness runtime `swift`: one request on standard input, one reply on standard output, until the
/// input ends or the parent does.
///
/// A message is two little-endian 64-bit lengths, a JSON text of the first length and a payload of the second. The
/// payload of a request is a frame (8-bit RGB) or a tensor (float32); that of a reply holds the arrays that `arrays`
/// of its JSON lists, one after the other. A reply with `error` says what went wrong.
final class Server {
  /// The mode in which this program is that child.
  static let word = "serve"

  private let input = FileHandle.standardInput
  private let replies = Replies()
  private var path: FramePath?
  private var compositor: Compositor?

  func serve() throws {
    signal(SIGINT, SIG_IGN)  // Ctrl-C reaches the whole group; the parent decides
    Self.endWithParent()
    while let (request, payload) = try read() {
      var reply: Reply
      do {
        reply = try answer(request, payload)
      } catch {
        reply = Reply(["error": .string("\(error)")])
      }
      try reply.send(to: replies)
    }
  }

  // MARK: - Requests

  private func answer(_ request: JSON, _ payload: Data) throws -> Reply {
    switch request["op"].string {
    case "load": return try load(request)
    case "image": return try image(frame(request, payload))
    case "tensor": return try tensor(payload)
    case "tap": return try tap(frame(request, payload))
    case "peak": return try peak()
    case let other: throw SegKitError(.invalidArgument, "no such request: \(other ?? "none")")
    }
  }

  private func load(_ request: JSON) throws -> Reply {
    guard let accelerator = Accelerator.allCases.first(where: { "\($0)" == request["delegate"].string }) else {
      throw SegKitError(
        .unsupported, "SegKit runs on the cpu, gpu or npu, not on \(request["delegate"].string ?? "nothing")")
    }
    let options = Segmenter.Options(
      threads: request["threads"].int ?? 1, accelerator: accelerator,
      liteRTLibrary: request["litert"].string, contract: request["contract"].string)
    let loaded = try FramePath(Segmenter(contentsOfFile: request["model"].string ?? "", options: options))
    path = loaded
    let info = loaded.segmenter.info
    return Reply([
      "version": .string(info.version), "actual": info.facts,
      "library": .string(URL(fileURLWithPath: info.liteRTLibrary).lastPathComponent),
      "build": try Machine.build(SystemEnvironment().configuration),
      "input": [1, .int(info.inputHeight), .int(info.inputWidth), 3],
      "output": [1, .int(info.outputHeight), .int(info.outputWidth), .int(info.outputChannels)],
    ])
  }

  private func image(_ frame: Image) throws -> Reply {
    let path = try loaded()
    let times = try path.run(frame)
    var reply = Reply([
      "start_ns": .int(Int(times.start)), "preprocess_ns": .int(Int(times.preprocess)),
      "invoke_ns": .int(Int(times.invoke)), "total_ns": .int(Int(times.total)),
    ])
    reply.append("probability", path.mask.probability, shape: [path.mask.height, path.mask.width])
    return reply
  }

  private func tensor(_ payload: Data) throws -> Reply {
    let path = try loaded()
    let values = payload.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    let start = Clock.now()
    let output = try path.invoke(values)
    let end = Clock.now()
    let info = path.segmenter.info
    var reply = Reply(["start_ns": .int(Int(start)), "invoke_ns": .int(Int(end - start))])
    reply.append("output", output, shape: [1, info.outputHeight, info.outputWidth, info.outputChannels])
    return reply
  }

  private func tap(_ frame: Image) throws -> Reply {
    let path = try loaded()
    let info = path.segmenter.info
    if compositor == nil { compositor = try Compositor() }
    var drawn = try Image(width: frame.width, height: frame.height, format: .rgb)
    _ = try path.run(frame)
    try compositor?.compose(frame, alpha: path.alpha, into: &drawn)
    var reply = Reply([:])
    reply.append("input", try path.preprocess(frame), shape: [info.inputHeight, info.inputWidth, 3])
    reply.append("alpha", path.alpha.bytes, shape: [frame.height, frame.width])
    reply.append("composite", drawn.bytes, shape: [frame.height, frame.width, 3])
    return reply
  }

  private func peak() throws -> Reply {
    let peak = try SystemEnvironment().peakMemory()
    return Reply(["peak_bytes": .int(peak.bytes), "how": .string(peak.how)])
  }

  private func loaded() throws -> FramePath {
    guard let path else { throw SegKitError(.invalidArgument, "no model is loaded") }
    return path
  }

  private func frame(_ request: JSON, _ payload: Data) throws -> Image {
    try Image(
      width: request["width"].int ?? 0, height: request["height"].int ?? 0, format: .rgb, bytes: [UInt8](payload))
  }

  // MARK: - Messages

  private struct Reply {
    private var facts: JSON
    private var payload = Data()

    init(_ facts: JSON) { self.facts = facts }

    mutating func append<T>(_ name: String, _ values: [T], shape: [Int]) {
      let type: JSON = T.self == Float.self ? "<f4" : "|u1"
      facts["arrays"].append(["name": .string(name), "dtype": type, "shape": .array(shape.map(JSON.int))])
      values.withUnsafeBytes { payload.append(contentsOf: $0) }
    }

    func send(to replies: Replies) throws {
      let text = try facts.encoded()
      var message = Data()
      for length in [text.count, payload.count] {
        withUnsafeBytes(of: UInt64(length).littleEndian) { message.append(contentsOf: $0) }
      }
      try replies.write(message + text + payload)
    }
  }

  /// The next request; nil where the input ends.
  private func read() throws -> (JSON, Data)? {
    guard let lengths = try read(16) else { return nil }
    let (text, payload) = lengths.withUnsafeBytes { bytes in
      (
        Int(bytes.loadUnaligned(as: UInt64.self).littleEndian),
        Int(bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self).littleEndian)
      )
    }
    guard let request = try read(text), let data = try read(payload) else { return nil }
    return (try JSON(parsing: request), data)
  }

  /// So many bytes; nil where the input ends before them.
  private func read(_ count: Int) throws -> Data? {
    var data = Data()
    while data.count < count {
      guard let more = try input.read(upToCount: count - data.count), !more.isEmpty else { return nil }
      data.append(more)
    }
    return data
  }

  /// Ends this process as soon as nobody can write to its input any more, even while it works.
  private static func endWithParent() {
    Thread.detachNewThread {
      var end = pollfd(fd: STDIN_FILENO, events: 0, revents: 0)
      while poll(&end, 1, -1) < 0 && errno == EINTR {}
      _exit(0)
    }
  }
}
