// SPDX-License-Identifier: Apache-2.0

extension ChatRequest {
    /// A field that changes nothing here: which values are fine, and why others aren't.
    struct OtherField: Sendable {
        /// Throws if the value asks for what this server can't do.
        let check: @Sendable (RequestField) throws(APIError) -> Void

        /// Any string: it has no influence on the answer.
        static let anyString = OtherField { (field) throws(APIError) in _ = try field.string() }

        /// Nothing but null.
        static func refused(_ why: String) -> OtherField {
            OtherField { (field) throws(APIError) in throw field.unsupported(why) }
        }

        /// Only the values given.
        static func only(_ values: JSONValue..., because why: String) -> OtherField {
            OtherField { (field) throws(APIError) in
                guard values.contains(field.value) else { throw field.unsupported(why) }
            }
        }
    }

    /// OpenAI's fields beside those that this server acts on.
    static let otherFields: [String: OtherField] = [
        // No influence on the answer: names for OpenAI's bookkeeping, or for a cache that this server doesn't have.
        "user": .anyString,
        "safety_identifier": .anyString,
        "prompt_cache_key": .anyString,
        "metadata": OtherField { (field) throws(APIError) in try checkMetadata(field) },
        "service_tier": .only("auto", "default", because: "only \"auto\" and \"default\" are supported."),
        "store": .only(false, because: "answers are not stored: leave it out, or set it to false."),
        "parallel_tool_calls": OtherField { (field) throws(APIError) in _ = try field.bool() },

        // Fine where they ask for what happens anyway.
        "response_format": .only(["type": "text"], because: "only {\"type\": \"text\"} is supported."),
        "modalities": .only(["text"], because: "only [\"text\"] is supported."),
        "logprobs": .only(false, because: "log probabilities are not supported."),
        "top_logprobs": .only(0, because: "log probabilities are not supported."),
        "logit_bias": .only(.object([]), because: "logit bias is not supported."),
        "tools": .only([], because: "tools are not supported."),
        "tool_choice": .only("none", "auto", because: "tools are not supported."),
        "functions": .only([], because: "functions are not supported."),
        "function_call": .only("none", "auto", because: "functions are not supported."),
        "reasoning_effort": .only("none", because: "the models served here don't reason: leave it out."),

        "audio": .refused("audio output is not supported."),
        "moderation": .refused("moderation is not supported."),
        "prediction": .refused("predicted outputs are not supported."),
        "prompt_cache_options": .refused("prompts are not cached: leave it out."),
        "prompt_cache_retention": .refused("prompts are not cached: leave it out."),
        "verbosity": .refused("verbosity is not supported: ask for short or long answers in a message."),
        "web_search_options": .refused("web search is not supported."),
    ]

    /// `metadata`: OpenAI's own limits; nothing is kept, as `store` is false.
    private static func checkMetadata(_ field: RequestField) throws(APIError) {
        let members = try field.members()
        guard members.count <= 16 else { throw field.error("must have at most 16 members, but has \(members.count).") }
        for (name, field) in members {
            guard name.count <= 64 else { throw field.error("its name must have at most 64 characters.") }
            guard try field.string().count <= 512 else { throw field.error("must have at most 512 characters.") }
        }
    }
}
