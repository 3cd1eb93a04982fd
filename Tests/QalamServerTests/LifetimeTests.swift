// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import QalamEngine
import QalamServer
import QalamStore
import ServiceLifecycle
import Synchronization
import Testing

@Suite("Lifetimes", .serialized)
struct LifetimeTests {
    @Test("a client that goes away stops the model at once", arguments: [true, false])
    func disconnect(stream: Bool) async throws {
        let watch = Watch()
        // A slow model: the server must notice without having anything to write.
        try await withServer(.endless(every: .seconds(60), watch: watch), live: true) { client in
            let connection = try RawConnection(port: #require(client.port))
            connection.postChat(#", "stream": \#(stream)"#)
            #expect(try await watch.soon { $0.startedCount == 1 })
            if stream { #expect(try await connection.read(until: "word").contains("word")) }
            #expect(watch.droppedCount == 0)
            connection.hangUp()
            #expect(try await watch.soon(within: .seconds(2)) { $0.droppedCount == 1 })
        }
    }

    @Test("all choices stop when the client goes away")
    func disconnectMany() async throws {
        let watch = Watch()
        try await withServer(.endless(every: .milliseconds(5), watch: watch), live: true) { client in
            let connection = try RawConnection(port: #require(client.port))
            connection.postChat(#", "stream": true, "n": 5"#)
            _ = try await connection.read(until: "word")
            connection.hangUp()
            #expect(try await watch.soon(within: .seconds(2)) { $0.droppedCount == 5 })
            #expect(try await client.send(.get, "/healthz").status == .ok)
        }
    }

    @Test("requests are answered at the same time")
    func concurrency() async throws {
        let present = Arrivals()
        let model = FakeModel { messages, _, continuation in
            present.count.withLock { $0 += 1 }
            Task {
                // Nobody is answered before all are here.
                while present.count.withLock({ $0 }) < 12 { try await Task.sleep(for: .milliseconds(2)) }
                continuation.yield(.text(messages[0].content))
                continuation.yield(.finished(.stop, Usage(promptTokens: 1, completionTokens: 1)))
                continuation.finish()
            }
        }
        try await withServer(model, live: true) { client in
            let port = try #require(client.port)
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<12 {
                    group.addTask {
                        let connection = try RawConnection(port: port)
                        defer { connection.hangUp() }
                        let messages = #"[{"role": "user", "content": "number \#(number)."}]"#
                        connection.post(#"{"model": "fake", "stream": \#(number % 2 == 0), "messages": \#(messages)}"#)
                        return try await connection.read(until: "\"stop\"").contains("number \(number).")
                    }
                }
                for try await right in group { #expect(right) }
            }
        }
    }

    @Test("more answers than the limit are put off, and there is room again afterwards")
    func busy() async throws {
        let watch = Watch()
        var configuration = ServerConfiguration()
        configuration.answerLimit = 2
        try await withServer(
            .endless(every: .milliseconds(5), watch: watch), .saying("a", id: "quick"), live: true,
            configuration: configuration
        ) { client in
            let connection = try RawConnection(port: #require(client.port))
            connection.postChat(#", "stream": true, "n": 2"#)
            _ = try await connection.read(until: "word")
            let refused = try await client.chat(model: "quick")
            #expect(refused.status == .tooManyRequests)
            #expect(try refused.json["error"]?["code"] == "rate_limit_exceeded")
            #expect(refused.headers[.retryAfter] == "1")
            connection.hangUp()
            #expect(try await watch.soon { $0.droppedCount == 2 })
            var status = HTTPResponse.Status.tooManyRequests
            for _ in 0..<100 where status == .tooManyRequests {
                status = try await client.chat(model: "quick").status
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(status == .ok)
        }
    }

    @Test("a server that stops gives running answers some time, then tells them")
    func shutdown() async throws {
        let watch = Watch()
        var configuration = ServerConfiguration()
        configuration.port = 0
        configuration.grace = .milliseconds(300)
        let server = QalamServer(
            models: [FakeModel.endless(every: .milliseconds(20), watch: watch)], store: try Store(),
            configuration: configuration, logger: quiet)
        let (addresses, continuation) = AsyncStream<String>.makeStream()
        let group = ServiceGroup(
            configuration: .init(services: [try server.makeApplication { continuation.yield($0) }], logger: quiet))
        async let running: Void = group.run()
        let address = try #require(await addresses.first { _ in true })
        let connection = try RawConnection(port: #require(URL(string: address)?.port))
        defer { connection.hangUp() }
        connection.postChat(#", "stream": true"#)
        _ = try await connection.read(until: "word")
        let start = ContinuousClock.now
        await group.triggerGracefulShutdown()
        let rest = try await connection.read(until: "server_shutting_down")
        #expect(rest.contains("word") && rest.contains("\"error\""))
        try await running
        let time = ContinuousClock.now - start
        #expect(time > .milliseconds(250) && time < .seconds(5), "\(time)")
        #expect(watch.droppedCount == 1)
    }

    @Test("a port in use is told in one sentence, and port 0 is a free one")
    func ports() async throws {
        try await withServer(.saying("a"), live: true) { client in
            var configuration = ServerConfiguration()
            configuration.host = "localhost"
            configuration.port = try #require(client.port)
            let server = QalamServer(
                models: [FakeModel.saying("a")], store: try Store(), configuration: configuration, logger: quiet)
            await #expect(throws: ServerError.portInUse(host: "localhost", port: configuration.port)) {
                try await server.run { _ in }
            }
        }
    }

    @Test("a port that is none is refused", arguments: [-1, 65536])
    func badPort(port: Int) async throws {
        var configuration = ServerConfiguration()
        configuration.port = port
        let server = QalamServer(models: [], store: try Store(), configuration: configuration, logger: quiet)
        await #expect(throws: ServerError.badPort(port)) { try await server.run { _ in } }
    }

    @Test("a host of another machine, or of none, is refused", arguments: ["192.0.2.1", "not a name"])
    func badHost(host: String) async throws {
        var configuration = ServerConfiguration()
        configuration.insecure = true
        configuration.host = host
        configuration.port = 0
        let server = QalamServer(models: [], store: try Store(), configuration: configuration, logger: quiet)
        await #expect(throws: ServerError.badHost(host)) { try await server.run { _ in } }
    }

    @Test("two models of one name are refused")
    func twins() async throws {
        let twins = QalamServer(
            models: [FakeModel.echo, FakeModel.saying("a")], store: try Store(), configuration: .init(), logger: quiet)
        await #expect(throws: ServerError.duplicateModel("fake")) { try await twins.run { _ in } }
    }
}

/// Counts the requests that have come.
private final class Arrivals: Sendable {
    let count = Mutex(0)
}
