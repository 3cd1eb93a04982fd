// SPDX-License-Identifier: Apache-2.0
import QalamEngine
import Synchronization
import Testing

@Suite struct ModelLibraryTests {
    @Test func callersShareOneOpening() async throws {
        let log = Log()
        let library = ModelLibrary([log.source("a", 1)])
        let leases = try await withThrowingTaskGroup(of: ModelLibrary<String>.Lease.self) { group in
            for _ in 0..<20 { group.addTask { try await library.lease("a") } }
            var leases: [ModelLibrary<String>.Lease] = []
            for try await lease in group { leases.append(lease) }
            return leases
        }
        #expect(leases.map(\.model) == Array(repeating: "a", count: 20))
        #expect(log.opened == ["a"])
    }

    @Test func closesTheOneUsedLongestAgo() async throws {
        let log = Log()
        let library = ModelLibrary(["a", "b", "c", "d"].map { log.source($0, 10) }, memoryLimit: 30, keepAlive: nil)
        for name in ["a", "b", "c", "a"] { _ = try await library.lease(name) }
        try await until { await library.idle == 3 }
        let running = try await library.lease("c")
        _ = try await library.lease("d")
        #expect(await library.open == ["a", "c", "d"])
        _ = running
    }

    @Test func neverClosesWhatRuns() async throws {
        let log = Log()
        let library = ModelLibrary(["a", "b", "c"].map { log.source($0, 10) }, memoryLimit: 20, keepAlive: nil)
        var leases = [try await library.lease("a"), try await library.lease("b")]
        await #expect(throws: EngineError.noMemory(model: "c", bytes: 10, free: 0)) { try await library.lease("c") }
        leases.removeFirst()
        try await until { await library.idle == 1 }
        let third = try await library.lease("c")
        #expect(third.model == "c")
        #expect(await library.open == ["b", "c"])
    }

    @Test func closesWhatIsIdle() async throws {
        let log = Log()
        let gate = Gate()
        let library = ModelLibrary([log.source("a", 1)], keepAlive: .seconds(60)) { _ in await gate.pass() }
        _ = try await library.lease("a")
        try await until { gate.waiting == 1 }
        let again = try await library.lease("a")
        gate.open()
        try await until { gate.waiting == 0 }
        #expect(await library.open == ["a"])  // it has been used since, and is in use
        _ = consume again
        try await until { await library.open.isEmpty }
        _ = try await library.lease("a")
        #expect(log.opened == ["a", "a"])
    }

    @Test func errors() async throws {
        let log = Log()
        let failing = ModelLibrary<String>.Source(name: "bad", bytes: 1) { throw EngineError.badMessages("no") }
        let library = ModelLibrary([log.source("a", 100), failing], memoryLimit: 50)
        await #expect(throws: EngineError.unknownModel("x", known: ["a", "bad"])) { try await library.lease("x") }
        await #expect(throws: EngineError.noMemory(model: "a", bytes: 100, free: 50)) { try await library.lease("a") }
        for _ in 0..<2 {
            await #expect(throws: EngineError.badMessages("no")) { try await library.lease("bad") }
        }
        #expect(await library.open.isEmpty)
    }

    private func until(_ condition: () async -> Bool) async throws {
        for _ in 0..<1000 {
            if await condition() { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        Issue.record("it did not come to that")
    }
}

/// Which fake models were opened.
private final class Log: Sendable {
    private let names = Mutex<[String]>([])

    var opened: [String] { names.withLock { $0 } }

    func source(_ name: String, _ bytes: Int) -> ModelLibrary<String>.Source {
        ModelLibrary.Source(name: name, bytes: bytes) {
            await Task.yield()
            self.names.withLock { $0.append(name) }
            return name
        }
    }
}

/// Holds those who pass until it is opened.
private final class Gate: Sendable {
    private let state = Mutex((isOpen: false, waiters: [CheckedContinuation<Void, Never>]()))

    var waiting: Int { state.withLock { $0.waiters.count } }

    func pass() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiters.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}
