// SPDX-License-Identifier: Apache-2.0
public import QalamModels

/// What every model that is served has: the seam between the server and the engine.
///
/// What a model can do beside is seen by its conformances: `ChatModel`, `EmbeddingModel`, `RerankModel`.
public protocol ServedModel: Sendable {
    /// The name clients ask for.
    var id: String { get }
    /// When the model was made, in Unix seconds.
    var created: Int { get }
    /// The most tokens that prompt and answer, or one text, may take.
    var contextLength: Int { get }
    /// What its files say of it; nil if it has none.
    var facts: ModelFacts? { get }

    /// What it is doing now; nothing for a model that is not open.
    var load: ModelLoad { get async }
}

extension ServedModel {
    /// Nothing is known.
    public var facts: ModelFacts? { nil }

    /// Nothing is told.
    public var load: ModelLoad { get async { ModelLoad() } }
}

/// What a model is doing.
public struct ModelLoad: Sendable, Equatable {
    /// Requests that run.
    public var running = 0
    /// Requests that wait.
    public var waiting = 0
    /// Pages of keys and values there are.
    public var pages = 0
    /// Pages in use, those of the prefix cache alone not counted.
    public var usedPages = 0

    /// Nothing.
    public init() {}
}

/// A model that writes text: it holds conversations and continues texts.
public protocol ChatModel: ServedModel {
    /// The names of the adapters that `ChatOptions.adapter` may ask for, sorted.
    var adapters: [String] { get }

    /// Answers a conversation, as a stream of text, reasoning and tool calls.
    ///
    /// Dropping the stream cancels the work.
    /// - Throws: `EngineError` before the first event if the request itself is bad.
    func chat(
        _ messages: [ChatMessage], _ options: ChatOptions
    ) async throws -> AsyncThrowingStream<TextEvent, any Error>

    /// Continues a text as it stands, without a template: pieces of text, then the end.
    ///
    /// Dropping the stream cancels the work. Tools and thinking have no meaning here and are refused by name.
    /// - Throws: `EngineError` before the first event if the request itself is bad.
    func complete(
        _ input: TextInput, _ options: ChatOptions
    ) async throws -> AsyncThrowingStream<TextEvent, any Error>

    /// How likely the model thinks a text: its tokens, each with its log-probability after those before it.
    ///
    /// Of the options, `logprobs` (the likeliest tokens to report; nil is 0), `adapter`, `priority` and `client` count.
    func score(_ input: TextInput, _ options: ChatOptions) async throws -> [ScoredToken]

    /// The ids of a text, with the model's own start where `addSpecial`.
    func tokenize(_ text: String, addSpecial: Bool) async throws -> [Int32]

    /// The text of ids.
    func detokenize(_ tokens: [Int32]) async throws -> String

    /// How many tokens `chat` would read for this conversation and these options.
    func countTokens(_ messages: [ChatMessage], _ options: ChatOptions) async throws -> Int
}

// A model that can only chat says so by name when it is asked for more.
extension ChatModel {
    /// None.
    public var adapters: [String] { [] }

    /// Refuses.
    public func complete(
        _ input: TextInput, _ options: ChatOptions
    ) async throws -> AsyncThrowingStream<TextEvent, any Error> {
        throw EngineError.unsupported(model: id, what: "continue texts")
    }

    /// Refuses.
    public func score(_ input: TextInput, _ options: ChatOptions) async throws -> [ScoredToken] {
        throw EngineError.unsupported(model: id, what: "score texts")
    }

    /// Refuses.
    public func tokenize(_ text: String, addSpecial: Bool) async throws -> [Int32] {
        throw EngineError.unsupported(model: id, what: "show its tokens")
    }

    /// Refuses.
    public func detokenize(_ tokens: [Int32]) async throws -> String {
        throw EngineError.unsupported(model: id, what: "show its tokens")
    }

    /// Refuses.
    public func countTokens(_ messages: [ChatMessage], _ options: ChatOptions) async throws -> Int {
        throw EngineError.unsupported(model: id, what: "count tokens")
    }
}

/// A model that turns texts into vectors.
public protocol EmbeddingModel: ServedModel {
    /// The numbers of a vector, unless fewer are asked for.
    var dimensions: Int { get }

    /// One vector for each text, in their order; a text's vector does not depend on the others.
    ///
    /// - Parameters:
    ///   - inputs: at least one text; token ids are taken as they are
    ///   - dimensions: how many numbers to keep of each vector, which is then scaled to length one again if the model
    ///     does so; nil keeps all
    /// - Returns: the vectors, and how many tokens were read
    /// - Throws: `EngineError.badInput` for an empty or too long text, `EngineError.badOption` for `dimensions`
    func embed(_ inputs: [TextInput], dimensions: Int?) async throws -> Embeddings
}

/// What became of texts that were embedded.
public struct Embeddings: Sendable, Equatable {
    /// The vectors, in the order of the texts.
    public var vectors: [[Float]]
    /// Tokens read.
    public var promptTokens: Int

    /// These vectors.
    public init(vectors: [[Float]], promptTokens: Int) {
        self.vectors = vectors
        self.promptTokens = promptTokens
    }
}

/// A model that says how well documents answer a query.
public protocol RerankModel: ServedModel {
    /// A score for each document, in their order; higher is better.
    ///
    /// A score does not depend on the other documents. What it means is the model's: a cosine, a cross-encoder's score
    /// in 0...1, or a probability.
    /// - Throws: `EngineError.badInput` for a document that is too long with the query (number 0 is the first document)
    func rerank(_ query: String, _ documents: [String]) async throws -> Ranking
}

/// What became of documents that were ranked.
public struct Ranking: Sendable, Equatable {
    /// The scores, in the order of the documents.
    public var scores: [Float]
    /// Tokens read.
    public var promptTokens: Int

    /// These scores.
    public init(scores: [Float], promptTokens: Int) {
        self.scores = scores
        self.promptTokens = promptTokens
    }
}
