// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamEngine

/// What answers must look like and what is told of them, as flags.
struct OutputFlags: ParsableArguments {
    @Option(help: "The answer is JSON that this schema admits: JSON text, or @file.")
    var jsonSchema: String?

    @Option(help: "The answer follows this grammar in GBNF: its text, or @file.")
    var grammar: String?

    @Option(help: "The answer matches this regular expression.")
    var regex: String?

    @Option(help: "Show each token with its log-probability and so many of the likeliest.")
    var logprobs: Int?

    func validate() throws {
        let given = [jsonSchema, grammar, regex].count { $0 != nil }
        if given > 1 { throw ValidationError("--json-schema, --grammar and --regex exclude each other.") }
        if let logprobs, !(0...20).contains(logprobs) {
            throw ValidationError("--logprobs must be from 0 to 20, not \(logprobs).")
        }
    }

    /// Puts them into options for the engine.
    func apply(to options: inout ChatOptions) throws {
        options.logprobs = logprobs
        if let jsonSchema { options.output = .jsonSchema(try Self.text(jsonSchema)) }
        if let grammar { options.output = .grammar(try Self.text(grammar)) }
        if let regex { options.output = .regex(regex) }
    }

    private static func text(_ argument: String) throws -> String {
        guard argument.hasPrefix("@") else { return argument }
        return try String(contentsOf: URL(filePath: String(argument.dropFirst())), encoding: .utf8)
    }
}

/// Tokens with their log-probabilities, one a line, for standard error.
func tokenLines(_ tokens: [ScoredToken]) -> String {
    tokens.map { token in
        let top = token.top.map { "\($0.text.debugDescription) \(rounded($0.logprob))" }.joined(separator: ", ")
        return "\(rounded(token.logprob))\t\(token.text.debugDescription)\(top.isEmpty ? "" : "\t[\(top)]")\n"
    }.joined()
}

private func rounded(_ logprob: Float?) -> String { logprob.map { String(format: "%.4f", $0) } ?? "-" }
