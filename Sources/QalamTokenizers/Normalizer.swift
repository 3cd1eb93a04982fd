// SPDX-License-Identifier: Apache-2.0

/// What is done to text before it is cut into pieces, step by step.
///
/// Steps that concern characters leave a text alone that is not UTF-8. What is a mark or punctuation follows the
/// versions of Unicode that Hugging Face's library has: 9 for the forms and `stripAccents`, 8 for BERT.
struct Normalizer: Sendable, Equatable {
    /// One step.
    enum Step: Sendable, Equatable {
        /// Puts text before a text that is not empty.
        case prepend([UInt8])
        /// Replaces text, each place of it from left to right.
        case replace([UInt8], with: [UInt8])
        /// Replaces runs of characters: ` {2,}` or `\s+`.
        case replaceRuns(Runs, with: [UInt8])
        case composed(compatible: Bool)
        case decomposed(compatible: Bool)
        case lowercase
        case strip(left: Bool, right: Bool)
        case stripAccents
        case bert(BertNormalization)
        case nmt
        case precompiled(CharacterMap)
    }

    /// Runs of characters that a pattern names.
    enum Runs: String, Sendable {
        case spaces = " {2,}"
        case whitespace = "\\s+"
    }

    var steps: [Step] = []

    /// The normalized text; nil where it is the text as it is.
    func apply(_ text: ByteView) -> [UInt8]? {
        guard !steps.isEmpty, needsWork(text) else { return nil }
        var bytes = text.array(0, text.count)
        for step in steps { step.apply(to: &bytes) }
        return bytes
    }

    /// The normalized form of `text`.
    func apply(_ text: String) -> String {
        ByteView.with(text) { view in apply(view).map { String(decoding: $0, as: UTF8.self) } } ?? text
    }

    private func needsWork(_ text: ByteView) -> Bool {
        steps == [.composed(compatible: false)] ? text.mayNeedComposing() : true
    }
}

extension Normalizer.Step {
    /// Does this step to `bytes`.
    fileprivate func apply(to bytes: inout [UInt8]) {
        switch self {
        case .prepend(let prefix):
            if !bytes.isEmpty { bytes.insert(contentsOf: prefix, at: 0) }
        case .replace(let old, let new):
            bytes = replacing(old, new, in: bytes)
        default:
            guard let text = String(validating: bytes, as: UTF8.self) else { return }
            bytes = [UInt8](applied(to: text).utf8)
        }
    }

    private func replacing(_ old: [UInt8], _ new: [UInt8], in bytes: [UInt8]) -> [UInt8] {
        guard let first = old.first else { return bytes }
        return ByteView.with(bytes) { text in
            var output: [UInt8] = []
            output.reserveCapacity(bytes.count + bytes.count / 2)
            var start = 0
            var at = 0
            while true {
                at = text.firstIndex(of: first, from: at)
                guard at + old.count <= text.count else { break }
                guard old.count == 1 || bytes[at..<at + old.count].elementsEqual(old) else {
                    at += 1
                    continue
                }
                output += bytes[start..<at]
                output += new
                at += old.count
                start = at
            }
            output += bytes[start...]
            return output
        }
    }

    private func applied(to text: String) -> String {
        switch self {
        case .prepend, .replace: text
        case .replaceRuns(let runs, let new): replacingRuns(runs, new, in: text)
        case .composed(let isCompatible): text.normalized(compatible: isCompatible, composes: true)
        case .decomposed(let isCompatible): text.normalized(compatible: isCompatible, composes: false)
        case .lowercase: text.mappingScalars { $0.properties.lowercaseMapping }
        case .strip(let left, let right): stripped(text, left, right)
        case .stripAccents: text.filteringScalars { !$0.isPastMark }
        case .bert(let rules): rules.apply(text)
        case .nmt: nmt(text)
        case .precompiled(let map): map.apply(text)
        }
    }

    private func replacingRuns(_ runs: Normalizer.Runs, _ new: [UInt8], in text: String) -> String {
        let replacement = String(decoding: new, as: UTF8.self)
        var output = String.UnicodeScalarView()
        var run: [Unicode.Scalar] = []
        func close() {
            if run.count >= (runs == .spaces ? 2 : 1) {
                output.append(contentsOf: replacement.unicodeScalars)
            } else {
                output.append(contentsOf: run)
            }
            run.removeAll(keepingCapacity: true)
        }
        for scalar in text.unicodeScalars {
            if runs == .spaces ? scalar == " " : scalar.properties.isWhitespace {
                run.append(scalar)
            } else {
                close()
                output.append(scalar)
            }
        }
        close()
        return String(output)
    }

    private func stripped(_ text: String, _ left: Bool, _ right: Bool) -> String {
        var scalars = text.unicodeScalars[...]
        if left { scalars = scalars.drop { $0.properties.isWhitespace } }
        while right, let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
        return String(scalars)
    }

    /// The rules of Google's neural translation, as SentencePiece has them: control characters go, and characters that
    /// show as nothing or as space become a space.
    private func nmt(_ text: String) -> String {
        var output = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x8F, 0x9F: continue
            case 0x09, 0x0A, 0x0C, 0x0D, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD:
                output.append(" ")
            default: output.append(scalar)
            }
        }
        return String(output)
    }
}

/// What BERT does to text (Devlin and others 2018, in Hugging Face's reading).
struct BertNormalization: Sendable, Equatable {
    /// Control characters go, and whitespace becomes a space.
    var cleansText = true
    /// Chinese characters become words of their own.
    var isolatesChinese = true
    /// Accents go; nil does as `lowercases`.
    var stripsAccents: Bool?
    var lowercases = true

    /// The normalized form of `text`.
    func apply(_ text: String) -> String {
        var text = text
        if cleansText { text = Self.cleaned(text) }
        if isolatesChinese { text = Self.isolatingChinese(text) }
        if stripsAccents ?? lowercases {
            text = text.normalized(compatible: false, composes: false).filteringScalars { !$0.isPastNonspacingMark }
        }
        return lowercases ? text.mappingScalars { $0.properties.lowercaseMapping } : text
    }

    private static func cleaned(_ text: String) -> String {
        var output = String.UnicodeScalarView()
        for scalar in text.unicodeScalars where scalar.value != 0 && scalar.value != 0xFFFD && !isControl(scalar) {
            output.append(scalar.properties.isWhitespace ? " " : scalar)
        }
        return String(output)
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0A, 0x0D: false
        default: scalar.isPastControl
        }
    }

    private static func isolatingChinese(_ text: String) -> String {
        text.mappingScalars { isChinese($0.value) ? " \($0) " : String($0) }
    }

    /// Whether a code point is in the blocks that BERT takes for Chinese; 2B920 for 2B820 is Hugging Face's.
    static func isChinese(_ point: UInt32) -> Bool {
        switch point {
        case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F, 0x2B740...0x2B81F,
            0x2B920...0x2CEAF, 0xF900...0xFAFF, 0x2F800...0x2FA1F:
            true
        default: false
        }
    }
}

extension Unicode.GeneralCategory {
    /// Whether it is a kind of combining mark.
    var isMark: Bool { self == .nonspacingMark || self == .spacingMark || self == .enclosingMark }

    /// Whether it is a kind of punctuation.
    var isPunctuation: Bool {
        switch self {
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
            .finalPunctuation, .otherPunctuation:
            true
        default: false
        }
    }
}

extension String {
    /// The text with each code point replaced.
    func mappingScalars(_ body: (Unicode.Scalar) -> String) -> String {
        var output: [UInt8] = []
        output.reserveCapacity(utf8.count)
        for scalar in unicodeScalars { output += body(scalar).utf8 }
        return String(decoding: output, as: UTF8.self)
    }

    /// The text in a normalization form.
    func normalized(compatible isCompatible: Bool, composes: Bool) -> String {
        var forms = UnicodeForms(compatible: isCompatible, composes: composes)
        return forms.apply(self)
    }

    /// The text with only the code points that `isKept` holds for.
    func filteringScalars(_ isKept: (Unicode.Scalar) -> Bool) -> String {
        String(String.UnicodeScalarView(unicodeScalars.filter(isKept)))
    }
}
