// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// What is known of one grammar with one vocabulary: automata as far as they were met, and masks.
///
/// Masks are split as in XGrammar (Dong et al. 2024): which tokens stay within a terminal is found once per state of
/// the terminal, by one walk over the trie, whatever surrounds it; only tokens that go past its end depend on the
/// stack. Of those the walk notes the trie nodes at which the terminal may end: what lies below such a node is matched against
/// the rest of the stack when a mask is asked for, and the mask is kept per state.
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

    init(_ states: GrammarTables, _ trie: TokenTrie) {
        self.states = states
        self.trie = trie
        path = Array(repeating: 0, count: trie.deepest + 1)
    }

    /// Tokens that stay within a terminal, and nodes of the trie at which it may end with more below.
    private struct LexicalMask {
        /// A few tokens as a list, many as bits.
        var tokens: [Int32] = []
        var words: [UInt32] = []
        var exits: [UInt32] = []
    }

    /// The tokens allowed in `state`.
    mutating func mask(_ state: UInt32) -> TokenMask {
        if let known = masks[state] { return known }
        var words = [UInt32](repeating: 0, count: trie.wordCount)
        for thread in states.threads[Int(state)] {
            let lexical = lexicalMask(UInt32(thread >> 32))
            for token in lexical.tokens { words[Int(token) >> 5] |= 1 << UInt32(token & 31) }
            if !lexical.words.isEmpty { for i in words.indices { words[i] |= lexical.words[i] } }
            if lexical.exits.isEmpty { continue }
            let rest = states.state(of: UInt32(truncatingIfNeeded: thread))
            if states.threads[Int(rest)].isEmpty { continue }
            for node in lexical.exits { walk(below: Int(node), from: rest, into: &words) }
        }
        if states.completes[Int(state)] { for id in trie.endTokens { words[Int(id) >> 5] |= 1 << UInt32(id & 31) } }
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
            if node.token >= 0 { _ = words.allow(node, trie.twins) }
            i += 1
        }
    }

    private mutating func lexicalMask(_ state: UInt32) -> LexicalMask {
        if let known = lexicalMasks[state] { return known }
        var mask = LexicalMask()
        mask.words = Array(repeating: 0, count: trie.wordCount)
        let count = states.lexical.walk(trie, from: state, into: &mask.words, exits: &mask.exits)
        if count < trie.wordCount {
            mask.tokens.reserveCapacity(count)
            for (index, word) in mask.words.enumerated() {
                var rest = word
                while rest != 0 {
                    mask.tokens.append(Int32(index * 32 + rest.trailingZeroBitCount))
                    rest &= rest - 1
                }
            }
            mask.words = []
        }
        lexicalMasks[state] = mask
        return mask
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
