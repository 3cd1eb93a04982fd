// SPDX-License-Identifier: Apache-2.0

import QalamEngine

/// The body of `POST /v1/completions`.
struct CompletionRequest: Sendable {
    /// The texts to continue.
    let prompts: [TextInput]
    /// How many answers to give to each.
    let choices: Int
    /// How many answers to write for each, of which the best are given.
    let candidates: Int
    /// Whether answers begin with their prompt.
    let echo: Bool
    /// How many of the likeliest tokens to report.
    let logprobs: Int?
    /// Whether the answer is sent while it is written.
    let stream: Bool
    /// Whether the stream ends with the count of tokens.
    let includeUsage: Bool
    /// `model`.
    let model: String?
    /// How to write; `maxTokens` is zero if nothing is to be written.
    private(set) var options = ChatOptions()

    private static let ids = Shape.array(.integer(0...Int(Int32.max)), 1...131_072)
    /// A text, several, the tokens of one, or of several.
    static let input = Shape.either([.word, .array(.word, 1...2048), ids, .array(ids, 1...2048)])

    /// The shape of the body.
    static let shape = Shape.named(
        "CreateCompletion",
        .ruled(
            .object(
                [
                    .may("model", .word), .must("prompt", input), .may("best_of", .integer(1...16)),
                    .may("echo", .bool),
                    .may("logprobs", .integer(0...20)), .may("max_tokens", .count), .may("n", .integer(1...16)),
                    .may("stop", SamplingFields.stop), .may("stream", .bool),
                    .may(
                        "stream_options",
                        .object([
                            .may("include_usage", .bool),
                            .may(
                                "include_obfuscation",
                                .only([false], because: "obfuscation of streams is not supported.")),
                        ])),
                    .may("suffix", .text), .may("user", .text),
                ] + SamplingFields.members), [.streamOptions]))

    /// The shape of the answer.
    static let answer = Shape.named(
        "Completion",
        .object([
            .must("id", .text), .must("object", .oneOf(["text_completion"])), .must("created", .count),
            .must("model", .text),
            .must(
                "choices",
                .list(
                    .object([
                        .must("text", .text), .must("index", .count), .maybe("logprobs", .anyObject),
                        .must("finish_reason", .oneOf(["stop", "length"])),
                    ]))), .must("usage", .anyObject), .must("system_fingerprint", .text),
        ]))

    /// Reads a request.
    init(_ body: JSONValue) throws(APIError) {
        try Self.shape.check(RequestField(body: body))
        model = body["model"]?.text
        prompts = Self.inputs(body["prompt"] ?? .null)
        choices = body["n"]?.int ?? 1
        candidates = body["best_of"]?.int ?? choices
        echo = body["echo"]?.flag ?? false
        logprobs = body["logprobs"]?.int
        stream = body["stream"]?.flag ?? false
        includeUsage = body["stream_options"]?["include_usage"]?.flag ?? false
        try SamplingFields.read(body, into: &options)
        options.maxTokens = body["max_tokens"]?.int ?? 16
        options.suffix = body["suffix"]?.text
        options.logprobs = logprobs ?? (candidates > choices ? 0 : nil)
        func wrong(_ name: String, _ why: String) -> APIError {
            APIError("\(name): \(why)", param: name, code: "invalid_parameter_combination")
        }
        if candidates < choices { throw wrong("best_of", "must be at least n, which is \(choices).") }
        if candidates > choices, stream { throw wrong("best_of", "can't be streamed when it is greater than n.") }
        if options.suffix != nil, echo { throw wrong("suffix", "can't be had with echo.") }
        if options.maxTokens == 0, !echo { throw wrong("max_tokens", "may be 0 only when echo is true.") }
        guard prompts.count * candidates <= 256 else {
            throw wrong("prompt", "asks for \(prompts.count * candidates) answers, too many at once.")
        }
    }

    /// The texts that a checked input holds.
    static func inputs(_ value: JSONValue) -> [TextInput] {
        switch value {
        case .string(let text): [.text(text)]
        case .array(let elements):
            switch elements.first {
            case .string: elements.compactMap { $0.text.map { .text($0) } }
            case .array: elements.map { .tokens(($0.elements ?? []).compactMap { $0.int.map(Int32.init) }) }
            default: [.tokens(elements.compactMap { $0.int.map(Int32.init) })]
            }
        default: []
        }
    }
}
