// SPDX-License-Identifier: Apache-2.0

/// A picture in memory: RGBA, 8 bits each, straight alpha, row after row from the top.
public struct Picture: Sendable, Equatable {
    /// Pixels of a row.
    public let width: Int
    /// Rows.
    public let height: Int
    /// Four bytes a pixel.
    public var pixels: [UInt8] {
        didSet { precondition(pixels.count == 4 * width * height, "pixels: \(pixels.count) bytes") }
    }

    /// A picture of these pixels.
    public init(width: Int, height: Int, pixels: [UInt8]) {
        precondition(
            width > 0 && height > 0 && pixels.count == 4 * width * height,
            "\(width)×\(height) pixels in \(pixels.count) bytes")
        self.width = width
        self.height = height
        self.pixels = pixels
    }

    /// A picture of one colour, transparent unless another is given.
    public init(width: Int, height: Int, filledWith color: [UInt8] = [0, 0, 0, 0]) {
        precondition(color.count == 4, "a colour of \(color.count) bytes")
        var pixels: [UInt8] = []
        pixels.reserveCapacity(4 * width * height)
        for _ in 0..<width * height { pixels += color }
        self.init(width: width, height: height, pixels: pixels)
    }

    /// A picture of pixels whose colours are multiplied by their alpha, as data folders and SVG drawings hold them.
    public init(width: Int, height: Int, premultiplied: some Sequence<UInt8>) {
        var pixels = Array(premultiplied)
        for i in stride(from: 0, to: pixels.count - 3, by: 4) {
            let alpha = Int(pixels[i + 3])
            guard alpha < 255 else { continue }
            for j in i..<i + 3 {
                pixels[j] = alpha == 0 ? 0 : UInt8(min(255, (Int(pixels[j]) * 255 + alpha / 2) / alpha))
            }
        }
        self.init(width: width, height: height, pixels: pixels)
    }

    /// The pixels with their colours multiplied by their alpha.
    public var premultiplied: [UInt8] {
        var result = pixels
        for i in stride(from: 0, to: result.count, by: 4) {
            let alpha = Int(result[i + 3])
            guard alpha < 255 else { continue }
            for j in i..<i + 3 { result[j] = UInt8((Int(result[j]) * alpha + 127) / 255) }
        }
        return result
    }

    /// This picture before a ground of one colour (red, green, blue), opaque.
    public func composed(over ground: (UInt8, UInt8, UInt8) = (255, 255, 255)) -> Picture {
        let ground = [Int(ground.0), Int(ground.1), Int(ground.2)]
        var result = pixels
        for i in stride(from: 0, to: result.count, by: 4) {
            let alpha = Int(result[i + 3])
            guard alpha < 255 else { continue }
            for j in 0..<3 {
                result[i + j] = UInt8((Int(result[i + j]) * alpha + ground[j] * (255 - alpha) + 127) / 255)
            }
            result[i + 3] = 255
        }
        return Picture(width: width, height: height, pixels: result)
    }

    /// Puts `other` into this picture with its upper left corner at `x`, `y`, replacing what is there.
    mutating func place(_ other: Picture, x: Int, y: Int) {
        precondition(
            x >= 0 && y >= 0 && x + other.width <= width && y + other.height <= height,
            "\(other.width)×\(other.height) at \(x), \(y) in \(width)×\(height)")
        for row in 0..<other.height {
            let from = 4 * row * other.width
            let to = 4 * ((y + row) * width + x)
            pixels.replaceSubrange(to..<to + 4 * other.width, with: other.pixels[from..<from + 4 * other.width])
        }
    }
}
