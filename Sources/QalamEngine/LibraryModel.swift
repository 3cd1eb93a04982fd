// SPDX-License-Identifier: Apache-2.0

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

    /// The model called `id` in `library`, with what is known of it before it is opened.
    public init(
        id: String, created: Int, contextLength: Int, dimensions: Int = 0, adapters: [String] = [],
        library: ServedLibrary
    ) {
        self.id = id
        self.created = created
        self.contextLength = contextLength
        self.dimensions = dimensions
        self.adapters = adapters
        self.library = library
    }

    /// Answers a conversation; the model stays open at least until the stream has ended or is dropped.
    public func chat(
        _ messages: [ChatMessage], _ options: ChatOptions
    ) async throws -> AsyncThrowingStream<TextEvent, any Error> {
        let lease = try await library.lease(id)
        return held(lease, try await chatModel(lease).chat(messages, options))
    }

    /// Continues a text; the model stays open at least until the stream has ended or is dropped.
    public func complete(
        _ input: TextInput, _ options: ChatOptions
    ) async throws -> AsyncThrowingStream<TextEvent, any Error> {
        let lease = try await library.lease(id)
        return held(lease, try await chatModel(lease).complete(input, options))
    }

    /// How likely the model thinks a text.
    public func score(_ input: TextInput, _ options: ChatOptions) async throws -> [ScoredToken] {
        let lease = try await library.lease(id)
        return try await chatModel(lease).score(input, options)
    }

    /// The ids of a text.
    public func tokenize(_ text: String, addSpecial: Bool) async throws -> [Int32] {
        let lease = try await library.lease(id)
        return try await chatModel(lease).tokenize(text, addSpecial: addSpecial)
    }

    /// The text of ids.
    public func detokenize(_ tokens: [Int32]) async throws -> String {
        let lease = try await library.lease(id)
        return try await chatModel(lease).detokenize(tokens)
    }

    /// How many tokens `chat` would read.
    public func countTokens(_ messages: [ChatMessage], _ options: ChatOptions) async throws -> Int {
        let lease = try await library.lease(id)
        return try await chatModel(lease).countTokens(messages, options)
    }

    /// One vector for each text.
    public func embed(_ inputs: [TextInput], dimensions: Int?) async throws -> Embeddings {
        try await LibraryEncoder(self, library).embed(inputs, dimensions: dimensions)
    }

    /// A score for each document.
    public func rerank(_ query: String, _ documents: [String]) async throws -> Ranking {
        try await LibraryEncoder(self, library).rerank(query, documents)
    }

    private func chatModel(_ lease: ServedLibrary.Lease) throws(EngineError) -> any ChatModel {
        guard let model = lease.model as? any ChatModel else { throw .unsupported(model: id, what: "write text") }
        return model
    }

    private func held(
        _ lease: ServedLibrary.Lease, _ events: AsyncThrowingStream<TextEvent, any Error>
    ) -> AsyncThrowingStream<TextEvent, any Error> {
        AsyncThrowingStream { continuation in
            let task = Task {
                defer { withExtendedLifetime(lease) {} }
                do {
                    for try await event in events { continuation.yield(event) }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            continuation.onTermination = { _ in task.cancel() }
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
    private let library: ServedLibrary

    /// The model called `id` in `library`, with what is known of it before it is opened.
    public init(id: String, created: Int, contextLength: Int, dimensions: Int, library: ServedLibrary) {
        self.id = id
        self.created = created
        self.contextLength = contextLength
        self.dimensions = dimensions
        self.library = library
    }

    fileprivate init(_ model: LibraryModel, _ library: ServedLibrary) {
        self.init(
            id: model.id, created: model.created, contextLength: model.contextLength, dimensions: model.dimensions,
            library: library)
    }

    /// One vector for each text.
    public func embed(_ inputs: [TextInput], dimensions: Int?) async throws -> Embeddings {
        let lease = try await library.lease(id)
        guard let model = lease.model as? any EmbeddingModel else {
            throw EngineError.unsupported(model: id, what: "embed texts")
        }
        return try await model.embed(inputs, dimensions: dimensions)
    }

    /// A score for each document.
    public func rerank(_ query: String, _ documents: [String]) async throws -> Ranking {
        let lease = try await library.lease(id)
        guard let model = lease.model as? any RerankModel else {
            throw EngineError.unsupported(model: id, what: "rank documents")
        }
        return try await model.rerank(query, documents)
    }
}
