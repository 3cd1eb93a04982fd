// SPDX-License-Identifier: Apache-2.0

package import QalamEngine

/// The body of `POST /v1/chat/completions`.
///
/// Every field is honoured, or refused with an error that names it; none is dropped. The few that have no effect here
/// (`user`, `metadata` …) have none on the answer at OpenAI either. docs/api.md has the table.
package struct ChatRequest: Sendable, Equatable {
    /// `model`: the name of the model asked.
    package var model = ""
    /// `messages`: the conversation; "developer" has become "system".
    package var messages: [ChatMessage] = []
    /// How to write the answer.
    package var options = ChatOptions()
    /// `n`: how many answers to write.
    package var choices = 1
    /// `stream`: whether to send the answer while it is written.
    package var stream = false
    /// `stream_options.include_usage`: whether the stream ends with the count of tokens.
    package var includeUsage = false

    /// Reads a request.
    /// - Throws: `APIError` with status 400 that names the first field at fault.
    package init(_ body: JSONValue, choiceLimit: Int = 8) throws(APIError) {
        guard case .object(let members) = body else {
            throw APIError("The body must be a JSON object, but is \(body.kind).", code: "invalid_type")
        }
        if let unknown = members.first(where: { !Self.fieldNames.contains($0.name) }) {
            throw RequestField(path: unknown.name, value: unknown.value).unrecognized
        }
        var seen: Set<String> = []
        for (name, field) in try RequestField(path: "", value: body).members() {
            seen.insert(name)
            if try readSampling(name, field) { continue }
            if try readOutput(name, field, choiceLimit: choiceLimit) { continue }
            try Self.otherFields[name]?.check(field)
        }
        if !seen.contains("model") {
            throw APIError("You must provide a model parameter.", param: "model", code: "missing_required_parameter")
        }
        if !seen.contains("messages") {
            throw APIError(
                "Missing required parameter: 'messages'.", param: "messages", code: "missing_required_parameter")
        }
        if seen.contains("max_tokens") && seen.contains("max_completion_tokens") {
            throw APIError(
                "max_tokens and max_completion_tokens mean the same: give one of them.", param: "max_tokens",
                code: "invalid_parameter_combination")
        }
        if seen.contains("stream_options") && !stream {
            throw APIError(
                "stream_options is only allowed when stream is true.", param: "stream_options",
                code: "invalid_parameter_combination")
        }
    }

    /// Every field that OpenAI or this server knows.
    package static let fieldNames: Set<String> = Set(otherFields.keys).union([
        "model", "messages", "temperature", "top_p", "top_k", "min_p", "frequency_penalty", "presence_penalty",
        "repetition_penalty", "seed", "max_tokens", "max_completion_tokens", "stop", "n", "stream", "stream_options",
    ])

    /// Takes a field that says how tokens are drawn; false: it is none.
    private mutating func readSampling(_ name: String, _ field: RequestField) throws(APIError) -> Bool {
        switch name {
        case "temperature": options.sampling.temperature = try field.float(in: 0...2)
        case "top_p": options.sampling.topP = try field.float(in: 0...1)
        case "top_k": options.sampling.topK = try field.integer(in: 0...Int(Int32.max))
        case "min_p": options.sampling.minP = try field.float(in: 0...1)
        case "frequency_penalty": options.sampling.frequencyPenalty = try field.float(in: -2...2)
        case "presence_penalty": options.sampling.presencePenalty = try field.float(in: -2...2)
        case "repetition_penalty": options.sampling.repetitionPenalty = try field.float(in: 0.1...10)
        case "seed": options.sampling.seed = UInt64(bitPattern: Int64(try field.integer(in: .min ... .max)))
        default: return false
        }
        return true
    }

    /// Takes a field that says what is asked and how it is sent back; false: it is none.
    private mutating func readOutput(
        _ name: String, _ field: RequestField, choiceLimit: Int
    ) throws(APIError) -> Bool {
        switch name {
        case "model": model = try field.string()
        case "messages": messages = try Self.messages(field)
        case "max_tokens", "max_completion_tokens": options.maxTokens = try field.integer(in: 1 ... .max)
        case "stop": options.stop = try Self.stop(field)
        case "n": choices = try field.integer(in: 1...choiceLimit)
        case "stream": stream = try field.bool()
        case "stream_options":
            for (name, field) in try field.members() {
                switch name {
                case "include_usage": includeUsage = try field.bool()
                case "include_obfuscation":
                    if try field.bool() { throw field.unsupported("obfuscation of streams is not supported.") }
                default: throw field.unrecognized
                }
            }
        default: return false
        }
        return true
    }

    /// `stop`: one string or up to four.
    private static func stop(_ field: RequestField) throws(APIError) -> [String] {
        let fields: [RequestField]
        switch field.value {
        case .string: fields = [field]
        case .array: fields = try field.elements()
        default: throw field.expected("a string or an array of strings")
        }
        guard fields.count <= 4 else { throw field.error("must hold at most 4 strings, but holds \(fields.count).") }
        var texts: [String] = []
        for field in fields {
            let text = try field.string()
            guard !text.isEmpty else { throw field.error("must not be empty.") }
            texts.append(text)
        }
        return texts
    }

    /// The seed of answer number `choice` of a request with `seed`; the first has the request's own.
    package static func seed(_ seed: UInt64, choice: Int) -> UInt64 {
        guard choice > 0 else { return seed }
        // The finalizer of SplitMix64 (Steele, Lea and Flood 2014) over the choice-th step from the seed.
        var z = seed &+ UInt64(choice) &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
