/// Finds where pieces end: hand-written matchers for the patterns in `PreTokenizer`.
///
/// Every function takes a start inside the text and returns an end behind it. A byte that is not part of valid UTF-8
/// counts as a symbol of one byte. Each scanner looks at a byte a bounded number of times over all pieces, so that a
/// text of n bytes takes O(n).
struct PieceScanner {
    private let text: ByteView
    private let pattern: PreTokenizer
    private let classes: UnicodeClasses

    /// A scanner over the whole of `text`: its end is where the pattern sees the end of the text.
    init(_ text: ByteView, _ pattern: PreTokenizer, _ classes: UnicodeClasses) {
        self.text = text
        self.pattern = pattern
        self.classes = classes
    }

    /// The end of the piece that starts at `start`, which must be less than the text's length.
    @inline(__always)
    func pieceEnd(_ start: Int) -> Int {
        switch pattern {
        case .gpt2: gpt2(start)
        case .cl100k, .llama3, .qwen2: cl100k(start)
        case .o200k, .tekken: o200k(start)
        }
    }

    /// Whether pieces are certain to be cut at `index`, inside the text.
    ///
    /// No pattern has a piece in which a letter or digit is followed by a space or line break, or follows a line break.
    func isCertainCut(_ index: Int) -> Bool {
        guard index > 0 else { return false }
        if text[index - 1] == 0x0A {
            return character(index).kind & (CharacterClass.letter | CharacterClass.number) != 0
        }
        guard text[index] == 0x20 || text[index] == 0x0A else { return false }
        var start = index - 1
        while start > 0 && index - start < 4 && text[start] & 0xC0 == 0x80 { start -= 1 }
        let before = character(start)
        return start + before.length == index && before.kind & (CharacterClass.letter | CharacterClass.number) != 0
    }

    // MARK: Characters

    /// Class and length in bytes of the character at `index`.
    @inline(__always)
    func character(_ index: Int) -> (kind: UInt8, length: Int) {
        let byte = text[index]
        return byte < 0x80 ? (classes.ascii(byte), 1) : wideCharacter(index)
    }

    @inline(never)
    private func wideCharacter(_ index: Int) -> (kind: UInt8, length: Int) { decoded(index, text[index]) }

    /// A character of two to four bytes, by the table of well-formed sequences (Unicode, table 3-7).
    @inline(__always)
    private func decoded(_ index: Int, _ lead: UInt8) -> (kind: UInt8, length: Int) {
        let left = text.count &- index
        guard lead >= 0xC2, left >= 2 else { return (CharacterClass.symbol, 1) }
        let second = text[index &+ 1]
        guard second & 0xC0 == 0x80 else { return (CharacterClass.symbol, 1) }
        var point = UInt32(second & 0x3F)
        if lead < 0xE0 { return (classes[UInt32(lead & 0x1F) &<< 6 | point], 2) }
        guard left >= 3, text[index &+ 2] & 0xC0 == 0x80 else { return (CharacterClass.symbol, 1) }
        point = point &<< 6 | UInt32(text[index &+ 2] & 0x3F)
        if lead < 0xF0 {
            point |= UInt32(lead & 0x0F) &<< 12
            let wellFormed = point >= 0x800 && !(point >= 0xD800 && point < 0xE000)
            return wellFormed ? (classes[point], 3) : (CharacterClass.symbol, 1)
        }
        guard left >= 4, text[index &+ 3] & 0xC0 == 0x80, lead < 0xF5 else { return (CharacterClass.symbol, 1) }
        point = point &<< 6 | UInt32(text[index &+ 3] & 0x3F) | UInt32(lead & 0x07) &<< 18
        let wellFormed = point >= 0x10000 && point < 0x110000
        return wellFormed ? (classes[point], 4) : (CharacterClass.symbol, 1)
    }

    /// The end of the longest run of characters in `mask` from `index` on.
    @inline(never)
    private func run(_ mask: UInt8, _ index: Int) -> Int {
        var index = index
        while index < text.count {
            let byte = text[index]
            let next = byte < 0x80 ? (kind: classes.ascii(byte), length: 1) : decoded(index, byte)
            guard next.kind & mask != 0 else { break }
            index &+= next.length
        }
        return index
    }

    /// As `run(letter, …)`, eight ASCII letters at a time.
    @inline(__always)
    private func letterRun(_ index: Int) -> Int { asciiRun(index, 0x2020_2020_2020_2020, CharacterClass.letter) }

    /// As `run(lower | caseless | mark, …)`, eight ASCII letters at a time.
    @inline(__always)
    private func lowerRun(_ index: Int) -> Int {
        asciiRun(index, 0, CharacterClass.lower | CharacterClass.caseless | CharacterClass.mark)
    }

    /// The end of the run of "a" to "z" (and, with `caseBits`, "A" to "Z"), and of `mask` once another script shows.
    @inline(__always)
    private func asciiRun(_ index: Int, _ caseBits: UInt64, _ mask: UInt8) -> Int {
        var index = index
        while text.canLoad(8, at: index) && index &+ 8 <= text.count {
            let bytes = text.word(at: index)
            let low = (bytes | caseBits) & 0x7F7F_7F7F_7F7F_7F7F
            let fromA = low &+ 0x1F1F_1F1F_1F1F_1F1F  // top bit: at least "a"
            let behindZ = low &+ 0x0505_0505_0505_0505  // top bit: above "z"
            let stops = ~(fromA & ~behindZ & ~bytes) & 0x8080_8080_8080_8080
            guard stops != 0 else {
                index &+= 8
                continue
            }
            index &+= stops.trailingZeroBitCount &>> 3
            return text[index] < 0x80 ? index : run(mask, index)
        }
        return run(mask, index)
    }

    // MARK: GPT-2

    // 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
    @inline(__always)
    private func gpt2(_ start: Int) -> Int {
        var first = character(start)
        var index = start
        if text[start] == 0x20 && start &+ 1 < text.count {
            let next = character(start &+ 1)
            if next.kind & CharacterClass.space == 0 {
                first = next
                index = start &+ 1
            }
        }
        if first.kind & CharacterClass.letter != 0 { return letterRun(index &+ first.length) }
        if first.kind & CharacterClass.space != 0 { return spaces(start) }
        if first.kind & CharacterClass.number != 0 { return run(CharacterClass.number, index &+ first.length) }
        if text[start] == 0x27, let end = contraction(start, foldingCase: false) { return end }
        return run(CharacterClass.other, index &+ first.length)
    }

    /// The end of `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll` or `'d` at an apostrophe.
    private func contraction(_ start: Int, foldingCase: Bool) -> Int? {
        guard start &+ 1 < text.count else { return nil }
        let fold: UInt8 = foldingCase ? 0x20 : 0
        let first = text[start &+ 1] | fold
        switch first {
        case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"):
            return start &+ 2
        case UInt8(ascii: "r"), UInt8(ascii: "v"), UInt8(ascii: "l"):
            let wanted = first == UInt8(ascii: "l") ? UInt8(ascii: "l") : UInt8(ascii: "e")
            guard start &+ 2 < text.count, text[start &+ 2] | fold == wanted else { return nil }
            return start &+ 3
        case 0xC5 | fold:
            // U+017F, the long s, folds to s.
            guard foldingCase, text[start &+ 1] == 0xC5, start &+ 2 < text.count, text[start &+ 2] == 0xBF else {
                return nil
            }
            return start &+ 3
        default:
            return nil
        }
    }

    /// `\s+(?!\S)|\s+` at a space: all of the run, less its last character where text follows and more than one is
    /// there.
    private func spaces(_ start: Int) -> Int {
        var index = start
        var last = start
        while index < text.count {
            let next = character(index)
            guard next.kind & CharacterClass.space != 0 else { return last > start ? last : index }
            last = index
            index &+= next.length
        }
        return index
    }

    // MARK: cl100k, Llama 3, Qwen 2

    /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|` and the space
    /// rules.
    @inline(__always)
    private func cl100k(_ start: Int) -> Int {
        let first = character(start)
        if first.kind & CharacterClass.letter != 0 { return letterRun(start &+ first.length) }
        if first.kind & CharacterClass.number != 0 {
            return pattern == .qwen2 ? start &+ first.length : digits(start &+ first.length)
        }
        if text[start] == 0x27, let end = contraction(start, foldingCase: true) { return end }
        let second = start &+ first.length
        var index = second
        if first.kind != CharacterClass.newline && second < text.count {
            let next = character(second)
            if next.kind & CharacterClass.letter != 0 { return letterRun(second &+ next.length) }
            if text[start] == 0x20 && next.kind & CharacterClass.other != 0 { index = second &+ next.length }
        }
        guard first.kind & CharacterClass.space == 0 || index > second else {
            return spacesAndLines(start, wholeAtEnd: pattern == .cl100k)
        }
        return run(CharacterClass.newline, run(CharacterClass.other, index))
    }

    /// Up to two more digits behind the first.
    private func digits(_ second: Int) -> Int {
        var index = second
        for _ in 0..<2 where index < text.count {
            let next = character(index)
            guard next.kind & CharacterClass.number != 0 else { break }
            index &+= next.length
        }
        return index
    }

    /// `\s*[\r\n]+|\s+(?!\S)|\s+` at a space, with `\s+\z|` before it where `wholeAtEnd`.
    private func spacesAndLines(_ start: Int, wholeAtEnd: Bool) -> Int {
        var index = start
        var last = start
        var behindLine = start
        while index < text.count {
            let next = character(index)
            guard next.kind & CharacterClass.space != 0 else {
                if behindLine > start { return behindLine }
                return last > start ? last : index
            }
            last = index
            index &+= next.length
            if next.kind == CharacterClass.newline { behindLine = index }
        }
        return behindLine > start && !wholeAtEnd ? behindLine : index
    }

    // MARK: o200k, Tekken

    /// The two word alternatives with case, then numbers, symbols and spaces.
    @inline(__always)
    private func o200k(_ start: Int) -> Int {
        let first = character(start)
        let second = start &+ first.length
        let wordy = CharacterClass.letter | CharacterClass.mark
        if first.kind & CharacterClass.letter != 0 {
            let word = casedWord(start)
            return withContraction(word.end ?? word.upperEnd)
        }
        if first.kind & CharacterClass.number != 0 { return pattern == .tekken ? second : digits(second) }
        if first.kind != CharacterClass.newline && second < text.count
            && character(second).kind & wordy != 0 || first.kind == CharacterClass.mark
        {
            return withContraction(prefixedWord(start, second, first.kind))
        }
        var index = second
        if first.kind & CharacterClass.space != 0 {
            guard text[start] == 0x20, second < text.count else { return spacesAndLines(start, wholeAtEnd: false) }
            let next = character(second)
            guard next.kind & CharacterClass.other != 0 else { return spacesAndLines(start, wholeAtEnd: false) }
            index = second &+ next.length
        }
        index = run(CharacterClass.other, index)
        while index < text.count && (text[index] == 0x0A || text[index] == 0x0D || text[index] == 0x2F) { index &+= 1 }
        return index
    }

    /// `prefix? U* L+`, else a mark alone as far as it goes, else `prefix? U+`, where the first character is a prefix.
    private func prefixedWord(_ start: Int, _ second: Int, _ kind: UInt8) -> Int {
        let behind = casedWord(second)
        if let end = behind.end { return end }
        if kind == CharacterClass.mark, let end = casedWord(start).end { return end }
        return behind.upperEnd
    }

    /// `U* L+` from `start`, with U = upper case, caseless letters and marks, L = lower case and the latter two.
    ///
    /// Where the run of U is not followed by a lower-case letter, the pattern gives back to the last character that is
    /// in both sets. `upperEnd` is the end of `U*`: what `U+ L*` matches when `end` is nil.
    @inline(__always)
    private func casedWord(_ start: Int) -> (end: Int?, upperEnd: Int) {
        var index = start
        var sharedEnd: Int?
        while index < text.count {
            let next = character(index)
            if next.kind == CharacterClass.lower { return (lowerRun(index &+ next.length), index) }
            guard next.kind & (CharacterClass.letter | CharacterClass.mark) != 0 else { break }
            index &+= next.length
            if next.kind != CharacterClass.upper { sharedEnd = index }
        }
        return (sharedEnd, index)
    }

    /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)?` behind a word, except in Tekken.
    @inline(__always)
    private func withContraction(_ end: Int) -> Int {
        guard pattern != .tekken, end < text.count, text[end] == 0x27 else { return end }
        return contraction(end, foldingCase: true) ?? end
    }
}
