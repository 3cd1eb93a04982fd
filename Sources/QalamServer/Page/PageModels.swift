// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import QalamEngine
import QalamStore

/// `/page/models`: models that could be served, and getting them.
enum PageModels {
    private static let list = Shape.object([
        .must("object", .oneOf(["list"])),
        .must("data", .list(.object([.must("name", .text), .must("bytes", .count)]))), .must("can_fetch", .bool),
    ])

    static let routes: [Route] = [
        .get("/page/models", PageChats.tag, "List the models on this machine", scope: .admin, answer: .json(list)) {
            call in
            let shelf = call.platform.shelf
            let models = shelf?.models().map { model -> JSONValue in
                ["name": .string(model.name), "bytes": .integer(model.bytes)]
            }
            return Response(json: [
                "object": "list", "data": .array(models ?? []), "can_fetch": .bool(shelf != nil),
            ])
        },
        .post(
            "/page/models", PageChats.tag, "Fetch a model and serve it; events tell how far it is", scope: .admin,
            body: .json(.object([.must("name", .string(1...256))])), answer: .bytes(type: "text/event-stream"), fetch),
    ]

    private static func fetch(_ call: Call) async throws -> Response {
        let name = try await call.json(.object([.must("name", .string(1...256))]))["name"]?.text ?? ""
        guard let shelf = call.platform.shelf else {
            throw APIError("This server serves the models it was started with.", status: .forbidden, code: "no_shelf")
        }
        let models = call.platform.models
        return call.events { writer in
            let (events, continuation) = AsyncStream<ServerSentEvent>.makeStream(
                bufferingPolicy: .bufferingNewest(16))
            let work = Task {
                do {
                    let model = try await shelf.fetch(name) { done, total in
                        continuation.yield(.json(["done": .integer(done), "total": .integer(total)]))
                    }
                    models.add(model)
                    continuation.yield(.json(["model": .string(model.id)]))
                } catch {
                    continuation.yield(.json(APIError("\(error)", code: "model_not_fetched").json))
                }
                continuation.finish()
            }
            try await withTaskCancellationHandler {
                for await event in events { try await writer.write(event.buffer) }
            } onCancel: {
                work.cancel()
            }
            try await writer.write(ServerSentEvent.done.buffer)
        }
    }
}
