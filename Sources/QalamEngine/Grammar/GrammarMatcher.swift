// SPDX-License-Identifier: Apache-2.0

/// How far one answer has come in its grammar: a value, so a copy of it is a way back.
///
/// Every byte of a complete answer is as the grammar says. The mask is never empty before the end, but for answers
/// nested deeper than 500 rules or read in more than 4,096 ways at once, which are not followed further.
package struct GrammarMatcher: Sendable {
    private let compiled: CompiledGrammar
    private let vocabulary: GrammarVocabulary
    private var cache: GrammarCache
    private var state: UInt32
    private var reasoning: Reasoning?
    /// The token after which the grammar holds; what comes before it, and after each complete text, is free.
    private var trigger: Int32?
    private var isFree = false
    /// Whether the answer may end here: end tokens are allowed exactly then.
    package private(set) var isComplete: Bool
    /// Whether an end token was accepted.
    package private(set) var isFinished = false

    /// Free text between two marks that may come before the answer.
    private struct Reasoning: Sendable {
        let open: Int32?
        let close: Int32
        var isOpen: Bool

        var opened: Reasoning { Reasoning(open: open, close: close, isOpen: true) }
    }

    /// The beginning of an answer.
    package init(_ grammar: Grammar, _ vocabulary: GrammarVocabulary) {
        compiled = grammar.compiled
        self.vocabulary = vocabulary
        cache = compiled.cache(for: vocabulary)
        let root = compiled.root
        (state, isComplete) = cache.with { tables in
            let state = tables.states.start(root)
            return (state, tables.states.completes[Int(state)])
        }
    }

    /// Lets anything but an end token come first until the token `close`: at once if `isOpen`, otherwise if the first
    /// token is `open`.
    package mutating func allowReasoning(open: Int32?, close: Int32, isOpen: Bool) {
        reasoning = Reasoning(open: open, close: close, isOpen: isOpen)
    }

    /// Lets anything come, and holds to the grammar from each token `trigger` on until its text is complete.
    package mutating func hold(after trigger: Int32) {
        self.trigger = trigger
        isFree = true
    }

    /// The tokens that may come next; after the end only end tokens.
    ///
    /// - Complexity: O(V/32) once a state is known, and about a millisecond the first time that free text is met.
    package func mask() -> TokenMask {
        if isFinished { return .ending(vocabulary.trie) }
        if isFree { return vocabulary.trie.all }
        if let reasoning, reasoning.isOpen { return vocabulary.trie.allButEnds }
        let state = state
        let mask = cache.with { $0.mask(state) }
        return reasoning?.open.map { mask.adding($0) } ?? mask
    }

    /// Takes the next token; false, and no change, if it is not allowed.
    package mutating func accept(_ token: Int32) -> Bool {
        if isFree {
            if token == trigger { restart() }
            return true
        }
        if let reasoning, reasoning.isOpen || token == reasoning.open {
            if vocabulary.trie.endTokens.contains(token) { return false }
            self.reasoning = token == reasoning.close ? nil : reasoning.opened
            return true
        }
        reasoning = nil
        if vocabulary.trie.endTokens.contains(token) {
            isFinished = isFinished || isComplete
            return isFinished
        }
        let text = vocabulary.trie.text(of: token)
        return !text.isEmpty && accept(bytes: text)
    }

    /// Takes the next bytes; false, and no change, if they are not allowed.
    package mutating func accept(bytes: ArraySlice<UInt8>) -> Bool {
        if isFinished { return false }
        moveOn()
        let from = state
        let (target, complete) = cache.with { tables in
            let target = tables.states.step(from, over: bytes)
            return (target, tables.states.completes[Int(target)])
        }
        guard target != 0 else { return false }
        (state, isComplete) = (target, complete)
        if trigger != nil, complete { isFree = true }
        return true
    }

    private mutating func restart() {
        let root = compiled.root
        (state, isComplete) = cache.with { tables in
            let state = tables.states.start(root)
            return (state, tables.states.completes[Int(state)])
        }
        isFree = false
    }

    /// The bytes that must come next, as far as the grammar leaves no choice; at most `limit`.
    package func forcedBytes(limit: Int = 256) -> [UInt8] {
        if isFinished || isFree || reasoning != nil { return [] }
        let state = state
        return cache.with { $0.forced(state, limit: limit) }
    }

    /// Leaves a cache that has grown full for a new one.
    private mutating func moveOn() {
        let from = state
        let portable: GrammarTables.Portable? = cache.with {
            $0.states.isFull ? $0.states.portable(from) : nil
        }
        guard let portable else { return }
        cache = compiled.cache(for: vocabulary, insteadOf: cache)
        state = cache.with { $0.states.restore(portable) }
    }
}

extension TokenMask {
    /// Just the end tokens.
    fileprivate static func ending(_ trie: TokenTrie) -> TokenMask {
        var words = [UInt32](repeating: 0, count: trie.wordCount)
        words.allow(trie.endTokens)
        return TokenMask(words: words)
    }
}
