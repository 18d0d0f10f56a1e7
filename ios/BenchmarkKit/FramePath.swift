// SPDX-License-Identifier: Apache-2.0
import SegKit

/// The whole path of a frame, stage by stage: to the mask at the model's resolution, and the alpha at the frame's.
package final class FramePath {
  /// When a frame began and how long its stages took, in nanoseconds of ``Clock``.
  package struct Times {
    package let start: Int64
    package let preprocess: Int64
    package let invoke: Int64
    package let postprocess: Int64
    /// All of it, what lies between the stages included.
    package let total: Int64
  }

  package private(set) var segmenter: Segmenter
  package private(set) var mask = Mask()
  package private(set) var alpha = Plane(width: 0, height: 0)
  private var enlarging: Refiner

  package init(_ segmenter: consuming Segmenter) throws(SegKitError) {
    self.segmenter = segmenter
    enlarging = try Refiner(Refiner.Options(smooth: false))
  }

  /// Fills in ``mask`` and ``alpha``.
  package func run(_ frame: Image) throws -> Times {
    let start = Clock.now()
    try segmenter.segment(frame, into: &mask)
    let segmented = Clock.now()
    try enlarging.upsample(mask, to: frame, into: &alpha)
    let end = Clock.now()
    let stages = mask.times
    return Times(
      start: start, preprocess: stages.preprocess, invoke: stages.invoke,
      postprocess: stages.activate + (end - segmented), total: end - start)
  }

  /// The network alone, fed the tensor that the contract makes of a frame: the probability at the model's resolution.
  package func runTensor(_ frame: Image) throws -> [Float] {
    try segmenter.activate(segmenter.invoke(segmenter.preprocess(frame))).probability
  }

  /// The raw output of the network alone.
  package func invoke(_ tensor: [Float]) throws -> [Float] { try segmenter.invoke(tensor) }

  /// The input tensor of a frame.
  package func preprocess(_ frame: Image) throws -> [Float] { try segmenter.preprocess(frame) }
}
