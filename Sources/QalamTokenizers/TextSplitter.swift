// SPDX-License-Identifier: Apache-2.0

/// Cuts normalized text into the pieces that a model sees one at a time, for tokenizers that are not byte-level.
struct TextSplitter: Sendable, Equatable {
    /// One step; each sees the pieces of the one before.
    enum Step: Sendable, Equatable {
        /// Spaces become "▁", one is put in front, and pieces begin with it.
        case metaspace(prepends: Prepending, splits: Bool)
        /// Cuts at text that is given.
        case literal([UInt8], SplitBehavior)
        /// Cuts by a known pattern.
        case pattern(PreTokenizer)
        /// Words and runs of other characters that are not whitespace: `\w+|[^\w\s]+`.
        case words
        /// Cuts at whitespace, which goes.
        case whitespace
        case punctuation(SplitBehavior)
        case digits(SplitBehavior)
        /// BERT's words: cuts at whitespace, which goes, and around each mark.
        case bert
    }

    /// Where a "▁" is put in front of a text.
    enum Prepending: String, Sendable {
        case always, never, first
    }

    var steps: [Step] = []

    /// The pieces of `text`; `isFirst` where the text that the tokenizer was given begins with it.
    func split(_ text: ByteView, isFirst: Bool, _ body: (ByteView) -> Void) {
        var pieces = SplitText(text.array(0, text.count))
        for step in steps { pieces = step.apply(to: pieces, isFirst: isFirst) }
        ByteView.with(pieces.bytes) { view in
            var start = 0
            for end in pieces.ends {
                if end > start { body(view.slice(start, end)) }
                start = end
            }
        }
    }
}

/// What becomes of the text at which another text is cut.
enum SplitBehavior: String, Sendable {
    case removed = "Removed"
    case isolated = "Isolated"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    case contiguous = "Contiguous"
}

/// Text in pieces.
struct SplitText {
    private(set) var bytes: [UInt8] = []
    private(set) var ends: [Int] = []

    /// No text yet.
    init() {}

    /// One piece.
    init(_ piece: [UInt8]) {
        bytes = piece
        ends = [piece.count]
    }

    /// Adds text to the piece that is open.
    mutating func write(_ text: ByteView) { bytes += text.array(0, text.count) }

    /// Adds bytes to the piece that is open.
    mutating func write(_ text: [UInt8]) { bytes += text }

    /// Ends the piece that is open, unless it is empty.
    mutating func cut() {
        if bytes.count > ends.last ?? 0 { ends.append(bytes.count) }
    }

    /// Calls `body` with each piece.
    func forEach(_ body: (ByteView) -> Void) {
        ByteView.with(bytes) { view in
            var start = 0
            for end in ends {
                body(view.slice(start, end))
                start = end
            }
        }
    }
}

extension TextSplitter.Step {
    /// The pieces that this step makes of `pieces`.
    fileprivate func apply(to pieces: SplitText, isFirst: Bool) -> SplitText {
        var output = SplitText()
        var isFirst = isFirst
        pieces.forEach { piece in
            apply(to: piece, isFirst, &output)
            output.cut()
            isFirst = false
        }
        return output
    }

    private func apply(to piece: ByteView, _ isFirst: Bool, _ output: inout SplitText) {
        switch self {
        case .metaspace(let prepends, let splits):
            metaspace(piece, prepends == .always || prepends == .first && isFirst, splits, &output)
        case .literal(let text, let behavior):
            var cuts = Cuts(piece, behavior)
            ByteView.with(text) { cuts.find($0) }
            cuts.write(to: &output)
        case .pattern(let pattern):
            let scanner = PieceScanner(piece, pattern, .shared)
            var start = 0
            while start < piece.count {
                let end = scanner.pieceEnd(start)
                output.write(piece.slice(start, end))
                output.cut()
                start = end
            }
        case .words: words(piece, &output)
        case .whitespace: cut(piece, .removed, &output) { isSpace($0) }
        case .punctuation(let behavior): cut(piece, behavior, &output) { isPunctuation($0) }
        case .digits(let behavior): cut(piece, behavior, &output) { isNumber($0) }
        case .bert: bert(piece, &output)
        }
    }

    private func metaspace(_ piece: ByteView, _ prepends: Bool, _ splits: Bool, _ output: inout SplitText) {
        let mark: [UInt8] = [0xE2, 0x96, 0x81]
        let startsWithMark =
            piece.count > 0 && piece[0] == 0x20 || piece.count >= 3 && piece.array(0, 3) == mark
        if prepends && !startsWithMark { output.write(mark) }
        var start = 0
        var at = 0
        while at < piece.count {
            let isMark = piece[at] == 0xE2 && at + 2 < piece.count && piece[at + 1] == 0x96 && piece[at + 2] == 0x81
            guard piece[at] == 0x20 || isMark else {
                at += 1
                continue
            }
            output.write(piece.slice(start, at))
            if splits { output.cut() }
            output.write(mark)
            at += isMark ? 3 : 1
            start = at
        }
        output.write(piece.slice(start, piece.count))
    }

    private func words(_ piece: ByteView, _ output: inout SplitText) {
        var last = 0
        forEachScalar(piece) { scalar, slice in
            let kind = isSpace(scalar) ? 0 : isWordCharacter(scalar) ? 1 : 2
            if kind != last { output.cut() }
            if kind != 0 { output.write(slice) }
            last = kind
        }
    }

    private func bert(_ piece: ByteView, _ output: inout SplitText) {
        forEachScalar(piece) { scalar, slice in
            guard !isSpace(scalar) else { return output.cut() }
            let isMark = isPunctuation(scalar)
            if isMark { output.cut() }
            output.write(slice)
            if isMark { output.cut() }
        }
    }

    private func cut(
        _ piece: ByteView, _ behavior: SplitBehavior, _ output: inout SplitText, at matches: (Unicode.Scalar) -> Bool
    ) {
        var cuts = Cuts(piece, behavior)
        var at = 0
        forEachScalar(piece) { scalar, slice in
            if matches(scalar) { cuts.add(at, at + slice.count) }
            at += slice.count
        }
        cuts.write(to: &output)
    }

    /// Calls `body` with each code point and its bytes; U+FFFD with each byte that is not UTF-8.
    private func forEachScalar(_ piece: ByteView, _ body: (Unicode.Scalar, ByteView) -> Void) {
        let scanner = PieceScanner(piece, .gpt2, .shared)
        var at = 0
        while at < piece.count {
            let length = scanner.character(at).length
            body(piece.scalar(at, length), piece.slice(at, at + length))
            at += length
        }
    }

    private func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        UnicodeClasses.shared[scalar.value] & CharacterClass.space != 0
    }

    private func isNumber(_ scalar: Unicode.Scalar) -> Bool {
        UnicodeClasses.shared[scalar.value] & CharacterClass.number != 0
    }

    private func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: true
        default: !scalar.isASCII && scalar.isPastPunctuation
        }
    }
}

/// Whether `scalar` is `\w` (Unicode Technical Standard 18, annex C), as of Unicode 16.
func isWordCharacter(_ scalar: Unicode.Scalar) -> Bool {
    guard scalar.isKnown(since: 16) else { return false }
    return switch scalar.properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: true
    default: scalar.properties.isAlphabetic || scalar.properties.isJoinControl
    }
}

/// Places at which a piece is cut, in order.
private struct Cuts {
    private let piece: ByteView
    private let behavior: SplitBehavior
    private var matches: [(start: Int, end: Int)] = []

    init(_ piece: ByteView, _ behavior: SplitBehavior) {
        self.piece = piece
        self.behavior = behavior
    }

    mutating func add(_ start: Int, _ end: Int) {
        if behavior == .contiguous, let last = matches.last, last.end == start {
            matches[matches.count - 1].end = end
        } else {
            matches.append((start, end))
        }
    }

    /// Adds each place of `text`, from left to right.
    mutating func find(_ text: ByteView) {
        guard text.count > 0 else { return }
        var at = 0
        while true {
            at = piece.firstIndex(of: text[0], from: at)
            guard at + text.count <= piece.count else { return }
            if piece.equals(at: at, text) {
                add(at, at + text.count)
                at += text.count
            } else {
                at += 1
            }
        }
    }

    func write(to output: inout SplitText) {
        var start = 0
        for match in matches {
            output.write(piece.slice(start, match.start))
            if behavior != .mergedWithPrevious { output.cut() }
            if behavior != .removed { output.write(piece.slice(match.start, match.end)) }
            if behavior != .mergedWithNext { output.cut() }
            start = match.end
        }
        output.write(piece.slice(start, piece.count))
    }
}
