// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import QalamEngine

/// `/v1/models`.
enum ModelHandlers {
    private static let shape = Shape.named(
        "Model",
        .object([
            .must("id", .text), .must("object", .oneOf(["model"])), .must("created", .count), .must("owned_by", .text),
            .must("capabilities", .list(.oneOf(["chat", "embeddings", "rerank", "images"]))),
        ]))

    static let routes: [Route] = [
        .get(
            path, "Models", "List models",
            answer: .json(.object([.must("object", .oneOf(["list"])), .must("data", .list(shape))]))
        ) { call in
            Response(
                status: .ok, headers: [.contentType: "application/json"],
                body: .init(byteBuffer: try list(call.platform.models)))
        },
        .get("/v1/models/{model+}", "Models", "Get a model's description", answer: .json(shape)) { call in
            Response(json: json(try call.platform.models.find(call.rest), as: call.rest))
        },
        .delete("/v1/models/{model+}", "Models", "Delete a model", answer: .json(Listing.deletedShape("model"))) {
            call in
            _ = try call.platform.models.find(call.rest)
            throw APIError(
                "Models are not deleted over HTTP: on the machine, `qalam remove` does it.", status: .forbidden,
                param: "model", code: "model_not_deletable")
        },
    ]

    /// Where the list is.
    static let path = "/v1/models"

    /// The body of the list.
    static func list(_ models: ModelList) throws -> ByteBuffer {
        try models.listed {
            let all = try models.names.map { json(try models.find($0), as: $0) }
            return ByteBuffer(string: JSONValue.object([.init("object", "list"), .init("data", .array(all))]).encoded)
        }
    }

    private static func json(_ model: any ServedModel, as id: String) -> JSONValue {
        var capabilities: [JSONValue] = []
        if model is any ChatModel { capabilities.append("chat") }
        if model is any EmbeddingModel { capabilities.append("embeddings") }
        if model is any RerankModel { capabilities.append("rerank") }
        if model is any ImageModel { capabilities.append("images") }
        return [
            "id": .string(id), "object": "model", "created": .integer(model.created), "owned_by": "qalam",
            "capabilities": .array(capabilities),
        ]
    }
}
