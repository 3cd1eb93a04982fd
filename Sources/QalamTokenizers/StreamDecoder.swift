/// Turns ids into text one at a time and never emits half a character.
///
/// All text it gives, joined, is what `Tokenizer.decode` gives for all ids: bytes that can still become a character
/// wait for the next id, others become U+FFFD at once.
public struct StreamDecoder: Sendable {
    /// Whose tokens are decoded.
    public let tokenizer: Tokenizer
    private let skipSpecial: Bool
    /// Bytes that may be the beginning of a character.
    private var pending: [UInt8] = []
    private var state: TokenDecoder.State

    /// A decoder at the beginning of a text.
    public init(_ tokenizer: Tokenizer) {
        self.init(tokenizer, skipSpecial: false)
    }

    /// A decoder that may leave special tokens out.
    ///
    /// It starts at the beginning of a text or, where `continuesText`, behind text that is already there: some
    /// tokenizers have a space before the first word, which belongs to the text only in the latter case.
    public init(_ tokenizer: Tokenizer, skipSpecial: Bool, continuesText: Bool = false) {
        self.tokenizer = tokenizer
        self.skipSpecial = skipSpecial
        state = tokenizer.decoder.start(continues: continuesText)
    }

    /// The text that `id` completes; empty while a character is incomplete.
    public mutating func append(_ id: TokenID) -> String {
        if skipSpecial && tokenizer.isSpecial(id) { return "" }
        tokenizer.decoder.append(id, &state, to: &pending)
        let end = pending.count - Self.incompleteTail(pending)
        guard end > 0 else { return "" }
        defer { pending.removeFirst(end) }
        return String(decoding: pending[..<end], as: UTF8.self)
    }

    /// The text of what is left: U+FFFD where the ids ended inside a character.
    public mutating func finish() -> String {
        defer { pending.removeAll() }
        return String(decoding: pending, as: UTF8.self)
    }

    /// How many bytes at the end are the beginning of a character that more bytes could complete (0 to 3).
    private static func incompleteTail(_ bytes: [UInt8]) -> Int {
        for length in 1...3 where length <= bytes.count {
            let lead = bytes[bytes.count - length]
            if lead & 0xC0 == 0x80 { continue }
            let needed =
                switch lead {
                case 0xC2..<0xE0: 2
                case 0xE0..<0xF0: 3
                case 0xF0..<0xF5: 4
                default: 0
                }
            guard needed > length else { return 0 }
            if length >= 2 {
                // Second bytes that would make an overlong form, a surrogate or a point above U+10FFFF.
                let second = bytes[bytes.count - length + 1]
                let range: ClosedRange<UInt8> =
                    switch lead {
                    case 0xE0: 0xA0...0xBF
                    case 0xED: 0x80...0x9F
                    case 0xF0: 0x90...0xBF
                    case 0xF4: 0x80...0x8F
                    default: 0x80...0xBF
                    }
                guard range.contains(second) else { return 0 }
            }
            return length
        }
        return 0
    }
}
