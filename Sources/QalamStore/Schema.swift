// SPDX-License-Identifier: Apache-2.0
internal import GRDB

/// The tables, as migrations: each is named, and none is changed once released; what is new is appended.
enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("001 documents") { try $0.execute(sql: documents) }
        migrator.registerMigration("002 keys and usage") { try $0.execute(sql: keys) }
        migrator.registerMigration("003 leases") { try $0.execute(sql: leases) }
        migrator.registerMigration("004 allowances") { try $0.execute(sql: allowances) }
        migrator.registerMigration("005 images") { try $0.execute(sql: images) }
        return migrator
    }

    /// A table of documents; `extra` are further columns and checks.
    private static func table(_ name: String, parent: String? = nil, _ extra: String = "") -> String {
        let owner = parent.map { "parent TEXT NOT NULL REFERENCES \($0)(id) ON DELETE CASCADE," } ?? ""
        return """
            CREATE TABLE \(name) (
                sequence INTEGER PRIMARY KEY AUTOINCREMENT,
                id TEXT NOT NULL CHECK (id <> ''),
                \(owner)
                created INTEGER NOT NULL CHECK (created >= 0),
                revision INTEGER NOT NULL DEFAULT 1 CHECK (revision > 0),
                body TEXT NOT NULL CHECK (json_valid(body)),
                \(extra)
                UNIQUE (\(parent == nil ? "id" : "parent, id"))
            ) STRICT;
            """
    }

    /// A status that only has these values, kept where the document has it.
    private static func status(_ values: String...) -> String {
        let list = values.map { "'\($0)'" }.joined(separator: ", ")
        return """
            status TEXT NOT NULL GENERATED ALWAYS AS (json_extract(body, '$.status')) STORED
                CHECK (status IN (\(list))),
            """
    }

    private static let documents = [
        table(
            "files",
            """
            bytes INTEGER NOT NULL GENERATED ALWAYS AS (json_extract(body, '$.bytes')) STORED CHECK (bytes >= 0),
            CHECK (length(json_extract(body, '$.sha256')) = 64),
            """),
        table("uploads", status("pending", "completed", "cancelled", "expired")),
        table("upload_parts", parent: "uploads", "CHECK (length(json_extract(body, '$.sha256')) = 64),"),
        table(
            "batches",
            status(
                "validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling",
                "cancelled")),
        table("batch_lines", parent: "batches"),
        table(
            "responses", status("completed", "failed", "in_progress", "cancelled", "queued", "incomplete")),
        table("response_inputs", parent: "responses"),
        table("response_events", parent: "responses"),
        table("conversations"),
        table("conversation_items", parent: "conversations"),
        table("completions"),
        table("completion_messages", parent: "completions"),
        "CREATE INDEX batches_by_status ON batches (status);",
        "CREATE INDEX responses_by_status ON responses (status);",
    ].joined(separator: "\n")

    private static let images = table(
        "images", "CHECK (length(json_extract(body, '$.sha256')) = 64),")

    private static let keys = """
        CREATE TABLE api_keys (
            id TEXT PRIMARY KEY CHECK (id <> ''),
            name TEXT NOT NULL,
            hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
            prefix TEXT NOT NULL,
            scopes TEXT NOT NULL CHECK (scopes <> ''),
            created INTEGER NOT NULL,
            expires INTEGER,
            revoked INTEGER,
            requests_per_minute INTEGER CHECK (requests_per_minute > 0),
            tokens_per_minute INTEGER CHECK (tokens_per_minute > 0)
        ) STRICT;
        CREATE TABLE usage (
            key TEXT NOT NULL,
            model TEXT NOT NULL,
            day TEXT NOT NULL CHECK (length(day) = 10),
            requests INTEGER NOT NULL CHECK (requests >= 0),
            prompt_tokens INTEGER NOT NULL CHECK (prompt_tokens >= 0),
            cached_tokens INTEGER NOT NULL CHECK (cached_tokens >= 0),
            completion_tokens INTEGER NOT NULL CHECK (completion_tokens >= 0),
            PRIMARY KEY (day, key, model)
        ) STRICT, WITHOUT ROWID;
        """

    /// What is left of a key's minute at a time (Unix seconds).
    private static let allowances = """
        CREATE TABLE allowances (
            key TEXT PRIMARY KEY,
            requests REAL NOT NULL,
            tokens REAL NOT NULL,
            time REAL NOT NULL
        ) STRICT, WITHOUT ROWID;
        """

    private static let leases = """
        CREATE TABLE leases (
            name TEXT PRIMARY KEY,
            holder TEXT NOT NULL,
            until INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        """
}
