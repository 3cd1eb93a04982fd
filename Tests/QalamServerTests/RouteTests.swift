// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Hummingbird
import HummingbirdTesting
import QalamEngine
import QalamServer
import Testing

@Suite("Routes")
struct RouteTests {
    @Test("the models are listed, and each can be asked for")
    func models() async throws {
        try await withServer(.saying("a"), .saying("b", id: "org/big model")) { client in
            let list = try await client.send(.get, "/v1/models")
            #expect(
                list.text == """
                    {"object":"list","data":[{"id":"fake","object":"model","created":1700000000,"owned_by":"qalam",\
                    "capabilities":["chat"]},{"id":"org/big model","object":"model","created":1700000000,\
                    "owned_by":"qalam","capabilities":["chat"]}]}
                    """)
            #expect(list.headers[.contentType] == "application/json")
            for path in ["/v1/models/org/big%20model", "/v1/models/org%2Fbig%20model", "/v1/models/org%2fbig%20model"] {
                #expect(try await client.send(.get, path).json["id"] == "org/big model")
            }
            let none = try await client.send(.get, "/v1/models/none")
            #expect(none.status == .notFound)
            #expect(try none.json["error"]?["code"] == "model_not_found")
        }
    }

    @Test("a chat gets one body")
    func completion() async throws {
        try await withServer(.saying("Hello, ", "قلم.", reason: .length)) { client in
            let response = try await client.chat()
            #expect(response.status == .ok)
            let json = try response.json
            #expect(json["id"]?.text?.hasPrefix("chatcmpl-") == true)
            #expect(json["system_fingerprint"]?.text?.hasPrefix("fp_") == true)
            guard case .object(var members) = json else { return }
            members.removeAll { ["id", "created", "system_fingerprint"].contains($0.name) }
            #expect(
                JSONValue.object(members) == [
                    "object": "chat.completion", "model": "fake",
                    "choices": [
                        [
                            "index": 0,
                            "message": [
                                "role": "assistant", "content": "Hello, قلم.", "refusal": nil,
                                "annotations": [],
                            ],
                            "logprobs": nil, "finish_reason": "length",
                        ]
                    ],
                    "usage": [
                        "prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9,
                        "prompt_tokens_details": ["cached_tokens": 0, "audio_tokens": 0],
                        "completion_tokens_details": [
                            "reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0,
                            "rejected_prediction_tokens": 0,
                        ],
                    ],
                    "service_tier": "default",
                ])
        }
    }

    @Test("several choices are counted together, their prompt once")
    func choices() async throws {
        try await withServer(.saying("a", "b")) { client in
            let json = try await client.chat(#", "n": 4"#).json
            #expect((0..<5).map { json["choices"]?[$0]?["index"] } == [0, 1, 2, 3, nil])
            #expect(json["usage"]?["prompt_tokens"] == 7)
            #expect(json["usage"]?["completion_tokens"] == 8)
            #expect(json["usage"]?["total_tokens"] == 15)
        }
    }

    @Test("the model sees the messages as they were sent")
    func unicode() async throws {
        let text = "é\u{301} قلم 👩‍👩‍👧 \u{202E}x\u{0}\u{2028} \\ \" </script>"
        try await withServer(.echo) { client in
            let body: JSONValue = [
                "model": "fake",
                "messages": [
                    ["role": "developer", "content": "s"],
                    [
                        "role": "user",
                        "content": .string(text),
                    ],
                ],
            ]
            let response = try await client.send(.post, "/v1/chat/completions", body.encoded)
            let answer = try response.json["choices"]?[0]?["message"]?["content"]?.text
            #expect(answer?.contains("\(["developer: s", "user: \(text)"])") == true)
        }
    }

    @Test(
        "every response has a request id of its own and can't be sniffed",
        arguments: [
            (HTTPRequest.Method.get, "/"), (.get, "/healthz"), (.head, "/healthz"), (.get, "/v1/models"),
            (.get, "/nothing"), (.put, "/v1/models"),
            (.post, "/v1/chat/completions"),
        ])
    func headers(method: HTTPRequest.Method, path: String) async throws {
        try await withServer(.saying("a")) { client in
            let first = try await client.send(method, path)
            let second = try await client.send(method, path)
            let id = try #require(first.headers[.requestID])
            #expect(id.hasPrefix("req_") && id != second.headers[.requestID])
            #expect(first.headers[.xContentTypeOptions] == "nosniff")
            #expect(first.headers[.accessControlAllowOrigin] == nil)
        }
    }

    @Test(
        "errors have OpenAI's shape, with all four keys",
        arguments: [
            (HTTPRequest.Method.get, "/nothing", nil, 404, "unknown_url"), (.get, "/v1", nil, 404, "unknown_url"),
            (.post, "/v1/images", "{}", 404, "unknown_url"),
            (.delete, "/v1/models", nil, 405, "method_not_supported"),
            (.delete, "/v1/models/fake", nil, 403, "model_not_deletable"),
            (.post, "/", nil, 405, "method_not_supported"),
            (.put, "/v1/chat/completions", nil, 405, "method_not_supported"),
            (.options, "/v1/models", nil, 405, "method_not_supported"),
            (.get, "/v1/models/x", nil, 404, "model_not_found"), (.post, "/v1/chat/completions", "", 400, nil),
            (.post, "/v1/chat/completions", "{", 400, nil), (.post, "/v1/chat/completions", "[]", 400, "invalid_type"),
            (
                .post, "/v1/chat/completions", #"{"model": "x", "messages": [{"role": "user", "content": "x"}]}"#, 404,
                "model_not_found"
            ),
        ] as [(HTTPRequest.Method, String, String?, Int, String?)])
    func errors(method: HTTPRequest.Method, path: String, body: String?, status: Int, code: String?) async throws {
        try await withServer(.saying("a")) { client in
            let response = try await client.send(method, path, body)
            #expect(response.status.code == status)
            #expect(response.headers[.contentType] == "application/json")
            guard case .object(let members) = try response.json["error"] else {
                Issue.record("no error in \(response.text)")
                return
            }
            #expect(members.map(\.name) == ["message", "type", "param", "code"])
            #expect(members[0].value.text?.isEmpty == false)
            #expect(members[1].value == "invalid_request_error")
            #expect(members[3].value == code.map(JSONValue.string) ?? .null)
            if status == 405 { #expect(response.headers[.allow]?.isEmpty == false) }
        }
    }

    @Test("HEAD gets headers alone")
    func head() async throws {
        try await withServer(.saying("a"), live: true) { client in
            for path in ["/", "/healthz", "/v1/models", "/v1/models/fake"] {
                let response = try await client.send(.head, path)
                #expect(response.status == .ok && response.body.readableBytes == 0)
            }
            let response = try await client.send(.head, "/nothing")
            #expect(response.status == .notFound && response.body.readableBytes == 0)
            #expect(try await client.send(.get, "/healthz").text == #"{"status":"ok"}"#)
        }
    }

    @Test("what the model refuses is told as OpenAI tells it", arguments: [true, false])
    func refusals(stream: Bool) async throws {
        let cases: [(EngineError, String, String, String)] = [
            (
                .contextOverflow(prompt: 200, limit: 128), "context_length_exceeded", "messages",
                "maximum context length is 128 tokens"
            ),
            (.badMessages("the roles must alternate."), "invalid_value", "messages", "the roles must alternate."),
            (.badOption(name: "top_p", why: "must be above 0."), "invalid_value", "top_p", "must be above 0."),
        ]
        for (error, code, param, part) in cases {
            try await withServer(.refusing(error)) { client in
                let response = try await client.chat(#", "stream": \#(stream)"#)
                #expect(response.status == .badRequest)
                let json = try response.json["error"]
                #expect(json?["code"] == .string(code) && json?["param"] == .string(param))
                #expect(json?["message"]?.text?.contains(part) == true)
            }
        }
    }

    @Test("a failing model's secrets stay on the server", arguments: [true, false])
    func failures(stream: Bool) async throws {
        struct Secret: Error { let path = "/home/someone/secret" }
        try await withServer(.refusing(Secret())) { client in
            let response = try await client.chat(#", "stream": \#(stream)"#)
            #expect(response.status == .internalServerError)
            #expect(response.headers[.shouldRetry] == "false")
            #expect(!response.text.contains("ecret"))
        }
    }

    @Test("a body over the limit is refused, announced or not")
    func bodyLimit() async throws {
        var configuration = ServerConfiguration()
        configuration.bodyLimit = 1000
        try await withServer(.saying("a"), live: true, configuration: configuration) { client in
            let response = try await client.send(.post, "/v1/chat/completions", String(repeating: " ", count: 1001))
            #expect(response.status == .contentTooLarge)
            #expect(try response.json["error"]?["code"] == "request_too_large")
            #expect(try await client.chat().status == .ok)

            let connection = try RawConnection(port: #require(client.port))
            defer { connection.hangUp() }
            connection.write("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n")
            connection.write("Transfer-Encoding: chunked\r\n\r\n")
            for _ in 0..<11 { connection.write("64\r\n\(String(repeating: " ", count: 100))\r\n") }
            connection.write("0\r\n\r\n")
            #expect(try await connection.read(until: "request_too_large").hasPrefix("HTTP/1.1 413"))
        }
    }

    @Test("hostile bodies get an error, and the server lives on")
    func hostile() async throws {
        let nested = String(repeating: "[", count: 100_000)
        let bodies = [
            nested, String(repeating: #"{"a":"#, count: 100_000), "\u{0}", "\u{FEFF}{}", #"{"model": "\ud800"}"#,
            #"{"model": "fake", "messages": \#(nested)"#, String(repeating: "9", count: 500_000),
            #"{"model": "fake", "seed": 1\#(String(repeating: "0", count: 5000))}"#,
            #"{"model": "fake", "model": "fake"}"#,
        ]
        try await withServer(.saying("a"), live: true) { client in
            for body in bodies {
                #expect(
                    try await client.send(
                        .post, "/v1/chat/completions",
                        body
                    ).status == .badRequest)
            }
            let invalid = ByteBuffer(bytes: [0x7B, 0x22, 0xFF, 0xFE, 0x22, 0x3A, 0x31, 0x7D])
            let response = try await client.execute(uri: "/v1/chat/completions", method: .post, body: invalid)
            #expect(response.status == .badRequest)
            #expect(try await client.chat().status == .ok)
        }
    }

    @Test("any value in any field is honoured or refused, never a server error")
    func wrongTypes() async throws {
        let values = [
            "null", "true", "-1", "0", "1", "99999999999999999999", "1e308", "0.5", #""""#, #""x""#, "[]", "[null]",
            #"["x"]"#, "[[]]",
            "{}", #"{"a": null}"#, #"{"type": 1}"#,
        ]
        try await withServer(.saying("a")) { client in
            for name in ChatRequest.fieldNames.sorted() {
                for value in values {
                    var fields = ["model": #""fake""#, "messages": #"[{"role": "user", "content": "x"}]"#]
                    fields[name] = value
                    let body = "{" + fields.map { "\"\($0)\": \($1)" }.joined(separator: ", ") + "}"
                    let response = try await client.send(.post, "/v1/chat/completions", body)
                    #expect([200, 400, 404].contains(response.status.code), "\(body): \(response.text)")
                    if response.status == .badRequest {
                        let param = try response.json["error"]?["param"]?.text
                        #expect(param?.hasPrefix(name) == true, "\(body): \(response.text)")
                    }
                }
            }
        }
    }
}
