// SPDX-License-Identifier: Apache-2.0

import QalamEngine

/// The bodies of text completions, in OpenAI's shapes.
struct CompletionResponse: Sendable {
    private let id = "cmpl-" + randomText(length: 29)
    private let created = Platform.now
    private let model: String
    private let fingerprint: String

    init(model: any ServedModel) {
        self.model = model.id
        fingerprint = ChatResponse.fingerprint(of: model)
    }

    /// The whole body.
    func completion(_ choices: [JSONValue], _ usage: Usage?) -> JSONValue {
        [
            "id": .string(id), "object": "text_completion", "created": .integer(created), "model": .string(model),
            "choices": .array(choices), "usage": usage.map(ChatResponse.json) ?? .null,
            "system_fingerprint": .string(fingerprint),
        ]
    }

    /// A piece of a stream.
    func chunk(
        _ index: Int, text: String, tokens: [ScoredToken]?, offset: Int, finish: FinishReason? = nil
    ) -> JSONValue {
        completion([Self.choice(index, text: text, tokens: tokens, offset: offset, finish: finish)], nil)
            .setting("usage", nil)
    }

    /// The last piece of a stream whose client asked for usage.
    func usageChunk(_ usage: Usage) -> JSONValue { completion([], usage) }

    /// One answer; its tokens start at character `offset` of the whole.
    static func choice(
        _ index: Int, text: String, tokens: [ScoredToken]?, offset: Int, finish: FinishReason?
    ) -> JSONValue {
        [
            "text": .string(text), "index": .integer(index),
            "logprobs": tokens.map { logprobs($0, offset: offset) } ?? .null,
            "finish_reason": JSONValue(finish?.rawValue),
        ]
    }

    private static func logprobs(_ tokens: [ScoredToken], offset: Int) -> JSONValue {
        var offsets: [JSONValue] = []
        var at = offset
        for token in tokens {
            offsets.append(.integer(at))
            at += token.text.count
        }
        func number(_ token: ScoredToken) -> JSONValue { token.logprob.map { .number(Double($0)) } ?? .null }
        let top: [JSONValue] = tokens.map { token in
            guard token.logprob != nil else { return .null }
            var seen: Set<String> = []
            return .object(token.top.filter { seen.insert($0.text).inserted }.map { .init($0.text, number($0)) })
        }
        return [
            "tokens": .array(tokens.map { .string($0.text) }), "token_logprobs": .array(tokens.map(number)),
            "top_logprobs": .array(top), "text_offset": .array(offsets),
        ]
    }
}
