// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamEngine
internal import QalamTokenizers

/// `qalam bench grammar`: what a constraint costs for each token, the first time and afterwards.
struct BenchGrammar: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "grammar", abstract: "Time the masks of constrained answers.",
        discussion: "Reads a document token by token as an answer that must follow a schema it satisfies.")

    @Option(help: "A folder with tokenizer.json, or a .tiktoken file.")
    var tokenizer = "models/qalam-mini"

    @Option(help: "A file with a JSON Schema; one of an order by default.")
    var schema: String?

    @Option(help: "A file with a document that satisfies it.")
    var document: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let url = URL(filePath: tokenizer)
        let tokenizer =
            url.pathExtension == "tiktoken"
            ? try Tokenizer(tiktoken: url, pattern: .cl100k, specialTokens: ["<|end|>": 200_000])
            : try Tokenizer(contentsOf: url)
        let end = Int32(tokenizer.vocabularySize - 1)
        let vocabulary = GrammarVocabulary(count: tokenizer.vocabularySize, endTokens: [end], bytes: tokenizer.bytes)
        let schema = try schema.map { try String(contentsOf: URL(filePath: $0), encoding: .utf8) } ?? Self.order
        let text = try document.map { try String(contentsOf: URL(filePath: $0), encoding: .utf8) } ?? Self.example
        let tokens = tokenizer.encode(text)
        var results: [String: Any] = ["vocabulary": tokenizer.vocabularySize, "tokens": tokens.count]
        let clock = ContinuousClock()
        var grammar = try Grammar(jsonSchema: Array(schema.utf8))
        results["compile_us"] = microseconds(
            try clock.measure { grammar = try Grammar(jsonSchema: Array(schema.utf8)) })
        for (name, waits) in [("first", false), ("again", false), ("prepared", true)] {
            if waits {
                grammar = try Grammar(jsonSchema: Array(schema.utf8))
                results["prepare_us"] = microseconds(clock.measure { grammar.prepare(vocabulary) })
            }
            let times = try self.times(of: tokens, GrammarMatcher(grammar, vocabulary))
            results["\(name)_mean_us"] = times.reduce(0, +) / Double(times.count)
            results["\(name)_max_us"] = times.max() ?? 0
        }
        if json { return try printJSON(results) }
        for (name, value) in results.sorted(by: { $0.key < $1.key }) { write("\(name): \(value)\n") }
    }

    /// Microseconds of each token: its mask, and taking it.
    private func times(of tokens: [Int32], _ start: GrammarMatcher) throws -> [Double] {
        var matcher = start
        let clock = ContinuousClock()
        return try tokens.map { token in
            var accepted = false
            let time = clock.measure {
                let allowed = matcher.mask().contains(token)
                accepted = allowed && matcher.accept(token)
            }
            guard accepted else { throw ValidationError("The document does not satisfy the schema at token \(token).") }
            return microseconds(time)
        }
    }

    private func microseconds(_ time: Duration) -> Double { time / .microseconds(1) }

    private static let order = """
        {"type": "object", "additionalProperties": false, "required": ["id", "customer", "items", "status", "note"],
         "properties": {
          "id": {"type": "integer", "minimum": 1},
          "customer": {"type": "object", "additionalProperties": false, "required": ["name", "email"],
           "properties": {"name": {"type": "string", "maxLength": 80}, "email": {"type": "string", "format": "email"}}},
          "items": {"type": "array", "minItems": 1, "items": {
           "type": "object", "additionalProperties": false, "required": ["name", "count", "price"],
           "properties": {"name": {"type": "string"}, "count": {"type": "integer"}, "price": {"type": "number"},
            "tags": {"type": "array", "items": {"enum": ["new", "sale", "fragile"]}}}}},
          "status": {"enum": ["open", "paid", "sent"]},
          "note": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}
        """

    private static let example = """
        {"id": 40713, "customer": {"name": "Layla Haddad", "email": "layla.haddad@example.org"}, "items": [
          {"name": "A reed pen, cut by hand", "count": 2, "price": 14.5, "tags": ["new", "fragile"]},
          {"name": "قلم وحبر أسود", "count": 1, "price": 30},
          {"name": "Paper, 100 sheets (\\"smooth\\")", "count": 3, "price": 7.25, "tags": []}],
         "status": "paid", "note": "Please wrap the pens separately.\\nThank you!"}
        """
}
