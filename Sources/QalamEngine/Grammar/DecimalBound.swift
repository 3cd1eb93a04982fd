// SPDX-License-Identifier: Apache-2.0

/// A bound of a number as expressions over decimal texts, so that numbers are compared digit by digit, exactly.
///
/// Bounded numbers are written without an exponent: a sign, a whole part without leading zeros, a fraction.
struct DecimalBound {
    private let negative: Bool
    /// Digits of the whole part without leading zeros ("0" for none), and of the fraction without trailing zeros.
    private let whole: [Int]
    private let fraction: [Int]
    private let exclusive: Bool

    private static let digit = JSONText.digits
    private static let anyFraction = JSONText.fraction
    private static let minus = GrammarNode.text("-")
    private static let magnitude = GrammarNode.all([JSONText.natural, anyFraction])

    /// Any decimal text.
    static let decimal = GrammarNode.all([minus.optional(), magnitude])

    /// The shortest decimal that is `bound`'s double.
    init(_ bound: SchemaFacets.Bound) {
        exclusive = bound.exclusive
        negative = bound.value < 0
        let parts = "\(abs(bound.value))".split(separator: "e")
        let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        var digits = mantissa.joined().compactMap(\.wholeNumberValue)
        var point = mantissa[0].count + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
        if point <= 0 {
            digits = Array(repeating: 0, count: 1 - point) + digits
            point = 1
        }
        if point > digits.count { digits += Array(repeating: 0, count: point - digits.count) }
        let significant = digits[..<point].drop { $0 == 0 }
        whole = significant.isEmpty ? [0] : Array(significant)
        var rest = Array(digits[point...])
        while rest.last == 0 { rest.removeLast() }
        fraction = rest
    }

    /// Texts of numbers from the bound up.
    var orMore: GrammarNode {
        negative ? .any([Self.magnitude, .all([Self.minus, magnitudeUpTo])]) : magnitudeFrom
    }

    /// Texts of numbers up to the bound; minus zero is zero.
    var orLess: GrammarNode {
        if negative { return .all([Self.minus, magnitudeFrom]) }
        let isZero = whole == [0] && fraction.isEmpty
        let negatives =
            isZero && exclusive ? GrammarNode.all([Self.minus, magnitudeFrom]) : .all([Self.minus, Self.magnitude])
        return .any([negatives, magnitudeUpTo])
    }

    private static func digits(_ list: some Sequence<Int>) -> GrammarNode { .text(list.map(String.init).joined()) }

    private static func digit(_ low: Int, _ high: Int) -> GrammarNode {
        low > high ? .never : .scalars(ScalarSet([UInt32(48 + low)...UInt32(48 + high)]))
    }

    /// Unsigned texts of at least (or more than) the bound's magnitude.
    private var magnitudeFrom: GrammarNode {
        let nonzero = Self.digit(1, 9)
        var parts: [GrammarNode] = [
            // More digits, unless the bound is below 1 and has none.
            .all([nonzero, Self.digit.repeated(whole.count, nil), Self.anyFraction])
        ]
        for (index, value) in whole.enumerated() {
            let rest = Self.digit.repeated(whole.count - index - 1, whole.count - index - 1)
            parts.append(.all([Self.digits(whole[..<index]), Self.digit(value + 1, 9), rest, Self.anyFraction]))
        }
        let more = Self.digit.repeated(0, nil)
        var tails: [GrammarNode] = []
        for (index, value) in fraction.enumerated() {
            tails.append(.all([Self.digits(fraction[..<index]), Self.digit(value + 1, 9), more]))
        }
        if exclusive {
            tails.append(.all([Self.digits(fraction), more, nonzero, more]))
        } else if fraction.isEmpty {
            parts.append(.all([Self.digits(whole), Self.anyFraction]))
        } else {
            tails.append(.all([Self.digits(fraction), more]))
        }
        parts.append(.all([Self.digits(whole), .text("."), .any(tails)]))
        return .any(parts)
    }

    /// Unsigned texts of at most (or less than) the bound's magnitude.
    private var magnitudeUpTo: GrammarNode {
        var parts: [GrammarNode] = []
        if whole.count > 1 {
            let shorter = GrammarNode.all([Self.digit(1, 9), Self.digit.repeated(0, whole.count - 2)])
            parts.append(.all([.any([.text("0"), shorter]), Self.anyFraction]))
        }
        for (index, value) in whole.enumerated() {
            let least = index == 0 && whole.count > 1 ? 1 : 0
            let rest = Self.digit.repeated(whole.count - index - 1, whole.count - index - 1)
            parts.append(.all([Self.digits(whole[..<index]), Self.digit(least, value - 1), rest, Self.anyFraction]))
        }
        let zeros = GrammarNode.text("0").repeated(0, nil)
        var tails: [GrammarNode] = []
        for (index, value) in fraction.enumerated() {
            // A smaller digit, or the fraction's end before one that is not zero.
            tails.append(
                .all([Self.digits(fraction[..<index]), Self.digit(0, value - 1), Self.digit.repeated(0, nil)]))
            if index > 0 { tails.append(Self.digits(fraction[..<index])) }
        }
        if !exclusive {
            tails.append(.all([fraction.isEmpty ? .text("0") : Self.digits(fraction), zeros]))
        }
        // The whole part alone is less than the bound if that has a fraction.
        if !exclusive || !fraction.isEmpty { parts.append(Self.digits(whole)) }
        parts.append(.all([Self.digits(whole), .text("."), .any(tails)]))
        return .any(parts)
    }
}
