// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import QalamEngine
import QalamServer
import Testing

@Suite("Chat requests")
struct ChatRequestTests {
    private func request(_ text: String) throws -> ChatRequest {
        try ChatRequest(JSONValue(parsing: Array(text.utf8)))
    }

    /// A request with one more field.
    private func request(with field: String) throws -> ChatRequest {
        try request(#"{"model": "m", "messages": [{"role": "user", "content": "Hi"}], \#(field)}"#)
    }

    private func fault(with field: String) -> APIError? {
        do {
            _ = try request(with: field)
            return nil
        } catch {
            return error as? APIError
        }
    }

    @Test("the defaults are the engine's")
    func defaults() throws {
        let request = try request(#"{"model": "m", "messages": [{"role": "user", "content": "Hi"}]}"#)
        #expect(request.model == "m")
        #expect(request.messages == [ChatMessage(role: "user", content: "Hi")])
        #expect(request.options == ChatOptions())
        #expect(request.choices == 1 && !request.stream && !request.includeUsage)
    }

    @Test("every honoured field arrives")
    func honoured() throws {
        let request = try request(
            with: #"""
                "temperature": 1.25, "top_p": 0.5, "top_k": 40, "min_p": 0.05, "frequency_penalty": -2,
                "presence_penalty": 2,
                "repetition_penalty": 1.5, "seed": -9007199254740991, "max_completion_tokens": 12.0, "n": 3,
                "stream": true,
                "stop": ["a", "b", "c", "d"], "stream_options": {"include_usage": true, "include_obfuscation": false}
                """#)
        var options = ChatOptions()
        options.sampling.temperature = 1.25
        options.sampling.topP = 0.5
        options.sampling.topK = 40
        options.sampling.minP = 0.05
        options.sampling.frequencyPenalty = -2
        options.sampling.presencePenalty = 2
        options.sampling.repetitionPenalty = 1.5
        options.sampling.seed = UInt64(bitPattern: -9_007_199_254_740_991)
        options.maxTokens = 12
        options.stop = ["a", "b", "c", "d"]
        #expect(request.options == options)
        #expect(request.choices == 3 && request.stream && request.includeUsage)
        #expect(try self.request(with: #""stop": "\n", "max_tokens": 1"#).options.stop == ["\n"])
    }

    @Test("roles and parts become plain turns")
    func messages() throws {
        let request = try request(
            #"""
            {"model": "m", "messages": [
              {"role": "developer", "content": "d"}, {"role": "system", "content": [{"type": "text", "text": "s"}]},
              {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "ب"}]},
              {"role": "assistant", "content": "x", "refusal": null, "annotations": [], "audio": null,
              "tool_calls": null},
              {"role": "user", "content": ""}]}
            """#)
        #expect(
            request.messages == [
                ChatMessage(role: "developer", content: "d"), ChatMessage(role: "system", content: "s"),
                ChatMessage(role: "user", content: "aب"), ChatMessage(role: "assistant", content: "x"),
                ChatMessage(role: "user", content: ""),
            ])
    }

    @Test(
        "fields that ask for what happens anyway are fine",
        arguments: [
            #""user": "u""#, #""safety_identifier": "s""#, #""prompt_cache_key": "k""#, #""store": false"#,
            #""service_tier": "auto""#, #""service_tier": "default""#, #""response_format": {"type": "text"}"#,
            #""modalities": ["text"]"#, #""logprobs": false"#, #""top_logprobs": 0"#, #""logit_bias": {}"#,
            #""tools": []"#,
            #""tool_choice": "auto""#, #""functions": []"#, #""function_call": "none""#,
            #""parallel_tool_calls": true"#, #""stop": []"#, #""n": 1"#,
            #""stream": false"#,
        ])
    func harmless(field: String) throws {
        var plain = try request(with: #""user": "u""#)
        plain.options.stop = []
        #expect(try request(with: field) == plain)
    }

    @Test(
        "null is the same as leaving a field out",
        arguments: [
            "temperature", "top_p", "top_k", "min_p", "seed", "stop", "max_tokens", "n", "stream", "stream_options",
            "tools", "audio",
            "verbosity", "logprobs", "logit_bias", "prediction", "store", "metadata", "service_tier",
            "web_search_options",
        ])
    func nulls(name: String) throws {
        #expect(try request(with: #""\#(name)": null"#).options == ChatOptions())
    }

    static let unfit: [(field: String, param: String, code: String)] = [
        // Out of range
        (#""temperature": 2.1"#, "temperature", "invalid_value"),
        (#""temperature": -0.1"#, "temperature", "invalid_value"),
        (#""top_p": 1.01"#, "top_p", "invalid_value"), (#""top_k": -1"#, "top_k", "invalid_value"),
        (#""min_p": 2"#, "min_p", "invalid_value"),
        (#""frequency_penalty": 2.5"#, "frequency_penalty", "invalid_value"),
        (#""presence_penalty": -3"#, "presence_penalty", "invalid_value"),
        (#""repetition_penalty": 0"#, "repetition_penalty", "invalid_value"),
        (#""max_tokens": 0"#, "max_tokens", "invalid_value"),
        (#""max_completion_tokens": -5"#, "max_completion_tokens", "invalid_value"), (#""n": 0"#, "n", "invalid_value"),
        (#""n": 17"#, "n", "invalid_value"), (#""stop": ["a","b","c","d","e"]"#, "stop", "invalid_value"),
        (#""stop": """#, "stop", "invalid_value"), (#""stop": ["a", ""]"#, "stop[1]", "invalid_value"),
        // Of the wrong type
        (#""temperature": "1""#, "temperature", "invalid_type"),
        (#""temperature": true"#, "temperature", "invalid_type"),
        (#""seed": 1.5"#, "seed", "invalid_type"), (#""seed": 9223372036854775808"#, "seed", "invalid_type"),
        (#""seed": 1e300"#, "seed", "invalid_type"), (#""n": "2""#, "n", "invalid_type"),
        (#""max_tokens": 1.5"#, "max_tokens", "invalid_type"), (#""stream": "true""#, "stream", "invalid_type"),
        (#""stream": 1"#, "stream", "invalid_type"), (#""stop": 3"#, "stop", "invalid_type"),
        (#""stop": [1]"#, "stop[0]", "invalid_type"), (#""user": 7"#, "user", "invalid_type"),
        (#""metadata": {"a": 1}"#, "metadata.a", "invalid_type"), (#""metadata": []"#, "metadata", "invalid_type"),
        (#""stream_options": true, "stream": true"#, "stream_options", "invalid_type"),
        // What OpenAI has and this server doesn't
        (#""tools": [{"type": "custom"}]"#, "tools[0].type", "unsupported_value"),
        (#""functions": [{}]"#, "functions", "unsupported_value"),
        (#""function_call": {}"#, "function_call", "unsupported_value"),
        (#""audio": {}"#, "audio", "unsupported_value"),
        (#""modalities": ["text", "audio"]"#, "modalities", "unsupported_value"),
        (#""prediction": {}"#, "prediction", "unsupported_value"),
        (#""web_search_options": {}"#, "web_search_options", "unsupported_value"),
        (#""verbosity": "low""#, "verbosity", "unsupported_value"),
        (#""moderation": {}"#, "moderation", "unsupported_value"),
        (#""service_tier": "flex""#, "service_tier", "unsupported_value"),
        (#""prompt_cache_options": {}"#, "prompt_cache_options", "unsupported_value"),
        (#""prompt_cache_retention": "24h""#, "prompt_cache_retention", "unsupported_value"),
        (
            #""stream": true, "stream_options": {"include_obfuscation": true}"#, "stream_options.include_obfuscation",
            "unsupported_value"
        ),
        // Unknown
        (#""Temperature": 1"#, "Temperature", "unknown_parameter"), (#""foo": null"#, "foo", "unknown_parameter"),
        (#""stream": true, "stream_options": {"x": 1}"#, "stream_options.x", "unknown_parameter"),
        // Tools, formats, logits
        (#""tools": [{"type": "function"}]"#, "tools[0].function", "missing_required_parameter"),
        (#""tool_choice": "required""#, "tool_choice", "invalid_value"),
        (#""tool_choice": {"type": "function", "function": {"name": "f"}}"#, "tool_choice", "invalid_value"),
        (#""response_format": {"type": "yaml"}"#, "response_format.type", "invalid_value"),
        (
            #""response_format": {"type": "json_schema", "json_schema": {}}"#, "response_format.json_schema.name",
            "missing_required_parameter"
        ),
        (#""logit_bias": {"foo": 5}"#, "logit_bias.foo", "invalid_value"),
        (#""logit_bias": {"1": 101}"#, "logit_bias.1", "invalid_value"),
        (#""reasoning_effort": "huge""#, "reasoning_effort", "invalid_value"),
        // Together
        (#""top_logprobs": 3"#, "top_logprobs", "invalid_parameter_combination"),
        (#""stream_options": {"include_usage": true}"#, "stream_options", "invalid_parameter_combination"),
        (#""max_tokens": 3, "max_completion_tokens": 3"#, "max_tokens", "invalid_parameter_combination"),
    ]

    @Test("anything else is refused by name", arguments: unfit)
    func refusals(field: String, param: String, code: String) throws {
        let error = try #require(fault(with: field))
        #expect(error.status == .badRequest)
        #expect(error.param == param)
        #expect(error.code == code)
        #expect(error.message.contains(param))
    }

    static let messageFaults: [(messages: String, param: String, part: String)] = [
        ("[]", "messages", "at least one"), ("{}", "messages", "expected an array, but got an object"),
        (#""Hi""#, "messages", "expected an array"), ("[1]", "messages[0]", "expected an object, but got an integer"),
        (#"[{"content": "x"}]"#, "messages[0].role", "expected one of"),
        (#"[{"role": "user"}]"#, "messages[0].content", "expected a string or an array"),
        (#"[{"role": "assistant", "content": null}]"#, "messages[0].content", "expected a string or an array"),
        (
            #"[{"role": "user", "content": "a"}, {"role": "user", "content": 7}]"#, "messages[1].content",
            "messages[1].content: expected a string or an array, but got an integer."
        ),
        (#"[{"role": "user", "content": []}]"#, "messages[0].content", "at least one element"),
        (#"[{"role": "user", "content": ["x"]}]"#, "messages[0].content[0]", "expected an object"),
        (#"[{"role": "user", "content": [{"text": "x"}]}]"#, "messages[0].content[0].type", "expected one of \"text\""),
        (
            #"[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]"#,
            "messages[0].content[0].type",
            "nothing but text"
        ),
        (
            #"[{"role": "user", "content": [{"type": "input_audio"}]}]"#, "messages[0].content[0].type",
            "nothing but text"
        ),
        (#"[{"role": "user", "content": [{"type": "text"}]}]"#, "messages[0].content[0].text", "expected a string"),
        (
            #"[{"role": "user", "content": [{"type": "text", "text": 1}]}]"#, "messages[0].content[0].text",
            "expected a string"
        ),
        (
            #"[{"role": "user", "content": [{"type": "text", "text": "x", "y": 1}]}]"#, "messages[0].content[0].y",
            "Unrecognized"
        ),
        (#"[{"role": "tool", "content": "x"}]"#, "messages[0].tool_call_id", "expected a string"),
        (#"[{"role": "function", "content": "x", "name": "f"}]"#, "messages[0].role", "tools"),
        (#"[{"role": "robot", "content": "x"}]"#, "messages[0].role", "\"robot\""),
        (#"[{"role": 1, "content": "x"}]"#, "messages[0].role", "expected a string"),
        (#"[{"role": "user", "content": "x", "name": ""}]"#, "messages[0].name", "empty"),
        (#"[{"role": "assistant", "content": "x", "tool_calls": [{}]}]"#, "messages[0].tool_calls[0].id", "expected"),
        (#"[{"role": "user", "content": "x", "foo": 1}]"#, "messages[0].foo", "Unrecognized"),
    ]

    @Test("faults in messages are located", arguments: messageFaults)
    func badMessages(messages: String, param: String, part: String) throws {
        let error = #expect(throws: APIError.self) { try request(#"{"model": "m", "messages": \#(messages)}"#) }
        #expect(error?.status == .badRequest)
        #expect(error?.param == param)
        #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
    }

    @Test(
        "messages must be there, and a model be a name",
        arguments: [
            ("{}", "messages"), (#"{"model": "m"}"#, "messages"), (#"{"model": 5}"#, "model"),
            (#"{"model": "m", "messages": null}"#, "messages"),
        ])
    func required(text: String, param: String) {
        #expect((#expect(throws: APIError.self) { try request(text) })?.param == param)
    }

    @Test("the body must be an object", arguments: ["[]", "1", "null", "\"x\"", "true"])
    func notAnObject(text: String) {
        #expect((#expect(throws: APIError.self) { try request(text) })?.message.contains("JSON object") == true)
    }

    @Test("docs/api.md names every field")
    func documented() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/api.md")
        let text = try String(contentsOf: folder, encoding: .utf8)
        for name in ChatRequest.fieldNames { #expect(text.contains("`\(name)`"), "docs/api.md doesn't name \(name)") }
    }
}
