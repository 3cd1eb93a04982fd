// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import GRDB

extension Store {
    /// Copies the whole store into a new folder while it is in use.
    ///
    /// The copy is of one moment: files that are deleted meanwhile are deleted in it too.
    /// - Returns: how many files, and how many bytes they have
    public func backUp(to folder: URL) async throws -> (files: Int, bytes: Int) {
        let manager = FileManager.default
        guard !manager.fileExists(atPath: folder.path) else {
            throw StoreError.folder(folder.path, why: "it exists already; give a new name")
        }
        let part = folder.deletingLastPathComponent().appending(path: ".\(folder.lastPathComponent).part")
        try? manager.removeItem(at: part)
        let bytes = part.appending(path: "files")
        try manager.createDirectory(
            at: bytes, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        defer { try? manager.removeItem(at: part) }
        let copy = try DatabaseQueue(path: part.appending(path: "qalam.sqlite").path)
        try database.backup(to: copy)
        var total = (files: 0, bytes: 0)
        for table in ["files", "images", "upload_parts"] {
            let rows = try copy.read { try Row.fetchAll($0, sql: "SELECT sequence, id, body FROM \(table)") }
            for row in rows {
                let id: String = row["id"]
                let sequence: Int64 = row["sequence"]
                if try blobs.copy(id, to: bytes) {
                    total.files += 1
                    total.bytes += try bytes.appending(path: id).resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0
                } else {
                    try await copy.write {
                        try $0.execute(sql: "DELETE FROM \(table) WHERE sequence = ?", arguments: [sequence])
                    }
                }
            }
        }
        try copy.close()
        try manager.moveItem(at: part, to: folder)
        return total
    }

    /// Removes files that have expired, and bytes that no record has spoken of for a day: what killed requests left.
    public func sweep() async throws {
        let now = Int(Date().timeIntervalSince1970)
        let expired = try await database.write { database in
            let files = try ["files", "images"].flatMap { table in
                try String.fetchAll(
                    database, sql: "DELETE FROM \(table) WHERE json_extract(body, '$.expires_at') <= ? RETURNING id",
                    arguments: [now])
            }
            let parts = try String.fetchAll(
                database,
                sql: """
                    DELETE FROM upload_parts WHERE parent IN (
                        SELECT id FROM uploads WHERE status = 'pending' AND json_extract(body, '$.expires_at') <= ?)
                    RETURNING id
                    """, arguments: [now])
            return files + parts
        }
        for name in expired { try blobs.remove(name) }
        let old = try blobs.names(olderThan: 86_400)
        guard !old.isEmpty else { return }
        let known = try await database.read { database in
            let tables = ["files", "images", "upload_parts"].map { "SELECT id FROM \($0)" }
            return try Set(String.fetchAll(database, sql: tables.joined(separator: " UNION ALL ")))
        }
        for name in old where !known.contains(name) { try blobs.remove(name) }
    }

    /// Whether SQLite finds the database in order; for tests.
    package func isSound() async throws -> Bool {
        try await database.read { database in
            let answer = try String.fetchAll(database, sql: "PRAGMA integrity_check")
            let broken = try Row.fetchAll(database, sql: "PRAGMA foreign_key_check")
            return answer == ["ok"] && broken.isEmpty
        }
    }
}
