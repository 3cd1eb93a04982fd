// SPDX-License-Identifier: Apache-2.0

import QalamStore

/// The shapes of files and uploads, and how they are made.
enum FileShapes {
    static let purposes = ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]
    static let file = Shape.named(
        "File",
        .object([
            .must("id", .text), .must("object", .oneOf(["file"])), .must("bytes", .count), .must("created_at", .count),
            .maybe("expires_at", .count), .must("filename", .text), .must("purpose", .text),
            .must("status", .oneOf(["processed"])),
        ]))
    static let expiry = Shape.object([
        .must("anchor", .oneOf(["created_at"])), .must("seconds", .integer(3600...2_592_000)),
    ])
    static let form: [Shape.Member] = [
        .must("purpose", .oneOf(purposes)), .may("expires_after", expiry),
    ]
    static let upload = Shape.named(
        "Upload",
        .object([
            .must("id", .text), .must("object", .oneOf(["upload"])), .must("bytes", .count),
            .must("created_at", .count),
            .must("expires_at", .count), .must("filename", .text), .must("purpose", .text),
            .must("status", .oneOf(["pending", "completed", "cancelled", "expired"])), .maybe("file", file),
        ]))
    static let newUpload = Shape.named(
        "CreateUpload",
        .object([
            .must("bytes", .integer(0...(8 << 30))), .must("filename", .string(1...512)),
            .must("mime_type", .string(1...255)), .must("purpose", .oneOf(purposes)), .may("expires_after", expiry),
        ]))
    static let part = Shape.named(
        "UploadPart",
        .object([
            .must("id", .text), .must("object", .oneOf(["upload.part"])), .must("created_at", .count),
            .must("upload_id", .text),
        ]))

    /// The document of a new file.
    static func document(
        id: String, _ blob: Blobs.Summary, filename: String, purpose: String, created: Int, lifetime: Int?
    ) -> JSONValue {
        [
            "id": .string(id), "object": "file", "bytes": .integer(blob.bytes), "created_at": .integer(created),
            "expires_at": JSONValue(lifetime.map { created + $0 }), "filename": .string(filename),
            "purpose": .string(purpose), "status": "processed", "sha256": .string(blob.sha256),
        ]
    }

    /// A file as its sender sees it.
    static func shown(_ document: JSONValue) -> JSONValue { document.setting("sha256", nil) }
}
