// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import GRDB
internal import Synchronization

/// All keys, in memory: each request asks for one, and they seldom change.
///
/// SQLite says at once, and without waiting for anyone, when another connection has written; then they are read again.
/// So a revoked key ends with the next request, whoever revoked it.
final class KeyCache: Sendable {
    private struct State {
        var version: Int?
        var keys: [Data: APIKey] = [:]
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
        try connection.unsafeRead { database in
            let version = try Int.fetchOne(database.cachedStatement(sql: "PRAGMA data_version"))
            if state.withLock({ $0.version != version }) {
                let rows = try Row.fetchAll(database, sql: "SELECT * FROM api_keys")
                let keys = Dictionary(rows.map { ($0["hash"] as Data, APIKey($0)) }) { first, _ in first }
                state.withLock { $0 = State(version: version, keys: keys) }
            }
            return state.withLock { state in (hash.flatMap { state.keys[$0] }, !state.keys.isEmpty) }
        }
    }
}
