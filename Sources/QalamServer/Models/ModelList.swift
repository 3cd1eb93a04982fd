// SPDX-License-Identifier: Apache-2.0

package import QalamEngine

/// The models served, and the bodies of `/v1/models`.
package struct ModelList: Sendable {
    /// In the order the server was given them; the first is the page's first choice.
    package let models: [any ChatModel]

    /// Serves `models`.
    package init(_ models: [any ChatModel]) {
        self.models = models
    }

    /// The model called `id`.
    /// - Throws: `APIError` with code `model_not_found`.
    package func find(_ id: String) throws(APIError) -> any ChatModel {
        guard let model = models.first(where: { $0.id == id }) else {
            throw .unknownModel(id, served: models.map(\.id))
        }
        return model
    }

    /// The body of `GET /v1/models`.
    package var json: JSONValue {
        ["object": "list", "data": .array(models.map(Self.json))]
    }

    /// The body of `GET /v1/models/{id}`.
    package static func json(_ model: any ChatModel) -> JSONValue {
        ["id": .string(model.id), "object": "model", "created": .integer(model.created), "owned_by": "qalam"]
    }
}
