// SPDX-License-Identifier: Apache-2.0
internal import QalamTokenizers
internal import Synchronization

/// The compiled constraints of one model's answers; those used last are kept.
final class AnswerGrammars: Sendable {
    /// What a grammar is made from.
    private enum Key: Hashable {
        case output(OutputFormat)
        case calls([Tool], parallel: Bool, afterMark: Bool)
    }

    private struct State {
        var vocabulary: GrammarVocabulary?
        /// The one used last at the end.
        var known: [(key: Key, grammar: Grammar)] = []
    }

    private static let mostKept = 64

    private let tokenizer: Tokenizer
    private let vocabularySize: Int
    private let stopTokens: Set<Int32>
    private let format: AnswerFormat
    private let state = Mutex(State())
    private let reasoningMarks: (open: Int32?, close: Int32)?

    init(_ tokenizer: Tokenizer, vocabularySize: Int, stopTokens: Set<Int32>, _ format: AnswerFormat) {
        self.tokenizer = tokenizer
        self.vocabularySize = vocabularySize
        self.stopTokens = stopTokens
        self.format = format
        reasoningMarks = format.reasoning.flatMap { marks in
            let (open, close) = (tokenizer.encode(marks.open), tokenizer.encode(marks.close))
            return close.count == 1 ? (open.count == 1 ? open[0] : nil, close[0]) : nil
        }
    }

    /// The constraint of an answer; nil if it is free.
    ///
    /// - Throws: `EngineError.badOption` that says what is wrong with a schema or a grammar
    @concurrent
    func matcher(_ options: ChatOptions, isThinking: Bool) async throws(EngineError) -> GrammarMatcher? {
        let isStrict = options.visibleTools.contains { $0.strict }
        if !options.forcesCall, options.output == .text, isStrict { return try strictMatcher(options) }
        let key: Key
        if options.forcesCall {
            key = .calls(options.visibleTools, parallel: options.parallelToolCalls, afterMark: false)
        } else if options.output == .text {
            return nil
        } else {
            key = .output(options.output)
        }
        var matcher = GrammarMatcher(try grammar(key), vocabulary())
        if let reasoningMarks, isThinking || reasoningMarks.open != nil && options.thinking != false {
            matcher.allowReasoning(open: reasoningMarks.open, close: reasoningMarks.close, isOpen: isThinking)
        }
        return matcher
    }

    /// Free text, in which calls follow the tools' schemas from their mark on.
    private func strictMatcher(_ options: ChatOptions) throws(EngineError) -> GrammarMatcher {
        let mark = tokenizer.encode(format.calls.opening)
        guard mark.count == 1, format.calls != .bare else {
            throw .badOption(
                name: "tools",
                why: "can't be strict while the model is free to call them: calls of this model have no token of "
                    + "their own to begin with. Require a call, or leave strict out.")
        }
        let key = Key.calls(options.visibleTools, parallel: options.parallelToolCalls, afterMark: true)
        var matcher = GrammarMatcher(try grammar(key), vocabulary())
        matcher.hold(after: mark[0])
        return matcher
    }

    /// The tokens that grammars know.
    func vocabulary() -> GrammarVocabulary {
        state.withLock { state in
            if let vocabulary = state.vocabulary { return vocabulary }
            // Marks of tool calls are texts of the format, though vocabularies may have them as special tokens.
            let marks = Set(format.calls.marks)
            let special = Set(tokenizer.specialTokens.filter { !marks.contains($0.key) }.values)
            let vocabulary = GrammarVocabulary(count: vocabularySize, endTokens: stopTokens) { id in
                special.contains(id) ? nil : tokenizer.bytes(of: id)
            }
            state.vocabulary = vocabulary
            return vocabulary
        }
    }

    private func grammar(_ key: Key) throws(EngineError) -> Grammar {
        let known: Grammar? = state.withLock { state in
            guard let index = state.known.firstIndex(where: { $0.key == key }) else { return nil }
            let entry = state.known.remove(at: index)
            state.known.append(entry)
            return entry.grammar
        }
        if let known { return known }
        let grammar = try compile(key)
        // While the prompt is read, masks are found ahead.
        Task.detached(priority: .utility) { [self] in grammar.prepare(vocabulary()) }
        state.withLock { state in
            state.known.append((key, grammar))
            if state.known.count > Self.mostKept { state.known.removeFirst() }
        }
        return grammar
    }

    private func compile(_ key: Key) throws(EngineError) -> Grammar {
        var name = "response_format"
        do {
            switch key {
            case .output(.text), .output(.json): return try Grammar.jsonObject()
            case .output(.jsonSchema(let schema)): return try Grammar(jsonSchema: Array(schema.utf8))
            case .output(.regex(let regex)):
                name = "regex"
                return try Grammar(regex: regex)
            case .output(.grammar(let gbnf)):
                name = "grammar"
                return try Grammar(gbnf: gbnf)
            case .calls(let tools, let parallel, let afterMark):
                name = "tools"
                return try Grammar(calls: tools, format.calls, parallel: parallel, afterMark: afterMark)
            }
        } catch {
            throw .badOption(name: name, why: "can't be enforced: \(error)")
        }
    }
}
