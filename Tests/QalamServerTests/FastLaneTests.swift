// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import HummingbirdTesting
import QalamServer
import QalamStore
import Testing

@Suite struct FastLaneTests {
    /// A store in a folder of its own: only such a store has its keys at hand.
    private func withStore(_ body: (Store) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await body(Store(folder))
    }

    @Test func theListIsTheSameBothWays() async throws {
        try await withStore { store in
            try await withServer(.saying("a"), live: true, store: store) { client in
                let fast = try await client.send(.get, "/v1/models")
                // A trace takes the usual way.
                let usual = try await client.send(
                    .get, "/v1/models",
                    headers: [.traceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"])
                #expect(fast.status == .ok)
                #expect(fast.text == usual.text)
                #expect(fast.text.contains(#""id":"fake""#))
                #expect(fast.headers[.requestID]?.hasPrefix("req_") == true)
                let date = try #require(fast.headers[.date])
                let form = /(Sun|Mon|Tue|Wed|Thu|Fri|Sat), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT/
                #expect(date.wholeMatch(of: form) != nil)
                let ignored: Set<HTTPField.Name> = [.requestID, .date, .traceParent]
                let names = { (fields: HTTPFields) in Set(fields.map(\.name)).subtracting(ignored) }
                #expect(names(fast.headers) == names(usual.headers))
                for field in fast.headers where !ignored.contains(field.name) {
                    #expect(usual.headers[field.name] == field.value)
                }
            }
        }
    }

    @Test func keysAreAskedFor() async throws {
        try await withStore { store in
            let secret = try await store.add(APIKey(name: "me", scopes: [.infer], created: 0))
            let other = try await store.add(APIKey(name: "trainer", scopes: [.train], created: 0))
            try await withServer(.saying("a"), live: true, store: store) { client in
                func status(_ key: String?) async throws -> HTTPResponse.Status {
                    try await client.send(
                        .get, "/v1/models", headers: key.map { [.authorization: "Bearer \($0)"] } ?? [:]
                    ).status
                }
                #expect(try await status(nil) == .unauthorized)
                #expect(try await status("wrong") == .unauthorized)
                #expect(try await status(other) == .forbidden)
                #expect(try await status(secret) == .ok)
                let id = try #require(try await store.keys().first { $0.name == "me" }?.id)
                try await store.revoke(id, at: 1)
                #expect(try await status(secret) == .unauthorized)
            }
        }
    }

    @Test func otherNamesAndRequestsTakeTheUsualWay() async throws {
        try await withStore { store in
            try await withServer(.saying("a"), live: true, store: store) { client in
                #expect(try await client.send(.get, "/v1/models?x=1").status == .badRequest)
                let foreign = try await client.send(.get, "/v1/models", headers: [.origin: "http://evil.example"])
                #expect(foreign.status == .forbidden)
                #expect(try await client.send(.post, "/v1/models").status == .methodNotAllowed)
                // After one that is answered by a task, another is answered at once, and the other way round.
                for _ in 0..<3 {
                    #expect(try await client.send(.get, "/healthz").status == .ok)
                    #expect(try await client.send(.get, "/v1/models").status == .ok)
                }
            }
        }
    }
}
