// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import GRDB

/// Which conversations of the page to list.
public struct ChatQuery: Sendable {
    /// Whose.
    public var owner: String
    /// A label they must have.
    public var label: String?
    /// Words that their title or one of their messages must hold, each of them; see `FoldedText`.
    public var words: [String]
    /// How many to pass over.
    public var offset: Int
    /// The most to give.
    public var limit: Int

    /// The conversations of `owner`.
    public init(owner: String, label: String? = nil, words: [String] = [], offset: Int = 0, limit: Int = 100) {
        self.owner = owner
        self.label = label
        self.words = words
        self.offset = offset
        self.limit = limit
    }
}

extension Store {
    /// The conversations that `query` asks for, those changed last first.
    public func chats(_ query: ChatQuery) async throws -> RecordPage {
        var conditions = ["owner = ?"]
        var arguments: StatementArguments = [query.owner]
        if let label = query.label {
            conditions.append("EXISTS (SELECT 1 FROM json_each(body, '$.labels') WHERE value = ?)")
            arguments += [label]
        }
        for word in query.words.map(FoldedText.folded) where !word.isEmpty {
            conditions.append(
                """
                (instr(folded(json_extract(body, '$.title')), ?) OR EXISTS (
                    SELECT 1 FROM chat_messages
                    WHERE parent = chats.id AND instr(folded(json_extract(chat_messages.body, '$.content')), ?)))
                """)
            arguments += [word, word]
        }
        arguments += [query.limit + 1, query.offset]
        let sql = """
            SELECT id, created, revision, body FROM chats WHERE \(conditions.joined(separator: " AND "))
            ORDER BY updated DESC, sequence DESC LIMIT ? OFFSET ?
            """
        return try await database.read { [arguments] database in
            let records = try Row.fetchAll(database, sql: sql, arguments: arguments).map(Record.init)
            return RecordPage(records: Array(records.prefix(query.limit)), hasMore: records.count > query.limit)
        }
    }

    /// The labels in use, each with how many conversations have it.
    public func chatLabels(owner: String) async throws -> [(label: String, count: Int)] {
        try await database.read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT value AS label, count(*) AS count FROM chats, json_each(chats.body, '$.labels')
                    WHERE owner = ? GROUP BY value ORDER BY value
                    """, arguments: [owner]
            ).map { ($0["label"], $0["count"]) }
        }
    }
}

/// Texts as they are compared in a search: capitals, accents, Arabic vowel signs and the shapes of alef, yeh and teh
/// marbuta make no difference.
enum FoldedText {
    /// The function in SQL.
    static let function = DatabaseFunction("folded", argumentCount: 1, pure: true) { values in
        values.first.flatMap(String.fromDatabaseValue).map(folded)
    }

    /// The text without what a search passes over.
    static func folded(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.lowercased() }
        var result = String.UnicodeScalarView()
        for scalar in text.lowercased().decomposedStringWithCanonicalMapping.unicodeScalars {
            switch scalar {
            case "\u{300}"..."\u{36F}", "\u{610}"..."\u{61A}", "\u{64B}"..."\u{65F}", "\u{670}", "\u{640}": continue
            case "ٱ": result.append("ا")
            case "ى": result.append("ي")
            case "ة": result.append("ه")
            default: result.append(scalar)
            }
        }
        return String(result)
    }
}
