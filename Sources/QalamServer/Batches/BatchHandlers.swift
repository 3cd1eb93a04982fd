// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import QalamStore

/// `/v1/batches`: many requests in a file, answered in the background.
enum BatchHandlers {
    private static let creation = Shape.named(
        "CreateBatch",
        .object([
            .must("input_file_id", .word), .must("endpoint", .oneOf(BatchRunner.endpoints)),
            .must("completion_window", .oneOf(["24h"])), .may("metadata", ToolFields.metadata),
            .may("output_expires_after", FileShapes.expiry),
        ]))

    private static let times: [Shape.Member] = [
        "in_progress_at", "expires_at", "finalizing_at", "completed_at", "failed_at", "expired_at", "cancelling_at",
        "cancelled_at",
    ].map { .maybe($0, .count) }

    private static let shape = Shape.named(
        "Batch",
        .object(
            [
                .must("id", .text), .must("object", .oneOf(["batch"])), .must("endpoint", .text),
                .maybe("errors", .anyObject), .must("input_file_id", .text), .must("completion_window", .text),
                .must("status", .text), .maybe("output_file_id", .text), .maybe("error_file_id", .text),
                .must("created_at", .count), .must("request_counts", .map(.count, atMost: .max)),
                .maybe("metadata", .map(.text, atMost: .max)),
            ] + times))

    static let routes: [Route] = [
        .post("/v1/batches", "Batches", "Start a batch", body: .json(creation), answer: .json(shape), create),
        .get(
            "/v1/batches", "Batches", "List batches",
            query: [.init(name: "after", shape: .word), .init(name: "limit", shape: .integer(0...100))],
            answer: .json(Listing.shape(of: shape))
        ) { call in
            let query = Listing.query(.batch, call, newestFirst: true)
            return try await Response(json: Listing.page(query, call.platform.store, shown))
        },
        .get("/v1/batches/{batch_id}", "Batches", "Get a batch", answer: .json(shape)) { call in
            let key = RecordKey(.batch, call.parameter("batch_id"))
            return Response(json: shown(try await call.platform.store.document(key, "batch")))
        },
        .post("/v1/batches/{batch_id}/cancel", "Batches", "Stop a batch", answer: .json(shape), cancel),
    ]

    private static func create(_ call: Call) async throws -> Response {
        let body = try await call.json(creation)
        let file = try await call.platform.store.file(body["input_file_id"]?.text ?? "", param: "input_file_id")
        guard file["purpose"] == "batch" else {
            throw RequestField(path: "input_file_id", value: .null).error("must be a file of purpose \"batch\".")
        }
        let id = "batch_" + randomText(length: 24)
        let now = Platform.now
        var members: [JSONValue.Member] = [
            .init("id", .string(id)), .init("object", "batch"), .init("endpoint", body["endpoint"] ?? .null),
            .init("errors", .null), .init("input_file_id", file["id"] ?? .null), .init("completion_window", "24h"),
            .init("status", "validating"), .init("output_file_id", .null), .init("error_file_id", .null),
            .init("created_at", .integer(now)),
        ]
        members += times.map { .init($0.name, $0.name == "expires_at" ? .integer(now + 86_400) : .null) }
        members += [
            .init("request_counts", ["total": 0, "completed": 0, "failed": 0]),
            .init("metadata", body["metadata"] ?? .null),
            .init("output_lifetime", JSONValue(body["output_expires_after"]?["seconds"]?.int)),
            .init("key", JSONValue(call.asker.key?.id)),
        ]
        let document = JSONValue.object(members)
        try await call.platform.store.apply([.insert(RecordKey(.batch, id), created: now, body: document.encoded)])
        call.platform.batches.call()
        return Response(json: shown(document))
    }

    private static func cancel(_ call: Call) async throws -> Response {
        let key = RecordKey(.batch, call.parameter("batch_id"))
        let document = try await call.platform.store.update(key, "batch") { batch in
            switch batch["status"]?.text {
            case "validating", "in_progress", "finalizing":
                let time = JSONValue.integer(Platform.now)
                return (batch.setting("status", "cancelling").setting("cancelling_at", time), [])
            case "cancelling", "cancelled": return nil
            case let status:
                throw APIError(
                    "A batch that is \(status ?? "over") can't be cancelled.", status: .conflict,
                    code: "batch_not_cancellable")
            }
        }
        call.platform.batches.call()
        return Response(json: shown(document))
    }

    /// A batch as its sender sees it.
    static func shown(_ document: JSONValue) -> JSONValue {
        document.setting("output_lifetime", nil).setting("key", nil)
    }
}
