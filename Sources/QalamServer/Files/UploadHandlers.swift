// SPDX-License-Identifier: Apache-2.0

import Foundation
import Hummingbird
import QalamStore

/// `/v1/uploads`: files that come in parts.
enum UploadHandlers {
    static let routes: [Route] = [
        .post(
            "/v1/uploads", "Uploads", "Start an upload", body: .json(FileShapes.newUpload),
            answer: .json(FileShapes.upload), create),
        .post(
            "/v1/uploads/{upload_id}/parts", "Uploads", "Add a part", body: .form([.must("data", .text)]),
            answer: .json(FileShapes.part), addPart),
        .post(
            "/v1/uploads/{upload_id}/complete", "Uploads", "Make a file of the parts", body: .json(completion),
            answer: .json(FileShapes.upload), complete),
        .post(
            "/v1/uploads/{upload_id}/cancel", "Uploads", "Give an upload up", answer: .json(FileShapes.upload), cancel),
    ]

    /// How long an upload waits for its parts.
    private static let lifetime = 3600
    private static let completion = Shape.named(
        "CompleteUpload",
        .object([.must("part_ids", .distinct(.array(.word, 1...10_000))), .may("md5", .string(32...32))]))

    private static func create(_ call: Call) async throws -> Response {
        let body = try await call.json(FileShapes.newUpload)
        let id = "upload_" + randomText(length: 24)
        let now = Platform.now
        guard let bytes = body["bytes"]?.int, bytes <= call.platform.configuration.fileLimit else {
            throw APIError.bodyTooLarge(limit: call.platform.configuration.fileLimit)
        }
        let document: JSONValue = [
            "id": .string(id), "object": "upload", "bytes": .integer(bytes), "created_at": .integer(now),
            "expires_at": .integer(now + lifetime), "filename": body["filename"] ?? .null,
            "purpose": body["purpose"] ?? .null, "status": "pending", "file": nil,
            "lifetime": JSONValue(body["expires_after"]?["seconds"]?.int),
        ]
        try await call.platform.store.apply([.insert(RecordKey(.upload, id), created: now, body: document.encoded)])
        return Response(json: shown(document))
    }

    private static func addPart(_ call: Call) async throws -> Response {
        let upload = call.parameter("upload_id")
        let store = call.platform.store
        _ = try pending(try await store.document(RecordKey(.upload, upload), "upload"))
        let id = "part_" + randomText(length: 24)
        let form = try await call.form(file: "data", as: id)
        do {
            try Shape.object([]).check(RequestField(body: form.fields))
            guard let blob = form.file else { throw UnfinishedAnswer() }
            let body: JSONValue = [
                "id": .string(id), "object": "upload.part", "created_at": .integer(Platform.now),
                "upload_id": .string(upload), "bytes": .integer(blob.bytes), "sha256": .string(blob.sha256),
            ]
            try await store.apply([
                .insert(RecordKey(.uploadPart, id, in: upload), created: Platform.now, body: body.encoded)
            ])
            return Response(json: body.setting("bytes", nil).setting("sha256", nil))
        } catch {
            try? store.blobs.remove(id)
            throw error
        }
    }

    private static func complete(_ call: Call) async throws -> Response {
        let body = try await call.json(completion)
        let id = call.parameter("upload_id")
        let store = call.platform.store
        let upload = try pending(try await store.document(RecordKey(.upload, id), "upload"))
        let parts = (body["part_ids"]?.elements ?? []).compactMap(\.text)
        let file = "file-" + randomText(length: 24)
        let blob = try await join(parts, of: id, into: file, store, md5: body["md5"]?.text)
        do {
            guard blob.bytes == upload["bytes"]?.int else {
                throw RequestField(path: "part_ids", value: .null).error(
                    "The parts have \(blob.bytes) bytes together, and the upload was to have "
                        + "\(upload["bytes"]?.int ?? 0).")
            }
            let document = FileShapes.document(
                id: file, blob, filename: upload["filename"]?.text ?? "upload",
                purpose: upload["purpose"]?.text ?? "user_data", created: Platform.now,
                lifetime: upload["lifetime"]?.int)
            let done = try await store.update(RecordKey(.upload, id), "upload") { upload in
                let insertion = RecordChange.insert(
                    RecordKey(.file, file), created: Platform.now, body: document.encoded)
                return (
                    try pending(upload).setting("status", "completed").setting("file", FileShapes.shown(document)),
                    [insertion] + parts.map { .delete(RecordKey(.uploadPart, $0, in: id)) }
                )
            }
            for part in parts { try? store.blobs.remove(part) }
            return Response(json: shown(done))
        } catch {
            try? store.blobs.remove(file)
            throw error
        }
    }

    /// Writes the parts one after another into the blob `file`.
    private static func join(
        _ parts: [String], of upload: String, into file: String, _ store: any PlatformStore, md5: String?
    ) async throws -> Blobs.Summary {
        let writer = try store.blobs.writer(file, md5: md5 != nil)
        for (index, part) in parts.enumerated() {
            guard try await store.find(RecordKey(.uploadPart, part, in: upload)) != nil else {
                throw APIError.noSuch("part", part, param: "part_ids[\(index)]")
            }
            let data = try store.blobs.read(part)
            var start = data.startIndex
            while start < data.endIndex {
                let end = min(start + 1 << 20, data.endIndex)
                try await writer.append(Data(data[start..<end]))
                start = end
            }
        }
        let blob = try await writer.finish()
        guard blob.md5 == md5?.lowercased() else {
            try store.blobs.remove(file)
            throw RequestField(path: "md5", value: .null).error("is not the MD5 of the parts together.")
        }
        return blob
    }

    private static func cancel(_ call: Call) async throws -> Response {
        let id = call.parameter("upload_id")
        let store = call.platform.store
        let parts = try await store.list(RecordQuery(.uploadPart, in: id, limit: 10_000)).records.map(\.id)
        let document = try await store.update(RecordKey(.upload, id), "upload") { upload in
            (
                try pending(upload).setting("status", "cancelled"),
                parts.map { .delete(RecordKey(.uploadPart, $0, in: id)) }
            )
        }
        for part in parts { try? store.blobs.remove(part) }
        return Response(json: shown(document))
    }

    /// The upload, if parts can still be added to it.
    private static func pending(_ upload: JSONValue) throws(APIError) -> JSONValue {
        let status = upload["status"]?.text ?? ""
        let isLate = (upload["expires_at"]?.int ?? 0) <= Platform.now
        guard status == "pending", !isLate else {
            throw APIError(
                "The upload is \(status == "pending" ? "expired" : status): start another one.", status: .conflict,
                code: "upload_not_pending")
        }
        return upload
    }

    private static func shown(_ document: JSONValue) -> JSONValue {
        var document = document
        if document["status"] == "pending", (document["expires_at"]?.int ?? 0) <= Platform.now {
            document = document.setting("status", "expired")
        }
        return document.setting("lifetime", nil)
    }
}
