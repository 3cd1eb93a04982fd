// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import QalamEngine
import QalamServer
import Testing

/// A model that embeds and ranks: each text's vector is its length, twice.
private struct FakeEncoder: EmbeddingModel, RerankModel {
    let id = "encoder"
    let created = 1
    let contextLength = 8
    let dimensions = 2

    func embed(_ inputs: [TextInput], dimensions: Int?) async throws -> Embeddings {
        let lengths = inputs.map { input in
            switch input {
            case .text(let text): Float(text.count)
            case .tokens(let tokens): Float(tokens.count)
            }
        }
        return Embeddings(
            vectors: lengths.map { Array([$0, $0].prefix(dimensions ?? 2)) }, promptTokens: inputs.count)
    }

    func rerank(_ query: String, _ documents: [String]) async throws -> Ranking {
        Ranking(scores: documents.map { Float($0.count) }, promptTokens: 1)
    }
}

@Suite("Other APIs")
struct OtherAPITests {
    private let caller = FakeModel { _, _, continuation in
        let events: [TextEvent] = [
            .reasoning("hm"), .text("Hi"), .toolCallStarted(index: 0, id: "call_1", name: "f"),
            .toolCallArguments(index: 0, #"{"a":"#), .toolCallArguments(index: 0, "1}"),
            .finished(.toolCalls, Usage(promptTokens: 5, completionTokens: 4, cachedTokens: 2, reasoningTokens: 1)),
        ]
        for event in events { continuation.yield(event) }
        continuation.finish()
    }

    @Test("vectors come as numbers or base64, of texts or tokens, shortened if asked")
    func embeddings() async throws {
        try await withServer(of: [FakeEncoder()]) { client in
            func embed(_ fields: String) async throws -> JSONValue {
                try await client.send(.post, "/v1/embeddings", #"{"model": "encoder", \#(fields)}"#).json
            }
            let one = try await embed(#""input": "abc""#)
            #expect(one["data"] == [["object": "embedding", "index": 0, "embedding": [3.0, 3.0]]])
            #expect(one["usage"]?["total_tokens"] == 1)
            let base64 = try await embed(#""input": ["a", "ab"], "encoding_format": "base64""#)
            #expect(base64["data"]?[0]?["embedding"] == "AACAPwAAgD8=")
            let tokens = try await embed(#""input": [[1, 2], [3]], "dimensions": 1"#)
            #expect(tokens["data"]?.elements?.map { $0["embedding"] } == [[2.0], [1.0]])
            #expect(try await embed(#""input": [1, 2, 3]"#)["data"]?[0]?["embedding"] == [3.0, 3.0])
            for bad in [
                #""input": []"#, #""input": [""]"#, #""input": [[]]"#, #""input": 1"#, #""input": "a", "x": 1"#,
            ] {
                #expect(try await embed(bad)["error"] != nil)
            }
            let chat = try await client.chat(model: "encoder")
            #expect(try chat.json["error"]?["code"] == "unsupported_model")
        }
    }

    @Test("documents come in the order of their scores")
    func rerank() async throws {
        try await withServer(of: [FakeEncoder()]) { client in
            let body =
                #"{"model": "encoder", "query": "q", "documents": ["a", {"text": "ccc"}, "bb", "d"], "top_n": 3, "#
                + #""return_documents": true}"#
            let results = try await client.send(.post, "/v1/rerank", body).json["results"]
            #expect(results?.elements?.map { $0["index"] } == [1, 2, 0])
            #expect(results?[0]?["document"]?["text"] == "ccc")
        }
    }

    @Test("Anthropic's clients get its bodies, events and errors")
    func anthropic() async throws {
        try await withServer(caller) { client in
            let body = #"{"model": "fake", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]"#
            let whole = try await client.send(.post, "/v1/messages", body + "}").json
            #expect(whole["content"]?.elements?.map { $0["type"]?.text } == ["thinking", "text", "tool_use"])
            #expect(whole["content"]?[2]?["input"] == ["a": 1] && whole["stop_reason"] == "tool_use")
            #expect(whole["usage"]?["input_tokens"] == 3 && whole["usage"]?["cache_read_input_tokens"] == 2)
            let stream = try await client.send(.post, "/v1/messages", body + #", "stream": true}"#).text
            let types = stream.split(separator: "\n").filter { $0.hasPrefix("event: ") }.map { $0.dropFirst(7) }
            #expect(
                types == [
                    "message_start", "content_block_start", "content_block_delta", "content_block_stop",
                    "content_block_start", "content_block_delta", "content_block_stop", "content_block_start",
                    "content_block_delta", "content_block_delta", "content_block_stop", "message_delta",
                    "message_stop",
                ])
            let error = try await client.send(.post, "/v1/messages", #"{"model": "fake"}"#)
            #expect(error.status == .badRequest)
            #expect(try error.json["type"] == "error" && error.json["error"]?["type"] == "invalid_request_error")
        }
    }

    @Test("results of tools and thinking become turns of the conversation")
    func anthropicTurns() async throws {
        try await withServer(.echo) { client in
            let body: JSONValue = [
                "model": "fake", "max_tokens": 9, "system": [["type": "text", "text": "s"]],
                "messages": [
                    ["role": "user", "content": "q"],
                    [
                        "role": "assistant",
                        "content": [["type": "tool_use", "id": "t1", "name": "f", "input": ["a": 1]]],
                    ],
                    [
                        "role": "user",
                        "content": [
                            ["type": "tool_result", "tool_use_id": "t1", "content": "r"],
                            ["type": "text", "text": "go on"],
                        ],
                    ],
                ],
            ]
            let text = try await client.send(.post, "/v1/messages", body.encoded).json["content"]?[0]?["text"]?.text
            #expect(text?.contains(#"["system: s", "user: q", "assistant: ", "tool: r", "user: go on"]"#) == true)
        }
    }

    @Test("Ollama's clients get lines of JSON, or one body")
    func ollama() async throws {
        try await withServer(caller) { client in
            let body = #"{"model": "fake:latest", "messages": [{"role": "user", "content": "x"}]"#
            let response = try await client.send(.post, "/api/chat", body + "}")
            #expect(response.headers[.contentType] == "application/x-ndjson")
            let lines = try response.text.split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
            #expect(lines.map { $0["done"] } == [false, false, false, true])
            #expect(lines[0]["message"]?["thinking"] == "hm" && lines[1]["message"]?["content"] == "Hi")
            #expect(lines[2]["message"]?["tool_calls"]?[0]?["function"] == ["name": "f", "arguments": ["a": 1]])
            #expect(lines[0]["created_at"]?.text?.wholeMatch(of: /20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z/) != nil)
            #expect(lines[3]["eval_count"] == 4 && lines[3]["prompt_eval_count"] == 5)
            let whole = try await client.send(.post, "/api/chat", body + #", "stream": false}"#).json
            #expect(whole["done"] == true && whole["message"]?["content"] == "Hi")
            let text = try await client.send(
                .post, "/api/generate", #"{"model": "fake", "prompt": "x", "stream": false}"#)
            #expect(try text.json["response"] == "Hi")
            let bad = try await client.send(.post, "/api/chat", body + #", "options": {"mirostat": 1}}"#)
            #expect(bad.status == .badRequest)
            #expect(try bad.json["error"]?.text?.contains("options.mirostat") == true)
            for path in ["/api/version", "/api/tags", "/api/ps"] {
                #expect(try await client.send(.get, path).status == .ok)
            }
            #expect(try await client.send(.post, "/api/show", #"{"model": "fake"}"#).json["capabilities"] != nil)
        }
    }

    @Test("chats have tools, reasoning and log-probabilities; completions are stored, listed, changed, deleted")
    func chat() async throws {
        try await withServer(caller) { client in
            let whole = try await client.chat(#", "store": true, "metadata": {"a": "b"}"#).json
            let message = whole["choices"]?[0]?["message"]
            #expect(message?["reasoning_content"] == "hm" && message?["content"] == "Hi")
            #expect(message?["tool_calls"]?[0]?["function"]?["arguments"] == #"{"a":1}"#)
            #expect(whole["choices"]?[0]?["finish_reason"] == "tool_calls")
            #expect(whole["usage"]?["completion_tokens_details"]?["reasoning_tokens"] == 1)
            let path = "/v1/chat/completions/\(try #require(whole["id"]?.text))"
            #expect(try await client.send(.get, path).json["metadata"] == ["a": "b"])
            let list = try await client.send(.get, "/v1/chat/completions?metadata[a]=b&model=fake").json
            #expect(list["data"]?.elements?.count == 1)
            #expect(try await client.send(.get, "/v1/chat/completions?metadata[a]=c").json["data"] == [])
            #expect(try await client.send(.get, path + "/messages").json["data"]?[0]?["content"] == "Hi")
            #expect(try await client.send(.post, path, #"{"metadata": {}}"#).json["metadata"] == [:])
            #expect(try await client.send(.delete, path).json["deleted"] == true)
            #expect(try await client.send(.get, path).status == .notFound)
            let stream = try await client.chat(#", "stream": true"#).text
            #expect(stream.contains(#""delta":{"reasoning_content":"hm"}"#))
            #expect(stream.contains(#""tool_calls":[{"index":0,"id":"call_1","type":"function""#))
        }
    }

    @Test("the OpenAPI document has every route, and refers to nothing that isn't there")
    func openAPI() async throws {
        try await withServer(.saying("a")) { client in
            let text = try await client.send(.get, "/openapi.json").text
            let document = try JSONValue(parsing: Array(text.utf8))
            #expect(document["openapi"] == "3.1.0")
            for path in [
                "/v1/chat/completions", "/v1/responses/{response_id}/cancel", "/v1/models/{model}", "/api/chat",
                "/v1/uploads/{upload_id}/parts",
            ] {
                #expect(document["paths"]?[path] != nil, "\(path)")
            }
            for part in text.split(separator: "\"$ref\":\"#/components/").dropFirst() {
                let names = part.prefix { $0 != "\"" }.split(separator: "/").map(String.init)
                #expect(document["components"]?[names[0]]?[names[1]] != nil, "\(names)")
            }
        }
    }

    @Test("aliases name models, and * names every other one")
    func aliases() async throws {
        var configuration = ServerConfiguration()
        configuration.aliases = ["gpt": "fake", "*": "other"]
        try await withServer(.saying("a"), .saying("b", id: "other"), configuration: configuration) { client in
            for (name, text) in [("fake", "a"), ("gpt", "a"), ("other", "b"), ("whatever", "b")] {
                let json = try await client.chat(model: name).json
                #expect(json["choices"]?[0]?["message"]?["content"] == .string(text))
            }
            let listed = try await client.send(.get, "/v1/models").json["data"]?.elements?.map { $0["id"] }
            #expect(listed == ["fake", "other", "gpt"])
        }
    }
}
