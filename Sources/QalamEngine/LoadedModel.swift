// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import QalamModels
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
    /// Text to ids and back.
    public let tokenizer: Tokenizer
    private let template: ChatTemplate?
    private let specials: [String: TemplateValue]
    private let stopTokens: Set<TokenID>
    private let engine: Engine

    /// Opens the folder or `.gguf` file at `url` and loads its weights.
    ///
    /// The model is called like the folder, or like the file without its extension, unless `id` says otherwise.
    ///
    /// - Throws: what `ModelFolder` throws: errors that name what is wrong where.
    public init(_ url: URL, id: String? = nil, configuration: EngineConfiguration = .init()) throws {
        let folder = try ModelFolder(url)
        let isFile = url.pathExtension.lowercased() == "gguf"
        self.id = id ?? (isFile ? url.deletingPathExtension() : url.standardizedFileURL).lastPathComponent
        contextLength = folder.config.contextLength
        tokenizer = folder.tokenizer
        template = folder.chatTemplate
        stopTokens = try folder.stopTokens()
        specials = try folder.templateSpecials()
        let dated = isFile ? url : url.appending(path: "config.json")
        let attributes = try? FileManager.default.attributesOfItem(atPath: dated.path)
        created = Int((attributes?[.modificationDate] as? Date ?? .now).timeIntervalSince1970)
        engine = try Engine(try folder.decoder(), configuration)
    }

    /// Answers a conversation.
    public func chat(
        _ messages: [ChatMessage], _ options: ChatOptions
    ) async throws -> AsyncThrowingStream<TextEvent, any Error> {
        let prompt = try render(messages)
        return try generate(prompt, options, stopTokens: stopTokens)
    }

    /// Continues a text as it stands, without a template.
    public func complete(_ text: String, _ options: ChatOptions) throws -> AsyncThrowingStream<TextEvent, any Error> {
        let ids = tokenizer.encode(text, addSpecial: true)
        guard !ids.isEmpty else { throw EngineError.badMessages("the text is empty.") }
        return try generate(ids, options, stopTokens: stopTokens)
    }

    /// The ids of a conversation, ending where the assistant speaks.
    private func render(_ messages: [ChatMessage]) throws -> [TokenID] {
        guard let template else {
            throw EngineError.badMessages("it has no chat template, so it can only continue text (qalam generate).")
        }
        let list = messages.map { message in
            TemplateValue.object([
                (key: "role", value: .string(message.role)), (key: "content", value: .string(message.content)),
            ])
        }
        var variables = specials
        variables["messages"] = .array(list)
        variables["add_generation_prompt"] = .bool(true)
        do {
            return tokenizer.encode(try template.render(variables))
        } catch {
            throw EngineError.badMessages(String(describing: error))
        }
    }

    private func generate(
        _ prompt: [TokenID], _ options: ChatOptions, stopTokens: Set<TokenID>
    ) throws -> AsyncThrowingStream<TextEvent, any Error> {
        guard prompt.count < contextLength else {
            throw EngineError.contextOverflow(prompt: prompt.count, limit: contextLength)
        }
        let room = contextLength - prompt.count
        var request = GenerationRequest(
            prompt: prompt, sampling: options.sampling, maxTokens: min(options.maxTokens ?? room, room),
            stopTokens: stopTokens)
        request.priority = options.priority
        request.client = options.client
        let events = try engine.generate(request)
        let text = TextStream(tokenizer, stop: options.stop, promptTokens: prompt.count)
        return AsyncThrowingStream { continuation in
            let task = Task {
                await text.run(events, into: continuation)
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }
}

extension ModelFolder {
    /// The special tokens' texts that templates refer to by name.
    fileprivate func templateSpecials() throws -> [String: TemplateValue] {
        var values: [String: TemplateValue] = [:]
        for (name, id) in [("bos_token", config.bosToken), ("eos_token", config.eosTokens.first)] {
            let text = tokenizer.specialTokens.first { $0.value == id }?.key
            values[name] = .string(text ?? "")
        }
        return values
    }
}
