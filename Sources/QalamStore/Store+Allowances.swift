// SPDX-License-Identifier: Apache-2.0
internal import GRDB

extension Store {
    /// Takes a request of `key`, and `tokens` that earlier ones have used, from its minute.
    ///
    /// Not worth a wait for the disk: a power cut may give a key a part of its minute back.
    public func spend(_ key: APIKey, tokens: Int, at time: Double) async throws -> Double? {
        guard key.requestsPerMinute != nil || key.tokensPerMinute != nil else { return nil }
        return try await database.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA synchronous = NORMAL")
            defer { try? database.execute(sql: "PRAGMA synchronous = FULL") }
            var wait: Double?
            try database.inTransaction(.immediate) {
                var allowance = try Allowance(of: key, at: time, in: database)
                wait = allowance.spend(tokens: tokens, key)
                try allowance.save(key, at: time, in: database)
                return .commit
            }
            return wait
        }
    }
}

/// What is left of a key's minute.
private struct Allowance {
    var requests: Double
    var tokens: Double

    /// What is left at `time`, with what has come back since it was last written.
    init(of key: APIKey, at time: Double, in database: Database) throws {
        requests = Double(key.requestsPerMinute ?? 0)
        tokens = Double(key.tokensPerMinute ?? 0)
        let sql = "SELECT requests, tokens, time FROM allowances WHERE key = ?"
        guard let row = try Row.fetchOne(database, sql: sql, arguments: [key.id]) else { return }
        let (oldRequests, oldTokens, then): (Double, Double, Double) = (row["requests"], row["tokens"], row["time"])
        let minutes = max(time - then, 0) / 60
        requests = min(oldRequests + minutes * requests, requests)
        tokens = min(oldTokens + minutes * tokens, tokens)
    }

    /// Takes one request; nil, or the seconds until there is one.
    mutating func spend(tokens used: Int, _ key: APIKey) -> Double? {
        // An answer's tokens are known after it, so they may go below nothing, which is then waited for.
        tokens -= Double(used)
        if let limit = key.requestsPerMinute, requests < 1 { return (1 - requests) * 60 / Double(limit) }
        if let limit = key.tokensPerMinute, tokens <= 0 { return (1 - tokens) * 60 / Double(limit) }
        requests -= 1
        return nil
    }

    func save(_ key: APIKey, at time: Double, in database: Database) throws {
        try database.execute(
            sql: """
                INSERT INTO allowances (key, requests, tokens, time) VALUES (?, ?, ?, ?)
                ON CONFLICT (key) DO UPDATE SET
                    requests = excluded.requests, tokens = excluded.tokens, time = excluded.time
                """, arguments: [key.id, requests, tokens, time])
    }
}
