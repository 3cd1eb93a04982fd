// SPDX-License-Identifier: Apache-2.0

import Foundation
import QalamStore
import Testing

@Suite("The store")
struct StoreTests {
    @Test("a record is kept, changed once per revision, listed in order, and goes with its children")
    func records() async throws {
        let store = try Store()
        let one = RecordKey(.conversation, "conv_1")
        try await store.apply([.insert(one, created: 10, body: #"{"metadata":{"a":"b"}}"#)])
        for number in 1...5 {
            let key = RecordKey(.conversationItem, "msg_\(number)", in: "conv_1")
            try await store.apply([.insert(key, created: 11, body: #"{"type":"message"}"#)])
        }
        #expect(try await store.find(one)?.revision == 1)
        try await store.apply([.update(one, revision: 1, body: "{}")])
        await #expect(throws: StoreError.conflict("conv_1")) {
            try await store.apply([.update(one, revision: 1, body: "{}")])
        }
        await #expect(throws: StoreError.exists("conv_1")) {
            try await store.apply([.insert(one, created: 1, body: "{}")])
        }
        var query = RecordQuery(.conversationItem, in: "conv_1", after: "msg_2", limit: 2)
        let page = try await store.list(query)
        #expect(page.records.map(\.id) == ["msg_3", "msg_4"] && page.hasMore)
        query.newestFirst = true
        #expect(try await store.list(query).records.map(\.id) == ["msg_1"])
        query.after = "msg_9"
        await #expect(throws: StoreError.unknownCursor("msg_9")) { try await store.list(query) }
        try await store.apply([.delete(one)])
        #expect(try await store.find(RecordKey(.conversationItem, "msg_1", in: "conv_1")) == nil)
        await #expect(throws: StoreError.missing("conv_1")) { try await store.apply([.delete(one)]) }
    }

    @Test("changes are made together or not at all")
    func transactions() async throws {
        let store = try Store()
        await #expect(throws: StoreError.missing("conv_2")) {
            try await store.apply([
                .insert(RecordKey(.conversation, "conv_1"), created: 1, body: "{}"),
                .insert(RecordKey(.conversationItem, "msg_1", in: "conv_2"), created: 1, body: "{}"),
            ])
        }
        #expect(try await store.find(RecordKey(.conversation, "conv_1")) == nil)
    }

    @Test(
        "the schema refuses documents that are none, and statuses that don't exist",
        arguments: [
            "{", #"{"status":"odd"}"#, "{}",
        ])
    func invariants(body: String) async throws {
        let store = try Store()
        await #expect(throws: (any Error).self) {
            try await store.apply([.insert(RecordKey(.batch, "batch_1"), created: 1, body: body)])
        }
        #expect(try await store.isSound())
    }

    @Test("lists can be filtered by what documents say")
    func filters() async throws {
        let store = try Store()
        for (id, status) in [("a", "in_progress"), ("b", "completed"), ("c", "in_progress")] {
            try await store.apply([
                .insert(
                    RecordKey(.batch, id), created: 1, body: #"{"status":"\#(status)","metadata":{"k.e":"\#(id)"}}"#)
            ])
        }
        var query = RecordQuery(.batch)
        query.filters = [("$.status", "in_progress")]
        #expect(try await store.list(query).records.map(\.id) == ["a", "c"])
        query.filters.append((#"$.metadata."k.e""#, "c"))
        #expect(try await store.list(query).records.map(\.id) == ["c"])
    }

    @Test("a key is known by its secret, until it is revoked or ends")
    func keys() async throws {
        let store = try Store()
        #expect(try await store.identify(secret: "x").anyKeys == false)
        let key = APIKey(name: "one", scopes: [.infer, .admin], created: 100, expires: 200, requestsPerMinute: 5)
        let secret = try await store.add(key)
        #expect(secret.hasPrefix("sk-qalam-") && secret.count == 73)
        let found = try #require(try await store.identify(secret: secret).key)
        #expect(found.id == key.id && found.scopes == [.infer, .admin] && found.requestsPerMinute == 5)
        #expect(secret.hasPrefix(found.prefix) && found.prefix.count == 15)
        #expect(found.holds(at: 199) && !found.holds(at: 200))
        #expect(try await store.identify(secret: secret + "0") == (nil, true))
        try await store.revoke(key.id, at: 150)
        #expect(try await store.identify(secret: secret).key?.holds(at: 160) == false)
        await #expect(throws: StoreError.missing("key_x")) { try await store.revoke("key_x", at: 1) }
    }

    @Test("usage adds up by key, model and day")
    func usage() async throws {
        let store = try Store()
        let entry = UsageEntry(
            key: "k", model: "m", day: "2026-01-02", requests: 1, promptTokens: 2, cachedTokens: 1, completionTokens: 3)
        try await store.add([entry, entry])
        try await store.add([entry])
        let all = try await store.usage(since: "2026-01-01")
        #expect(all.map(\.requests) == [3] && all.map(\.completionTokens) == [9])
        #expect(try await store.usage(since: "2026-01-03").isEmpty)
    }

    @Test("a lease has one holder at a time")
    func leases() async throws {
        let store = try Store()
        #expect(try await store.claim("l", holder: "a", seconds: 60))
        #expect(try await store.claim("l", holder: "a", seconds: 60))
        #expect(try await !store.claim("l", holder: "b", seconds: 60))
        try await store.release("l", holder: "b")
        #expect(try await !store.claim("l", holder: "b", seconds: 60))
        try await store.release("l", holder: "a")
        #expect(try await store.claim("l", holder: "b", seconds: 0))
        #expect(try await store.claim("l", holder: "a", seconds: 60))
    }
}

@Suite("The store on disk")
struct StoreFolderTests {
    private func withFolder<Value>(_ body: (URL) async throws -> Value) async throws -> Value {
        let folder = FileManager.default.temporaryDirectory.appending(path: "qalam-test-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        return try await body(folder)
    }

    private let hash = String(repeating: "0", count: 64)

    @Test("what was written is there when it is opened again, and in other openings at once")
    func reopening() async throws {
        try await withFolder { folder in
            let first = try Store(folder)
            let second = try Store(folder)
            try await first.apply([.insert(RecordKey(.conversation, "c"), created: 1, body: "{}")])
            #expect(try await second.find(RecordKey(.conversation, "c")) != nil)
            let mode = try FileManager.default.attributesOfItem(atPath: folder.path)[.posixPermissions] as? Int
            #expect(mode == 0o700)
        }
    }

    @Test("bytes are written whole, hashed, read and removed; names can't leave the folder")
    func blobs() async throws {
        try await withFolder { folder in
            let store = try Store(folder)
            let writer = try store.blobs.writer("file-1")
            try await writer.append(Data("hello ".utf8))
            try await writer.append(Data("world".utf8))
            #expect(throws: (any Error).self) { try store.blobs.read("file-1") }
            let summary = try await writer.finish()
            #expect(summary.bytes == 11)
            #expect(summary.sha256 == "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9")
            #expect(try store.blobs.read("file-1") == Data("hello world".utf8))
            for name in ["", ".", "..", "../x", "a/b", "a\u{0}b", "ملف"] {
                #expect(throws: StoreError.missing(name)) { try store.blobs.read(name) }
            }
            try store.blobs.remove("file-1")
            #expect(throws: (any Error).self) { try store.blobs.read("file-1") }
        }
    }

    @Test("a writer that is dropped leaves nothing")
    func droppedWriter() async throws {
        try await withFolder { folder in
            let store = try Store(folder)
            do {
                let writer = try store.blobs.writer("file-1")
                try await writer.append(Data([1, 2, 3]))
            }
            try await Task.sleep(for: .milliseconds(50))
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "files").path)
            #expect(names.isEmpty)
        }
    }

    @Test("sweeping removes what has expired, and nothing else")
    func sweeping() async throws {
        try await withFolder { folder in
            let store = try Store(folder)
            for (name, end) in [("file-1", "null"), ("file-2", "1"), ("file-3", "99999999999")] {
                let body = #"{"bytes":6,"sha256":"\#(hash)","expires_at":\#(end)}"#
                try await store.apply([.insert(RecordKey(.file, name), created: 1, body: body)])
                let writer = try store.blobs.writer(name)
                try await writer.append(Data(name.utf8))
                _ = try await writer.finish()
            }
            try await store.sweep()
            #expect(try await store.list(RecordQuery(.file)).records.map(\.id) == ["file-1", "file-3"])
            #expect(try ["file-1", "file-2", "file-3"].map { try store.blobs.contains($0) } == [true, false, true])
        }
    }

    @Test("new keys of one server are known to another on its store at once, revoked ones in ten milliseconds")
    func keysElsewhere() async throws {
        try await withFolder { folder in
            let (first, second) = (try Store(folder), try Store(folder))
            #expect(try await second.identify(secret: nil) == (nil, false))
            for number in 0..<20 {
                let key = APIKey(name: "k\(number)", scopes: [.infer], created: 1)
                let secret = try await first.add(key)
                #expect(try await second.identify(secret: secret).key?.id == key.id)
                #expect(try await first.identify(secret: secret).key?.id == key.id)
                let (here, there) = number.isMultiple(of: 2) ? (first, second) : (second, first)
                try await here.revoke(key.id, at: 5)
                #expect(try await here.identify(secret: secret).key?.revoked == 5)
                try await Task.sleep(for: .milliseconds(11))
                #expect(try await there.identify(secret: secret).key?.revoked == 5)
            }
            #expect(try await second.identify(secret: "none") == (nil, true))
        }
    }

    @Test("two stores on one folder share a key's minute, which refills evenly")
    func allowance() async throws {
        try await withFolder { folder in
            let stores = [try Store(folder), try Store(folder)]
            let key = APIKey(name: "k", scopes: [.infer], created: 1, requestsPerMinute: 2, tokensPerMinute: 60)
            var waits: [Double?] = []
            for number in 0..<4 { waits.append(try await stores[number % 2].spend(key, tokens: 0, at: 1000)) }
            #expect(waits == [nil, nil, 30, 30])
            #expect(try await stores[0].spend(key, tokens: 0, at: 1015) == 15)
            #expect(try await stores[1].spend(key, tokens: 0, at: 1030) == nil)
            // Tokens are told of later, and may be more than there were.
            #expect(try await stores[0].spend(key, tokens: 70, at: 1060) == 11)
            #expect(try await stores[1].spend(key, tokens: 0, at: 1071) == nil)
            let free = APIKey(name: "f", scopes: [.infer], created: 1)
            #expect(try await stores[0].spend(free, tokens: 1_000_000, at: 1000) == nil)
        }
    }

    @Test("a backup holds records and bytes, and opens as a store")
    func backup() async throws {
        try await withFolder { folder in
            let store = try Store(folder.appending(path: "data"))
            for name in ["file-1", "file-2"] {
                let writer = try store.blobs.writer(name)
                try await writer.append(Data(name.utf8))
                _ = try await writer.finish()
                let body = #"{"bytes":6,"sha256":"\#(hash)"}"#
                try await store.apply([.insert(RecordKey(.file, name), created: 1, body: body)])
            }
            try store.blobs.remove("file-2")  // deleted while the backup runs
            let copy = folder.appending(path: "copy")
            let total = try await store.backUp(to: copy)
            #expect(total.files == 1 && total.bytes == 6)
            let restored = try Store(copy)
            #expect(try await restored.isSound())
            #expect(try await restored.list(RecordQuery(.file)).records.map(\.id) == ["file-1"])
            #expect(try restored.blobs.read("file-1") == Data("file-1".utf8))
            await #expect(throws: (any Error).self) { try await store.backUp(to: copy) }
        }
    }
}
