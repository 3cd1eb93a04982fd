// SPDX-License-Identifier: Apache-2.0

import QalamEngine

/// What every body of one answer has in common, and the bodies themselves in OpenAI's shapes.
struct ChatResponse: Sendable {
    /// `id`: "chatcmpl-" and 29 letters and digits.
    let id: String
    /// `created`: Unix seconds.
    let created: Int
    /// `model`: the model's name.
    let model: String
    /// `system_fingerprint`: the same as long as the same seed gives the same answer.
    let fingerprint: String

    /// A new answer by `model`, begun at `created`.
    init(model: any ServedModel, created: Int) {
        id = "chatcmpl-" + randomText(length: 29)
        self.created = created
        self.model = model.id
        fingerprint = Self.fingerprint(of: model)
    }

    /// "fp_" and ten hexadecimal digits that depend on which model it is (FNV-1a of its name and date).
    static func fingerprint(of model: any ServedModel) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in "\(model.id) \(model.created)".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        let digits = String(hash & 0xFF_FFFF_FFFF, radix: 16)
        return "fp_" + String(repeating: "0", count: 10 - digits.count) + digits
    }

    /// The whole answer as one body.
    func completion(_ answers: [Answer], _ usage: Usage, logprobs: Bool) -> JSONValue {
        let choices: [JSONValue] = answers.enumerated().map { index, answer in
            [
                "index": .integer(index), "message": Self.message(answer),
                "logprobs": logprobs ? Self.logprobs(answer.tokens) : .null,
                "finish_reason": .string(answer.finish.rawValue),
            ]
        }
        return [
            "id": .string(id), "object": "chat.completion", "created": .integer(created), "model": .string(model),
            "choices": .array(choices), "usage": Self.json(usage), "service_tier": "default",
            "system_fingerprint": .string(fingerprint),
        ]
    }

    /// An answer as a message.
    static func message(_ answer: Answer) -> JSONValue {
        let hasText = !answer.text.isEmpty || answer.calls.isEmpty
        var message: JSONValue = [
            "role": "assistant", "content": hasText ? .string(answer.text) : .null, "refusal": nil, "annotations": [],
        ]
        if !answer.reasoning.isEmpty { message = message.setting("reasoning_content", .string(answer.reasoning)) }
        if !answer.calls.isEmpty {
            message = message.setting(
                "tool_calls",
                .array(
                    answer.calls.map { call in
                        [
                            "id": .string(call.id), "type": "function",
                            "function": ["name": .string(call.name), "arguments": .string(call.arguments)],
                        ]
                    }))
        }
        return message
    }

    /// Log-probabilities of tokens.
    static func logprobs(_ tokens: [ScoredToken]) -> JSONValue {
        func json(_ token: ScoredToken) -> [JSONValue.Member] {
            [
                .init("token", .string(token.text)), .init("logprob", .number(Double(token.logprob ?? 0))),
                .init("bytes", .array(token.bytes.map { .integer(Int($0)) })),
            ]
        }
        let content = tokens.map { token in
            JSONValue.object(json(token) + [.init("top_logprobs", .array(token.top.map { .object(json($0)) }))])
        }
        return ["content": .array(content), "refusal": nil]
    }

    /// A piece of a stream: `delta` for one choice.
    ///
    /// If the stream will end with usage (`withUsage`), the other chunks say that theirs is null.
    func chunk(
        _ choice: Int, delta: JSONValue, logprobs: JSONValue = .null, finish: FinishReason? = nil, withUsage: Bool
    ) -> JSONValue {
        let choice: JSONValue = [
            "index": .integer(choice), "delta": delta, "logprobs": logprobs,
            "finish_reason": JSONValue(finish?.rawValue),
        ]
        return chunk(choices: [choice], usage: withUsage ? .null : nil)
    }

    /// The last piece of a stream whose client asked for usage: no choices.
    func usageChunk(_ usage: Usage) -> JSONValue {
        chunk(choices: [], usage: Self.json(usage))
    }

    private func chunk(choices: [JSONValue], usage: JSONValue?) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("id", .string(id)), .init("object", "chat.completion.chunk"), .init("created", .integer(created)),
            .init("model", .string(model)), .init("system_fingerprint", .string(fingerprint)),
            .init("choices", .array(choices)),
        ]
        if let usage { members.append(.init("usage", usage)) }
        return .object(members)
    }

    /// What answers cost.
    static func json(_ usage: Usage) -> JSONValue {
        [
            "prompt_tokens": .integer(usage.promptTokens), "completion_tokens": .integer(usage.completionTokens),
            "total_tokens": .integer(usage.promptTokens + usage.completionTokens),
            "prompt_tokens_details": ["cached_tokens": .integer(usage.cachedTokens), "audio_tokens": 0],
            "completion_tokens_details": [
                "reasoning_tokens": .integer(usage.reasoningTokens), "audio_tokens": 0,
                "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
            ],
        ]
    }
}

/// Letters and digits drawn from the system's randomness, for ids.
func randomText(length: Int) -> String {
    var generator = SystemRandomNumberGenerator()
    var text: [UInt8] = []
    var rest: UInt64 = 0
    while text.count < length {
        // Ten letters of 62 are nearly 60 bits.
        if text.count.isMultiple(of: 10) { rest = generator.next() }
        text.append(letters[Int(rest % 62)])
        rest /= 62
    }
    return String(decoding: text, as: UTF8.self)
}

private let letters = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
