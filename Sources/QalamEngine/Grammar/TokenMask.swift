// SPDX-License-Identifier: Apache-2.0

/// The tokens that may come next, one bit each.
package struct TokenMask: Sendable, Equatable {
    /// Bit `id % 32` of word `id / 32` is set for allowed tokens.
    package let words: [UInt32]
    /// How many tokens are allowed; none only where an answer can't go on.
    package let count: Int

    /// A bit for every token of the vocabulary, the rest of the last word 0.
    package init(words: [UInt32]) {
        self.words = words
        count = words.reduce(0) { $0 + $1.nonzeroBitCount }
    }

    /// This mask with one more token.
    func adding(_ token: Int32) -> TokenMask {
        guard token >= 0, Int(token) / 32 < words.count else { return self }
        var words = words
        words.allow([token])
        return TokenMask(words: words)
    }

    /// Whether `token` may come next.
    package func contains(_ token: Int32) -> Bool {
        token >= 0 && Int(token) / 32 < words.count && words[Int(token) / 32] >> UInt32(token % 32) & 1 == 1
    }

    /// The allowed token where there is just one.
    package var only: Int32? {
        guard count == 1, let word = words.firstIndex(where: { $0 != 0 }) else { return nil }
        return Int32(word * 32 + words[word].trailingZeroBitCount)
    }

    /// Sets the logits (V) of tokens that may not come next to minus infinity; those past the vocabulary too.
    package func apply(to logits: UnsafeMutableBufferPointer<Float>) {
        for (index, word) in words.enumerated() where word != .max {
            for id in index * 32..<min(index * 32 + 32, logits.count) where word >> UInt32(id % 32) & 1 == 0 {
                logits[id] = -.infinity
            }
        }
        for id in min(words.count * 32, logits.count)..<logits.count { logits[id] = -.infinity }
    }

    /// Copies the bits to `target`, which has a bit for every token.
    package func copy(to target: UnsafeMutableBufferPointer<UInt32>) {
        precondition(target.count >= words.count, "mask: \(target.count) words against \(words.count)")
        _ = target.update(fromContentsOf: words)
    }
}

/// Bits of tokens.
extension [UInt32] {
    @inline(__always)
    private mutating func set(_ token: Int32) {
        self[Int(token) >> 5] |= 1 &<< UInt32(truncatingIfNeeded: token & 31)
    }

    mutating func allow(_ tokens: some Sequence<Int32>) { for token in tokens { set(token) } }

    /// Sets the bits of the tokens that end at a node.
    @inline(__always)
    mutating func allow(_ node: TokenTrie.Node, _ twins: [Int32]) {
        set(node.token)
        guard node.hasTwins else { return }
        var token = twins[Int(node.token)]
        while token >= 0 {
            set(token)
            token = twins[Int(token)]
        }
    }
}
