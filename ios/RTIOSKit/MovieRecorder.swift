// SPDX-License-Identifier: Apache-2.0
import Foundation
import SegKit

/// A movie that is being written. Called from one thread at a time.
public protocol MovieWriter: Sendable {
  /// - Parameter seconds: since the first frame; always more than the time before.
  func append(_ frame: Pipeline.Presented, at seconds: Double) throws
  /// Ends it.
  ///
  /// - Returns: the file.
  func finish() async throws -> URL
  /// Throws it away.
  func cancel()
}

/// Where pictures and movies go.
public protocol MediaLibrary: Sendable {
  /// Whether something may be added; asks the user the first time.
  func mayAdd() async -> Bool
  /// Puts a picture among the user's photos.
  func save(_ picture: Image) async throws
  /// Puts a movie among the user's photos; the file may be moved.
  func save(movie: URL) async throws
  /// Begins a movie of frames of this size, to be shown turned and mirrored like this.
  func movie(width: Int, height: Int, orientation: Orientation) throws -> any MovieWriter
}

/// Turns frames that are shown into a movie.
///
/// The first frame gives size and orientation. Another one (the device was turned, or became hot) ends the movie, and
/// what was recorded so far is kept.
final class MovieRecorder: Sendable {
  private struct Shape: Equatable {
    var width = 0
    var height = 0
    var orientation = Orientation.upright
  }

  private struct State {
    var writer: (any MovieWriter)?
    var shape = Shape()
    var first: Int64 = 0
    var last: Int64 = .min
    var ended = false
    var error: (any Error)?
  }

  private let library: any MediaLibrary
  private let state = Locked(State())

  init(_ library: any MediaLibrary) { self.library = library }

  /// - Returns: whether it wants more.
  func take(_ frame: Pipeline.Presented?, _ orientation: Orientation) -> Bool {
    state.withLock { state in
      guard let frame, !state.ended else {
        state.ended = true
        return false
      }
      let shape = Shape(width: frame.width, height: frame.height, orientation: orientation)
      do {
        if state.writer == nil {
          state.writer = try library.movie(width: frame.width, height: frame.height, orientation: orientation)
          (state.shape, state.first) = (shape, frame.capturedAt)
        }
        if state.shape != shape {
          state.ended = true
        } else if frame.capturedAt > state.last {  // two frames of one moment would be an error of the file
          state.last = frame.capturedAt
          try state.writer?.append(frame, at: Double(frame.capturedAt - state.first) / 1e9)
        }
      } catch {
        (state.error, state.ended) = (error, true)
      }
      return !state.ended
    }
  }

  /// Whether no more frames are taken.
  var ended: Bool { state.withLock { $0.ended } }

  /// Ends the movie and puts it among the photos.
  ///
  /// - Throws: the first error; ``SegKitError`` with code `cancelled` if there was no frame.
  func finish() async throws {
    let (writer, error) = state.withLock { state in
      state.ended = true
      return (state.writer, state.error)
    }
    if let error {
      writer?.cancel()
      throw error
    }
    guard let writer else { throw SegKitError(.cancelled, "the movie ended before its first frame") }
    try await library.save(movie: writer.finish())
  }
}
