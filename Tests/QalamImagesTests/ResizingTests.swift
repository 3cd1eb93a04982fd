// SPDX-License-Identifier: Apache-2.0
import QalamImages
import TestSupport
import Testing

/// The filter against what it must keep, and against Pillow's.
struct ResizingTests {
    @Test(arguments: [(5, 4), (29, 17), (13, 4)])
    func `sizes are changed as Pillow changes them`(width: Int, height: Int) throws {
        let expected = try #require(try ExpectedPicture.all()["resized \(width)x\(height)"]?.bytes)
        let picture = try Picture(decoding: try pictureBytes("rgba.png"))
        let found = picture.resized(width: width, height: height).premultiplied
        #expect(found.count == expected.count)
        // Pillow rounds to bytes between its two passes, and lets colours swing beyond their alpha.
        let differences = zip(found, expected).map { abs(Int($0) - Int($1)) }
        let mean = Double(differences.reduce(0, +)) / Double(differences.count)
        #expect(mean < 0.6 && differences.allSatisfy { $0 <= 12 }, "\(mean), \(differences.max() ?? 0)")
    }

    @Test(arguments: [(1, 1), (7, 50), (64, 64), (200, 3)])
    func `one colour stays that colour`(width: Int, height: Int) {
        let color: [UInt8] = [17, 130, 251, 200]
        let picture = Picture(width: 33, height: 21, filledWith: color).resized(width: width, height: height)
        #expect(picture == Picture(width: width, height: height, filledWith: color))
    }

    @Test(arguments: [16, 24, 128, 200])
    func `a ramp stays a ramp`(width: Int) {
        let ramp: [UInt8] = (0..<64).flatMap { x -> [UInt8] in [UInt8(x * 4), 0, 0, 255] }
        let picture = Picture(width: 64, height: 1, pixels: ramp).resized(width: width, height: 1)
        let scale = 64 / Double(width)
        // Near the ends the filter has nothing to lean on.
        let margin = Int((3 * max(1, scale) / scale).rounded(.up))
        for x in margin..<width - margin {
            let expected = 4 * ((Double(x) + 0.5) * scale - 0.5)
            #expect(abs(Double(picture.pixels[4 * x]) - expected) <= 2, "\(x) of \(width)")
        }
    }

    @Test(arguments: [2, 4, 8])
    func `the mean stays when a picture shrinks by a whole factor`(factor: Int) {
        let picture = gradient(width: 64, height: 64).composed()
        let small = picture.resized(width: 64 / factor, height: 64 / factor)
        #expect(abs(mean(picture) - mean(small)) < 1)
    }

    @Test func `what is transparent leaves no fringe`() {
        // Red that nobody sees beside blue.
        var pixels: [UInt8] = []
        for _ in 0..<16 { for x in 0..<16 { pixels += x < 8 ? [255, 0, 0, 0] : [0, 0, 255, 255] } }
        let small = Picture(width: 16, height: 16, pixels: pixels).resized(width: 7, height: 7)
        #expect(stride(from: 0, to: small.pixels.count, by: 4).allSatisfy { small.pixels[$0] == 0 })
    }

    @Test func `a square holds the whole picture in its middle`() {
        let picture = Picture(width: 40, height: 20, filledWith: [9, 9, 9, 255]).squared(to: 16)
        #expect(picture.width == 16 && picture.height == 16)
        let opaque = stride(from: 3, to: picture.pixels.count, by: 4).map { picture.pixels[$0] == 255 }
        #expect(opaque == (0..<256).map { (4..<12).contains($0 / 16) })
    }

    @Test func `pixel art keeps its pixels`() {
        let picture = Picture(width: 2, height: 1, pixels: [1, 2, 3, 255, 4, 5, 6, 255])
        let row = Array(picture.squared(to: 5, keepsPixels: true).pixels[4 * 5..<4 * 10])
        #expect(row == [1, 2, 3, 255, 1, 2, 3, 255, 4, 5, 6, 255, 4, 5, 6, 255, 0, 0, 0, 0])
    }

    private func mean(_ picture: Picture) -> Double {
        Double(picture.pixels.reduce(0) { $0 + Int($1) }) / Double(picture.pixels.count)
    }
}
