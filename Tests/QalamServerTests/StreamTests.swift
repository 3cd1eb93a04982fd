// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import HummingbirdTesting
import QalamEngine
import QalamServer
import Testing

@Suite("Streams")
struct StreamTests {
    /// The id, the date and the fingerprint differ from run to run: put fixed ones in.
    private func normalized(_ text: String) -> String {
        text.replacing(#/chatcmpl-[0-9A-Za-z]{29}/#, with: "chatcmpl-X")
            .replacing(#/"created":\d+/#, with: #""created":1"#)
            .replacing(#/fp_[0-9a-f]{10}/#, with: "fp_1")
    }

    private let head = """
        data: {"id":"chatcmpl-X","object":"chat.completion.chunk","created":1,"model":"fake",\
        "system_fingerprint":"fp_1","choices":
        """

    @Test("the bytes of a stream")
    func golden() async throws {
        try await withServer(.saying("Hel", "lo\n\"", "ق 👩‍👩‍👧")) { client in
            let response = try await client.chat(#", "stream": true"#)
            #expect(response.headers[.contentType] == "text/event-stream; charset=utf-8")
            #expect(response.headers[.cacheControl] == "no-cache")
            let rest = #""logprobs":null,"finish_reason":null}]}"#
            #expect(
                normalized(response.text) == """
                    \(head)[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},\(rest)

                    \(head)[{"index":0,"delta":{"content":"Hel"},\(rest)

                    \(head)[{"index":0,"delta":{"content":"lo\\n\\""},\(rest)

                    \(head)[{"index":0,"delta":{"content":"ق 👩‍👩‍👧"},\(rest)

                    \(head)[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}

                    data: [DONE]


                    """)
        }
    }

    @Test("usage comes last, if asked for, with no choices")
    func usage() async throws {
        try await withServer(.saying("a", "b", reason: .length)) { client in
            let response = try await client.chat(#", "stream": true, "stream_options": {"include_usage": true}"#)
            let usage = """
                {"prompt_tokens":7,"completion_tokens":2,"total_tokens":9,\
                "prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},\
                "completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,\
                "rejected_prediction_tokens":0}}
                """
            let events = normalized(response.text).split(separator: "\n\n")
            #expect(events.count == 6)
            #expect(events.dropLast(2).allSatisfy { $0.hasSuffix(#""usage":null}"#) })
            #expect(events[3].contains(#""finish_reason":"length""#))
            #expect(events[4] == "\(head)[],\"usage\":\(usage)}")
            #expect(events[5] == "data: [DONE]")
        }
    }

    @Test("several choices come interleaved, each opened once and in order")
    func choices() async throws {
        let model = FakeModel { _, options, continuation in
            continuation.yield(.text("seed \(options.sampling.seed ?? 0)"))
            continuation.yield(.finished(.stop, Usage(promptTokens: 7, completionTokens: 2)))
            continuation.finish()
        }
        try await withServer(model) { client in
            let response = try await client.chat(
                #", "stream": true, "n": 3, "seed": 11, "stream_options": {"include_usage": true}"#)
            let chunks = try response.text.split(separator: "\n\n").dropLast().map {
                try JSONValue(parsing: Array($0.dropFirst("data: ".count).utf8))
            }
            #expect(chunks.prefix(3).map { $0["choices"]?[0]?["index"] } == [0, 1, 2])
            var texts = ["", "", ""]
            var finished = 0
            for choice in chunks.dropFirst(3).compactMap({ $0["choices"]?[0] }) {
                guard case .integer(let index) = choice["index"] else { continue }
                texts[index] += choice["delta"]?["content"]?.text ?? ""
                if choice["finish_reason"] == "stop" { finished += 1 }
                #expect(choice["delta"]?["role"] == nil)
            }
            #expect(texts == (0..<3).map { "seed \(Seeds.seed(11, choice: $0))" })
            #expect(finished == 3)
            #expect(chunks.last?["usage"]?["total_tokens"] == 13)
        }
    }

    @Test("a failure in mid-stream is told as an event, and no [DONE] follows")
    func failure() async throws {
        struct Broken: Error {}
        let model = FakeModel { _, _, continuation in
            continuation.yield(.text("a"))
            continuation.finish(throwing: Broken())
        }
        try await withServer(model) { client in
            let response = try await client.chat(#", "stream": true"#)
            #expect(response.status == .ok)
            #expect(!response.text.contains("[DONE]"))
            #expect(
                response.text.hasSuffix(
                    """
                    data: {"error":{"message":"The server had an error while processing your request.",\
                    "type":"server_error","param":null,"code":null}}


                    """))
        }
    }

    @Test("a model that ends without saying why has failed", arguments: [true, false])
    func unfinished(stream: Bool) async throws {
        let model = FakeModel { _, _, continuation in
            continuation.yield(.text("a"))
            continuation.finish()
        }
        try await withServer(model) { client in
            let response = try await client.chat(#", "stream": \#(stream)"#)
            #expect(response.status == (stream ? .ok : .internalServerError))
            #expect(response.text.contains("server_error"))
        }
    }

    @Test("a silent model's stream is kept alive by comments")
    func keepAlive() async throws {
        var configuration = ServerConfiguration()
        configuration.keepAlive = .milliseconds(30)
        let model = FakeModel { _, _, continuation in
            Task {
                try await Task.sleep(for: .seconds(2))
                continuation.yield(.text("late"))
                continuation.yield(.finished(.stop, Usage(promptTokens: 1, completionTokens: 1)))
                continuation.finish()
            }
        }
        try await withServer(model, configuration: configuration) { client in
            let response = try await client.chat(#", "stream": true"#)
            let events = response.text.split(separator: "\n\n")
            #expect(events.filter { $0 == ": keep-alive" }.count >= 2)
            #expect(events.count(where: { $0.contains("late") }) == 1)
            #expect(events.last == "data: [DONE]")
        }
    }

    @Test("a thousand pieces arrive in order, whatever their characters")
    func order() async throws {
        let kinds = ["é", "ق", "漢", "👍🏽", "\u{2028}", "\r\n", "data: x\n\n"]
        let pieces = (0..<1000).map { "\($0) \(kinds[$0 % 7]) " }
        let model = FakeModel { _, _, continuation in
            for piece in pieces { continuation.yield(.text(piece)) }
            continuation.yield(.finished(.stop, Usage(promptTokens: 1, completionTokens: 1000)))
            continuation.finish()
        }
        try await withServer(model, live: true) { client in
            let response = try await client.chat(#", "stream": true"#)
            var text = ""
            for event in response.text.split(separator: "\n\n").dropLast() {
                let chunk = try JSONValue(parsing: Array(event.dropFirst("data: ".count).utf8))
                text += chunk["choices"]?[0]?["delta"]?["content"]?.text ?? ""
            }
            #expect(text == pieces.joined())
        }
    }
}
