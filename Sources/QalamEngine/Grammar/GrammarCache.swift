// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// What is known of one grammar with one vocabulary: automata as far as they were met, and masks.
///
/// Masks are split as in XGrammar (Dong et al. 2024): which tokens stay within a terminal is found once per state of
/// the terminal, by one walk over the trie, whatever surrounds it; only tokens that go past its end depend on the
/// stack. Of those the walk notes the trie nodes at which the terminal may end: what lies below such nodes is merged
/// into a trie of its own, which is matched against the rest of the stack when a mask is asked for, and the mask is
/// kept per state. Where a terminal goes on with any text, as inside a JSON string, tokens of plain text are known
/// without a walk.
final class GrammarCache: Sendable {
    private let tables: Mutex<MaskTables>

    init(_ compiled: CompiledGrammar, _ vocabulary: GrammarVocabulary) {
        tables = Mutex(MaskTables(GrammarTables(compiled.graph, compiled.automaton), vocabulary.trie))
    }

    /// Calls `body` with the tables, which no one else uses meanwhile.
    func with<T: Sendable>(_ body: (inout sending MaskTables) -> sending T) -> T { tables.withLock(body) }
}

/// Masks per state, on top of the states themselves.
struct MaskTables {
    /// Masks kept; a mask of 150,000 tokens takes 19 KB.
    private static let mostMasks = 1_000

    var states: GrammarTables
    private let trie: TokenTrie
    private var masks: [UInt32: TokenMask] = [:]
    private var lexicalMasks: [UInt32: LexicalMask] = [:]
    /// State at each depth of the walk.
    private var path: [UInt32]
    /// Terminal states looked at by `prepare`.
    private var prepared = 0
    /// Most of them that it looks at: those met first.
    private static let mostPrepared = 400

    init(_ states: GrammarTables, _ trie: TokenTrie) {
        self.states = states
        self.trie = trie
        path = Array(repeating: 0, count: trie.deepest + 1)
    }

    /// Tokens that stay within a terminal, and nodes of the trie at which it may end with more below, which make up
    /// `suffixes`.
    private struct LexicalMask {
        /// A few tokens as a list, many as bits.
        var tokens: [Int32] = []
        var words: [UInt32] = []
        var exits: [UInt32] = []
        /// What lies below exits with little below, merged; the others are few.
        var suffixes = SuffixTrie([], of: .empty)
        var largeExits: [UInt32] = []
        /// Whether any short plain text stays within the terminal.
        var isPlain = false

        /// Sorts the exits by how much lies below.
        mutating func sortExits(_ trie: TokenTrie) {
            let small = exits.filter { trie.nodes[Int($0)].end - $0 <= SuffixTrie.mostBelow }
            suffixes = SuffixTrie(small, of: trie)
            largeExits = exits.filter { trie.nodes[Int($0)].end - $0 > SuffixTrie.mostBelow }
        }

        /// Makes a list of few bits.
        mutating func shorten() {
            let count = words.reduce(0) { $0 + $1.nonzeroBitCount }
            guard count < words.count else { return }
            tokens.reserveCapacity(count)
            for (index, word) in words.enumerated() {
                var rest = word
                while rest != 0 {
                    tokens.append(Int32(index * 32 + rest.trailingZeroBitCount))
                    rest &= rest - 1
                }
            }
            words = []
        }
    }

    /// The tokens allowed in `state`.
    mutating func mask(_ state: UInt32) -> TokenMask {
        if let known = masks[state] { return known }
        var words = [UInt32](repeating: 0, count: trie.wordCount)
        for thread in states.threads[Int(state)] {
            let lexical = lexicalMask(UInt32(thread >> 32))
            words.allow(lexical.tokens)
            if !lexical.words.isEmpty { for i in words.indices { words[i] |= lexical.words[i] } }
            if lexical.exits.isEmpty { continue }
            let rest = states.state(of: UInt32(truncatingIfNeeded: thread))
            if states.threads[Int(rest)].isEmpty { continue }
            walk(lexical.suffixes, from: rest, into: &words)
            for node in lexical.largeExits { walk(below: Int(node), from: rest, into: &words) }
        }
        if states.completes[Int(state)] { words.allow(trie.endTokens) }
        let mask = TokenMask(words: words)
        if masks.count >= Self.mostMasks { masks.removeAll(keepingCapacity: true) }
        masks[state] = mask
        return mask
    }

    /// Allows the tokens below a node that can be read from a state.
    private mutating func walk(below node: Int, from state: UInt32, into words: inout [UInt32]) {
        let end = Int(trie.nodes[node].end)
        path[Int(trie.nodes[node].depth)] = state
        var i = node + 1
        while i < end {
            let node = trie.nodes[i]
            let depth = Int(node.depth)
            let target = states.step(path[depth - 1], Int(states.classOf[Int(node.byte)]))
            if target == 0 {
                i = Int(node.end)
                continue
            }
            path[depth] = target
            if node.token >= 0 { words.allow(node, trie.twins) }
            i += 1
        }
    }

    /// Allows the tokens whose parts past a terminal can be read from a state.
    private mutating func walk(_ suffixes: SuffixTrie, from state: UInt32, into words: inout [UInt32]) {
        path[0] = state
        var i = 0
        while i < suffixes.nodes.count {
            let node = suffixes.nodes[i]
            let depth = Int(node.depth)
            let target = states.step(path[depth - 1], Int(states.classOf[Int(node.byte)]))
            if target == 0 {
                i = Int(node.end)
                continue
            }
            path[depth] = target
            if node.firstToken < node.lastToken {
                words.allow(suffixes.tokens[Int(node.firstToken)..<Int(node.lastToken)])
            }
            i += 1
        }
    }

    private mutating func lexicalMask(_ state: UInt32) -> LexicalMask {
        if let known = lexicalMasks[state] { return known }
        var mask = LexicalMask(words: Array(repeating: 0, count: trie.wordCount))
        let alike = states.lexical.normalized(state, length: TokenTrie.shortLength)
        if alike != state {
            mask = counted(state, like: lexicalMask(alike))
        } else if states.lexical.readsPlainText(state, length: TokenTrie.shortLength) {
            mask.words = trie.plainMask
            mask.isPlain = true
            walk(trie.notPlain, from: state, into: &mask) { _ in true }
        } else {
            states.lexical.walk(trie.nodes, of: trie, from: state, into: &mask.words, exits: &mask.exits)
        }
        if alike == state { mask.sortExits(trie) }
        mask.shorten()
        lexicalMasks[state] = mask
        return mask
    }

    /// The mask of a state far from the end of a count: short tokens as after any long count, which is `known`; only
    /// long ones have to be read again.
    private mutating func counted(_ state: UInt32, like known: LexicalMask) -> LexicalMask {
        var mask = known
        if known.words.isEmpty {
            mask.words = Array(repeating: 0, count: trie.wordCount)
            mask.words.allow(known.tokens)
            mask.tokens = []
        }
        for i in mask.words.indices { mask.words[i] &= ~trie.longMask[i] }
        mask.exits = known.exits.filter { trie.nodes[Int($0)].depth <= TokenTrie.shortLength }
        let part = known.isPlain ? trie.longNotPlain : trie.long
        if known.isPlain {
            let room = states.lexical.room(state)
            for (token, length) in trie.longPlain
            where length <= room || states.lexical.reads(trie.text(of: token), from: state) {
                mask.words.allow(CollectionOfOne(token))
            }
        }
        walk(part, from: state, into: &mask) { $0.depth > TokenTrie.shortLength }
        if mask.exits != known.exits { mask.sortExits(trie) }
        return mask
    }

    /// Reads the tokens of a part of the trie, and notes those of its exits that satisfy `counts`.
    private mutating func walk(
        _ part: TokenTrie.Part, from state: UInt32, into mask: inout LexicalMask,
        counts: (TokenTrie.Node) -> Bool
    ) {
        var exits: [UInt32] = []
        states.lexical.walk(part.nodes, of: trie, from: state, into: &mask.words, exits: &exits)
        for exit in exits where counts(part.nodes[Int(exit)]) { mask.exits.append(part.origins[Int(exit)]) }
    }

    /// Finds the masks of terminals ahead: those of up to `limit` of their states; returns whether there are more.
    mutating func prepare(limit: Int) -> Bool {
        var found = 0
        while prepared < states.lexical.count, found < limit {
            let state = UInt32(prepared)
            prepared += 1
            if state == 0 || lexicalMasks[state] != nil || prepared > Self.mostPrepared { continue }
            states.lexical.expand(state)
            // Those of long counts are found from others, and are too many.
            guard states.lexical.normalized(state, length: TokenTrie.shortLength) == state else { continue }
            _ = lexicalMask(state)
            found += 1
        }
        return prepared < min(states.lexical.count, Self.mostPrepared)
    }

    /// Meets the first states of all terminals.
    mutating func begin() {
        guard prepared == 0 else { return }
        for terminal in 0..<Int32(states.graph.terminals.count) { _ = states.lexical.start(terminal) }
    }

    /// The bytes that must come next, as far as there is no choice; at most `limit`.
    mutating func forced(_ state: UInt32, limit: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var state = state
        while bytes.count < limit, !states.completes[Int(state)] {
            var only: (byteClass: Int, target: UInt32)?
            for byteClass in 0..<states.classCount {
                let target = states.step(state, byteClass)
                if target == 0 { continue }
                if only != nil || states.classSizes[byteClass] > 1 { return bytes }
                only = (byteClass, target)
            }
            guard let (byteClass, target) = only else { return bytes }
            bytes.append(states.sampleOf[byteClass])
            state = target
        }
        return bytes
    }
}
