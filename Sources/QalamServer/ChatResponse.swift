// SPDX-License-Identifier: Apache-2.0

package import QalamEngine

/// What every body of one answer has in common, and the bodies themselves in OpenAI's shapes.
package struct ChatResponse: Sendable {
    /// `id`: "chatcmpl-" and 29 letters and digits.
    package let id: String
    /// `created`: Unix seconds.
    package let created: Int
    /// `model`: the model's name.
    package let model: String
    /// `system_fingerprint`: the same as long as the same seed gives the same answer.
    package let fingerprint: String

    /// A new answer by `model`, begun at `created`.
    package init(model: any ChatModel, created: Int, id: String = Self.newID()) {
        self.id = id
        self.created = created
        self.model = model.id
        fingerprint = Self.fingerprint(of: model)
    }

    /// A fresh id.
    package static func newID() -> String {
        "chatcmpl-" + randomText(length: 29)
    }

    /// "fp_" and ten hexadecimal digits that depend on which model it is (FNV-1a of its name and date).
    static func fingerprint(of model: any ChatModel) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in "\(model.id) \(model.created)".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        let digits = String(hash & 0xFF_FFFF_FFFF, radix: 16)
        return "fp_" + String(repeating: "0", count: 10 - digits.count) + digits
    }

    /// One finished answer.
    package struct Choice: Sendable {
        /// Its text.
        package var text = ""
        /// Why it ended.
        package var finish = FinishReason.stop
    }

    /// The whole answer as one body.
    package func completion(_ choices: [Choice], _ usage: Usage) -> JSONValue {
        let choices: [JSONValue] = choices.enumerated().map { index, choice in
            [
                "index": .integer(index),
                "message": [
                    "role": "assistant", "content": .string(choice.text), "refusal": nil, "annotations": [],
                ],
                "logprobs": nil, "finish_reason": .string(choice.finish.rawValue),
            ]
        }
        return [
            "id": .string(id), "object": "chat.completion", "created": .integer(created), "model": .string(model),
            "choices": .array(choices), "usage": Self.json(usage), "service_tier": "default",
            "system_fingerprint": .string(fingerprint),
        ]
    }

    /// A piece of a stream: `delta` for one choice.
    ///
    /// If the stream will end with usage (`withUsage`), the other chunks say that theirs is null.
    package func chunk(
        _ choice: Int, delta: JSONValue, finish: FinishReason? = nil, withUsage: Bool
    ) -> JSONValue {
        let choice: JSONValue = [
            "index": .integer(choice), "delta": delta, "logprobs": nil,
            "finish_reason": finish.map { .string($0.rawValue) } ?? .null,
        ]
        return chunk(choices: [choice], usage: withUsage ? .null : nil)
    }

    /// The last piece of a stream whose client asked for usage: no choices.
    package func usageChunk(_ usage: Usage) -> JSONValue {
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

    private static func json(_ usage: Usage) -> JSONValue {
        [
            "prompt_tokens": .integer(usage.promptTokens), "completion_tokens": .integer(usage.completionTokens),
            "total_tokens": .integer(usage.promptTokens + usage.completionTokens),
            "prompt_tokens_details": ["cached_tokens": .integer(usage.cachedTokens), "audio_tokens": 0],
            "completion_tokens_details": [
                "reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            ],
        ]
    }
}

/// Letters and digits drawn from the system's randomness, for ids.
func randomText(length: Int) -> String {
    let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    return String((0..<length).map { _ in alphabet[Int.random(in: 0..<alphabet.count)] })
}
