// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import QalamEngine
import QalamImages
import QalamServer
import QalamStore
import Testing

@Suite("Images")
struct ImageTests {
    private let painter = OpenedImageModel(ColourModel(name: "colour", size: 16), created: 1_700_000_000)

    private func with(
        live: Bool = false, store: Store? = nil, _ test: @Sendable (any TestClientProtocol) async throws -> Void
    ) async throws {
        try await withServer(of: [FakeModel.saying("a"), painter], live: live, store: store, test)
    }

    private func picture(_ value: JSONValue?) throws -> Picture {
        let data = try #require(value?["b64_json"]?.text.flatMap { Data(base64Encoded: $0) })
        return try Picture(decoding: Array(data))
    }

    @Test("words become pictures, the same ones with the same seed")
    func generate() async throws {
        try await with { client in
            let body = #"{"prompt": "a smiling orange cat", "n": 2, "seed": -7, "user": "u", "moderation": "low"}"#
            let first = try await client.send(.post, "/v1/images/generations", body)
            #expect(first.status == .ok)
            let json = try first.json
            #expect(json["data"]?.elements?.count == 2)
            #expect(json["background"] == "opaque" && json["output_format"] == "png" && json["size"] == "16x16")
            #expect(json["usage"]?["input_tokens"] == 4 && json["usage"]?["total_tokens"] == 12)
            #expect(try json["data"]?[0]?["seed"] == -7 && picture(json["data"]?[0]).width == 16)
            #expect(try picture(json["data"]?[0]) != picture(json["data"]?[1]))
            let second = try await client.send(.post, "/v1/images/generations", body)
            #expect(try second.json["data"] == json["data"])
            // A further picture can be drawn alone by its own seed.
            let alone = try await client.send(
                .post, "/v1/images/generations", #"{"prompt": "a smiling orange cat", "seed": -6, "model": "colour"}"#)
            #expect(try alone.json["data"]?[0] == json["data"]?[1])
        }
    }

    @Test("pictures come in the size and format asked for, and a PNG says what drew it")
    func formats() async throws {
        try await with { client in
            for (fields, size, mark) in [
                (#""size": "64x64""#, 64, "\u{89}PNG"), (#""size": "auto""#, 16, "\u{89}PNG"),
                (#""output_format": "webp", "output_compression": 50"#, 16, "RIFF"),
                (#""output_format": "webp""#, 16, "RIFF"),
                (#""output_format": "jpeg", "size": "128x128", "background": "opaque""#, 128, "\u{FF}\u{D8}"),
            ] {
                let response = try await client.send(
                    .post, "/v1/images/generations", #"{"prompt": "x", "seed": 5, \#(fields)}"#)
                #expect(response.status == .ok, "\(fields) \(response.text)")
                let item = try response.json["data"]?[0]
                let bytes = try #require(item?["b64_json"]?.text.flatMap { Data(base64Encoded: $0) })
                #expect(bytes.starts(with: mark.unicodeScalars.map { UInt8($0.value) }))
                #expect(try picture(item).width == size)
                if mark.hasSuffix("PNG") {
                    let text = String(decoding: bytes, as: Unicode.ASCII.self)
                    // The SHA-256 of "x".
                    for word in [
                        "Model", "colour", "Seed", "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
                    ] {
                        #expect(text.contains(word))
                    }
                }
            }
        }
    }

    @Test("a URL leads to the picture without a key, for as long as it lasts")
    func urls() async throws {
        let store = try Store()
        let secret = try await store.add(APIKey(name: "k", scopes: [.infer], created: 1))
        try await with(store: store) { client in
            let headers: HTTPFields = [.authorization: "Bearer \(secret)"]
            let body = #"{"prompt": "x", "response_format": "url"}"#
            let response = try await client.send(.post, "/v1/images/generations", body, headers: headers)
            let url = try #require(URL(string: response.json["data"]?[0]?["url"]?.text ?? ""))
            #expect(url.lastPathComponent.count == 44)
            let file = try await client.send(.get, url.path)
            #expect(file.status == .ok && file.headers[.contentType] == "image/png")
            #expect(try Picture(decoding: Array(file.body.readableBytesView)).width == 16)
            #expect(try await client.send(.get, "/v1/images/files/img-none").status == .notFound)
            let list = try await client.send(.get, "/v1/files", headers: headers)
            #expect(try list.json["data"] == [])
            #expect(try await client.send(.post, "/v1/images/generations", body).status == .unauthorized)
        }
    }

    @Test("a stream holds partial pictures, then the whole one with what it cost")
    func stream() async throws {
        try await with { client in
            let response = try await client.send(
                .post, "/v1/images/generations",
                #"{"prompt": "x", "stream": true, "partial_images": 2, "size": "32x32"}"#)
            let events = response.text.split(separator: "\n\n").map { $0.split(separator: "\n") }
            let names = events.map { $0[0] }
            #expect(
                names == [
                    "event: image_generation.partial_image", "event: image_generation.partial_image",
                    "event: image_generation.completed",
                ])
            let last = try JSONValue(parsing: Array(try #require(events.last)[1].dropFirst("data: ".count).utf8))
            #expect(last["type"] == "image_generation.completed" && last["usage"]?["output_tokens"] == 4)
            #expect(try picture(last).width == 32)
        }
    }

    private static let boundary: HTTPFields = [.contentType: "multipart/form-data; boundary=b"]

    private func form(_ fields: [(String, String)], files: [(String, [UInt8])]) -> ByteBuffer {
        var body = ByteBuffer()
        for (name, value) in fields {
            body.writeString("--b\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n")
        }
        for (name, bytes) in files {
            body.writeString("--b\r\nContent-Disposition: form-data; name=\"\(name)\"; filename=\"f\"\r\n\r\n")
            body.writeBytes(bytes)
            body.writeString("\r\n")
        }
        body.writeString("--b--\r\n")
        return body
    }

    private func post(
        _ client: any TestClientProtocol, _ path: String, _ fields: [(String, String)], _ files: [(String, [UInt8])]
    ) async throws -> TestResponse {
        try await client.execute(
            uri: "/v1/images/\(path)", method: .post, headers: Self.boundary, body: form(fields, files: files))
    }

    @Test("an edit draws what the mask leaves open, and nothing else")
    func edit() async throws {
        let old = Picture(width: 16, height: 16, filledWith: [10, 20, 30, 255])
        var mask = Picture(width: 16, height: 16, filledWith: [0, 0, 0, 255])
        for index in 0..<128 { mask.pixels[4 * index + 3] = 0 }
        let files = try [("image", old.encoded(as: .png())), ("mask", mask.encoded(as: .png()))]
        try await with { [mask] client in
            let response = try await post(client, "edits", [("prompt", "a hat"), ("n", "1"), ("seed", "3")], files)
            #expect(response.status == .ok, "\(response.text)")
            let new = try picture(response.json["data"]?[0])
            #expect(Array(new.pixels[512...]) == Array(old.pixels[512...]))
            #expect(Array(new.pixels[..<4]) != Array(old.pixels[..<4]))
            #expect(mask.width == 16)
            let stream = try await post(client, "edits", [("prompt", "a hat"), ("stream", "true")], files)
            #expect(stream.text.hasPrefix("event: image_edit.completed\n"))
            let small = try Picture(width: 8, height: 8).encoded(as: .png())
            let wrong = try await post(client, "edits", [("prompt", "x")], [files[0], ("mask", small)])
            #expect(wrong.status == .badRequest && wrong.text.contains("mask"))
        }
    }

    @Test("a variation keeps some of the picture; a second picture is refused by name")
    func variation() async throws {
        let old = try Picture(width: 40, height: 20, filledWith: [200, 0, 0, 255]).encoded(as: .jpeg())
        try await with { client in
            let response = try await post(client, "variations", [("size", "256x256")], [("image", old)])
            #expect(try picture(response.json["data"]?[0]).width == 256)
            let two = try await post(client, "variations", [], [("image[]", old), ("image[]", old)])
            #expect(two.status == .badRequest && two.text.contains("takes one picture"))
            let none = try await post(client, "variations", [], [])
            #expect(try none.json["error"]?["param"] == "image")
        }
    }

    @Test("what is no picture, or a hostile one, is a 400 that says so")
    func hostile() async throws {
        var huge = try Picture(width: 8, height: 8).encoded(as: .png())
        huge.replaceSubrange(16..<24, with: [0, 0, 195, 80, 0, 0, 195, 80])  // 50,000 × 50,000
        let whole = try Picture(width: 64, height: 64, filledWith: [1, 2, 3, 4]).encoded(as: .png())
        let bad: [[UInt8]] = [[], Array("Example data".utf8), huge, Array(whole.dropLast(40)), Array("GIF89a".utf8)]
        try await with { client in
            for bytes in bad {
                let response = try await post(client, "variations", [], [("image", bytes)])
                #expect(response.status == .badRequest, "\(bytes.count)")
                #expect(try response.json["error"]?["param"] == "image")
            }
        }
    }

    @Test(
        "what can't be had is refused by name",
        arguments: [
            (#"{"prompt": "x", "style": "vivid"}"#, "style"), (#"{"prompt": "x", "size": "100x200"}"#, "size"),
            (#"{"prompt": ""}"#, "prompt"), (#"{}"#, "prompt"), (#"{"prompt": "x", "n": 11}"#, "n"),
            (#"{"prompt": "x", "frame_count": 2}"#, "frame_count"), (#"{"prompt": "x", "svg": {}}"#, "svg"),
            (#"{"prompt": "x", "output_format": "gif"}"#, "output_format"),
            (#"{"prompt": "x", "background": "transparent", "output_format": "jpeg"}"#, "background"),
            (#"{"prompt": "x", "output_compression": 3}"#, "output_compression"),
            (#"{"prompt": "x", "partial_images": 3}"#, "partial_images"),
            (#"{"prompt": "x", "stream": true, "response_format": "url"}"#, "response_format"),
            (#"{"prompt": "x", "model": "fake"}"#, "model"), (#"{"prompt": "x", "model": "none"}"#, "model"),
            (#"{"prompt": "x", "colour": "red"}"#, "colour"),
        ])
    func refused(body: String, param: String) async throws {
        try await with { client in
            let response = try await client.send(.post, "/v1/images/generations", body)
            #expect(response.status.kind == .clientError)
            #expect(try response.json["error"]?["param"] == .string(param))
        }
    }

    @Test("models say that they draw, and those that write don't")
    func models() async throws {
        try await with { client in
            let list = try await client.send(.get, "/v1/models").json
            #expect(list["data"]?[0]?["capabilities"] == ["chat"] && list["data"]?[1]?["capabilities"] == ["images"])
            let chat = try await client.chat(model: "colour")
            #expect(try chat.json["error"]?["code"] == "unsupported_model")
        }
    }

    @Test("pictures are counted by key and model")
    func usage() async throws {
        let store = try Store()
        let key = APIKey(name: "k", scopes: [.infer], created: 1)
        let secret = try await store.add(key)
        try await with(live: true, store: store) { client in
            let headers: HTTPFields = [.authorization: "Bearer \(secret)"]
            _ = try await client.send(.post, "/v1/images/generations", #"{"prompt": "a b", "n": 3}"#, headers: headers)
            var entries: [UsageEntry] = []
            for _ in 0..<100 where entries.isEmpty {
                try await Task.sleep(for: .milliseconds(50))
                entries = try await store.usage(since: "2000-01-01")
            }
            #expect(entries.map(\.model) == ["colour"] && entries.map(\.completionTokens) == [12])
        }
    }
}
