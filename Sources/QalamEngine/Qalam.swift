// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import QalamModels

/// Where a Swift program starts: `let model = try await Qalam.load("models/qalam-mini")`.
public enum Qalam {
    /// Opens a model folder or a `.gguf` file, off the caller's actor.
    ///
    /// - Parameters:
    ///   - path: a Hugging Face folder, or a GGUF file (any part of a split one)
    ///   - configuration: memory for keys and values, sequences at once
    /// - Returns: the model, ready to talk
    /// - Throws: errors that name what is wrong with which file
    public static func load(_ path: String, configuration: EngineConfiguration = .init()) async throws -> LoadedModel {
        try await LoadedModel.open(URL(filePath: path), configuration: configuration)
    }

    /// Opens a model of any kind at `url`: a `LoadedModel`, an `EncoderModel` or an `OpenedImageModel`.
    ///
    /// - Throws: errors that name what is wrong with which file
    public static func open(
        _ url: URL, id: String? = nil, draft: URL? = nil, adapters: [String: URL] = [:],
        configuration: EngineConfiguration = .init()
    ) async throws -> any ServedModel {
        if try ImageModelFacts(url) != nil { return try await OpenedImageModel.open(url, id: id) }
        switch try ModelFacts(url).kind {
        case .decoder:
            return try await LoadedModel.open(
                url, id: id, draft: draft, adapters: adapters, configuration: configuration)
        case .encoder:
            let id = id ?? modelName(url)
            guard adapters.isEmpty else { throw EngineError.unsupported(model: id, what: "take adapters") }
            guard draft == nil else { throw EngineError.unsupported(model: id, what: "take a draft model") }
            return try await EncoderModel.open(url, id: id)
        }
    }
}

extension ChatMessage {
    /// Says how the model should behave.
    public static func system(_ text: String) -> ChatMessage { ChatMessage(role: "system", content: text) }

    /// Asks.
    public static func user(_ text: String) -> ChatMessage { ChatMessage(role: "user", content: text) }

    /// What the model answered before.
    public static func assistant(_ text: String) -> ChatMessage { ChatMessage(role: "assistant", content: text) }
}

extension ChatModel {
    /// Answers a conversation as a stream of text: `for try await piece in model.chat([.user("Hello!")])`.
    ///
    /// Ending the loop early cancels the work. A bad conversation is thrown by the loop, before its first piece.
    public func chat(
        _ messages: [ChatMessage], options: ChatOptions = .init()
    ) -> AsyncThrowingStream<String, any Error> {
        AsyncThrowingStream { continuation in
            let task = Task {
                do {
                    for try await event in try await chat(messages, options) {
                        if case .text(let piece, _) = event { continuation.yield(piece) }
                    }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }
}
