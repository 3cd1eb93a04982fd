// SPDX-License-Identifier: Apache-2.0

import Foundation
import QalamHub
import Synchronization
import Testing

/// Cuts, wrong bytes, busy servers: what a pull makes of a bad line and a bad server.
@Suite(.timeLimit(.minutes(1)))
struct BadLineTests {
    private static let weights = noise(500_000)
    private let model = FakeModel(["config.json": Array("{}".utf8), "model.safetensors": weights])

    @Test func `A body that is cut goes on where it was cut`() async throws {
        try await withBench({ [model] request in
            var reply = model.answer(request)
            if request.path.hasSuffix("model.safetensors") { reply.cutAfter = 40_000 }
            return reply
        }) { bench in
            var bench = bench
            bench.attempts = 40
            let events = Events()
            try await bench.pull(events: events)
            #expect(try bench.bytes("model.safetensors") == Self.weights)
            #expect(events.fetched == Self.weights.count + 2)
        }
    }

    @Test func `A server without ranges is asked for the whole file`() async throws {
        var model = model
        model.givesRanges = false
        let cuts = Mutex(1)
        try await withBench({ [model] request in
            var reply = model.answer(request)
            if request.path.hasSuffix("model.safetensors"), cuts.withLock({ cut(&$0) }) { reply.cutAfter = 300_000 }
            return reply
        }) { bench in
            try await bench.pull()
            #expect(try bench.bytes("model.safetensors") == Self.weights)
            #expect(bench.server.requests.filter { $0.path.hasSuffix("model.safetensors") }.count == 2)
        }
    }

    @Test func `A silent server is left, and asked again`() async throws {
        let cuts = Mutex(1)
        try await withBench({ [model] request in
            var reply = model.answer(request)
            if request.path.hasSuffix("model.safetensors"), cuts.withLock({ cut(&$0) }) { reply.stallAfter = 1000 }
            return reply
        }) { bench in
            var bench = bench
            bench.silence = .seconds(1)
            bench.attempts = 10
            try await bench.pull()
            #expect(try bench.bytes("model.safetensors") == Self.weights)
        }
    }

    @Test(arguments: [true, false])
    func `Wrong bytes are refused and deleted`(isLarge: Bool) async throws {
        let versions = Mutex(model)
        versions.withLock {
            $0.isLarge = isLarge
            $0.announced["model.safetensors"] = $0.files["model.safetensors"]
            $0.files["model.safetensors"]?[77] ^= 1
        }
        try await withBench({ request in versions.withLock { $0 }.answer(request) }) { bench in
            let error = try await hubError { try await bench.pull() }
            guard case .badSum("model.safetensors", let expected, _) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(expected == (isLarge ? sha256(Self.weights) : gitSum(Self.weights)))
            #expect(!bench.files.contains { $0.contains("model.safetensors") })
            versions.withLock { $0.files["model.safetensors"] = Self.weights }
            try await bench.pull()
            #expect(try bench.bytes("model.safetensors") == Self.weights)
        }
    }

    @Test func `A busy server is asked again after the pause it wants`() async throws {
        let busy = Mutex(2)
        try await withBench({ [model] request in
            if request.path.hasSuffix("model.safetensors"), busy.withLock({ cut(&$0) }) {
                return .error(429, ["retry-after": "1"])
            }
            return model.answer(request)
        }) { bench in
            let events = Events()
            try await bench.pull(events: events)
            let pauses = events.list.compactMap { if case .retrying(_, _, let pause) = $0 { pause } else { nil } }
            #expect(pauses == [.seconds(1), .seconds(1)])
        }
    }

    @Test func `A pause of hours is an error at once`() async throws {
        try await withBench({ _ in .error(429, ["retry-after": "7200"]) }) { bench in
            let error = try await hubError { try await bench.pull() }
            #expect("\(error)".contains("status 429"))
            #expect(bench.server.requests.count == 1)
        }
    }

    @Test func `A server in trouble is asked a few times`() async throws {
        try await withBench({ _ in .error(503) }) { bench in
            let error = try await hubError { try await bench.pull() }
            #expect("\(error)".contains("status 503") && bench.server.requests.count == 4, "\(error)")
            #expect(bench.files == [])
        }
    }

    @Test func `No server is told in one sentence`() async throws {
        try await withFolder { folder in
            let server = try await LocalServer.with({ _ in Reply() }) { $0 }
            let bench = Bench(store: ModelStore(root: folder), server: server)
            let error = try await hubError { try await bench.pull() }
            #expect("\(error)".hasPrefix("127.0.0.1: can't be reached (Connection refused)"), "\(error)")
        }
    }

    @Test func `A cancelled pull goes on where it was`() async throws {
        let isSlow = Mutex(true)
        try await withBench({ [model] request in
            var reply = model.answer(request)
            if request.path.hasSuffix("model.safetensors"), isSlow.withLock({ $0 }) { reply.stallAfter = 30_000 }
            return reply
        }) { bench in
            let pull = Task { try await bench.pull() }
            let part = bench.store.root.appending(path: "owner/.model.pull/model.safetensors.part")
            while (try? Data(contentsOf: part))?.isEmpty != false { try await Task.sleep(for: .milliseconds(5)) }
            pull.cancel()
            await #expect(throws: CancellationError.self) { try await pull.value }
            #expect(bench.store.list().map(\.kind) == [.incomplete])
            #expect(!bench.files.contains { $0.hasPrefix("owner/model/") || $0.hasSuffix(".lock") })
            isSlow.withLock { $0 = false }
            let kept = try ranges(of: part)
            #expect(kept.count > 1 << 14)
            let (second, count) = (Events(), bench.server.requests.count)
            try await bench.pull(events: second)
            #expect(try bench.bytes("model.safetensors") == Self.weights)
            let fetched = try #require(second.fetched)
            #expect(fetched <= Self.weights.count - kept.count + 2)
            let asked = bench.server.requests.suffix(from: count).filter { $0.path.hasSuffix("model.safetensors") }
            #expect(asked.compactMap(\.range).allSatisfy { !kept.intersects(integersIn: $0) })
            #expect(bench.files.count == 3)
        }
    }

    @Test func `A file that has changed since its first bytes starts over`() async throws {
        let versions = Mutex((model: model, isCut: true))
        versions.withLock {
            $0.model.hidesSums = true; $0.model.isLarge = false
        }
        try await withBench({ request in
            let (model, isCut) = versions.withLock { $0 }
            var reply = model.answer(request)
            if isCut, request.path.hasSuffix("model.safetensors") { reply.cutAfter = 1000 }
            return reply
        }) { bench in
            await #expect(throws: HubError.self) { try await bench.pull() }
            let new = noise(500_000, seed: 9)
            versions.withLock {
                $0.isCut = false; $0.model.files["model.safetensors"] = new
            }
            let events = Events()
            try await bench.pull(events: events)
            #expect(try bench.bytes("model.safetensors") == new)
            #expect(events.list.contains { if case .startedOver = $0 { true } else { false } })
        }
    }

    @Test func `A disk too small is told before anything comes`() async throws {
        let tree = #"[{"type": "file", "path": "m-Q8_0.gguf", "size": 1152921504606846976}]"#
        try await withBench({ [model] in $0.path.contains("/tree/") ? .json(tree) : model.answer($0) }) { bench in
            let error = try await hubError { try await bench.pull() }
            guard case .diskFull(_, 1_152_921_504_606_846_976, _) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(bench.files == [])
        }
    }
}

/// Whether there is one left to take.
private func cut(_ left: inout Int) -> Bool {
    guard left > 0 else { return false }
    left -= 1
    return true
}

/// The bytes that the record beside a part says are there.
private func ranges(of part: URL) throws -> IndexSet {
    let data = try Data(contentsOf: part.appendingPathExtension("json"))
    let record = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let ranges = try #require(record["ranges"] as? [[Int]])
    return ranges.reduce(into: IndexSet()) { $0.insert(integersIn: $1[0]..<$1[1]) }
}
