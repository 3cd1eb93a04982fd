// SPDX-License-Identifier: Apache-2.0

import Foundation
import Hummingbird
import Logging
import NIOCore
import QalamEngine
import QalamStore

/// What all handlers share.
final class Platform: Sendable {
    let models: ModelList
    let store: any PlatformStore
    let configuration: ServerConfiguration
    /// Where further models come from; nil: there are none.
    let shelf: (any ModelShelf)?
    let logger: Logger
    let metrics = Metrics()
    let gate: AnswerGate
    let access: Access
    let meter: UsageMeter
    /// Beats for the answers being written.
    let pulse: Pulse
    /// Tells that there is a batch to run, or to stop.
    let batches = Wakeup()
    /// Tells that there is a response to write in the background, or to stop.
    let background = Wakeup()

    init(
        models: ModelList, store: any PlatformStore, configuration: ServerConfiguration,
        shelf: (any ModelShelf)? = nil, logger: Logger
    ) {
        self.models = models
        self.shelf = shelf
        self.store = store
        self.configuration = configuration
        self.logger = logger
        gate = AnswerGate(limit: configuration.answerLimit)
        pulse = Pulse(every: configuration.keepAlive)
        let limits = RateLimits(store: store)
        access = Access(store: store, limits: limits)
        meter = UsageMeter(store: store, limits: limits, metrics: metrics)
    }

    /// Unix seconds.
    static var now: Int { Int(Date().timeIntervalSince1970) }

    /// Asks a model for an answer to a conversation, unless that is longer than the server allows.
    func chat(
        _ model: any ChatModel, _ messages: [ChatMessage], _ options: ChatOptions
    ) async throws -> Generation.Stream {
        if let limit = configuration.promptLimit {
            let count = try await model.countTokens(messages, options)
            guard count <= limit else { throw EngineError.contextOverflow(prompt: count, limit: limit) }
        }
        return try await model.chat(messages, options)
    }

    /// Asks a model to continue a text, unless that is longer than the server allows.
    func complete(
        _ model: any ChatModel, _ input: TextInput, _ options: ChatOptions
    ) async throws -> Generation.Stream {
        if let limit = configuration.promptLimit {
            let count =
                switch input {
                case .text(let text): try await model.tokenize(text, addSpecial: true).count
                case .tokens(let tokens): tokens.count
                }
            guard count <= limit else { throw EngineError.contextOverflow(prompt: count, limit: limit) }
        }
        return try await model.complete(input, options)
    }
}
