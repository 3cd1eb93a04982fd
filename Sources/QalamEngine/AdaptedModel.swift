// SPDX-License-Identifier: Apache-2.0
public import QalamModels

/// A model as one of its adapters changes it, under a name of its own: `base:adapter`.
public struct AdaptedModel: ChatModel {
    private let base: any ChatModel
    private let adapter: String

    /// `base` with its adapter called `adapter`.
    public init(_ base: any ChatModel, adapter: String) {
        self.base = base
        self.adapter = adapter
    }

    /// The model's name, a colon, and the adapter's.
    public var id: String { "\(base.id):\(adapter)" }
    /// When the model was made, in Unix seconds.
    public var created: Int { base.created }
    /// The most tokens that prompt and answer may take together.
    public var contextLength: Int { base.contextLength }
    /// What the model's files say of it.
    public var facts: ModelFacts? { base.facts }

    /// What the model is doing.
    public var load: ModelLoad { get async { await base.load } }

    /// Answers a conversation.
    public func chat(
        _ messages: [ChatMessage], _ options: ChatOptions
    ) async throws -> AsyncThrowingStream<TextEvent, any Error> {
        try await base.chat(messages, try adapted(options))
    }

    /// Continues a text.
    public func complete(
        _ input: TextInput, _ options: ChatOptions
    ) async throws -> AsyncThrowingStream<TextEvent, any Error> {
        try await base.complete(input, try adapted(options))
    }

    /// How likely the model thinks a text.
    public func score(_ input: TextInput, _ options: ChatOptions) async throws -> [ScoredToken] {
        try await base.score(input, try adapted(options))
    }

    /// The ids of a text.
    public func tokenize(_ text: String, addSpecial: Bool) async throws -> [Int32] {
        try await base.tokenize(text, addSpecial: addSpecial)
    }

    /// The text of ids.
    public func detokenize(_ tokens: [Int32]) async throws -> String { try await base.detokenize(tokens) }

    /// How many tokens `chat` would read.
    public func countTokens(_ messages: [ChatMessage], _ options: ChatOptions) async throws -> Int {
        try await base.countTokens(messages, try adapted(options))
    }

    private func adapted(_ options: ChatOptions) throws(EngineError) -> ChatOptions {
        var options = options
        guard options.adapter == nil || options.adapter == adapter else {
            throw .badOption(name: "adapter", why: "can't be \(options.adapter ?? "") for the model \(id).")
        }
        options.adapter = adapter
        return options
    }
}
