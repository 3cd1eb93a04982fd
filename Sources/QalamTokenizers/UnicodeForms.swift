// SPDX-License-Identifier: Apache-2.0

internal import Foundation

/// Unicode's normalization forms (Standard Annex 15), in linear time but for the order of marks behind one character.
///
/// They are those of Unicode 9, as Hugging Face's library has them: later characters neither change nor combine. What a
/// single character decomposes into is asked from Foundation, once for each text; the rest is done here, since
/// Foundation's own forms take quadratic time and compose by the low 16 bits of code points.
struct UnicodeForms {
    let isCompatible: Bool
    let composes: Bool
    private var decompositions: [UInt32: [Unicode.Scalar]] = [:]

    init(compatible isCompatible: Bool, composes: Bool) {
        self.isCompatible = isCompatible
        self.composes = composes
    }

    /// The normalized form of `text`.
    mutating func apply(_ text: String) -> String {
        var output: [UInt8] = []
        output.reserveCapacity(text.utf8.count)
        var segment: [Unicode.Scalar] = []
        for scalar in text.unicodeScalars {
            if !mayJoin(scalar) {
                append(segment, to: &output)
                segment.removeAll(keepingCapacity: true)
            }
            segment.append(scalar)
        }
        append(segment, to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    /// Whether `scalar` may change places or form one character with what is before it.
    private func mayJoin(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value >= 0x300 && (Self.combiningClass(scalar) != 0 || Self.isSecond(scalar.value))
    }

    /// Whether a code point that is no mark may be, or decompose into, the second half of a composition.
    private static func isSecond(_ value: UInt32) -> Bool {
        switch value {
        // Vowel signs of Tibetan that are two marks, and what is compatible with marks and with Korean letters.
        case 0xF73, 0xF75, 0xF81, 0x3131...0x318E, 0xFF9E...0xFFDC: true
        case 0x9BE, 0x9D7, 0xB3E, 0xB57, 0xBBE, 0xBD7, 0xCC2, 0xCD5, 0xCD6, 0xD3E, 0xD57, 0xDCF, 0xDDF, 0x102E,
            0x1161...0x1175, 0x11A8...0x11C2, 0x1B35, 0x1133E, 0x11357, 0x114B0, 0x114BA, 0x114BD, 0x115AF:
            true
        default: false
        }
    }

    /// Appends a segment, whose first character alone may stand where it is.
    private mutating func append(_ segment: [Unicode.Scalar], to output: inout [UInt8]) {
        guard let first = segment.first else { return }
        if segment.count == 1, isStable(first) { return Self.append(first, to: &output) }
        var parts: [Unicode.Scalar] = []
        for scalar in segment { parts += decomposition(of: scalar) }
        Self.sortMarks(&parts)
        if composes { Self.compose(&parts) }
        for scalar in parts { Self.append(scalar, to: &output) }
    }

    private static func append(_ scalar: Unicode.Scalar, to output: inout [UInt8]) {
        if scalar.isASCII { output.append(UInt8(scalar.value)) } else { output += scalar.utf8 }
    }

    /// Whether a character alone is its own normalized form; false where that takes a closer look.
    private func isStable(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0xA0 || composes && !isCompatible && !scalar.properties.isFullCompositionExclusion
    }

    // MARK: Steps

    /// Brings the marks behind each character into the order of their classes; those of one class stay in order.
    private static func sortMarks(_ parts: inout [Unicode.Scalar]) {
        guard parts.count > 1 else { return }
        let classes = parts.map(combiningClass)
        var start = 0
        while start < parts.count {
            guard classes[start] != 0 else {
                start += 1
                continue
            }
            var end = start
            var isSorted = true
            while end < parts.count, classes[end] != 0 {
                if end > start && classes[end] < classes[end - 1] { isSorted = false }
                end += 1
            }
            if !isSorted {
                let order = (start..<end).sorted { (classes[$0], $0) < (classes[$1], $1) }
                parts.replaceSubrange(start..<end, with: order.map { parts[$0] })
            }
            start = end
        }
    }

    /// Joins each character with the marks behind it, as far as no mark of the same or a higher class is between.
    private static func compose(_ parts: inout [Unicode.Scalar]) {
        var output: [Unicode.Scalar] = []
        output.reserveCapacity(parts.count)
        /// Where the character is that marks join, and the class of the last mark that stayed behind it.
        var base: Int?
        var last: UInt8 = 0
        for scalar in parts {
            let kind = combiningClass(scalar)
            if let base, last == 0 || last < kind, let joined = composition(output[base], scalar) {
                output[base] = joined
                continue
            }
            if kind == 0 { base = output.count }
            last = kind
            output.append(scalar)
        }
        parts = output
    }

    // MARK: What Unicode says

    private static func combiningClass(_ scalar: Unicode.Scalar) -> UInt8 {
        guard scalar.value >= 0x300 else { return 0 }
        let kind = scalar.properties.canonicalCombiningClass.rawValue
        return kind != 0 && scalar.isKnown(since: 9) ? kind : 0
    }

    private mutating func decomposition(of scalar: Unicode.Scalar) -> [Unicode.Scalar] {
        guard scalar.value >= 0xA0 else { return [scalar] }
        if let parts = Korean.decomposition(of: scalar) { return parts }
        if let known = decompositions[scalar.value] { return known }
        var parts = [scalar]
        if scalar.isKnown(since: 9) {
            let text = String(Character(scalar))
            let decomposed =
                isCompatible ? text.decomposedStringWithCompatibilityMapping : text.decomposedStringWithCanonicalMapping
            parts = Array(decomposed.unicodeScalars)
        }
        decompositions[scalar.value] = parts
        return parts
    }

    /// The one character that is equivalent to the two, if there is one.
    private static func composition(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> Unicode.Scalar? {
        Korean.composition(first, second) ?? compositions[key(first.value, second.value)]
    }

    private static func key(_ first: UInt32, _ second: UInt32) -> UInt64 { UInt64(first) << 32 | UInt64(second) }

    /// All compositions but the Korean ones, by their two halves: made of the decompositions when first needed.
    private static let compositions: [UInt64: Unicode.Scalar] = {
        var forms = UnicodeForms(compatible: false, composes: false)
        var parts: [(whole: Unicode.Scalar, parts: [Unicode.Scalar])] = []
        var wholes: [[Unicode.Scalar]: Unicode.Scalar] = [:]
        for value in Array(0xC0..<0x3100) + Array(0x11080..<0x11A00) {
            guard let scalar = Unicode.Scalar(UInt32(value)), !scalar.properties.isFullCompositionExclusion else {
                continue
            }
            let decomposed = forms.decomposition(of: scalar)
            guard decomposed.count > 1 else { continue }
            parts.append((scalar, decomposed))
            wholes[decomposed] = scalar
        }
        var table: [UInt64: Unicode.Scalar] = [:]
        for (whole, parts) in parts {
            let before = Array(parts.dropLast())
            guard let last = parts.last, let first = before.count == 1 ? before[0] : wholes[before] else { continue }
            table[key(first.value, last.value)] = whole
        }
        return table
    }()
}

/// Korean syllables, whose parts are computed (The Unicode Standard, section 3.12).
private enum Korean {
    private static let firstSyllable: UInt32 = 0xAC00
    private static let vowels: UInt32 = 21
    /// Final consonants, and none.
    private static let finals: UInt32 = 28

    static func decomposition(of scalar: Unicode.Scalar) -> [Unicode.Scalar]? {
        guard (0xAC00...0xD7A3).contains(scalar.value) else { return nil }
        let index = scalar.value - firstSyllable
        let final = index % finals
        let values = [0x1100 + index / (vowels * finals), 0x1161 + index / finals % vowels]
        return (final == 0 ? values : values + [0x11A7 + final]).compactMap { Unicode.Scalar($0) }
    }

    static func composition(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> Unicode.Scalar? {
        switch (first.value, second.value) {
        case (0x1100...0x1112, 0x1161...0x1175):
            Unicode.Scalar(firstSyllable + ((first.value - 0x1100) * vowels + second.value - 0x1161) * finals)
        case (0xAC00...0xD7A3, 0x11A8...0x11C2) where (first.value - firstSyllable) % finals == 0:
            Unicode.Scalar(first.value + second.value - 0x11A7)
        default: nil
        }
    }
}

extension Unicode.Scalar {
    /// Whether Unicode had this character in version `major`.0.
    func isKnown(since major: Int) -> Bool {
        value < 0x37F || (properties.age.map { $0.major <= major } ?? false)
    }

    /// Whether it is a combining mark, as of Unicode 9.
    var isPastMark: Bool {
        switch value {
        case 0x1CF2, 0x1CF3: true
        case 0x111C9: false
        default: properties.generalCategory.isMark && isKnown(since: 9)
        }
    }

    /// Whether it is a nonspacing mark, as of Unicode 8.
    var isPastNonspacingMark: Bool {
        switch value {
        case 0x1734, 0x1171E: true
        case 0x1885, 0x1886, 0xA9BD, 0x111C9: false
        default: properties.generalCategory == .nonspacingMark && isKnown(since: 8)
        }
    }

    /// Whether it is punctuation, as of Unicode 8.
    var isPastPunctuation: Bool {
        switch value {
        case 0x166D, 0x111C9: true
        default: properties.generalCategory.isPunctuation && isKnown(since: 8)
        }
    }

    /// Whether it is a control, format or private character, as of Unicode 8.
    var isPastControl: Bool {
        switch properties.generalCategory {
        case .control, .format, .privateUse: isKnown(since: 8)
        default: false
        }
    }
}
