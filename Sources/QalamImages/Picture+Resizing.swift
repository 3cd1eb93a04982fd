// SPDX-License-Identifier: Apache-2.0

internal import Foundation

extension Picture {
    /// This picture at another size, by Lanczos's filter of three lobes, widened when shrinking so that every pixel
    /// counts by its area.
    ///
    /// Colours are weighted by alpha: what is transparent leaves no fringe.
    public func resized(width newWidth: Int, height newHeight: Int) -> Picture {
        precondition(newWidth > 0 && newHeight > 0, "size: \(newWidth)×\(newHeight)")
        guard newWidth != width || newHeight != height else { return self }
        var values = [Float](repeating: 0, count: pixels.count)
        for i in stride(from: 0, to: pixels.count, by: 4) {
            let alpha = Float(pixels[i + 3])
            for j in 0..<3 { values[i + j] = Float(pixels[i + j]) * alpha / 255 }
            values[i + 3] = alpha
        }
        // Rows first, then columns; a row of the second pass is a sum of whole rows.
        let across = ResizeFilter(from: width, to: newWidth)
        let rows = across.applied(to: values, lines: height, step: 4, lineStep: 4 * width)
        let down = ResizeFilter(from: height, to: newHeight)
        let result = down.appliedToRows(rows, rowLength: 4 * newWidth)
        return Picture(width: newWidth, height: newHeight, pixels: Self.straight(result))
    }

    /// This picture in the middle of a transparent square of `side` pixels, as large as fits in its proportions.
    ///
    /// What is smaller by a whole factor or more grows by whole factors with its pixels kept square, if `keepsPixels`:
    /// for pixel art.
    public func squared(to side: Int, keepsPixels: Bool = false) -> Picture {
        precondition(side > 0, "side: \(side)")
        let longer = max(width, height)
        var fitted = self
        if keepsPixels, side >= 2 * longer {
            fitted = magnified(by: side / longer)
        } else if longer != side {
            let scaled = { (length: Int) in max(1, (length * side + longer / 2) / longer) }
            fitted = resized(width: scaled(width), height: scaled(height))
        }
        guard fitted.width != side || fitted.height != side else { return fitted }
        var square = Picture(width: side, height: side)
        square.place(fitted, x: (side - fitted.width) / 2, y: (side - fitted.height) / 2)
        return square
    }

    private func magnified(by factor: Int) -> Picture {
        var result = Picture(width: width * factor, height: height * factor)
        var values: [UInt8] = []
        values.reserveCapacity(result.pixels.count)
        for y in 0..<height {
            var row: [UInt8] = []
            for x in 0..<width {
                let at = 4 * (y * width + x)
                for _ in 0..<factor { row += pixels[at..<at + 4] }
            }
            for _ in 0..<factor { values += row }
        }
        result.pixels = values
        return result
    }

    /// Weighted sums back to bytes with straight alpha.
    private static func straight(_ values: [Float]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: values.count)
        for i in stride(from: 0, to: values.count, by: 4) {
            let alpha = min(255, max(0, values[i + 3]))
            guard alpha >= 0.5 else { continue }
            bytes[i + 3] = UInt8(alpha.rounded())
            for j in 0..<3 { bytes[i + j] = UInt8(min(255, max(0, values[i + j] * 255 / alpha)).rounded()) }
        }
        return bytes
    }
}

/// The weights by which a line of one length becomes a line of another.
struct ResizeFilter {
    /// For each place of the result: where its sources begin, and their weights, which sum to 1.
    private let taps: [(first: Int, weights: [Float])]

    init(from: Int, to: Int) {
        let scale = Double(from) / Double(to)
        let width = max(1, scale)
        taps = (0..<to).map { place in
            let center = (Double(place) + 0.5) * scale
            let first = max(0, Int((center - 3 * width).rounded(.down)))
            let end = min(from, Int((center + 3 * width).rounded(.up)))
            let raw = (first..<end).map { Self.lanczos((Double($0) + 0.5 - center) / width) }
            let sum = raw.reduce(0, +)
            return (first, raw.map { Float($0 / sum) })
        }
    }

    /// Each of `lines` lines of four channels, filtered along itself.
    func applied(to values: [Float], lines: Int, step: Int, lineStep: Int) -> [Float] {
        var result = [Float](repeating: 0, count: lines * taps.count * step)
        for line in 0..<lines {
            for (place, tap) in taps.enumerated() {
                var sum = SIMD4<Float>.zero
                var at = line * lineStep + tap.first * step
                for weight in tap.weights {
                    sum += weight * SIMD4(values[at], values[at + 1], values[at + 2], values[at + 3])
                    at += step
                }
                let to = (line * taps.count + place) * step
                for j in 0..<4 { result[to + j] = sum[j] }
            }
        }
        return result
    }

    /// The rows of `values` as one line.
    func appliedToRows(_ values: [Float], rowLength: Int) -> [Float] {
        var result = [Float](repeating: 0, count: taps.count * rowLength)
        for (place, tap) in taps.enumerated() {
            for (i, weight) in tap.weights.enumerated() {
                let from = (tap.first + i) * rowLength
                for x in 0..<rowLength { result[place * rowLength + x] += weight * values[from + x] }
            }
        }
        return result
    }

    private static func lanczos(_ x: Double) -> Double {
        guard abs(x) < 3 else { return 0 }
        guard abs(x) > 1e-9 else { return 1 }
        let a = Double.pi * x
        return 3 * sin(a) * sin(a / 3) / (a * a)
    }
}
