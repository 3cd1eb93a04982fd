// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// Finite scalar quantization: each of a few numbers is rounded to one of a few levels, and all of them together are a
/// code.
///
/// Mentzer et al. 2023, arXiv 2309.15505. Codes count in mixed radix, the first number the quickest.
public struct FiniteScalarQuantizer: Sendable, Equatable {
    /// Levels of each number, such as 8, 5, 5, 5.
    public let levels: [Int]

    /// At least 2 levels each.
    public init(levels: [Int]) {
        precondition(!levels.isEmpty && levels.allSatisfy { $0 >= 2 }, "levels: \(levels)")
        self.levels = levels
    }

    /// How many codes there are.
    public var codes: Int { levels.reduce(1, *) }

    /// Holds each number between its outer levels and rounds it to the nearest; levels lie evenly in -1...1.
    ///
    /// The gradient passes the rounding as if it were not there.
    /// - Parameter x: (…,levels)
    /// - Returns: (…,levels)
    public func quantized(_ x: Tensor) -> Tensor {
        precondition(x.shape.last == levels.count, "quantizer: \(x.shape) for \(levels)")
        let out = Tensor(uninitialized: x.shape, on: x.device)
        let slope = x.node.map { _ in Tensor(uninitialized: x.shape, on: x.device) }
        for axis in levels.indices {
            let bound = Bound(levels: levels[axis])
            for i in stride(from: axis, to: x.count, by: levels.count) {
                let t = tanhf(x.buffer[i] + bound.shift)
                out.buffer[i] = (t * bound.half - bound.offset).rounded(.toNearestOrEven) / bound.radius
                slope?.buffer[i] = (1 - t * t) * bound.half / bound.radius
            }
        }
        return out.recorded(from: [x.node]) { dy in
            guard let slope else { return }
            for i in 0..<dy.count { slope.buffer[i] *= dy.buffer[i] }
            x.node?.add(slope)
        }
    }

    /// The code of every group of quantized numbers (N,levels).
    public func codes(of quantized: Tensor) -> [Int32] {
        let (rows, width) = quantized.rowsAndColumns
        return (0..<rows).map { row in
            var (code, unit) = (0, 1)
            for axis in levels.indices {
                let value = quantized.buffer[row * width + axis] * Bound(levels: levels[axis]).radius
                // Zero comes first, so that what is no number becomes zero.
                let level = min(max(0, value.rounded() + Float(levels[axis] / 2)), Float(levels[axis] - 1))
                code += Int(level) * unit
                unit *= levels[axis]
            }
            return Int32(code)
        }
    }

    /// The quantized numbers of codes, each in 0..<codes: (N,levels).
    public func values(of codes: [Int32]) -> Tensor {
        let out = Tensor(uninitialized: [codes.count, levels.count])
        for (row, code) in codes.enumerated() {
            precondition(code >= 0 && code < self.codes, "code: \(code) of \(self.codes)")
            var rest = Int(code)
            for axis in levels.indices {
                let level = rest % levels[axis] - levels[axis] / 2
                out.buffer[row * levels.count + axis] = Float(level) / Bound(levels: levels[axis]).radius
                rest /= levels[axis]
            }
        }
        return out
    }

    /// Rounds numbers that lie near -1...1 to the nearest levels in place; for what another model has made.
    public func snap(_ x: Tensor) {
        for axis in levels.indices {
            let radius = Bound(levels: levels[axis]).radius
            let (least, most) = (Float(-(levels[axis] / 2)), Float((levels[axis] - 1) / 2))
            for i in stride(from: axis, to: x.count, by: levels.count) {
                x.buffer[i] = min(max((x.buffer[i] * radius).rounded(.toNearestOrEven), least), most) / radius
            }
        }
    }

    /// The paper's bound for one number: half·tanh(x + shift) - offset, rounded, takes every level.
    private struct Bound {
        let half: Float
        let offset: Float
        let shift: Float
        /// What an outer level is divided by to lie at ±1.
        let radius: Float

        init(levels: Int) {
            half = Float(levels - 1) * 1.001 / 2
            offset = levels % 2 == 0 ? 0.5 : 0
            shift = atanhf(offset / half)
            radius = Float(levels / 2)
        }
    }
}
