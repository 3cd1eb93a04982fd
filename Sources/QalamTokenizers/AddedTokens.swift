/// A token that is found in text before anything else is done to it, such as `<|endoftext|>`.
struct AddedToken: Sendable, Equatable {
    /// The text that becomes the token.
    var content: String
    var id: TokenID
    /// Whether it is control text that `allowSpecial: false` leaves as plain text and `skipSpecial: true` leaves out.
    var special = true
    /// Whether it takes the whitespace before it along.
    var lstrip = false
    /// Whether it takes the whitespace behind it along.
    var rstrip = false
    /// Whether it counts only where no word character touches it.
    var singleWord = false
    /// Whether it is looked for in normalized text rather than in the text as given.
    var normalized = false
}

/// Finds added tokens: the longest that starts at the leftmost place, over a trie with a filter on first bytes.
///
/// Cost: O(n) for a text of n bytes, times the length of the longest token where texts nearly match it everywhere.
struct AddedTokenMatcher: Sendable {
    /// A token in a text, with the whitespace it takes along.
    struct Match {
        let start: Int
        let end: Int
        let token: AddedToken
    }

    private struct Node: Sendable {
        var children: [UInt8: Int] = [:]
        /// Index of the token that ends here, -1 if none does.
        var token = -1
    }

    private let tokens: [AddedToken]
    private var nodes = [Node()]
    private let starts = Block<Bool>(count: 256, repeating: false)
    /// The byte that all tokens start with, if they do.
    private let onlyStart: UInt8?
    private let hasPlain: Bool

    /// Whether there is anything to find.
    func finds(allowSpecial: Bool) -> Bool { allowSpecial ? !tokens.isEmpty : hasPlain }

    /// A matcher of `tokens`; those without text are never found.
    init(_ tokens: [AddedToken]) {
        self.tokens = tokens
        hasPlain = tokens.contains { !$0.special }
        let firsts = Set(tokens.compactMap(\.content.utf8.first))
        onlyStart = firsts.count == 1 ? firsts.first : nil
        for (index, token) in tokens.enumerated() {
            guard let first = token.content.utf8.first else { continue }
            starts[Int(first)] = true
            var at = 0
            for byte in token.content.utf8 {
                if let child = nodes[at].children[byte] {
                    at = child
                } else {
                    nodes.append(Node())
                    nodes[at].children[byte] = nodes.count - 1
                    at = nodes.count - 1
                }
            }
            if nodes[at].token < 0 { nodes[at].token = index }
        }
    }

    /// The first match from `from` on, where text before `from` is already spoken for.
    ///
    /// Tokens that are special are passed over, as a whole, unless `allowSpecial`.
    func next(in text: ByteView, from: Int, allowSpecial: Bool, classes: UnicodeClasses) -> Match? {
        var index = from
        while index < text.count {
            if let onlyStart { index = text.firstIndex(of: onlyStart, from: index) }
            guard index < text.count, starts[Int(text[index])], let found = longest(text, index) else {
                index += 1
                continue
            }
            let token = tokens[found.token]
            let end = found.end
            guard allowSpecial || !token.special, !token.singleWord || standsAlone(text, index, end, classes) else {
                index = end
                continue
            }
            let start = token.lstrip ? leftmostSpace(text, index, from, classes) : index
            return Match(start: start, end: token.rstrip ? spacesEnd(text, end, classes) : end, token: token)
        }
        return nil
    }

    private func longest(_ text: ByteView, _ start: Int) -> (token: Int, end: Int)? {
        var best: (Int, Int)?
        var at = 0
        var index = start
        while index < text.count, let child = nodes[at].children[text[index]] {
            at = child
            index += 1
            if nodes[at].token >= 0 { best = (nodes[at].token, index) }
        }
        return best
    }

    private func spacesEnd(_ text: ByteView, _ start: Int, _ classes: UnicodeClasses) -> Int {
        let scanner = PieceScanner(text, .gpt2, classes)
        var index = start
        while index < text.count {
            let next = scanner.character(index)
            guard next.kind & CharacterClass.space != 0 else { break }
            index += next.length
        }
        return index
    }

    private func leftmostSpace(_ text: ByteView, _ end: Int, _ limit: Int, _ classes: UnicodeClasses) -> Int {
        var index = end
        while let previous = characterBefore(text, index, limit, classes), previous.kind & CharacterClass.space != 0 {
            index -= previous.length
        }
        return index
    }

    private func characterBefore(
        _ text: ByteView, _ end: Int, _ limit: Int, _ classes: UnicodeClasses
    ) -> (kind: UInt8, length: Int)? {
        guard end > limit else { return nil }
        var start = end - 1
        while start > limit && end - start < 4 && text[start] & 0xC0 == 0x80 { start -= 1 }
        let found = PieceScanner(text, .gpt2, classes).character(start)
        return start + found.length == end ? found : (CharacterClass.symbol, 1)
    }

    /// Whether neither neighbour of `start ..< end` is a word character.
    private func standsAlone(_ text: ByteView, _ start: Int, _ end: Int, _ classes: UnicodeClasses) -> Bool {
        if let before = characterBefore(text, start, 0, classes), isWord(text, start - before.length, start) {
            return false
        }
        guard end < text.count else { return true }
        return !isWord(text, end, end + PieceScanner(text, .gpt2, classes).character(end).length)
    }

    /// Whether the character in `start ..< end` is `\w`.
    private func isWord(_ text: ByteView, _ start: Int, _ end: Int) -> Bool {
        guard let scalar = text.string(start, end).unicodeScalars.first else { return false }
        return isWordCharacter(scalar)
    }
}
