// SPDX-License-Identifier: Apache-2.0

/// The tokens that may come next, one bit each.
package struct TokenMask: Sendable, Equatable {
    package let words: [UInt32]
    package let count: Int
    package init(words: [UInt32]) {
        self.words = words
        count = words.reduce(0) { $0 + $1.nonzeroBitCount }
    }
    package var only: Int32? {
        guard count == 1, let word = words.firstIndex(where: { $0 != 0 }) else { return nil }
        return Int32(word * 32 + words[word].trailingZeroBitCount)
    }
    package func apply(to logits: UnsafeMutableBufferPointer<Float>) {
        for (index, word) in words.enumerated() where word != .max {
            for id in index * 32..<min(index * 32 + 32, logits.count) where word >> UInt32(id % 32) & 1 == 0 {
                logits[id] = -.infinity
            }
        }
        for id in min(words.count * 32, logits.count)..<logits.count { logits[id] = -.infinity }
    }
}
