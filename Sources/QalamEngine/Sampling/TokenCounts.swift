// SPDX-License-Identifier: Apache-2.0

/// How often each token stands in the window that penalties look at; as large as the tokens in it, not the vocabulary.
struct TokenCounts: Sendable {
    /// One token's counts.
    struct Entry: Sendable {
        let id: Int32
        /// In prompt and answer.
        var all: Int32 = 0
        /// In the answer.
        var generated: Int32 = 0
    }

    private(set) var entries: [Entry] = []
    private var places: [Int32: Int32] = [:]
    private let window: Int
    private let promptCount: Int
    private let countsPrompt: Bool

    /// Counts of the end of `prompt`, if wanted; a window of 0 holds everything.
    init(prompt: [Int32], window: Int, countsPrompt: Bool) {
        self.window = window
        self.countsPrompt = countsPrompt
        promptCount = prompt.count
        guard countsPrompt else { return }
        for token in window > 0 ? prompt.suffix(window) : prompt[...] { change(token, by: 1, isGenerated: false) }
    }

    /// Notes that `token` follows `tokens`; what leaves the window is no longer counted.
    mutating func append(_ token: Int32, after tokens: [Int32]) {
        change(token, by: 1, isGenerated: true)
        let leaving = tokens.count - window
        guard window > 0, leaving >= 0 else { return }
        let isGenerated = leaving >= promptCount
        if isGenerated || countsPrompt { change(tokens[leaving], by: -1, isGenerated: isGenerated) }
    }

    private mutating func change(_ token: Int32, by amount: Int32, isGenerated: Bool) {
        let place = places[token].map { Int($0) } ?? entries.count
        if place == entries.count {
            places[token] = Int32(place)
            entries.append(Entry(id: token))
        }
        entries[place].all += amount
        if isGenerated { entries[place].generated += amount }
        guard entries[place].all == 0 else { return }
        places[token] = nil
        let last = entries.removeLast()
        guard place < entries.count else { return }
        entries[place] = last
        places[last.id] = Int32(place)
    }
}
