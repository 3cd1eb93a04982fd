// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import QalamEngine

/// The body of a response, as it is sent and kept.
enum ResponseObject {
    /// A response to `request` that has not begun.
    static func new(_ request: ResponseRequest, model: any ServedModel, status: String) -> JSONValue {
        let body = request.body
        func given(_ name: String) -> JSONValue { body[name] ?? .null }
        func given(_ name: String, or value: JSONValue) -> JSONValue {
            body.given(name) ?? value
        }
        let tools = (body["tools"]?.elements ?? []).map { tool in
            guard tool["type"] == "function" else { return tool }
            return tool.setting("parameters", tool["parameters"] ?? .null).setting("strict", tool["strict"] ?? true)
        }
        let format = body["text"]?.given("format") ?? ["type": "text"]
        return [
            "id": .string("resp_" + randomText(length: 48)), "object": "response",
            "created_at": .integer(Platform.now), "status": .string(status),
            "background": .bool(request.isInBackground), "completed_at": nil, "error": nil, "incomplete_details": nil,
            "instructions": given("instructions"), "max_output_tokens": given("max_output_tokens"),
            "max_tool_calls": given("max_tool_calls"), "model": .string(model.id), "output": [],
            "parallel_tool_calls": given("parallel_tool_calls", or: true),
            "previous_response_id": given("previous_response_id"),
            "conversation": request.conversation.map { ["id": .string($0)] } ?? .null,
            "reasoning": ["effort": body["reasoning"]?["effort"] ?? .null, "summary": .null],
            "service_tier": "default", "store": .bool(request.stores),
            "temperature": .number(Double(request.options.sampling.temperature)),
            "text": ["format": format, "verbosity": "medium"], "tool_choice": given("tool_choice", or: "auto"),
            "tools": .array(tools), "top_logprobs": given("top_logprobs", or: 0),
            "top_p": .number(Double(request.options.sampling.topP)),
            "truncation": given("truncation", or: "disabled"), "usage": nil, "user": given("user"),
            "metadata": given("metadata", or: [:]), "safety_identifier": given("safety_identifier"),
            "prompt_cache_key": given("prompt_cache_key"),
        ]
    }

    /// A finished response.
    static func finished(
        _ response: JSONValue, output: [JSONValue], reason: FinishReason, usage: Usage
    ) -> JSONValue {
        let isCut = reason == .length
        return response.setting("status", isCut ? "incomplete" : "completed").setting("output", .array(output))
            .setting("completed_at", isCut ? .null : .integer(Platform.now))
            .setting("incomplete_details", isCut ? ["reason": "max_output_tokens"] : .null)
            .setting("usage", json(usage))
    }

    /// A response that failed.
    static func failed(_ response: JSONValue, _ error: APIError) -> JSONValue {
        let code = error.status == .tooManyRequests ? "rate_limit_exceeded" : "server_error"
        return response.setting("status", "failed").setting(
            "error", ["code": .string(code), "message": .string(error.message)])
    }

    /// What a response cost.
    static func json(_ usage: Usage) -> JSONValue {
        [
            "input_tokens": .integer(usage.promptTokens),
            "input_tokens_details": ["cached_tokens": .integer(usage.cachedTokens), "cache_write_tokens": 0],
            "output_tokens": .integer(usage.completionTokens),
            "output_tokens_details": ["reasoning_tokens": .integer(usage.reasoningTokens)],
            "total_tokens": .integer(usage.promptTokens + usage.completionTokens),
        ]
    }

    /// As it is sent: without what only the server needs.
    static func shown(_ document: JSONValue) -> JSONValue {
        document.setting("request", nil).setting("key", nil)
    }
}
