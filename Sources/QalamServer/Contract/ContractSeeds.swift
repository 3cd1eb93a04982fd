// SPDX-License-Identifier: Apache-2.0

import Foundation
import Hummingbird
import QalamEngine
import QalamStore

/// Before each request, makes anew the records that OpenAI's own test suite takes for granted.
///
/// With them, and an alias `*`, that suite runs unchanged against this server. Nothing else behaves differently.
struct ContractSeeds: RouterMiddleware {
    let store: any PlatformStore

    func handle(
        _ request: Request, context: ServerContext,
        next: @concurrent (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        try await plant()
        return try await next(request, context)
    }

    private func plant() async throws {
        let line = #"{"custom_id":"one","method":"POST","url":"/v1/responses","body":{"max_output_tokens":4}}"#
        var changes: [RecordChange] = []
        for (id, purpose, text) in [
            ("file_id", "user_data", "Example data"), ("after", "user_data", "Example data"),
            ("input_file_id", "batch", line),
        ] {
            changes.append(try await file(id, purpose: purpose, text))
        }
        for id in ["batch_id", "after"] {
            changes.append(put(RecordKey(.batch, id), Self.batch(id)))
            // Held for ever, so that nobody runs it.
            _ = try await store.claim("batch \(id)", holder: "contract", seconds: 1 << 30)
        }
        for id in ["resp_677efb5139a88190b512bc3fef8e535d", "response_id", "resp_123", "previous_response_id"] {
            let isRunning = id.hasPrefix("resp_677")
            changes.append(put(RecordKey(.response, id), Self.response(id, isRunning: isRunning)))
            changes.append(put(RecordKey(.responseInput, "after", in: id), Self.message("after")))
            _ = try await store.claim("response \(id)", holder: "contract", seconds: 1 << 30)
        }
        for id in ["conv_123", "string"] {
            let conversation: JSONValue = [
                "id": .string(id), "object": "conversation", "created_at": 1, "metadata": [:],
            ]
            changes.append(put(RecordKey(.conversation, id), conversation))
            for item in ["msg_abc", "after"] {
                changes.append(put(RecordKey(.conversationItem, item, in: id), Self.message(item)))
            }
        }
        for id in ["completion_id", "after"] {
            changes.append(put(RecordKey(.completion, id), Self.completion(id)))
            let message: JSONValue = [
                "id": "after", "role": "assistant", "content": "Hello", "refusal": nil, "content_parts": nil,
            ]
            changes.append(put(RecordKey(.completionMessage, "after", in: id), message))
        }
        changes += try await upload()
        try await store.apply(changes)
    }

    private func put(_ key: RecordKey, _ document: JSONValue) -> RecordChange {
        .put(key, created: 1, body: document.encoded)
    }

    private func blob(_ name: String, _ text: String) async throws -> Blobs.Summary {
        // Another request at the same time may write the same; the last one stays.
        let writer = try store.blobs.writer(name)
        try await writer.append(Data(text.utf8))
        return try await writer.finish()
    }

    private func file(_ id: String, purpose: String, _ text: String) async throws -> RecordChange {
        let summary = try await blob(id, text)
        return put(
            RecordKey(.file, id),
            FileShapes.document(
                id: id, summary, filename: "example.txt", purpose: purpose, created: 1, lifetime: nil))
    }

    private func upload() async throws -> [RecordChange] {
        let summary = try await blob("string", "Example data")
        let id = "upload_abc123"
        let document: JSONValue = [
            "id": .string(id), "object": "upload", "bytes": .integer(summary.bytes), "created_at": 1,
            "expires_at": .integer(Platform.now + 3600), "filename": "example.txt", "purpose": "user_data",
            "status": "pending", "file": nil,
        ]
        let part: JSONValue = [
            "id": "string", "object": "upload.part", "created_at": 1, "upload_id": .string(id),
            "bytes": .integer(summary.bytes), "sha256": .string(summary.sha256),
        ]
        return [put(RecordKey(.upload, id), document), put(RecordKey(.uploadPart, "string", in: id), part)]
    }

    private static func message(_ id: String) -> JSONValue {
        [
            "type": "message", "id": .string(id), "status": "completed", "role": "user",
            "content": [["type": "input_text", "text": "Hello"]],
        ]
    }

    private static func batch(_ id: String) -> JSONValue {
        let times = [
            "expires_at", "finalizing_at", "completed_at", "failed_at", "expired_at", "cancelling_at", "cancelled_at",
        ]
        let members: [JSONValue.Member] = [
            .init("id", .string(id)), .init("object", "batch"), .init("endpoint", "/v1/responses"),
            .init("errors", .null), .init("input_file_id", "input_file_id"), .init("completion_window", "24h"),
            .init("status", "in_progress"), .init("output_file_id", .null), .init("error_file_id", .null),
            .init("created_at", 1), .init("in_progress_at", 1),
        ]
        let rest: [JSONValue.Member] = [
            .init("request_counts", ["total": 1, "completed": 0, "failed": 0]), .init("metadata", .null),
        ]
        return .object(members + times.map { .init($0, .null) } + rest)
    }

    private static func response(_ id: String, isRunning: Bool) -> JSONValue {
        [
            "id": .string(id), "object": "response", "created_at": 1,
            "status": .string(isRunning ? "in_progress" : "completed"), "background": .bool(isRunning),
            "completed_at": nil, "error": nil, "incomplete_details": nil, "instructions": nil,
            "max_output_tokens": nil, "max_tool_calls": nil, "model": "contract", "output": [],
            "parallel_tool_calls": true, "previous_response_id": nil, "conversation": nil,
            "reasoning": ["effort": nil, "summary": nil], "service_tier": "default", "store": true,
            "temperature": 1, "text": ["format": ["type": "text"]], "tool_choice": "auto", "tools": [],
            "top_logprobs": 0, "top_p": 1, "truncation": "disabled", "usage": nil, "user": nil, "metadata": [:],
            "safety_identifier": nil, "prompt_cache_key": nil,
        ]
    }

    private static func completion(_ id: String) -> JSONValue {
        var answer = Answer()
        answer.text = "Hello"
        let choice: JSONValue = [
            "index": 0, "message": ChatResponse.message(answer), "logprobs": nil, "finish_reason": "stop",
        ]
        return [
            "id": .string(id), "object": "chat.completion", "created": 1, "model": "model", "choices": [choice],
            "usage": ChatResponse.json(Usage.none), "service_tier": "default", "system_fingerprint": "fp_0",
            "metadata": [:],
        ]
    }
}
