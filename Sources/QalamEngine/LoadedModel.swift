// SPDX-License-Identifier: Apache-2.0
internal import Dispatch
public import Foundation
public import QalamModels
internal import QalamTensors
public import QalamTokenizers

/// A model folder or GGUF file, opened and ready to talk: the place where text meets the engine.
public struct LoadedModel: ChatModel {
    /// The name clients call it by.
    public let id: String
    /// When its folder's config.json, or its file, was last changed, in seconds since 1970.
    public let created: Int
    /// The most tokens a conversation and its answer may have together.
    public let contextLength: Int
    /// What its files say of it.
    public let facts: ModelFacts?
    /// Text to ids and back.
    public let tokenizer: Tokenizer
    /// The names of its adapters, sorted.
    public let adapters: [String]
    let conversation: Conversation
    let engine: Engine
    /// How states become one vector.
    let pooling: SentencePooling
    /// C: the numbers of a hidden state.
    let hiddenSize: Int
    private let stopTokens: Set<TokenID>
    private let hasDraft: Bool
    private let grammars: AnswerGrammars

    /// Opens the folder or `.gguf` file at `url` and loads its weights.
    ///
    /// The model is called like the folder, or like the file without its extension, unless `id` says otherwise. This
    /// takes its time for a large model; `open` does the same on a thread of its own.
    ///
    /// - Parameters:
    ///   - url: the model
    ///   - id: what it is called
    ///   - draft: a smaller model of the same vocabulary, for `Speculation.draft`
    ///   - adapters: low-rank adapters (LoRA) by the names that requests ask for: folders of PEFT or `.gguf` files
    ///   - configuration: memory for keys and values, sequences at once
    /// - Throws: what `ModelFolder` throws: errors that name what is wrong where.
    public init(
        _ url: URL, id: String? = nil, draft: URL? = nil, adapters: [String: URL] = [:],
        configuration: EngineConfiguration = .init()
    ) throws {
        let folder = try ModelFolder(url)
        self.id = id ?? modelName(url)
        created = modelDate(url)
        facts = try ModelFacts(url)
        contextLength = folder.config.contextLength
        hiddenSize = folder.config.hiddenSize
        tokenizer = folder.tokenizer
        conversation = Conversation(folder)
        stopTokens = try folder.stopTokens()
        pooling = try folder.pooling()
        grammars = AnswerGrammars(
            folder.tokenizer, vocabularySize: folder.config.vocabularySize, stopTokens: stopTokens,
            conversation.format)
        hasDraft = draft != nil
        let names = adapters.keys.sorted()
        self.adapters = names
        let config = folder.config
        let opened = try names.compactMap { name in try adapters[name].map { try Adapter($0, for: config) } }
        engine = try Engine(
            try folder.decoder(activations: configuration.activations),
            draft: try draft.map { try ModelFolder($0).decoder(activations: configuration.activations) },
            adapters: opened, configuration)
    }

    /// Opens a model as `init` does, on a thread that no one else waits for.
    public static func open(
        _ url: URL, id: String? = nil, draft: URL? = nil, adapters: [String: URL] = [:],
        configuration: EngineConfiguration = .init()
    ) async throws -> LoadedModel {
        try await onOwnThread {
            try LoadedModel(url, id: id, draft: draft, adapters: adapters, configuration: configuration)
        }
    }

    /// What it is doing, as of its last step.
    public var load: ModelLoad {
        get async {
            let statistics = engine.statistics
            var load = ModelLoad()
            (load.running, load.waiting) = (statistics.running, statistics.waiting)
            (load.pages, load.usedPages) = (statistics.pages, statistics.usedPages)
            return load
        }
    }

    // MARK: Writing

    /// Answers a conversation.
    public func chat(
        _ messages: [ChatMessage], _ options: ChatOptions
    ) async throws -> AsyncThrowingStream<TextEvent, any Error> {
        try await chat(messages, options, keeping: nil)
    }

    /// Answers a conversation; `owner` is kept as long as the stream is.
    func chat(
        _ messages: [ChatMessage], _ options: ChatOptions, keeping owner: (any Sendable)?
    ) async throws -> AsyncThrowingStream<TextEvent, any Error> {
        try options.validate()
        let opening = conversation.format.opening(of: options)
        let text = try conversation.render(messages, options) + opening
        let prompt = tokenizer.encode(text)
        let isThinking = conversation.format.isThinking(after: text)
        let matcher = try await grammars.matcher(options, isThinking: isThinking)
        let reader = AnswerReader(
            conversation.format, tools: Set(options.visibleTools.map(\.name)), parallel: options.parallelToolCalls,
            isThinking: isThinking, opening: opening)
        var reading = TextReader.Reading(stop: options.stop, promptTokens: prompt.count)
        reading.isScored = options.logprobs != nil
        reading.callID = CallIDs(conversation.format.calls, seed: options.sampling.seed, turn: prompt.count).id
        return try generate(prompt, options, matcher, TextReader(tokenizer, reader, reading), keeping: owner)
    }

    /// Continues a text as it stands, without a template.
    public func complete(
        _ input: TextInput, _ options: ChatOptions
    ) async throws -> AsyncThrowingStream<TextEvent, any Error> {
        try await complete(input, options, keeping: nil)
    }

    /// Continues a text; `owner` is kept as long as the stream is.
    func complete(
        _ input: TextInput, _ options: ChatOptions, keeping owner: (any Sendable)?
    ) async throws -> AsyncThrowingStream<TextEvent, any Error> {
        guard options.tools.isEmpty else {
            throw EngineError.badOption(name: "tools", why: "can't be had without a conversation.")
        }
        guard options.thinking == nil else {
            throw EngineError.badOption(name: "thinking", why: "can't be had without a conversation.")
        }
        var (prompt, stops) = (try tokens(of: input), Set<TokenID>())
        if let suffix = options.suffix {
            guard let marks = FillMarks(tokenizer) else {
                throw EngineError.badOption(
                    name: "suffix", why: "needs a model that was taught to fill gaps, with tokens for that.")
            }
            let start = tokenizer.sequencePrefix
            if case .text(let text) = input { prompt = tokenizer.encode(text, allowSpecial: false) }
            prompt = start + marks.prompt(prompt, tokenizer.encode(suffix, allowSpecial: false))
            stops = marks.stops
        }
        var constraint = options
        constraint.thinking = false
        let matcher = try await grammars.matcher(constraint, isThinking: false)
        let reading = TextReader.Reading(
            stop: options.stop, promptTokens: prompt.count, continuesText: true, isScored: options.logprobs != nil)
        let reader = TextReader(tokenizer, AnswerReader(), reading)
        return try generate(prompt, options, matcher, reader, keeping: owner, alsoStopping: stops)
    }

    private func generate(
        _ prompt: [TokenID], _ options: ChatOptions, _ matcher: GrammarMatcher?, _ reader: TextReader,
        keeping owner: (any Sendable)?, alsoStopping stops: Set<TokenID> = []
    ) throws -> AsyncThrowingStream<TextEvent, any Error> {
        var request = try request(prompt, options)
        request.grammar = matcher
        request.stopTokens.formUnion(stops)
        request.logprobs = options.logprobs
        request.speculation = options.speculation ?? (hasDraft ? .draft(length: 4) : .off)
        return TextStream.make(try engine.generate(request), reader, keeping: owner)
    }

    /// A request for the engine, with what all kinds of work have in common.
    func request(_ prompt: [TokenID], _ options: ChatOptions) throws(EngineError) -> GenerationRequest {
        guard prompt.count < contextLength else {
            throw .contextOverflow(prompt: prompt.count, limit: contextLength)
        }
        let room = contextLength - prompt.count
        var request = GenerationRequest(
            prompt: prompt, sampling: options.sampling, maxTokens: min(options.maxTokens ?? room, room),
            stopTokens: stopTokens)
        request.priority = options.priority
        request.client = options.client
        if let name = options.adapter {
            guard let index = adapters.firstIndex(of: name) else { throw .unknownAdapter(name, known: adapters) }
            request.adapter = index + 1
        }
        return request
    }

    // MARK: Tokens

    /// The ids of an input.
    ///
    /// - Throws: `EngineError.badOption` if there are none, or the model does not know one of them
    func tokens(of input: TextInput) throws(EngineError) -> [TokenID] {
        let ids =
            switch input {
            case .text(let text): tokenizer.encode(text, addSpecial: true)
            case .tokens(let ids): ids
            }
        guard !ids.isEmpty else { throw .badOption(name: "prompt", why: "must not be empty.") }
        return ids
    }

    /// The ids of a text.
    public func tokenize(_ text: String, addSpecial: Bool) async -> [TokenID] {
        tokenizer.encode(text, addSpecial: addSpecial)
    }

    /// The text of ids.
    public func detokenize(_ tokens: [TokenID]) async -> String { tokenizer.decode(tokens) }

    /// How many tokens `chat` would read.
    public func countTokens(_ messages: [ChatMessage], _ options: ChatOptions) async throws -> Int {
        tokenizer.encode(try conversation.render(messages, options)).count
    }
}

/// What a model at `url` is called: like its folder, or its file without the extension.
func modelName(_ url: URL) -> String {
    let isFile = url.pathExtension.lowercased() == "gguf"
    return (isFile ? url.deletingPathExtension() : url.standardizedFileURL).lastPathComponent
}

/// When the model at `url` was last changed, in seconds since 1970.
func modelDate(_ url: URL) -> Int {
    let isFile = url.pathExtension.lowercased() == "gguf"
    let dated = isFile ? url : url.appending(path: "config.json")
    let attributes = try? FileManager.default.attributesOfItem(atPath: dated.path)
    return Int((attributes?[.modificationDate] as? Date ?? .now).timeIntervalSince1970)
}

/// Runs `body`, which may block, on a thread outside Swift's cooperative pool.
func onOwnThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue.global(qos: .userInitiated).async {
            continuation.resume(with: Swift.Result { try body() })
        }
    }
}

/// Names tool calls so that those of one conversation differ.
struct CallIDs: Sendable {
    private let seed: UInt64
    private let prefix: String
    private let length: Int

    /// Ids in the style of a format; the same seed and turn give the same ids.
    init(_ format: AnswerFormat.Calls, seed: UInt64?, turn: Int) {
        self.seed = (seed ?? UInt64.random(in: 0 ... .max)) &+ UInt64(turn) &* 0x9E37_79B9_7F4A_7C15
        // Templates of Mistral's models refuse ids of any other length.
        let isShort = format == .listed || format == .named
        (prefix, length) = isShort ? ("", 9) : ("call_", 24)
    }

    /// The id of call number `index` of the turn.
    func id(_ index: Int) -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
        var random = CounterRandom(seed: seed, stream: UInt64(index))
        return prefix + String((0..<length).map { _ in letters[Int(random.uniform() * Double(letters.count))] })
    }
}
