// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// Eight floats at a time.
typealias Lanes = SIMD8<Float>

extension UnsafeBufferPointer<Float> {
    /// The eight numbers from `index` on.
    @inline(__always)
    func lanes(at index: Int) -> Lanes {
        UnsafeRawPointer(baseAddress.unsafelyUnwrapped + index).loadUnaligned(as: Lanes.self)
    }

    /// The largest number in a range, -∞ if it is empty; NaN counts as -∞.
    func largest(in range: Range<Int>) -> Float {
        var best = Lanes(repeating: -.infinity)
        var i = range.lowerBound
        while i + 8 <= range.upperBound {
            let x = lanes(at: i)
            best.replace(with: x, where: x .> best)
            i += 8
        }
        var result = best.max()
        while i < range.upperBound {
            if self[i] > result { result = self[i] }
            i += 1
        }
        return result
    }

    /// The first of the largest numbers; NaN counts as -∞, and nothing is found if all are that small.
    func indexOfLargest() -> Int? {
        var (best, stretch) = (-Float.infinity, 0..<0)
        for start in stride(from: 0, to: count, by: 256) {
            let range = start..<Swift.min(start + 256, count)
            let peak = largest(in: range)
            if peak > best { (best, stretch) = (peak, range) }
        }
        return stretch.first { self[$0] == best }
    }

    /// The sum of e^((x - origin) · scale) over a range.
    func sumOfExponentials(in range: Range<Int>, minus origin: Float, times scale: Float) -> Float {
        var sum = Lanes(repeating: 0)
        var i = range.lowerBound
        while i + 8 <= range.upperBound {
            sum += exponential((lanes(at: i) - origin) * scale)
            i += 8
        }
        if i < range.upperBound {
            var rest = Lanes(repeating: -.infinity)
            for lane in 0..<range.upperBound - i { rest[lane] = (self[i + lane] - origin) * scale }
            sum += exponential(rest)
        }
        return sum.sum()
    }

    /// The log of the sum of the exponentials, where `largest` is the largest number.
    ///
    /// Blocks of 1,024 are summed in `Double`: 2^17 small terms would be lost in a float.
    func logSumExp(largest: Float) -> Float {
        guard largest.isFinite else { return largest }
        var sum = 0.0
        for start in stride(from: 0, to: count, by: 1024) {
            let range = start..<Swift.min(start + 1024, count)
            sum += Double(sumOfExponentials(in: range, minus: largest, times: 1))
        }
        return largest + Float(log(sum))
    }
}

/// e^x for x ≤ 80 with a relative error below 2^-22; e^-87 for anything below -87 and NaN.
///
/// x = n·ln 2 + r with |r| ≤ ln 2 / 2; Taylor's polynomial for e^r, and 2^n by its bits. Only exact or correctly
/// rounded operations, so that every machine gets the same.
@inline(__always)
func exponential(_ value: Lanes) -> Lanes {
    var x = value
    x.replace(with: -87, where: .!(x .>= -87))
    let shift: Float = 0x1.8p23  // adding it leaves the nearest integer in the lowest bits
    let shifted = x * 0x1.715476p0 + shift
    let n = shifted - shift
    let r = (x - n * 0x1.62e4p-1) - n * 0x1.7f7d1cp-20
    var p = r * (1 / 5040) + (1 / 720)
    p = p * r + (1 / 120)
    p = p * r + (1 / 24)
    p = p * r + (1 / 6)
    p = p * r + (1 / 2)
    p = p * r + 1
    p = p * r + 1
    let exponent = unsafeBitCast(shifted, to: SIMD8<Int32>.self) &+ (127 &- 0x4B40_0000)
    return p * unsafeBitCast(exponent &<< 23, to: Lanes.self)
}
