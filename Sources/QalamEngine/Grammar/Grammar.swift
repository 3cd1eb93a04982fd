// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// What an answer must look like, compiled: a pushdown automaton over bytes whose terminals are regular expressions.
///
/// Immutable and shareable. What is learnt while it is used (states of automata, sets of allowed tokens) is kept with
/// it per vocabulary, so that later answers to the same constraint start fast.
package struct Grammar: Sendable {
    let compiled: CompiledGrammar

    /// Any JSON value (RFC 8259), with the white space of ``JSONText/space`` between its parts.
    package static func json() throws(GrammarError) -> Grammar {
        var rules = GrammarRules()
        let value = JSONText.addValue(to: &rules).value
        return try Grammar(rules, root: value)
    }

    /// Any JSON object: OpenAI's `json_object`.
    package static func jsonObject() throws(GrammarError) -> Grammar {
        var rules = GrammarRules()
        let object = JSONText.addValue(to: &rules).object
        return try Grammar(rules, root: object)
    }

    /// JSON that a schema (draft 2020-12; see ``SchemaCompiler`` for the subset) admits.
    ///
    /// - Throws: `GrammarError`, which names the keyword that is not supported and where it is.
    package init(jsonSchema: [UInt8]) throws(GrammarError) {
        var compiler = try SchemaCompiler(jsonSchema)
        let root = try compiler.compile()
        try self.init(compiler.rules, root: root)
    }

    /// Texts that a regular expression (ECMA-262, see ``RegexParser``) matches as a whole.
    package init(regex: String) throws(GrammarError) {
        var rules = GrammarRules()
        let root = rules.add("root", try RegexParser.parse(regex).whole)
        try self.init(rules, root: root)
    }

    /// Texts of the rule `root` of a grammar in llama.cpp's notation (GBNF, see ``GBNFParser``).
    package init(gbnf: String) throws(GrammarError) {
        let (rules, root) = try GBNFParser.parse(gbnf)
        try self.init(rules, root: .rule(root), joiningRegularRules: true)
    }

    /// Learns ahead what answers in this vocabulary will need: the masks of all terminals.
    ///
    /// It takes some milliseconds, and others may use the grammar meanwhile.
    package func prepare(_ vocabulary: GrammarVocabulary) {
        let cache = compiled.cache(for: vocabulary)
        cache.with { $0.begin() }
        while cache.with({ $0.prepare(limit: 1) }) {}
    }

    init(
        _ rules: GrammarRules, root: GrammarNode, joiningRegularRules: Bool = false
    ) throws(GrammarError) {
        guard case .rule(let root) = root else { throw .empty }
        compiled = try CompiledGrammar(RuleCheck(rules, root: root, joining: joiningRegularRules), root: root)
    }
}

/// The automata of a grammar, and what was learnt per vocabulary.
final class CompiledGrammar: Sendable {
    let graph: RuleGraph
    let automaton: ByteAutomaton
    let root: Int
    private let caches = Mutex<[ObjectIdentifier: GrammarCache]>([:])

    init(_ rules: RuleCheck, root: Int) throws(GrammarError) {
        graph = try RuleGraph(rules.nodes, root: root)
        automaton = try ByteAutomaton(graph.terminals)
        self.root = root
    }

    /// What is known for `vocabulary`; `full` is given up for a new one.
    func cache(for vocabulary: GrammarVocabulary, insteadOf full: GrammarCache? = nil) -> GrammarCache {
        caches.withLock { caches in
            let key = ObjectIdentifier(vocabulary.trie)
            if let known = caches[key], known !== full { return known }
            let cache = GrammarCache(self, vocabulary)
            caches[key] = cache
            return cache
        }
    }
}
