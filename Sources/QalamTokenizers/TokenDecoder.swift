// SPDX-License-Identifier: Apache-2.0

/// Turns ids into bytes: the text of each token, made once, and what is done where a text begins.
struct TokenDecoder: Sendable {
    /// How tokens become text.
    enum Style: Sendable, Equatable {
        /// The bytes of tokens, one behind the other.
        case bytes
        /// Tokens are text in which "▁" is a space and `<0x00>` to `<0xFF>` are bytes where `takesBytes`.
        case pieces(leading: Leading, takesBytes: Bool)
        /// Tokens are words, those behind `prefix` parts of the word before; `cleansUp` closes gaps before marks.
        case words(prefix: [UInt8], cleansUp: Bool)
    }

    /// What becomes of spaces at the beginning of a text.
    enum Leading: Sendable, Equatable {
        case kept
        /// Up to so many go.
        case stripped(Int)
        /// All in the first token go.
        case noneInFirst
    }

    /// Where in a text a decoder is.
    struct State: Sendable {
        fileprivate var isFirst = true
        fileprivate var strips: Int
    }

    private let style: Style
    private let texts: TokenTexts
    private let vocabulary: Vocabulary

    /// A decoder of `vocabulary`, whose tokens are as `style` says.
    init(_ vocabulary: Vocabulary, _ style: Style) {
        self.style = style
        self.vocabulary = vocabulary
        switch style {
        case .bytes:
            texts = TokenTexts(vocabulary)
        case .pieces(_, let takesBytes):
            texts = TokenTexts(vocabulary) { Self.pieceText($0, takesBytes) }
        case .words(let prefix, let cleansUp):
            texts = TokenTexts(vocabulary) { token in
                let isPart = !prefix.isEmpty && token.starts(with: prefix)
                let text = isPart ? [UInt8](token.dropFirst(prefix.count)) : [0x20] + token
                return cleansUp ? Self.cleanedUp(text) : text
            }
        }
    }

    /// The state at the beginning of a text, or in the middle of one where `continues`.
    func start(continues: Bool) -> State {
        guard !continues else { return State(isFirst: false, strips: 0) }
        if case .pieces(.stripped(let count), _) = style { return State(strips: count) }
        return State(strips: 0)
    }

    /// The text of `ids`, with U+FFFD for what is not UTF-8.
    func decode(_ ids: [TokenID]) -> String {
        switch style {
        case .bytes, .pieces(.kept, _): return texts.decode(ids)
        default: break
        }
        var state = start(continues: false)
        var bytes: [UInt8] = []
        for id in ids { append(id, &state, to: &bytes) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends the bytes of `id`, none where there is no such id.
    func append(_ id: TokenID, _ state: inout State, to bytes: inout [UInt8]) {
        defer { state.isFirst = false }
        switch style {
        case .bytes, .pieces(.kept, _):
            texts.append(id, to: &bytes)
        case .pieces(.noneInFirst, let takesBytes):
            guard state.isFirst, let token = vocabulary[id] else { return texts.append(id, to: &bytes) }
            bytes += Self.pieceText(token, takesBytes, space: [])
        case .pieces(.stripped, _):
            let first = bytes.count
            texts.append(id, to: &bytes)
            guard state.strips > 0 else { return }
            let spaces = bytes[first...].prefix(state.strips).prefix { $0 == 0x20 }.count
            state.strips = first + spaces == bytes.count ? state.strips - spaces : 0
            bytes.removeSubrange(first..<first + spaces)
        case .words(_, let cleansUp):
            guard state.isFirst, let token = vocabulary[id] else { return texts.append(id, to: &bytes) }
            bytes += cleansUp ? Self.cleanedUp([UInt8](token)) : [UInt8](token)
        }
    }

    /// The bytes that `id` stands for inside a text; nil where there is no such id.
    func bytes(of id: TokenID) -> [UInt8]? {
        guard vocabulary[id] != nil else { return nil }
        var bytes: [UInt8] = []
        texts.append(id, to: &bytes)
        return bytes
    }

    private static func pieceText(
        _ token: ArraySlice<UInt8>, _ takesBytes: Bool, space: [UInt8] = [0x20]
    ) -> [UInt8] {
        if takesBytes, let byte = byteValue(token) { return [byte] }
        guard token.contains(0xE2) else { return [UInt8](token) }
        var text: [UInt8] = []
        var at = token.startIndex
        while at < token.endIndex {
            if token[at] == 0xE2, at + 2 < token.endIndex, token[at + 1] == 0x96, token[at + 2] == 0x81 {
                text += space
                at += 3
            } else {
                text.append(token[at])
                at += 1
            }
        }
        return text
    }

    /// The byte that a token such as `<0x0A>` stands for.
    static func byteValue(_ token: ArraySlice<UInt8>) -> UInt8? {
        guard token.count == 6, token.starts(with: [0x3C, 0x30, 0x78]), token.last == 0x3E else { return nil }
        var value: UInt8 = 0
        for byte in token.dropFirst(3).dropLast() {
            switch byte {
            case 0x30...0x39: value = value << 4 | (byte - 0x30)
            case 0x41...0x46, 0x61...0x66: value = value << 4 | (byte & 0x0F + 9)
            default: return nil
            }
        }
        return value
    }

    /// Closes the gaps before marks and in contractions that splitting into words made.
    private static func cleanedUp(_ text: [UInt8]) -> [UInt8] {
        var text = String(decoding: text, as: UTF8.self)
        for (old, new) in [
            (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
            (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
        ] where text.utf8.count >= old.utf8.count {
            text = text.replacing(old, with: new)
        }
        return [UInt8](text.utf8)
    }
}
