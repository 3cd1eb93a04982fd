// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import GRDB

extension Store {
    /// Keeps a new key.
    /// - Returns: its secret, which can't be had again
    public func add(_ key: APIKey) async throws -> String {
        let secret = APIKey.makeSecret()
        let scopes = KeyScope.allCases.filter(key.scopes.contains).map(\.rawValue).joined(separator: ",")
        try await database.write { database in
            try database.execute(
                sql: """
                    INSERT INTO api_keys (
                        id, name, hash, prefix, scopes, created, expires, requests_per_minute, tokens_per_minute)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    key.id, key.name, APIKey.hash(of: secret), APIKey.prefix(of: secret), scopes, key.created,
                    key.expires, key.requestsPerMinute, key.tokensPerMinute,
                ])
        }
        keyCache?.expire()
        return secret
    }

    /// All keys, revoked ones too, in the order of their creation.
    public func keys() async throws -> [APIKey] {
        try await database.read { database in
            try Row.fetchAll(database, sql: "SELECT * FROM api_keys ORDER BY rowid").map(APIKey.init)
        }
    }

    /// Ends a key for good: the one with this id.
    /// - Throws: `StoreError.missing`
    public func revoke(_ id: String, at time: Int) async throws {
        try await database.write { database in
            try database.execute(
                sql: "UPDATE api_keys SET revoked = coalesce(revoked, ?) WHERE id = ?", arguments: [time, id])
            guard database.changesCount == 1 else { throw StoreError.missing(id) }
        }
        keyCache?.expire()
    }

    /// The key with this secret, and whether there are any keys at all.
    public func identify(secret: String?) async throws -> (key: APIKey?, anyKeys: Bool) {
        let hash = secret.map(APIKey.hash)
        if let keyCache { return try keyCache.find(hash) }
        return try await database.read { database in
            if let hash,
                let row = try Row.fetchOne(database, sql: "SELECT * FROM api_keys WHERE hash = ?", arguments: [hash])
            {
                return (APIKey(row), true)
            }
            return (nil, try Bool.fetchOne(database, sql: "SELECT EXISTS (SELECT 1 FROM api_keys)") ?? false)
        }
    }

    /// The same, if all keys are in memory.
    public func known(secret: String?) -> (key: APIKey?, anyKeys: Bool)? {
        try? keyCache?.find(secret.map(APIKey.hash))
    }

    /// Adds to what keys have used.
    public func add(_ usage: [UsageEntry]) async throws {
        guard !usage.isEmpty else { return }
        try await database.write { database in
            let statement = try database.makeStatement(
                sql: """
                    INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
                        requests = requests + excluded.requests,
                        prompt_tokens = prompt_tokens + excluded.prompt_tokens,
                        cached_tokens = cached_tokens + excluded.cached_tokens,
                        completion_tokens = completion_tokens + excluded.completion_tokens
                    """)
            for entry in usage {
                try statement.execute(arguments: [
                    entry.key, entry.model, entry.day, entry.requests, entry.promptTokens, entry.cachedTokens,
                    entry.completionTokens,
                ])
            }
        }
    }

    /// What keys have used since `day`, by day, key and model.
    public func usage(since day: String) async throws -> [UsageEntry] {
        try await database.read { database in
            try Row.fetchAll(
                database, sql: "SELECT * FROM usage WHERE day >= ? ORDER BY day, key, model", arguments: [day]
            ).map { row in
                UsageEntry(
                    key: row["key"], model: row["model"], day: row["day"], requests: row["requests"],
                    promptTokens: row["prompt_tokens"], cachedTokens: row["cached_tokens"],
                    completionTokens: row["completion_tokens"])
            }
        }
    }
}

extension APIKey {
    /// The key in a row of the table.
    init(_ row: Row) {
        let scopes: String = row["scopes"]
        self.init(
            name: row["name"], scopes: Set(scopes.split(separator: ",").compactMap { KeyScope(rawValue: String($0)) }),
            created: row["created"], expires: row["expires"], requestsPerMinute: row["requests_per_minute"],
            tokensPerMinute: row["tokens_per_minute"])
        id = row["id"]
        prefix = row["prefix"]
        revoked = row["revoked"]
    }
}
