// SPDX-License-Identifier: Apache-2.0

import Foundation
import Hummingbird
import QalamStore

/// `/v1/files`: bytes that other requests refer to.
enum FileHandlers {
    static let routes: [Route] = [
        .post(
            "/v1/files", "Files", "Upload a file", body: .form([.must("file", .text)] + FileShapes.form),
            answer: .json(FileShapes.file), create),
        .get(
            "/v1/files", "Files", "List files",
            query: Listing.parameters(limit: 10_000) + [.init(name: "purpose", shape: .text)],
            answer: .json(Listing.shape(of: FileShapes.file)), list),
        .get("/v1/files/{file_id}", "Files", "Get a file's description", answer: .json(FileShapes.file), retrieve),
        .delete(
            "/v1/files/{file_id}", "Files", "Delete a file", answer: .json(Listing.deletedShape("file")), delete),
        .get(
            "/v1/files/{file_id}/content", "Files", "Get a file's bytes",
            answer: .bytes(type: "application/octet-stream"), content),
    ]

    private static func create(_ call: Call) async throws -> Response {
        let id = "file-" + randomText(length: 24)
        let form = try await call.form(file: "file", as: id)
        do {
            try Shape.object(FileShapes.form).check(RequestField(body: form.fields))
            guard let blob = form.file, let purpose = form.fields["purpose"]?.text else { throw UnfinishedAnswer() }
            let document = FileShapes.document(
                id: id, blob, filename: form.filename ?? "upload", purpose: purpose, created: Platform.now,
                lifetime: form.fields["expires_after"]?["seconds"]?.int)
            try await call.platform.store.apply([
                .insert(RecordKey(.file, id), created: Platform.now, body: document.encoded)
            ])
            return Response(json: FileShapes.shown(document))
        } catch {
            try? call.platform.store.blobs.remove(id)
            throw error
        }
    }

    private static func list(_ call: Call) async throws -> Response {
        var query = Listing.query(.file, call, limit: 10_000, newestFirst: true)
        if let purpose = call.query["purpose"]?.text { query.filters = [("$.purpose", purpose)] }
        return try await Response(json: Listing.page(query, call.platform.store, FileShapes.shown))
    }

    private static func retrieve(_ call: Call) async throws -> Response {
        Response(json: FileShapes.shown(try await call.platform.store.file(call.parameter("file_id"))))
    }

    private static func delete(_ call: Call) async throws -> Response {
        let id = call.parameter("file_id")
        try await call.platform.store.deleteFile(id)
        return Response(json: ["id": .string(id), "object": "file", "deleted": true])
    }

    private static func content(_ call: Call) async throws -> Response {
        let id = call.parameter("file_id")
        let file = try await call.platform.store.file(id)
        let data = try call.platform.store.blobs.read(id)
        // A browser must save it, not show it: it may be anything.
        return Response(
            status: .ok,
            headers: [.contentType: "application/octet-stream", .contentDisposition: "attachment"],
            body: .chunks(of: data, count: file["bytes"]?.int ?? data.count))
    }
}

extension ResponseBody {
    /// Sends mapped bytes a piece at a time, so that a large file is never in memory as a whole.
    static func chunks(of data: Data, count: Int) -> ResponseBody {
        ResponseBody(contentLength: data.count) { writer in
            var start = data.startIndex
            while start < data.endIndex {
                let end = min(start + 1 << 16, data.endIndex)
                let piece = start..<end
                try await writer.write(await offLoop { ByteBuffer(bytes: data[piece]) })
                start = end
            }
            try await writer.finish(nil)
        }
    }
}

extension PlatformStore {
    /// The document of a file that hasn't expired.
    /// - Throws: `APIError` with status 404
    func file(_ id: String, param: String? = nil) async throws -> JSONValue {
        let document = try await document(RecordKey(.file, id), "file", param: param)
        if let end = document["expires_at"]?.int, end <= Platform.now {
            throw APIError.noSuch("file", id, param: param)
        }
        return document
    }

    /// Deletes a file: first what is said of it, then its bytes.
    func deleteFile(_ id: String) async throws {
        do {
            try await apply([.delete(RecordKey(.file, id))])
        } catch StoreError.missing {
            throw APIError.noSuch("file", id)
        }
        try blobs.remove(id)
    }

    /// Writes a new file of one piece.
    /// - Returns: the change that makes it known
    func writeFile(
        id: String, _ bytes: Data, filename: String, purpose: String, lifetime: Int? = nil
    ) async throws -> RecordChange {
        let writer = try blobs.writer(id)
        try await writer.append(bytes)
        let document = FileShapes.document(
            id: id, try await writer.finish(), filename: filename, purpose: purpose, created: Platform.now,
            lifetime: lifetime)
        return .insert(RecordKey(.file, id), created: Platform.now, body: document.encoded)
    }
}
