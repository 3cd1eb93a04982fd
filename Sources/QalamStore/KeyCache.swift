// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import GRDB
internal import Synchronization

/// All keys, in memory: each request asks for one, and they seldom change.
///
/// SQLite says, without waiting, when another connection has written; then they are read again. It is asked at most
/// a hundred times a second, since asking costs more than all else that a small request needs; for a secret that is not
/// known it is always asked. So a new key works at once, and a revoked one ends with the next request, or ten
/// milliseconds after another process has revoked it.
final class KeyCache: Sendable {
    /// How long an answer of SQLite's holds.
    private static let trust = Duration.milliseconds(10)

    private struct State {
        var version: Int?
        var asked: ContinuousClock.Instant?
        /// How often this process has written.
        var writes = 0
        var keys: [Data: APIKey] = [:]

        func find(_ hash: Data?) -> (key: APIKey?, anyKeys: Bool) { (hash.flatMap { keys[$0] }, !keys.isEmpty) }
    }

    private let connection: DatabaseQueue
    private let state = Mutex(State())

    /// The keys of the database at `path`, by a connection that never writes.
    init(path: String, _ configuration: Configuration) throws {
        var configuration = configuration
        configuration.readonly = true
        connection = try DatabaseQueue(path: path, configuration: configuration)
    }

    /// The key whose secret has this hash, and whether there are any keys.
    func find(_ hash: Data?) throws -> (key: APIKey?, anyKeys: Bool) {
        let now = ContinuousClock.now
        let (found, writes) = state.withLock { state in
            (state.asked.map { now - $0 < Self.trust } == true ? state.find(hash) : nil, state.writes)
        }
        if let found, hash == nil || found.key != nil { return found }
        return try connection.unsafeRead { database in
            let version = try Int.fetchOne(database.cachedStatement(sql: "PRAGMA data_version"))
            if state.withLock({ $0.version != version }) {
                let rows = try Row.fetchAll(database, sql: "SELECT * FROM api_keys")
                let keys = Dictionary(rows.map { ($0["hash"] as Data, APIKey($0)) }) { first, _ in first }
                state.withLock { ($0.version, $0.keys) = (version, keys) }
            }
            return state.withLock { state in
                // What was written meanwhile may not have been seen.
                if state.writes == writes { state.asked = now }
                return state.find(hash)
            }
        }
    }

    /// Has SQLite asked by the next request, since this process has written.
    func expire() {
        state.withLock { state in
            state.asked = nil
            state.writes += 1
        }
    }
}
