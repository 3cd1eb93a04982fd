// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import QalamEngine
import QalamServer
import QalamStore
import Testing

@Suite("Batches")
struct BatchTests {
    private func line(_ id: String, model: String = "fake", url: String = "/v1/chat/completions") -> String {
        #"{"custom_id": "\#(id)", "method": "POST", "url": "\#(url)", "body": "#
            + #"{"model": "\#(model)", "messages": [{"role": "user", "content": "\#(id)"}]}}"#
    }

    private func start(_ client: any TestClientProtocol, _ lines: [String]) async throws -> JSONValue {
        let file = try await client.upload(lines.joined(separator: "\n"), purpose: "batch")
        let body =
            #"{"input_file_id": "\#(file)", "endpoint": "/v1/chat/completions", "completion_window": "24h"}"#
        let response = try await client.send(.post, "/v1/batches", body)
        #expect(response.status == .ok, "\(response.text)")
        return try response.json
    }

    private func end(_ client: any TestClientProtocol, _ batch: JSONValue) async throws -> JSONValue {
        let path = "/v1/batches/\(batch["id"]?.text ?? "")"
        for _ in 0..<400 {
            let state = try await client.send(.get, path).json
            if ["completed", "failed", "cancelled", "expired"].contains(state["status"]?.text) { return state }
            try await Task.sleep(for: .milliseconds(25))
        }
        return try await client.send(.get, path).json
    }

    @Test("all lines are answered, in their order; errors have a file of their own")
    func answers() async throws {
        try await withServer(.saying("a"), live: true) { client in
            let batch = try await start(client, (0..<9).map { line("\($0)") } + [line("bad", model: "none"), ""])
            #expect(batch["status"] == "validating" && batch["key"] == nil)
            let done = try await end(client, batch)
            #expect(done["status"] == "completed", "\(done.encoded)")
            #expect(done["request_counts"] == ["total": 10, "completed": 9, "failed": 1])
            func lines(_ member: String) async throws -> [JSONValue] {
                let file = try #require(done[member]?.text)
                let text = try await client.send(.get, "/v1/files/\(file)/content").text
                return try text.split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
            }
            let outputs = try await lines("output_file_id")
            #expect(outputs.map { $0["custom_id"]?.text } == (0..<9).map { "\($0)" })
            #expect(outputs[0]["response"]?["body"]?["choices"]?[0]?["message"]?["content"] == "a")
            let errors = try await lines("error_file_id")
            #expect(errors.map { $0["response"]?["status_code"] } == [404])
            #expect(try await client.send(.post, "/v1/batches/\(batch["id"]?.text ?? "")/cancel").status == .conflict)
        }
    }

    @Test("a file with faults fails as a whole, and says in which lines")
    func faults() async throws {
        try await withServer(.saying("a"), live: true) { client in
            let batch = try await start(
                client, [line("1"), "{", line("1"), line("2", url: "/v1/embeddings"), #"{"custom_id": "3"}"#])
            let failed = try await end(client, batch)
            #expect(failed["status"] == "failed")
            let codes = failed["errors"]?["data"]?.elements?.map { ($0["line"]?.int, $0["code"]?.text) } ?? []
            #expect(codes.map(\.0) == [2, 3, 4, 5])
            #expect(
                codes.map(\.1) == [
                    "invalid_json_line", "duplicate_custom_id", "mismatched_url", "missing_required_parameter",
                ])
            let wrong = try await client.upload("x", purpose: "user_data")
            let body =
                #"{"input_file_id": "\#(wrong)", "endpoint": "/v1/chat/completions", "completion_window": "24h"}"#
            #expect(try await client.send(.post, "/v1/batches", body).status == .badRequest)
        }
    }

    @Test("a batch that another server left half done is finished, each line answered once")
    func resumption() async throws {
        let store = try Store()
        let asked = Watch()
        let model = FakeModel { messages, _, continuation in
            asked.started()
            continuation.yield(.text(messages[0].content))
            continuation.yield(.finished(.stop, Usage(promptTokens: 1, completionTokens: 1)))
            continuation.finish()
        }
        // This server may have begun with it; what it did is undone below.
        let batch = try await withServer(model, store: store) { client in
            try await start(client, [line("0"), line("1"), line("2")])
        }
        let id = try #require(batch["id"]?.text)
        let half = batch.setting("status", "in_progress").setting("in_progress_at", 1).setting(
            "request_counts", ["total": 3, "completed": 1, "failed": 0])
        let answer: JSONValue = [
            "id": "batch_req_1", "custom_id": "1", "error": nil,
            "response": ["status_code": 200, "request_id": "r", "body": ["kept": true]],
        ]
        try await store.apply([
            .put(RecordKey(.batch, id), created: 1, body: half.encoded),
            .put(RecordKey(.batchLine, "1", in: id), created: 1, body: answer.encoded),
        ])
        for line in ["0", "2"] { try? await store.apply([.delete(RecordKey(.batchLine, line, in: id))]) }
        let before = asked.startedCount
        try await withServer(model, live: true, store: store) { client in
            let done = try await end(client, batch)
            #expect(done["request_counts"] == ["total": 3, "completed": 3, "failed": 0])
            let file = try #require(done["output_file_id"]?.text)
            let text = try await client.send(.get, "/v1/files/\(file)/content").text
            #expect(text.split(separator: "\n").count == 3 && text.contains(#""kept":true"#))
        }
        #expect(asked.startedCount - before == 2)
    }

    @Test("a batch can be stopped: what is left is told as cancelled")
    func cancelling() async throws {
        let watch = Watch()
        let model = FakeModel { _, _, continuation in
            watch.started()
            Task {
                try await Task.sleep(for: .milliseconds(100))
                continuation.yield(.finished(.stop, Usage(promptTokens: 1, completionTokens: 1)))
                continuation.finish()
            }
        }
        try await withServer(model, live: true) { client in
            let batch = try await start(client, (0..<200).map { line("\($0)") })
            #expect(try await watch.soon { $0.startedCount > 0 })
            let path = "/v1/batches/\(batch["id"]?.text ?? "")/cancel"
            #expect(try await client.send(.post, path).json["status"] == "cancelling")
            let done = try await end(client, batch)
            #expect(done["status"] == "cancelled")
            let file = try #require(done["error_file_id"]?.text)
            #expect(try await client.send(.get, "/v1/files/\(file)/content").text.contains("batch_cancelled"))
        }
    }
}
