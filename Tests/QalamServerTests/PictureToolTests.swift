// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import HummingbirdTesting
import QalamEngine
import QalamImages
import QalamServer
import Testing

@Suite("Pictures in responses")
struct PictureToolTests {
    private let painter = ColourModel(id: "colour", nativeSize: 16)

    /// A model that calls the tool with `arguments` after a word.
    private func caller(_ arguments: String) -> FakeModel {
        FakeModel { _, options, continuation in
            #expect(options.tools.map(\.name) == ["image_generation"])
            continuation.yield(.text("Here: "))
            continuation.yield(.toolCallStarted(index: 0, id: "call_1", name: "image_generation"))
            continuation.yield(.toolCallArguments(index: 0, arguments))
            continuation.yield(.finished(.toolCalls, Usage(promptTokens: 3, completionTokens: 2)))
            continuation.finish()
        }
    }

    private func picture(_ text: String?) throws -> Picture {
        try Picture(decoding: Array(#require(text.flatMap { Data(base64Encoded: $0) })))
    }

    private let demanded = #"""
        {"model": "fake", "input": "a red fox", "tool_choice": {"type": "image_generation"},
        "tools": [{"type": "image_generation", "seed": 4, "size": "32x32", "partial_images": 2}]
        """#

    @Test func aDemandedPictureIsOfTheLastMessage() async throws {
        try await withServer(of: [FakeModel.refusing(CancellationError()), painter]) { client in
            let response = try await client.send(.post, "/v1/responses", demanded + "}")
            #expect(response.status == .ok, "\(response.text)")
            let json = try response.json
            let item = json["output"]?[0]
            #expect(json["status"] == "completed" && item?["type"] == "image_generation_call")
            #expect(item?["revised_prompt"] == "a red fox" && item?["size"] == "32x32")
            #expect(item?["status"] == "completed")
            let drawn = try await client.send(
                .post, "/v1/images/generations", #"{"prompt": "a red fox", "seed": 4, "size": "32x32"}"#)
            #expect(try picture(item?["result"]?.text) == picture(drawn.json["data"]?[0]?["b64_json"]?.text))
            // It is kept, and what follows knows of it.
            let kept = try await client.send(.get, "/v1/responses/\(json["id"]?.text ?? "")")
            #expect(try kept.json["output"]?[0]?["result"] == item?["result"])
        }
    }

    @Test func aStreamShowsThePictureAsItForms() async throws {
        try await withServer(of: [FakeModel.saying("no"), painter]) { client in
            let text = try await client.send(.post, "/v1/responses", demanded + #", "stream": true}"#).text
            let types = text.split(separator: "\n").filter { $0.hasPrefix("event: ") }.map { $0.dropFirst(7) }
            #expect(
                types == [
                    "response.created", "response.in_progress", "response.output_item.added",
                    "response.image_generation_call.in_progress", "response.image_generation_call.generating",
                    "response.image_generation_call.partial_image", "response.image_generation_call.partial_image",
                    "response.image_generation_call.completed", "response.output_item.done", "response.completed",
                ])
            let events = try text.split(separator: "\n").filter { $0.hasPrefix("data: ") }.map {
                try JSONValue(parsing: Array($0.dropFirst(6).utf8))
            }
            #expect(events.map { $0["sequence_number"]?.int } == Array(0..<10))
            #expect(events[6]["partial_image_index"] == 1 && events[6]["item_id"] == events[2]["item"]?["id"])
            #expect(try picture(events[5]["partial_image_b64"]?.text).width == 32)
            #expect(events[9]["response"]?["output"]?[0]?["result"] == events[8]["item"]?["result"])
        }
    }

    @Test func aModelMayCallTheTool() async throws {
        try await withServer(of: [caller(#"{"prompt": "a blue cat"}"#), painter]) { client in
            for stream in [false, true] {
                let fields = #""tools": [{"type": "image_generation"}], "stream": \#(stream)"#
                let response = try await client.send(
                    .post, "/v1/responses", #"{"model": "fake", "input": "Draw!", \#(fields)}"#)
                let last = response.text.split(separator: "\n").last { $0.hasPrefix("data: ") }?.dropFirst(6)
                let json = try last.map { try JSONValue(parsing: Array($0.utf8))["response"] ?? .null } ?? response.json
                #expect(json["output"]?[0]?["content"]?[0]?["text"] == "Here: ", "\(response.text)")
                #expect(json["output"]?[1]?["type"] == "image_generation_call")
                #expect(json["output"]?[1]?["revised_prompt"] == "a blue cat")
                #expect(json["usage"]?["total_tokens"] == 5)
            }
        }
    }

    @Test func whatFollowsKnowsWhatWasDrawn() async throws {
        try await withServer(of: [FakeModel.echo, painter]) { client in
            let first = try await client.send(.post, "/v1/responses", demanded + "}").json
            let item = try #require(first["output"]?[0])
            let words = #"{"role": "user", "content": "a red fox"}"#
            for fields in [
                #""previous_response_id": "\#(first["id"]?.text ?? "")", "input": "And now?""#,
                #""input": [\#(words), \#(item.encoded), \#(words)]"#,
            ] {
                let response = try await client.send(.post, "/v1/responses", #"{"model": "fake", \#(fields)}"#)
                #expect(response.text.contains("(A picture: a red fox)"), "\(response.text)")
            }
        }
    }

    @Test func aLongConversationIsMadeShort() async throws {
        let model = FakeModel { messages, _, continuation in
            let isSummary = messages.last?.content.hasPrefix("Summarize") == true
            let told = messages.map { "\($0.role): \($0.content)" }.joined(separator: "|")
            continuation.yield(.text(isSummary ? "Foxes are red." : told))
            continuation.yield(.finished(.stop, Usage(promptTokens: 9, completionTokens: 4)))
            continuation.finish()
        }
        try await withServer(model) { client in
            let first = try await client.send(.post, "/v1/responses", #"{"model": "fake", "input": "Of foxes"}"#).json
            let body = #"{"model": "fake", "previous_response_id": "\#(first["id"]?.text ?? "")", "input": "And?"}"#
            let compact = try await client.send(.post, "/v1/responses/compact", body).json
            #expect(compact["object"] == "response.compaction" && compact["usage"]?["total_tokens"] == 13)
            let output = try #require(compact["output"]?.elements)
            #expect(output.map { $0["content"]?[0]?["text"]?.text } == ["Of foxes", "And?", nil])
            #expect(output[2]["type"] == "compaction")
            let items = output.map(\.encoded).joined(separator: ", ")
            let goOn = #"{"model": "fake", "input": [\#(items), {"role": "user", "content": "Go on"}]}"#
            let next = try await client.send(.post, "/v1/responses", goOn)
            let told = "user: Of foxes|user: And?|assistant: (The conversation so far: Foxes are red.)|user: Go on"
            #expect(try next.json["output"]?[0]?["content"]?[0]?["text"]?.text == told)
            let broken = #""input": [{"type": "compaction", "encrypted_content": "?"}]"#
            let none = try await client.send(.post, "/v1/responses/compact", #"{"model": "fake"}"#).json
            #expect(none["output"]?[0]?["encrypted_content"] == "" && none["usage"]?["total_tokens"] == 0)
            for (fields, name) in [(#""seed": 1"#, "seed"), (broken, "input[0].encrypted_content")] {
                let body = #"{"model": "fake", \#(fields)}"#
                let refused = try await client.send(.post, "/v1/responses/compact", body)
                #expect(refused.status == .badRequest)
                #expect(try refused.json["error"]?["param"]?.text == name)
            }
        }
    }

    @Test func whatCannotBeIsRefusedByName() async throws {
        try await withServer(FakeModel.saying("a")) { client in
            let json = try await client.send(.post, "/v1/responses", demanded + "}").json
            #expect(json["error"]?["param"] == "tools[0]", "\(json.encoded)")
        }
        try await withServer(of: [FakeModel.saying("a"), painter]) { client in
            for (fields, name) in [
                (#""tools": [{"type": "image_generation"}], "background": true"#, "background"),
                (#""tools": [{"type": "image_generation", "input_fidelity": "high"}]"#, "tools[0].input_fidelity"),
                (#""tool_choice": {"type": "image_generation"}"#, "tool_choice"),
                (#""tools": [{"type": "image_generation"}, {"type": "image_generation"}]"#, "tools[1]"),
            ] {
                let response = try await client.send(
                    .post, "/v1/responses", #"{"model": "fake", "input": "x", \#(fields)}"#)
                #expect(response.status.code == 400, "\(fields)")
                #expect(try response.json["error"]?["param"]?.text == name, "\(response.text)")
            }
        }
    }
}
