// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import GRDB

/// Qalam's own records: a SQLite database and a folder of files' bytes, in one folder.
///
/// What a call has returned from is on disk: a killed process or a power cut loses none of it. Several processes may
/// use one folder at the same time.
public final class Store: PlatformStore {
    /// The bytes of files.
    public let blobs: Blobs
    let database: any DatabaseWriter
    /// Nil: the store is in memory, and has one connection.
    let keyCache: KeyCache?

    /// Opens the store in `folder`, making it if need be.
    /// - Throws: `StoreError.folder` or `.newer`
    public init(_ folder: URL) throws {
        do {
            try FileManager.default.createDirectory(
                at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            let lock = try FolderLock(folder.appending(path: "lock"))
            defer { withExtendedLifetime(lock) {} }
            let pool = try DatabasePool(
                path: folder.appending(path: "qalam.sqlite").path, configuration: Self.configuration)
            // GRDB sets NORMAL, with which a power cut may lose the last transactions.
            try pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            guard try !pool.read(Schema.migrator.hasBeenSuperseded) else { throw StoreError.newer(folder.path) }
            try Schema.migrator.migrate(pool)
            database = pool
            keyCache = try KeyCache(path: pool.path, Self.configuration)
            blobs = try Blobs(folder.appending(path: "files"))
        } catch let error as DatabaseError {
            throw StoreError.folder(folder.path, why: error.message ?? "\(error)")
        } catch let error as CocoaError {
            throw StoreError.folder(folder.path, why: error.localizedDescription)
        }
    }

    /// A store that is gone with the process, for tests and for servers without a folder.
    public init() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "qalam-" + randomHex(bytes: 8))
        database = try DatabaseQueue(configuration: Self.configuration)
        try Schema.migrator.migrate(database)
        keyCache = nil
        blobs = try Blobs(folder, temporary: true)
    }

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.busyMode = .timeout(10)
        configuration.foreignKeysEnabled = true
        configuration.maximumReaderCount = 4
        return configuration
    }
}

// MARK: Records

extension Store {
    /// The record there, if any.
    public func find(_ key: RecordKey) async throws -> Record? {
        try await database.read { try Self.find(key, in: $0) }
    }

    private static func find(_ key: RecordKey, in database: Database) throws -> Record? {
        let (condition, arguments) = location(key)
        return try Row.fetchOne(
            database, sql: "SELECT id, created, revision, body FROM \(key.kind.rawValue) WHERE \(condition)",
            arguments: arguments
        ).map(Record.init)
    }

    /// Records in order.
    public func list(_ query: RecordQuery) async throws -> RecordPage {
        try await database.read { database in
            var conditions: [String] = []
            var arguments = StatementArguments()
            if let parent = query.parent {
                conditions.append("parent = ?")
                arguments += [parent]
            }
            if let after = query.after {
                let (condition, location) = Self.location(RecordKey(query.kind, after, in: query.parent))
                guard
                    let sequence = try Int64.fetchOne(
                        database, sql: "SELECT sequence FROM \(query.kind.rawValue) WHERE \(condition)",
                        arguments: location)
                else { throw StoreError.unknownCursor(after) }
                conditions.append("sequence \(query.newestFirst ? "<" : ">") ?")
                arguments += [sequence]
            }
            for (path, text) in query.filters {
                conditions.append("json_extract(body, ?) = ?")
                arguments += [path, text]
            }
            let filter = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
            arguments += [query.limit + 1]
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT id, created, revision, body FROM \(query.kind.rawValue) \(filter)
                    ORDER BY sequence \(query.newestFirst ? "DESC" : "ASC") LIMIT ?
                    """, arguments: arguments)
            return RecordPage(records: rows.prefix(query.limit).map(Record.init), hasMore: rows.count > query.limit)
        }
    }

    /// Makes all changes, or none.
    public func apply(_ changes: [RecordChange]) async throws {
        guard !changes.isEmpty else { return }
        try await database.write { database in
            for change in changes { try Self.apply(change, in: database) }
        }
    }

    private static func apply(_ change: RecordChange, in database: Database) throws {
        switch change {
        case .insert(let key, let created, let body):
            try insert(key, created, body, onConflict: "NOTHING", in: database)
            guard database.changesCount == 1 else { throw StoreError.exists(key.id) }
        case .put(let key, let created, let body):
            let update = "UPDATE SET body = excluded.body, revision = revision + 1"
            try insert(key, created, body, onConflict: update, in: database)
        case .update(let key, let revision, let body):
            let (condition, location) = location(key)
            try database.execute(
                sql: """
                    UPDATE \(key.kind.rawValue) SET body = ?, revision = revision + 1
                    WHERE \(condition) AND revision = ?
                    """, arguments: [body] + location + [revision])
            guard database.changesCount == 1 else {
                throw try find(key, in: database) == nil ? StoreError.missing(key.id) : .conflict(key.id)
            }
        case .delete(let key):
            let (condition, location) = location(key)
            try database.execute(sql: "DELETE FROM \(key.kind.rawValue) WHERE \(condition)", arguments: location)
            guard database.changesCount == 1 else { throw StoreError.missing(key.id) }
        }
    }

    private static func insert(
        _ key: RecordKey, _ created: Int, _ body: String, onConflict: String, in database: Database
    ) throws {
        var arguments: StatementArguments = [key.id]
        if let parent = key.parent {
            // A plain answer instead of a violated constraint.
            guard let kind = key.kind.parent, try find(RecordKey(kind, parent), in: database) != nil else {
                throw StoreError.missing(parent)
            }
            arguments += [parent]
        }
        let (columns, places, conflict) =
            key.parent == nil
            ? ("id, created, body", "?, ?, ?", "id") : ("id, parent, created, body", "?, ?, ?, ?", "parent, id")
        try database.execute(
            sql: """
                INSERT INTO \(key.kind.rawValue) (\(columns)) VALUES (\(places))
                ON CONFLICT (\(conflict)) DO \(onConflict)
                """, arguments: arguments + [created, body])
    }

    private static func location(_ key: RecordKey) -> (condition: String, arguments: StatementArguments) {
        if let parent = key.parent { return ("id = ? AND parent = ?", [key.id, parent]) }
        return ("id = ?", [key.id])
    }
}

extension Record {
    fileprivate init(_ row: Row) {
        self.init(id: row["id"], created: row["created"], revision: row["revision"], body: row["body"])
    }
}

// MARK: Leases

extension Store {
    /// Takes or prolongs a lease.
    public func claim(_ name: String, holder: String, seconds: Int) async throws -> Bool {
        let now = Int(Date().timeIntervalSince1970)
        return try await database.write { database in
            try database.execute(
                sql: """
                    INSERT INTO leases (name, holder, until) VALUES (?, ?, ?)
                    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
                    WHERE holder = excluded.holder OR until <= ?
                    """, arguments: [name, holder, now + seconds, now])
            return database.changesCount == 1
        }
    }

    /// Gives a lease back.
    public func release(_ name: String, holder: String) async throws {
        try await database.write {
            try $0.execute(sql: "DELETE FROM leases WHERE name = ? AND holder = ?", arguments: [name, holder])
        }
    }
}
