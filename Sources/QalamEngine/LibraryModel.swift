// SPDX-License-Identifier: Apache-2.0
public import QalamModels

/// A library of what a server can open.
public typealias ServedLibrary = ModelLibrary<any ServedModel>

/// A model that writes text, open only while it is needed.
public struct LibraryModel: ChatModel, EmbeddingModel, RerankModel {
    /// The name clients ask for.
    public let id: String
    /// When the model was made, in Unix seconds.
    public let created: Int
    /// The most tokens that prompt and answer may take together.
    public let contextLength: Int
    /// The numbers of a vector.
    public let dimensions: Int
    /// The adapters it is opened with.
    public let adapters: [String]
    private let library: ServedLibrary

    /// What its files say of it.
    public let facts: ModelFacts?

    /// The model called `id` in `library`, with what is known of it before it is opened.
    public init(id: String, created: Int, facts: ModelFacts, adapters: [String] = [], library: ServedLibrary) {
        self.id = id
        self.created = created
        self.facts = facts
        self.adapters = adapters
        self.library = library
        (contextLength, dimensions) = (facts.contextLength, facts.hiddenSize)
    }

    /// What it is doing, if it is open.
    public var load: ModelLoad {
        get async { await library.model(ifOpen: id)?.load ?? ModelLoad() }
    }

    /// Answers a conversation; the model stays open at least until the stream has ended or is dropped.
    public func chat(
        _ messages: [ChatMessage], _ options: ChatOptions
    ) async throws -> AsyncThrowingStream<TextEvent, any Error> {
        let lease = try await library.lease(id)
        return try await loaded(lease).chat(messages, options, keeping: lease)
    }

    /// Continues a text; the model stays open at least until the stream has ended or is dropped.
    public func complete(
        _ input: TextInput, _ options: ChatOptions
    ) async throws -> AsyncThrowingStream<TextEvent, any Error> {
        let lease = try await library.lease(id)
        return try await loaded(lease).complete(input, options, keeping: lease)
    }

    /// How likely the model thinks a text.
    public func score(_ input: TextInput, _ options: ChatOptions) async throws -> [ScoredToken] {
        let lease = try await library.lease(id)
        return try await loaded(lease).score(input, options)
    }

    /// The ids of a text.
    public func tokenize(_ text: String, addSpecial: Bool) async throws -> [Int32] {
        let lease = try await library.lease(id)
        return try await loaded(lease).tokenize(text, addSpecial: addSpecial)
    }

    /// The text of ids.
    public func detokenize(_ tokens: [Int32]) async throws -> String {
        let lease = try await library.lease(id)
        return try await loaded(lease).detokenize(tokens)
    }

    /// How many tokens `chat` would read.
    public func countTokens(_ messages: [ChatMessage], _ options: ChatOptions) async throws -> Int {
        let lease = try await library.lease(id)
        return try await loaded(lease).countTokens(messages, options)
    }

    /// One vector for each text.
    public func embed(_ inputs: [TextInput], dimensions: Int?) async throws -> Embeddings {
        let lease = try await library.lease(id)
        return try await embedder(lease).embed(inputs, dimensions: dimensions)
    }

    /// A score for each document.
    public func rerank(_ query: String, _ documents: [String]) async throws -> Ranking {
        let lease = try await library.lease(id)
        return try await ranker(lease).rerank(query, documents)
    }

    private func loaded(_ lease: ServedLibrary.Lease) throws(EngineError) -> LoadedModel {
        guard let model = lease.model as? LoadedModel else { throw .unsupported(model: id, what: "write text") }
        return model
    }
}

/// A model that draws pictures, open only while it is needed.
public struct LibraryDrawing: ImageModel {
    /// The name clients ask for.
    public let id: String
    /// When the model was made, in Unix seconds.
    public let created: Int
    /// The most tokens of a prompt.
    public let contextLength: Int
    /// What its files say of it.
    public let facts: ModelFacts?
    /// The side of its pictures in pixels.
    public let nativeSize: Int
    private let library: ServedLibrary

    /// The model called `id` in `library`, with what is known of it before it is opened.
    public init(id: String, created: Int, facts: ModelFacts, nativeSize: Int, library: ServedLibrary) {
        (self.id, self.created, self.facts, self.nativeSize) = (id, created, facts, nativeSize)
        self.library = library
        contextLength = facts.contextLength
    }

    /// Draws; the model stays open at least until the stream has ended or is dropped.
    public func draw(_ request: DrawRequest) async throws -> AsyncThrowingStream<DrawEvent, any Error> {
        let lease = try await library.lease(id)
        guard let model = lease.model as? any ImageModel else {
            throw EngineError.unsupported(model: id, what: "draw pictures")
        }
        let events = try await model.draw(request)
        return AsyncThrowingStream {
            defer { withExtendedLifetime(lease) {} }
            var iterator = events.makeAsyncIterator()
            return try await iterator.next()
        }
    }
}

/// A model that turns texts into vectors, open only while it is needed.
public struct LibraryEncoder: EmbeddingModel, RerankModel {
    /// The name clients ask for.
    public let id: String
    /// When the model was made, in Unix seconds.
    public let created: Int
    /// The most tokens of a text.
    public let contextLength: Int
    /// The numbers of a vector.
    public let dimensions: Int
    /// What its files say of it.
    public let facts: ModelFacts?
    private let library: ServedLibrary

    /// The model called `id` in `library`, with what is known of it before it is opened.
    public init(id: String, created: Int, facts: ModelFacts, library: ServedLibrary) {
        self.id = id
        self.created = created
        self.facts = facts
        self.library = library
        (contextLength, dimensions) = (facts.contextLength, facts.hiddenSize)
    }

    /// One vector for each text.
    public func embed(_ inputs: [TextInput], dimensions: Int?) async throws -> Embeddings {
        let lease = try await library.lease(id)
        return try await embedder(lease).embed(inputs, dimensions: dimensions)
    }

    /// A score for each document.
    public func rerank(_ query: String, _ documents: [String]) async throws -> Ranking {
        let lease = try await library.lease(id)
        return try await ranker(lease).rerank(query, documents)
    }
}

/// The model of a lease, as one that turns texts into vectors.
private func embedder(_ lease: ServedLibrary.Lease) throws(EngineError) -> any EmbeddingModel {
    guard let model = lease.model as? any EmbeddingModel else {
        throw .unsupported(model: lease.model.id, what: "embed texts")
    }
    return model
}

/// The model of a lease, as one that ranks documents.
private func ranker(_ lease: ServedLibrary.Lease) throws(EngineError) -> any RerankModel {
    guard let model = lease.model as? any RerankModel else {
        throw .unsupported(model: lease.model.id, what: "rank documents")
    }
    return model
}
