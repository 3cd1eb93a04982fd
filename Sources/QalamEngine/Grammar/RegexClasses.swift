// SPDX-License-Identifier: Apache-2.0

/// Sets of characters that regular expressions have names for (ECMA-262, 22.2.2).
enum RegexClasses {
    static let lineBreaks = ScalarSet("\n\r\u{2028}\u{2029}")
    static let digits = ScalarSet([0x30...0x39])
    static let words = ScalarSet([0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    static let spaces = ScalarSet([
        0x09...0x0D, 0x20...0x20, 0xA0...0xA0, 0x1680...0x1680, 0x2000...0x200A, 0x2028...0x2029, 0x202F...0x202F,
        0x205F...0x205F, 0x3000...0x3000, 0xFEFF...0xFEFF,
    ])

    /// The set of the escape whose character after the backslash is at `position`.
    static func escape(
        _ scalars: [Unicode.Scalar], _ position: inout Int, inClass: Bool
    ) throws(GrammarError) -> ScalarSet {
        let start = position
        guard start < scalars.count else { throw .syntax(at: start, reason: "a backslash escapes nothing") }
        let kind = scalars[start]
        position += 1
        switch kind {
        case "d": return digits
        case "D": return digits.inverted
        case "w": return words
        case "W": return words.inverted
        case "s": return spaces
        case "S": return spaces.inverted
        case "t": return ScalarSet("\t")
        case "n": return ScalarSet("\n")
        case "v": return ScalarSet("\u{B}")
        case "f": return ScalarSet("\u{C}")
        case "r": return ScalarSet("\r")
        case "x": return try hexadecimal(scalars, &position, digits: 2)
        case "u": return try unicode(scalars, &position)
        case "c":
            guard position < scalars.count, scalars[position].properties.isAlphabetic, scalars[position].isASCII else {
                throw .syntax(at: position, reason: "a letter belongs after \\c")
            }
            position += 1
            return ScalarSet([scalars[position - 1].value % 32...scalars[position - 1].value % 32])
        case "0" where position == scalars.count || !("0"..."9").contains(scalars[position]): return ScalarSet("\0")
        case "p", "P":
            let set = try category(scalars, &position)
            return kind == "P" ? set.inverted : set
        case "b" where inClass: return ScalarSet("\u{8}")
        case "b", "B": throw .unsupportedRegex("a word boundary", at: start)
        case "A", "Z", "z", "G": throw .unsupportedRegex("the anchor \\\(kind)", at: start)
        case "k", "0"..."9": throw .unsupportedRegex("a backreference", at: start)
        default:
            guard !words.contains(kind.value) else { throw .unsupportedRegex("the escape \\\(kind)", at: start) }
            return ScalarSet([kind.value...kind.value])
        }
    }

    /// `\uHHHH`, a pair of them that is one scalar, or `\u{H…}`.
    private static func unicode(_ scalars: [Unicode.Scalar], _ position: inout Int) throws(GrammarError) -> ScalarSet {
        if position < scalars.count, scalars[position] == "{" {
            guard let close = scalars[position...].firstIndex(of: "}"), close - position <= 7 else {
                throw .syntax(at: position, reason: "\\u{…} does not end")
            }
            position += 1
            let set = try hexadecimal(scalars, &position, digits: close - position)
            position += 1
            return set
        }
        let start = position
        let high = try value(scalars, &position, digits: 4)
        guard (0xD800..<0xE000).contains(high) else { return ScalarSet([high...high]) }
        guard scalars[position...].starts(with: "\\u".unicodeScalars) else {
            throw .syntax(at: start, reason: "half of a surrogate pair")
        }
        position += 2
        let low = try value(scalars, &position, digits: 4)
        guard high < 0xDC00, (0xDC00..<0xE000).contains(low) else {
            throw .syntax(at: start, reason: "half of a surrogate pair")
        }
        let scalar = 0x10000 + (high - 0xD800) << 10 + (low - 0xDC00)
        return ScalarSet([scalar...scalar])
    }

    /// The scalar of exactly `digits` hexadecimal digits.
    static func hexadecimal(
        _ scalars: [Unicode.Scalar], _ position: inout Int, digits: Int
    ) throws(GrammarError) -> ScalarSet {
        let start = position
        let value = try value(scalars, &position, digits: digits)
        guard Unicode.Scalar(value) != nil else { throw .syntax(at: start, reason: "no such character") }
        return ScalarSet([value...value])
    }

    private static func value(
        _ scalars: [Unicode.Scalar], _ position: inout Int, digits: Int
    ) throws(GrammarError) -> UInt32 {
        guard digits > 0, position + digits <= scalars.count else {
            throw .syntax(at: position, reason: "hexadecimal digits belong here")
        }
        var value: UInt32 = 0
        for scalar in scalars[position..<position + digits] {
            guard scalar.isASCII, let digit = Character(scalar).hexDigitValue else {
                throw .syntax(at: position, reason: "hexadecimal digits belong here")
            }
            value = value << 4 | UInt32(digit)
        }
        position += digits
        return value
    }

    /// The scalars of a general category, such as `{L}`, `{Letter}`, `{Lu}` or `{gc=Lu}`.
    private static func category(
        _ scalars: [Unicode.Scalar], _ position: inout Int
    ) throws(GrammarError) -> ScalarSet {
        let start = position
        guard position < scalars.count, scalars[position] == "{",
            let close = scalars[position...].firstIndex(of: "}")
        else { throw .syntax(at: start, reason: "\\p{…} does not end") }
        var name = String(String.UnicodeScalarView(scalars[(start + 1)..<close]))
        position = close + 1
        for prefix in ["gc=", "General_Category="] where name.hasPrefix(prefix) { name.removeFirst(prefix.count) }
        guard let wanted = categories[name] else { throw .unsupportedRegex("\\p{\(name)}", at: start) }
        var ranges: [ClosedRange<UInt32>] = []
        var first: UInt32?
        for value: UInt32 in 0...0x10FFFF {
            let isIn = Unicode.Scalar(value).map { wanted.contains($0.properties.generalCategory) } ?? false
            if isIn, first == nil { first = value }
            if !isIn, let from = first {
                ranges.append(from...value - 1)
                first = nil
            }
        }
        if let first { ranges.append(first...0x10FFFF) }
        return ScalarSet(ranges)
    }

    private static let categories: [String: Set<Unicode.GeneralCategory>] = {
        let letters: Set<Unicode.GeneralCategory> = [
            .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
        ]
        let marks: Set<Unicode.GeneralCategory> = [.nonspacingMark, .spacingMark, .enclosingMark]
        let numbers: Set<Unicode.GeneralCategory> = [.decimalNumber, .letterNumber, .otherNumber]
        let punctuation: Set<Unicode.GeneralCategory> = [
            .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
            .finalPunctuation, .otherPunctuation,
        ]
        let symbols: Set<Unicode.GeneralCategory> = [.mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol]
        let separators: Set<Unicode.GeneralCategory> = [.spaceSeparator, .lineSeparator, .paragraphSeparator]
        return [
            "L": letters, "Letter": letters, "Lu": [.uppercaseLetter], "Uppercase_Letter": [.uppercaseLetter],
            "Ll": [.lowercaseLetter], "Lowercase_Letter": [.lowercaseLetter], "Lt": [.titlecaseLetter],
            "Lm": [.modifierLetter], "Lo": [.otherLetter], "M": marks, "Mark": marks, "Mn": [.nonspacingMark],
            "Mc": [.spacingMark], "Me": [.enclosingMark], "N": numbers, "Number": numbers, "Nd": [.decimalNumber],
            "digit": [.decimalNumber], "Decimal_Number": [.decimalNumber], "Nl": [.letterNumber], "No": [.otherNumber],
            "P": punctuation, "Punctuation": punctuation, "S": symbols, "Symbol": symbols, "Sm": [.mathSymbol],
            "Sc": [.currencySymbol], "Z": separators, "Separator": separators, "Zs": [.spaceSeparator],
            "Cc": [.control], "Control": [.control],
        ]
    }()
}
