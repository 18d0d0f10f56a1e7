// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import SegKit

@Suite struct SegmenterTests {
  @Test(arguments: ["fp32", "fp16", "dyn8", "int8"])
  func everyVariantIsLoadedAndTellsWhatItIs(variant: String) throws {
    let segmenter = try Segmenter(contentsOfFile: Shipped.model(variant))
    let info = segmenter.info

    #expect(info.contract.contains("input_height = \(info.inputHeight)"))
    #expect(info.outputChannels == 1 && info.operators > 0 && info.threads == 1)
    #expect(info.accelerator == .cpu && !info.fellBack)
    #expect(!info.liteRTVersion.isEmpty)
  }

  @Test func aModelInMemoryDrawsTheMaskOfItsFile() throws {
    let frame = try Shipped.picture()
    let data = try [UInt8](Data(contentsOf: URL(fileURLWithPath: Shipped.model("int8"))))

    var fromFile = try Segmenter(contentsOfFile: Shipped.model("int8"))
    var fromMemory = try Segmenter(model: data)
    var first = Mask()
    var second = Mask()
    try fromFile.segment(frame, into: &first)
    try fromMemory.segment(frame, into: &second)

    let (expected, found) = (first.probability, second.probability)
    #expect(expected == found && expected.count == first.width * first.height)
  }

  @Test func alphaIsTheProbabilityIn255Steps() throws {
    var segmenter = try Segmenter(contentsOfFile: Shipped.model("fp32"))
    var mask = Mask()
    try segmenter.segment(Shipped.picture(), into: &mask)

    let (probability, alpha, times) = (mask.probability, mask.alpha, mask.times)
    #expect(probability.allSatisfy { (0...1).contains($0) })
    #expect(alpha == probability.map { UInt8((255 * Double($0) + 0.5).rounded(.down)) })
    #expect(times.preprocess > 0 && times.invoke > 0 && times.activate > 0)
  }

  @Test func theStepsByThemselvesGiveWhatTheWholeGives() throws {
    var segmenter = try Segmenter(contentsOfFile: Shipped.model("fp32"))
    let (frame, info) = (try Shipped.picture(), segmenter.info)
    var mask = Mask()
    try segmenter.segment(frame, into: &mask)

    let tensor = try segmenter.preprocess(frame)
    let output = try segmenter.invoke(tensor)
    let activated = try segmenter.activate(output)

    let (probability, alpha) = (mask.probability, mask.alpha)
    #expect(activated.probability == probability && activated.alpha == alpha)
    #expect(tensor.count == info.inputHeight * info.inputWidth * 3)
    #expect(tensor.allSatisfy { (-1...1).contains($0) })
    #expect(output == probability)
  }

  @Test func theBytesOfAFrameMeanTheSameInEveryOrder() throws {
    var segmenter = try Segmenter(contentsOfFile: Shipped.model("fp32"))
    let bgra = try Shipped.picture(format: .bgra)
    var rgb: [UInt8] = []
    for y in 0..<bgra.height { for x in 0..<bgra.width { rgb += bgra[x, y].prefix(3).reversed() } }
    let same = try Image(width: bgra.width, height: bgra.height, format: .rgb, bytes: rgb)

    let (first, second) = (try segmenter.preprocess(bgra), try segmenter.preprocess(same))
    #expect(first == second)
  }

  /// Brightness and colour differences as red, green and blue, by the matrix's definition (ITU-R BT.601 and BT.709).
  private func colour(_ y: UInt8, _ cb: UInt8, _ cr: UInt8, _ matrix: YUVMatrix) -> [UInt8] {
    let limited = matrix == .bt601Limited || matrix == .bt709Limited
    let (red, blue) = matrix == .bt601Limited || matrix == .bt601Full ? (0.299, 0.114) : (0.2126, 0.0722)
    let luma = limited ? (Double(y) - 16) / 219 : Double(y) / 255
    let (b, r) = ((Double(cb) - 128) / (limited ? 224 : 255), (Double(cr) - 128) / (limited ? 224 : 255))
    let (r1, b1) = (luma + 2 * (1 - red) * r, luma + 2 * (1 - blue) * b)
    let parts = [r1, (luma - red * r1 - blue * b1) / (1 - red - blue), b1]
    return parts.map { UInt8((255 * min(max($0, 0), 1)).rounded()) }
  }

  @Test(arguments: YUVMatrix.allCases) func theFramesOfACameraHaveTheColoursOfTheirMatrix(matrix: YUVMatrix) throws {
    let (width, height) = (61, 47)
    let ramp = (0..<width * height).map { UInt8(truncatingIfNeeded: $0) }
    let chroma = Image.byteCount(width: width, height: height, format: .nv12) - ramp.count
    var segmenter = try Segmenter(contentsOfFile: Shipped.model("fp32"))

    for (luma, cb, cr) in [
      (ramp, UInt8(128), UInt8(128)), (ramp.map { _ in 120 }, 100, 170), (ramp.map { _ in 90 }, 180, 70),
    ] {
      let nv12 = try Image(
        width: width, height: height, format: .nv12, matrix: matrix,
        bytes: luma + (0..<chroma).map { $0 % 2 == 0 ? cb : cr })
      let rgb = try Image(
        width: width, height: height, format: .rgb, bytes: luma.flatMap { colour($0, cb, cr, matrix) })

      let (found, expected) = (try segmenter.preprocess(nv12), try segmenter.preprocess(rgb))
      #expect(found == expected)
    }
  }

  @Test(arguments: Orientation.Rotation.allCases, [false, true])
  func anOrientationIsThePictureTurned(rotation: Orientation.Rotation, mirrored: Bool) throws {
    var segmenter = try Segmenter(contentsOfFile: Shipped.model("fp32"))
    let stored = try Shipped.picture()
    var upright = stored
    for _ in 0..<rotation.rawValue / 90 { upright = try upright.turnedRight() }
    if mirrored { upright = try upright.flipped() }

    let (found, expected) = (
      try segmenter.preprocess(stored, orientation: Orientation(rotation, mirrored: mirrored)),
      try segmenter.preprocess(upright)
    )
    #expect(found == expected)
  }

  @Test func whatCannotBeLoadedIsToldWithItsKind() throws {
    #expect { _ = try Segmenter(contentsOfFile: "/nowhere/model.tflite") } throws: { error in
      (error as? SegKitError)?.code == .notFound && "\(error)".contains("/nowhere/model.tflite")
    }
    #expect { _ = try Segmenter(model: [1, 2, 3]) } throws: { ($0 as? SegKitError)?.code == .invalidModel }
    #expect {
      _ = try Segmenter(contentsOfFile: Shipped.model("fp32"), options: .init(threads: 0))
    } throws: { ($0 as? SegKitError)?.code == .invalidArgument }
    #expect {
      _ = try Segmenter(contentsOfFile: Shipped.model("fp32"), options: .init(contract: "schema = 1"))
    } throws: { "\($0)".contains("contract") }
  }

  @Test func aSegmenterIsUsableAfterACallThatFailed() throws {
    var segmenter = try Segmenter(contentsOfFile: Shipped.model("fp32"))
    let frame = try Shipped.picture()
    let expected = try segmenter.preprocess(frame)

    #expect(throws: SegKitError.self) { _ = try segmenter.invoke([0, 1, 2]) }

    let again = try segmenter.preprocess(frame)
    #expect(expected == again)
  }

  @Test func aSegmenterMayBeHandedToAnotherThread() async throws {
    let segmenter = try Segmenter(contentsOfFile: Shipped.model("int8"))
    let height = await Task.detached { [segmenter] in segmenter.info.inputHeight }.value
    #expect(height > 0)
  }

  @Test func aPictureHasAsManyBytesAsItsFormatNeeds() throws {
    #expect(Image.byteCount(width: 5, height: 3, format: .nv12) == 5 * 3 + 6 * 2)
    #expect { _ = try Image(width: 2, height: 2, format: .rgb, bytes: [1, 2, 3]) } throws: {
      "\($0)".contains("12 needed")
    }
    #expect { _ = try Image(width: 0, height: 2, format: .rgb) } throws: { "\($0)".contains("0×2") }
    #expect { _ = try Image(width: .max, height: .max, format: .rgb) } throws: { "\($0)".contains("32768") }
  }
}
