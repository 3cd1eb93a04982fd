// SPDX-License-Identifier: Apache-2.0

/// The most probable way to cut a piece into tokens (Kudo 2018), found with Viterbi's algorithm.
///
/// Characters without a token cost ten more than the least probable token; neighbouring ones become one unknown token,
/// or the tokens of their bytes.
struct UnigramModel: PieceModel {
    let trie: TokenTrie
    /// Logarithms of probabilities, by id.
    let scores: Block<Double>
    let unknown: TokenID?
    let unknownScore: Double
    let byteTokens: Block<TokenID>?

    /// The best way to a place in a piece.
    private struct Step: BitwiseCopyable {
        var score = -Double.infinity
        var start = 0
        /// -1 where a character has no token.
        var id: TokenID = -1
    }

    func append(_ piece: ByteView, _ scratch: inout PieceScratch, into output: inout TokenBuffer) {
        let best = Block<Step>(count: piece.count + 1, repeating: Step())
        best[0].score = 0
        let scanner = PieceScanner(piece, .gpt2, .shared)
        var at = 0
        while at < piece.count {
            let length = scanner.character(at).length
            let score = best[at].score
            var hasCharacter = false
            trie.forEachToken(piece, from: at) { id, end in
                if end == at + length { hasCharacter = true }
                let candidate = score + scores[Int(id)]
                if candidate > best[end].score { best[end] = Step(score: candidate, start: at, id: id) }
            }
            if !hasCharacter && score + unknownScore > best[at + length].score {
                best[at + length] = Step(score: score + unknownScore, start: at, id: -1)
            }
            at += length
        }
        write(best, piece, into: &output)
    }

    private func write(_ best: Block<Step>, _ piece: ByteView, into output: inout TokenBuffer) {
        var path: [(id: TokenID, start: Int, end: Int)] = []
        var end = piece.count
        while end > 0 {
            let step = best[end]
            if step.id < 0, let last = path.last, last.id < 0 {
                path[path.count - 1].start = step.start
            } else {
                path.append((step.id, step.start, end))
            }
            end = step.start
        }
        for part in path.reversed() {
            if part.id >= 0 {
                output.append(part.id)
            } else if let byteTokens {
                for index in part.start..<part.end { output.append(byteTokens[Int(piece[index])]) }
            } else if let unknown {
                output.append(unknown)
            }
        }
    }
}

/// Finds all tokens that a text begins with: a trie whose edges are in one table with open addressing.
struct TokenTrie: Sendable {
    private struct Edge: BitwiseCopyable {
        /// Node and byte; no edge where it is all ones.
        var key: UInt64
        var child: Int32
    }

    private let edges: Block<Edge>
    private let mask: Int
    /// The token that ends at each node, -1 where none does.
    private let tokens: Block<TokenID>

    /// A trie of the tokens `ids` of `vocabulary`; of two with the same bytes the last is found.
    init(_ vocabulary: Vocabulary, ids: [TokenID]) {
        let bytes = ids.reduce(0) { $0 + max(vocabulary.place(Int($1)).length, 0) }
        var capacity = 16
        while capacity < bytes * 2 { capacity *= 2 }
        edges = Block(count: capacity, repeating: Edge(key: .max, child: 0))
        mask = capacity - 1
        tokens = Block(count: bytes + 1, repeating: -1)
        var nodes: Int32 = 1
        for id in ids {
            guard let token = vocabulary[id], !token.isEmpty else { continue }
            var node: Int32 = 0
            for byte in token {
                let at = slot(node, byte)
                if edges[at].key == .max {
                    edges[at] = Edge(key: Self.key(node, byte), child: nodes)
                    nodes += 1
                }
                node = edges[at].child
            }
            tokens[Int(node)] = id
        }
    }

    /// Calls `body` with each token that is in `text` from `start` on, and where it ends; shorter ones first.
    @inline(__always)
    func forEachToken(_ text: ByteView, from start: Int, _ body: (TokenID, Int) -> Void) {
        var node: Int32 = 0
        var at = start
        while at < text.count {
            let edge = edges[slot(node, text[at])]
            guard edge.key != .max else { return }
            node = edge.child
            at &+= 1
            if tokens[Int(node)] >= 0 { body(tokens[Int(node)], at) }
        }
    }

    @inline(__always)
    private static func key(_ node: Int32, _ byte: UInt8) -> UInt64 {
        UInt64(UInt32(bitPattern: node)) &<< 8 | UInt64(byte)
    }

    /// The slot of an edge, or the empty one where it belongs.
    @inline(__always)
    private func slot(_ node: Int32, _ byte: UInt8) -> Int {
        let key = Self.key(node, byte)
        var at = Int(truncatingIfNeeded: foldedProduct(key, 0x9E37_79B9_7F4A_7C15)) & mask
        while edges[at].key != key && edges[at].key != .max { at = (at &+ 1) & mask }
        return at
    }
}
