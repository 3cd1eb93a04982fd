// SPDX-License-Identifier: Apache-2.0

import Foundation
import QalamFormats
import QalamHub
import Synchronization
import Testing

/// What a hub may answer: redirects, refusals, and answers that no hub should give.
@Suite(.timeLimit(.minutes(1)))
struct HubAnswerTests {
    private let model = FakeModel(["config.json": Array("{}".utf8), "model.safetensors": noise(200_000)])

    @Test func `The token goes to the hub and nowhere else`() async throws {
        try await LocalServer.with({ [model] in model.answer($0) }) { storage in
            try await withBench({ [model] request in
                guard request.path.hasSuffix("model.safetensors") else { return model.answer(request) }
                let location = "\(storage.url)\(request.path)?signature=s"
                return .error(302, ["location": location, "x-linked-etag": "\"\(sha256(noise(200_000)))\""])
            }) { bench in
                var bench = bench
                bench.token = "secret"
                try await bench.pull()
                #expect(try bench.bytes("model.safetensors") == noise(200_000))
                #expect(bench.server.requests.allSatisfy { $0.token == "Bearer secret" })
                #expect(storage.requests.count > 1 && storage.requests.allSatisfy { $0.token == nil })
            }
        }
    }

    @Test func `A redirect within the hub keeps the token, and a ring of them ends`() async throws {
        try await withBench({ [model] request in
            if request.path.hasSuffix("config.json"), !request.path.hasPrefix("/cache") {
                return .error(307, ["location": "/cache\(request.path)"])
            }
            if request.path.hasPrefix("/cache") { return Reply(body: Array("{}".utf8)) }
            if request.path.hasSuffix("model.safetensors") { return .error(302, ["location": request.uri]) }
            return model.answer(request)
        }) { bench in
            var bench = bench
            bench.token = "secret"
            let error = try await hubError { try await bench.pull() }
            #expect("\(error)".contains("redirects more than"), "\(error)")
            #expect(bench.server.requests.filter { $0.path.hasPrefix("/cache") }.map(\.token) == ["Bearer secret"])
        }
    }

    @Test(arguments: ["ftp://127.0.0.1/x", "file:///etc/passwd", ""])
    func `A redirect to what is no address is an error`(location: String) async throws {
        try await withBench({ _ in .error(302, ["location": location]) }) { bench in
            let error = try await hubError { try await bench.pull() }
            #expect("\(error)".contains("redirect"), "\(error)")
        }
    }

    @Test func `Refusals say what to do`() async throws {
        let reply = Mutex(Reply())
        try await withBench({ request in
            request.uri.hasPrefix("/api/models?search=")
                ? .json(#"[{"id": "owner/modell"}, {"id": "../x"}]"#) : reply.withLock { $0 }
        }) { bench in
            func refusal(_ new: Reply, token: String? = nil) async throws -> String {
                reply.withLock { $0 = new }
                var bench = bench
                bench.token = token
                return "\(try await hubError { try await bench.pull() })"
            }
            let gated = try await refusal(.error(401, ["x-error-code": "GatedRepo"]))
            #expect(gated.contains("\(bench.server.url)/owner/model, then set HF_TOKEN"), "\(gated)")
            let asked = try await refusal(.error(403, ["x-error-code": "GatedRepo"]), token: "t")
            #expect(asked.contains("with the account that the token belongs to"), "\(asked)")
            let missing = try await refusal(.error(401, ["x-error-code": "RepoNotFound"]))
            #expect(missing.contains("set HF_TOKEN") && missing.contains("did you mean owner/modell?"), "\(missing)")
            #expect(try await refusal(.error(404), token: "t").contains("no such model; did you mean owner/modell?"))
            #expect(try await refusal(.error(401), token: "t").contains("the token is not valid"))
            #expect(try await refusal(.error(404, ["x-error-code": "RevisionNotFound"])).contains("main"))
            #expect(try await refusal(.error(418, ["x-error-message": "tea"])).contains("status 418 (tea)"))
            #expect(bench.files == [])
        }
    }

    @Test(arguments: ["../../x.gguf", "/etc/x.gguf", "a//x.gguf", "a/./x.gguf", "a\\\\x.gguf", "a\\u0000.gguf", ""])
    func `A file that would leave the folder is refused`(path: String) async throws {
        let tree = #"[{"type": "file", "path": "\#(path)", "size": 1, "oid": "00"}]"#
        try await withBench({ [model] in $0.path.contains("/tree/") ? .json(tree) : model.answer($0) }) { bench in
            guard case .unsafePath = try await hubError({ try await bench.pull() }) else {
                Issue.record("accepted")
                return
            }
            #expect(bench.files == [])
        }
    }

    @Test(arguments: [
        "", "[", "{}", "[1]", #"[{"type": "file"}]"#, #"[{"path": "a.gguf", "size": -1}]"#,
        #"[{"path": "a.gguf", "size": 1e300}]"#, #"[{"path": "a.gguf", "size": "1"}]"#,
        #"[{"path": "a.gguf", "size": 1}, {"path": "a.gguf", "size": 1}]"#,
        #"[{"path": "a.gguf", "size": 9223372036854775807}, {"path": "LICENSE", "size": 9223372036854775807}]"#,
    ])
    func `A damaged list is an error`(tree: String) async throws {
        try await withBench({ [model] in $0.path.contains("/tree/") ? .json(tree) : model.answer($0) }) { bench in
            await #expect(throws: (any Error).self) { try await bench.pull() }
            #expect(bench.files == [])
        }
    }

    @Test func `A range other than the one asked for is refused`() async throws {
        try await withBench({ [model] request in
            var reply = model.answer(request)
            if reply.status == 206 { reply.headers["content-range"] = "bytes 5-9/200000" }
            return reply
        }) { bench in
            let error = try await hubError { try await bench.pull() }
            #expect("\(error)".contains("another range"), "\(error)")
        }
    }

    @Test func `A file of another size than announced is given up`() async throws {
        try await withBench({ [model] request in
            var reply = model.answer(request)
            if reply.status == 206 { reply.headers["content-range", default: ""] += "0" }
            return reply
        }) { bench in
            let error = try await hubError { try await bench.pull() }
            guard case .keepsChanging = error else {
                Issue.record("\(error)")
                return
            }
        }
    }

    @Test func `Waiting times come as seconds and as dates`() async throws {
        let busy = Mutex(true)
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(identifier: "GMT")
        format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        let past = format.string(from: Date(timeIntervalSinceNow: -60))
        try await withBench({ [model] request in
            let isBusy = busy.withLock { value in
                defer { value = false }
                return value
            }
            return isBusy ? .error(503, ["retry-after": past]) : model.answer(request)
        }) { bench in
            let manifest = try await bench.pull()
            #expect(manifest.files.count == 2)
        }
    }
}
