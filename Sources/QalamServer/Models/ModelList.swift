// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import NIOCore
import QalamEngine
import Synchronization

/// The models served, and the names they are asked for by.
final class ModelList: Sendable {
    private let held: Mutex<[any ServedModel]>
    /// What was last made of the list.
    private let listed = Mutex<ByteBuffer?>(nil)
    /// Further names; `*` stands for every other one.
    private let aliases: [String: String]

    /// Serves `models`, by `aliases` too.
    init(_ models: [any ServedModel], aliases: [String: String] = [:]) {
        held = Mutex(models)
        self.aliases = aliases
    }

    /// In the order the server was given them; the first is the page's first choice.
    var models: [any ServedModel] { held.withLock { $0 } }

    /// Serves another model, unless one of its name is served already.
    func add(_ model: any ServedModel) {
        held.withLock { models in
            if !models.contains(where: { $0.id == model.id }) { models.append(model) }
        }
        listed.withLock { $0 = nil }
    }

    /// What `make` makes of the list, kept until that changes.
    func listed(_ make: () throws -> ByteBuffer) rethrows -> ByteBuffer {
        try listed.withLock { listed in
            if let listed { return listed }
            let made = try make()
            listed = made
            return made
        }
    }

    /// The model called `id`, or that an alias of that name stands for.
    ///
    /// - Throws: `APIError` with code `model_not_found`, or one that asks for a model if there is no name
    func find(_ id: String?) throws(APIError) -> any ServedModel {
        if let id, let model = models.first(where: { $0.id == id }) { return model }
        let alias = id.flatMap { aliases[$0] } ?? aliases["*"]
        if let alias, let model = models.first(where: { $0.id == alias }) { return model }
        guard let id else {
            throw APIError("You must provide a model parameter.", param: "model", code: "missing_required_parameter")
        }
        throw .unknownModel(id, served: names)
    }

    /// The model called `id`, which must write text.
    func chat(_ id: String?) throws(APIError) -> any ChatModel {
        let model = try find(id)
        guard let chat = model as? any ChatModel else { throw .unfit(model, "write text") }
        return chat
    }

    /// The model called `id`, which must make vectors of texts.
    func embedding(_ id: String?) throws(APIError) -> any EmbeddingModel {
        let model = try find(id)
        guard let embedding = model as? any EmbeddingModel else { throw .unfit(model, "embed texts") }
        return embedding
    }

    /// The model called `id`, which must rank texts.
    func rerank(_ id: String?) throws(APIError) -> any RerankModel {
        let model = try find(id)
        guard let rerank = model as? any RerankModel else { throw .unfit(model, "rank texts") }
        return rerank
    }

    /// The model called `id`, which must draw; without a name, the first one that does.
    func drawing(_ id: String?) throws(APIError) -> any ImageModel {
        if id == nil, let first = models.lazy.compactMap({ $0 as? any ImageModel }).first { return first }
        let model = try find(id)
        guard let drawing = model as? any ImageModel else { throw .unfit(model, "draw") }
        return drawing
    }

    /// All names that are listed: models, then aliases.
    var names: [String] { models.map(\.id) + aliases.keys.filter { $0 != "*" }.sorted() }
}

extension APIError {
    /// The model is another kind of model.
    fileprivate static func unfit(_ model: any ServedModel, _ what: String) -> APIError {
        APIError(
            "The model \(model.id) can't \(what): ask another one.", status: .notFound, param: "model",
            code: "unsupported_model")
    }
}
