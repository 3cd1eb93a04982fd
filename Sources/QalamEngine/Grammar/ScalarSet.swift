// SPDX-License-Identifier: Apache-2.0

/// A set of Unicode scalar values, as sorted ranges that neither touch nor overlap.
struct ScalarSet: Hashable, Sendable {
    let ranges: [ClosedRange<UInt32>]

    /// All scalar values: no surrogates.
    static let all = ScalarSet([0...0x10FFFF])

    /// The union of `ranges`, without surrogates.
    init(_ ranges: [ClosedRange<UInt32>]) {
        var merged: [ClosedRange<UInt32>] = []
        for range in ranges.flatMap(Self.withoutSurrogates).sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, range.lowerBound <= last.upperBound &+ 1 {
                merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        self.ranges = merged
    }

    /// The scalars of `text`.
    init(_ text: String) { self.init(text.unicodeScalars.map { $0.value...$0.value }) }

    private static func withoutSurrogates(_ range: ClosedRange<UInt32>) -> [ClosedRange<UInt32>] {
        var parts: [ClosedRange<UInt32>] = []
        if range.lowerBound < 0xD800 { parts.append(range.lowerBound...min(range.upperBound, 0xD7FF)) }
        if range.upperBound > 0xDFFF, range.lowerBound <= 0x10FFFF {
            parts.append(max(range.lowerBound, 0xE000)...min(range.upperBound, 0x10FFFF))
        }
        return parts
    }

    var isEmpty: Bool { ranges.isEmpty }

    var inverted: ScalarSet {
        var gaps: [ClosedRange<UInt32>] = []
        var start: UInt32 = 0
        for range in ranges {
            if range.lowerBound > start { gaps.append(start...range.lowerBound - 1) }
            start = range.upperBound + 1
        }
        if start <= 0x10FFFF { gaps.append(start...0x10FFFF) }
        return ScalarSet(gaps)
    }

    func union(_ other: ScalarSet) -> ScalarSet { ScalarSet(ranges + other.ranges) }

    func intersection(_ other: ScalarSet) -> ScalarSet {
        var common: [ClosedRange<UInt32>] = []
        var (i, j) = (0, 0)
        while i < ranges.count, j < other.ranges.count {
            let (a, b) = (ranges[i], other.ranges[j])
            if a.overlaps(b) { common.append(a.clamped(to: b)) }
            if a.upperBound < b.upperBound { i += 1 } else { j += 1 }
        }
        return ScalarSet(common)
    }

    func subtracting(_ other: ScalarSet) -> ScalarSet { intersection(other.inverted) }

    func contains(_ scalar: UInt32) -> Bool {
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < scalar { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].contains(scalar)
    }

    /// The UTF-8 of the set as sequences of byte ranges: a text is in the set when each byte is in its range.
    var byteSequences: [[ClosedRange<UInt8>]] {
        var sequences: [[ClosedRange<UInt8>]] = []
        for range in ranges {
            var low = range.lowerBound
            for limit: UInt32 in [0x7F, 0x7FF, 0xFFFF, 0x10FFFF] where low <= limit && low <= range.upperBound {
                Self.split(low, min(limit, range.upperBound), into: &sequences)
                low = limit + 1
            }
        }
        return sequences
    }

    /// Splits a range of scalars of one encoded length until every continuation byte varies freely in its range.
    private static func split(_ low: UInt32, _ high: UInt32, into sequences: inout [[ClosedRange<UInt8>]]) {
        let length = encoded(low).count
        for i in 1..<max(length, 1) {
            let tail: UInt32 = 1 << (6 * UInt32(i)) - 1
            guard low & ~tail != high & ~tail else { continue }
            if low & tail != 0 {
                split(low, low | tail, into: &sequences)
                split((low | tail) + 1, high, into: &sequences)
                return
            }
            if high & tail != tail {
                split(low, (high & ~tail) - 1, into: &sequences)
                split(high & ~tail, high, into: &sequences)
                return
            }
        }
        sequences.append(zip(encoded(low), encoded(high)).map { $0...$1 })
    }

    private static func encoded(_ value: UInt32) -> [UInt8] {
        Unicode.Scalar(value).map { Array(String($0).utf8) } ?? []
    }
}
