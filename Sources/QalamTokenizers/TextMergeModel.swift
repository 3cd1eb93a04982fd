// SPDX-License-Identifier: Apache-2.0

/// BPE on characters rather than bytes, as SentencePiece trains it (Kudo and Richardson 2018): spaces are written "▁",
/// and characters without a token become the tokens of their bytes, `<0x00>` to `<0xFF>`, or the unknown token.
struct TextMergeModel: PieceModel {
    /// Which neighbours merge.
    enum Order: Sendable {
        /// Those that a list names, in its order (Hugging Face `tokenizers`).
        case ranks(MergeTable)
        /// Those whose text together is a token, highest score first: what sorts the scores, by id (SentencePiece).
        case scores(Block<UInt32>)
    }

    let index: TokenIndex
    let order: Order
    /// The token of each byte; nil where not every byte has one.
    let byteTokens: Block<TokenID>?
    let unknown: TokenID?
    /// Whether neighbouring unknown characters become one token.
    let fusesUnknown: Bool
    /// Whether a piece that is itself a token is taken whole before any merge.
    let takesWholePieces: Bool
    let cuts: SpaceCuts

    /// Appends the ids of `text`, cut where no token reaches across.
    func encode(_ text: ByteView, _ encoder: inout PieceEncoder, into output: inout TokenBuffer) {
        var start = 0
        while start < text.count {
            let end = cuts.next(in: text, from: start)
            encoder.encodePiece(text.slice(start, end), self, into: &output)
            start = end
        }
    }

    func append(_ piece: ByteView, _ scratch: inout PieceScratch, into output: inout TokenBuffer) {
        if takesWholePieces, let id = index[piece] { return output.append(id) }
        for start in stride(from: 0, to: piece.count, by: MergeQueue.limit) {
            merge(piece.slice(start, min(start + MergeQueue.limit, piece.count)), &scratch, into: &output)
        }
    }

    private func merge(_ piece: ByteView, _ scratch: inout PieceScratch, into output: inout TokenBuffer) {
        scratch.queue.reserve(piece.count)
        scratch.reserveStarts(piece.count + 1)
        let count = split(piece, scratch)
        scratch.starts[count] = Int32(piece.count)
        let starts = scratch.starts
        switch order {
        case .ranks(let merges): scratch.queue.merge(count, RankRule(merges: merges))
        case .scores(let scores):
            scratch.queue.merge(count, ScoreRule(index: index, scores: scores, text: piece, starts: starts))
        }
        scratch.queue.forEachPart { id, first, end in
            if id >= 0 { return output.append(id) }
            guard let byteTokens else {
                if let unknown { output.append(unknown) }
                return
            }
            for byte in Int(starts[first])..<Int(starts[end]) { output.append(byteTokens[Int(piece[byte])]) }
        }
    }

    /// Writes the tokens of single characters as parts and where each starts; the number of parts.
    private func split(_ piece: ByteView, _ scratch: PieceScratch) -> Int {
        let scanner = PieceScanner(piece, .gpt2, .shared)
        var count = 0
        var at = 0
        var afterUnknown = false
        func part(_ id: TokenID, _ start: Int) {
            scratch.queue.parts[count] = id
            scratch.starts[count] = Int32(start)
            count += 1
        }
        while at < piece.count {
            let end = at + scanner.character(at).length
            let known = index[piece.slice(at, end)]
            if let known {
                part(known, at)
            } else if case .scores = order {
                part(-1, at)
            } else if let byteTokens {
                for byte in at..<end { part(byteTokens[Int(piece[byte])], byte) }
            } else if let unknown, !(fusesUnknown && afterUnknown) {
                part(unknown, at)
            }
            afterUnknown = known == nil
            at = end
        }
        return count
    }
}

private struct RankRule: MergeRule {
    let merges: MergeTable

    func value(_ parts: Block<TokenID>, _ left: Int, _ right: Int, end: Int) -> UInt64 {
        merges.lookup(parts[left], parts[right])
    }
}

private struct ScoreRule: MergeRule {
    let index: TokenIndex
    let scores: Block<UInt32>
    let text: ByteView
    let starts: Block<Int32>

    func value(_ parts: Block<TokenID>, _ left: Int, _ right: Int, end: Int) -> UInt64 {
        guard let id = index[text.slice(Int(starts[left]), Int(starts[end]))] else { return MergeTable.none }
        return UInt64(scores[Int(id)]) << 32 | UInt64(UInt32(bitPattern: id))
    }
}

/// Where text can be cut before "▁" (U+2581) without changing its ids: behind bytes that no token has before a "▁".
struct SpaceCuts: Sendable {
    /// Whether some token has a "▁" behind this byte.
    private let crossing: Block<Bool>

    /// The cuts that the tokens of `vocabulary` allow; none where `isAllowed` is false.
    init(_ vocabulary: Vocabulary, isAllowed: Bool) {
        crossing = Block(count: 256, repeating: !isAllowed)
        guard isAllowed else { return }
        for id in 0..<TokenID(vocabulary.size) {
            guard let token = vocabulary[id], token.count > 3 else { continue }
            var at = token.startIndex + 1
            while at + 2 < token.endIndex {
                if token[at] == 0xE2 && token[at + 1] == 0x96 && token[at + 2] == 0x81 {
                    crossing[Int(token[at - 1])] = true
                }
                at += 1
            }
        }
    }

    /// The first cut behind `start`, the end of the text where there is none.
    @inline(__always)
    func next(in text: ByteView, from start: Int) -> Int {
        var at = start + 1
        while at < text.count {
            at = text.firstIndex(of: 0xE2, from: at)
            guard at + 2 < text.count else { return text.count }
            if text[at + 1] == 0x96 && text[at + 2] == 0x81 && !crossing[Int(text[at - 1])] { return at }
            at += 1
        }
        return text.count
    }
}

extension Float {
    /// A word that is smaller for higher numbers; the same for both zeros.
    var descendingKey: UInt32 {
        let bits = (self + 0).bitPattern
        let ascending = bits & 0x8000_0000 != 0 ? ~bits : bits | 0x8000_0000
        return ~ascending
    }
}
