// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import SegKit

@Suite struct CompositorTests {
  private func alpha(_ frame: Image, _ value: (_ x: Int, _ y: Int) -> UInt8) -> Plane {
    var plane = Plane(width: frame.width, height: frame.height)
    for y in 0..<frame.height { for x in 0..<frame.width { plane.bytes[y * frame.width + x] = value(x, y) } }
    return plane
  }

  @Test func thePersonStaysAndWhatIsBehindBecomesTheColour() throws {
    let frame = try Shipped.picture(format: .rgb)
    var compositor = try Compositor(background: .colour(red: 10, green: 200, blue: 30))
    var out = try Image(width: frame.width, height: frame.height, format: .rgb)

    try compositor.compose(frame, alpha: alpha(frame) { x, _ in x < 20 ? 255 : 0 }, into: &out)

    #expect(out[3, 5] == frame[3, 5])
    #expect(Array(out[40, 5]) == [10, 200, 30])
  }

  @Test func withoutABackgroundTheFrameIsDrawnAsItIs() throws {
    let frame = try Shipped.picture(format: .rgb)
    var compositor = try Compositor(background: .none)
    var out = try Image(width: frame.width, height: frame.height, format: .rgb)

    try compositor.compose(frame, alpha: alpha(frame) { x, y in UInt8(x * y % 256) }, into: &out)

    #expect(out == frame)
  }

  @Test func anImageIsDrawnBehindThePersonAndGoesWithTheBackground() throws {
    let frame = try Shipped.picture(format: .bgra)
    var room = try Image(width: 8, height: 8, format: .rgb)
    room.bytes = room.bytes.indices.map { _ in 77 }
    var compositor = try Compositor(background: .none)
    #expect(throws: SegKitError.self) { try compositor.set(background: .image) }
    try compositor.setImage(room)
    try compositor.set(background: .image)
    var out = try Image(width: frame.width, height: frame.height, format: .bgra)

    try compositor.compose(frame, alpha: alpha(frame) { _, _ in 0 }, into: &out)
    #expect(Array(out[9, 9].prefix(3)) == [77, 77, 77])

    try compositor.set(background: .colour(red: 1, green: 2, blue: 3))
    try compositor.compose(frame, alpha: alpha(frame) { _, _ in 0 }, into: &out)
    #expect(Array(out[9, 9].prefix(3)) == [3, 2, 1])
  }

  @Test(arguments: Orientation.Rotation.allCases, [false, true])
  func theImageStandsUprightHoweverTheFrameLies(rotation: Orientation.Rotation, mirrored: Bool) throws {
    let frame = try Shipped.picture(format: .rgb)
    var upright = frame
    for _ in 0..<rotation.rawValue / 90 { upright = try upright.turnedRight() }
    let room = try Shipped.picture(width: upright.width, height: upright.height, format: .rgb)
    var compositor = try Compositor(background: .none)
    try compositor.setImage(room)
    try compositor.set(background: .image)
    var out = try Image(width: frame.width, height: frame.height, format: .rgb)

    try compositor.compose(
      frame, alpha: alpha(frame) { _, _ in 0 }, orientation: Orientation(rotation, mirrored: mirrored), into: &out)

    for _ in 0..<rotation.rawValue / 90 { out = try out.turnedRight() }
    if mirrored { out = try out.flipped() }
    #expect(out == room)
  }

  @Test func aHiddenFrameShowsNothingOfThePerson() throws {
    let frame = try Shipped.picture(format: .rgb)
    var compositor = try Compositor(background: .colour(red: 5, green: 6, blue: 7))
    var out = try Image(width: frame.width, height: frame.height, format: .rgb)

    try compositor.hide(frame, into: &out)

    #expect(Array(out[30, 20]) == [5, 6, 7] && Array(out[0, 0]) == [5, 6, 7])
  }

  @Test func aMaskIsEnlargedToItsFrame() throws {
    let frame = try Shipped.picture()
    var segmenter = try Segmenter(contentsOfFile: Shipped.model("fp32"))
    var refiner = try Refiner(.init(smooth: false))
    var mask = Mask()
    try segmenter.segment(frame, into: &mask)
    try refiner.smooth(&mask)

    let alpha = try refiner.upsample(mask, to: frame)

    let values = mask.alpha
    #expect(alpha.width == frame.width && alpha.height == frame.height)
    #expect(Set(alpha.bytes).isSubset(of: Set((values.min()!...values.max()!))))
  }

  @Test func whatDoesNotFitIsRefused() throws {
    let frame = try Shipped.picture(format: .rgb)
    var out = try Image(width: 5, height: 5, format: .rgb)
    var compositor = try Compositor(background: .none)
    let plane = alpha(frame) { _, _ in 0 }
    #expect(throws: SegKitError.self) { try compositor.compose(frame, alpha: plane, into: &out) }
    #expect(throws: SegKitError.self) { _ = try Compositor(background: .blur(permille: -1)) }
    #expect(throws: SegKitError.self) { _ = try Compositor(background: .none, feather: 128) }
  }
}
