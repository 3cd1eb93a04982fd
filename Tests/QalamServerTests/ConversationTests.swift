// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Hummingbird
import HummingbirdTesting
import QalamEngine
import QalamServer
import Testing

@Suite("Conversations and responses")
struct ConversationTests {
    @Test("items are kept in order, listed, deleted; metadata is changed")
    func items() async throws {
        try await withServer(.saying("a")) { client in
            let body = #"{"items": [{"role": "user", "content": "one"}], "metadata": {"a": "b"}}"#
            let conversation = try await client.send(.post, "/v1/conversations", body).json
            let path = "/v1/conversations/\(try #require(conversation["id"]?.text))"
            let more = #"{"items": [{"type": "message", "role": "assistant", "content": "two"}]}"#
            let added = try await client.send(.post, path + "/items", more).json
            #expect(added["data"]?[0]?["content"]?[0]?["type"] == "output_text")
            let list = try await client.send(.get, path + "/items?order=asc").json
            #expect(list["data"]?.elements?.compactMap { $0["content"]?[0]?["text"]?.text } == ["one", "two"])
            let item = try #require(list["first_id"]?.text)
            #expect(try await client.send(.get, path + "/items/\(item)").json["role"] == "user")
            #expect(try await client.send(.delete, path + "/items/\(item)").status == .ok)
            #expect(try await client.send(.get, path + "/items/\(item)").status == .notFound)
            #expect(try await client.send(.post, path, #"{"metadata": {"c": "d"}}"#).json["metadata"] == ["c": "d"])
            #expect(try await client.send(.delete, path).json["deleted"] == true)
            #expect(try await client.send(.get, path).status == .notFound)
            let plain = try await client.send(.post, "/v1/conversations", #"{"metadata": null}"#).json
            #expect(plain["metadata"] == [:])
            let reference = #"{"items": [{"type": "item_reference", "id": "x"}]}"#
            #expect(try await client.send(.post, "/v1/conversations", reference).status == .badRequest)
        }
    }

    @Test("a response goes on from the one before, or with a conversation")
    func context() async throws {
        try await withServer(.echo) { client in
            func respond(_ fields: String) async throws -> JSONValue {
                let response = try await client.send(.post, "/v1/responses", #"{"model": "fake", \#(fields)}"#)
                #expect(response.status == .ok, "\(response.text)")
                return try response.json
            }
            let first = try await respond(#""input": "one", "instructions": "be brief""#)
            #expect(first["status"] == "completed" && first["object"] == "response")
            #expect(
                first["output"]?[0]?["content"]?[0]?["text"]?.text?.contains(#"["system: be brief", "user: one"]"#)
                    == true)
            let id = try #require(first["id"]?.text)
            let second = try await respond(
                #""input": [{"role": "user", "content": "two"}], "previous_response_id": "\#(id)""#)
            let text = try #require(second["output"]?[0]?["content"]?[0]?["text"]?.text)
            #expect(text.contains("user: one") && text.contains("assistant: ") && text.contains("user: two"))
            #expect(!text.hasPrefix(#"["system: be brief""#))
            let inputs = try await client.send(.get, "/v1/responses/\(id)/input_items").json
            #expect(inputs["data"]?[0]?["content"]?[0]?["text"] == "one")
            #expect(try await client.send(.get, "/v1/responses/\(id)").json == first)

            let conversation = try #require(try await client.send(.post, "/v1/conversations", "").json["id"]?.text)
            _ = try await respond(#""input": "three", "conversation": "\#(conversation)""#)
            let fourth = try await respond(
                #""input": "four", "conversation": {"id": "\#(conversation)"}, "store": false"#)
            #expect(fourth["output"]?[0]?["content"]?[0]?["text"]?.text?.contains("user: three") == true)
            let gone = try #require(fourth["id"]?.text)
            #expect(try await client.send(.get, "/v1/responses/\(gone)").status == .notFound)
            let items = try await client.send(.get, "/v1/conversations/\(conversation)/items?order=asc").json
            #expect(items["data"]?.elements?.count == 4)
        }
    }

    @Test("a stream has the events of OpenAI's, in order, and can be had again")
    func stream() async throws {
        let model = FakeModel { _, _, continuation in
            let events: [TextEvent] = [
                .reasoning("hm"), .text("Hel"), .text("lo"), .toolCallStarted(index: 0, id: "call_1", name: "f"),
                .toolCallArguments(index: 0, "{}"),
                .finished(.toolCalls, Usage(promptTokens: 3, completionTokens: 5, reasoningTokens: 1)),
            ]
            for event in events { continuation.yield(event) }
            continuation.finish()
        }
        try await withServer(model) { client in
            let body = #"{"model": "fake", "input": "x", "stream": true}"#
            let text = try await client.send(.post, "/v1/responses", body).text
            let types = text.split(separator: "\n").filter { $0.hasPrefix("event: ") }.map { $0.dropFirst(7) }
            #expect(
                types == [
                    "response.created", "response.in_progress", "response.output_item.added",
                    "response.content_part.added", "response.reasoning_text.delta", "response.reasoning_text.done",
                    "response.content_part.done", "response.output_item.done", "response.output_item.added",
                    "response.content_part.added", "response.output_text.delta", "response.output_text.delta",
                    "response.output_text.done", "response.content_part.done", "response.output_item.done",
                    "response.output_item.added", "response.function_call_arguments.delta",
                    "response.function_call_arguments.done", "response.output_item.done", "response.completed",
                ])
            let last = try #require(text.split(separator: "\n").last { $0.hasPrefix("data: ") })
            let response = try JSONValue(parsing: Array(last.dropFirst(6).utf8))["response"]
            #expect(
                response?["output"]?.elements?.compactMap { $0["type"]?.text } == [
                    "reasoning", "message", "function_call",
                ])
            #expect(response?["usage"]?["output_tokens_details"]?["reasoning_tokens"] == 1)
            let id = try #require(response?["id"]?.text)
            let again = try await client.send(.get, "/v1/responses/\(id)?stream=true&starting_after=1").text
            #expect(!again.contains("response.created") && again.contains("response.completed"))
        }
    }

    @Test("a response in the background is queued, written, streamed; a stuck one is cancelled")
    func background() async throws {
        let watch = Watch()
        try await withServer(
            .saying("a", "b"), .endless(every: .milliseconds(20), watch: watch, id: "stuck"), live: true
        ) { client in
            func start(_ model: String) async throws -> String {
                let body = #"{"model": "\#(model)", "input": "x", "background": true}"#
                let response = try await client.send(.post, "/v1/responses", body).json
                #expect(response["status"] == "queued")
                return try #require(response["id"]?.text)
            }
            let id = try await start("fake")
            // A connection of its own: it is closed after the stream.
            let connection = try RawConnection(port: #require(client.port))
            defer { connection.hangUp() }
            connection.write("GET /v1/responses/\(id)?stream=true HTTP/1.1\r\nHost: localhost\r\n\r\n")
            let text = try await connection.read(until: "response.completed")
            #expect(text.contains("response.queued") && text.contains("response.completed"))
            let done = try await client.send(.get, "/v1/responses/\(id)").json
            #expect(done["status"] == "completed" && done["request"] == nil)
            #expect(done["output"]?[0]?["content"]?[0]?["text"] == "ab")
            #expect(try await client.send(.post, "/v1/responses/\(id)/cancel").status == .conflict)
            let stuck = try await start("stuck")
            #expect(try await watch.soon { $0.startedCount == 1 })
            #expect(try await client.send(.post, "/v1/responses/\(stuck)/cancel").json["status"] == "cancelled")
            #expect(try await watch.soon { $0.droppedCount == 1 })
        }
    }
}
