// SPDX-License-Identifier: Apache-2.0
internal import QalamTensors

/// Models that are opened when they are first asked for, and closed when they have not been for a while or when another
/// one needs their memory.
public actor ModelLibrary<Model: Sendable> {
    /// A model that can be opened.
    public struct Source: Sendable {
        /// What it is asked for by.
        public var name: String
        /// The memory it takes, roughly.
        public var bytes: Int
        /// Opens it.
        public var open: @Sendable () async throws -> Model

        /// A model called `name` that takes about `bytes` bytes.
        public init(name: String, bytes: Int, open: @escaping @Sendable () async throws -> Model) {
            self.name = name
            self.bytes = bytes
            self.open = open
        }
    }

    /// A model in use: it stays open at least as long as this is held.
    public final class Lease: Sendable {
        /// The model.
        public let model: Model
        private let end: @Sendable () -> Void

        fileprivate init(_ model: Model, end: @escaping @Sendable () -> Void) {
            self.model = model
            self.end = end
        }

        deinit { end() }
    }

    /// A model that is open or about to be.
    private struct Entry {
        let opening: Task<Model, any Error>
        /// The model, once it is open.
        var model: Model?
        /// Leases, and callers who wait for one.
        var users = 0
        /// When it was last asked for or given back, by a count of such events.
        var lastUse = 0
    }

    private let sources: [String: Source]
    private let memoryLimit: Int?
    private let keepAlive: Duration?
    private let sleep: @Sendable (Duration) async throws -> Void
    private var entries: [String: Entry] = [:]
    private var uses = 0

    /// A library of `sources`, whose names differ.
    ///
    /// - Parameters:
    ///   - sources: what can be opened
    ///   - memoryLimit: the most bytes of models open at once; nil for no limit
    ///   - keepAlive: how long a model stays open unused; nil for ever
    ///   - sleep: how to wait for that long
    public init(
        _ sources: [Source], memoryLimit: Int? = nil, keepAlive: Duration? = .seconds(300),
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        self.sources = Dictionary(sources.map { ($0.name, $0) }) { first, _ in first }
        self.memoryLimit = memoryLimit
        self.keepAlive = keepAlive
        self.sleep = sleep
    }

    /// The names that can be asked for, sorted.
    public nonisolated var names: [String] { sources.keys.sorted() }

    /// The names of the models that are open or being opened, sorted.
    public var open: [String] { entries.keys.sorted() }

    /// How many models are open and not in use.
    package var idle: Int { entries.values.count { $0.users == 0 } }

    /// The model called `name`, opened if need be; callers who ask at the same time wait for the same opening.
    ///
    /// - Throws: `EngineError.unknownModel`, `EngineError.noMemory` if running models leave too little, or what opening
    ///   it throws
    public func lease(_ name: String) async throws -> Lease {
        guard let source = sources[name] else { throw EngineError.unknownModel(name, known: names) }
        if entries[name] == nil {
            try makeRoom(for: source)
            entries[name] = Entry(opening: Task { try await source.open() })
        }
        guard let opening = entries[name]?.opening else { throw EngineError.unknownModel(name, known: names) }
        touch(name, users: 1)
        do {
            let model = try await opening.value
            if entries[name]?.opening == opening { entries[name]?.model = model }
            return Lease(model) { [weak self] in
                Task { await self?.giveBack(name) }
            }
        } catch {
            // Whoever asks next tries anew.
            if entries[name]?.opening == opening { entries[name] = nil }
            throw error
        }
    }

    /// The model called `name` if it is open, for a look at it: this does not keep it open.
    func model(ifOpen name: String) -> Model? { entries[name]?.model }

    /// Closes every model that nobody uses.
    public func closeIdle() {
        for (name, entry) in entries where entry.users == 0 { close(name) }
    }

    private func giveBack(_ name: String) {
        touch(name, users: -1)
        guard let keepAlive, let entry = entries[name], entry.users == 0 else { return }
        let sleep = sleep
        Task { [weak self] in
            try await sleep(keepAlive)
            await self?.close(name, unlessUsedSince: entry.lastUse)
        }
    }

    private func touch(_ name: String, users: Int) {
        uses += 1
        entries[name]?.users += users
        entries[name]?.lastUse = uses
    }

    private func close(_ name: String, unlessUsedSince use: Int) {
        guard let entry = entries[name], entry.users == 0, entry.lastUse == use else { return }
        close(name)
    }

    private func close(_ name: String) {
        entries[name] = nil
        Device.cpu.trim()
    }

    /// Closes the models that were used longest ago until there is room for another one.
    private func makeRoom(for source: Source) throws(EngineError) {
        guard let memoryLimit else { return }
        var used = entries.keys.reduce(0) { $0 + (sources[$1]?.bytes ?? 0) }
        let idle = entries.filter { $0.value.users == 0 }.sorted { $0.value.lastUse < $1.value.lastUse }.map(\.key)
        let spare = idle.reduce(0) { $0 + (sources[$1]?.bytes ?? 0) }
        guard source.bytes <= memoryLimit - (used - spare) else {
            throw .noMemory(model: source.name, bytes: source.bytes, free: max(memoryLimit - (used - spare), 0))
        }
        for name in idle where used + source.bytes > memoryLimit {
            used -= sources[name]?.bytes ?? 0
            close(name)
        }
    }
}
