// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import QalamEngine
import QalamStore

/// `/v1/chat/completions`.
enum ChatHandlers {
    static let routes: [Route] =
        [
            .post(
                "/v1/chat/completions", "Chat", "Answer a conversation", body: .json(ChatShapes.request),
                answer: .stream(ChatShapes.completion), create)
        ] + StoredChatHandlers.routes

    private static func create(_ call: Call) async throws -> Response {
        let body = try await call.body()
        let chat = try ChatRequest(body, call.platform.configuration)
        let (generation, response) = try await start(chat, call.platform, call.asker)
        guard chat.stream else {
            return try await call.watched { try await finish(chat, body, generation, response, call.platform.store) }
        }
        // What a stream doesn't need is not held as long as it waits.
        let sender = AnswerSender(
            response, choices: chat.choices, withUsage: chat.includeUsage, withLogprobs: chat.options.logprobs != nil,
            usage: { generation.usage($0) })
        let keep: (@concurrent @Sendable (JSONValue) async throws -> Void)? =
            chat.store ? { @Sendable in try await StoredChatHandlers.keep($0, chat, body, call.platform.store) } : nil
        return call.events { writer in
            var sender = sender
            try await writer.write(sender.opening())
            let answers = generation.begin()
            while let event = try await answers.next() {
                if let buffer = sender.buffer(for: event) { try await writer.write(buffer) }
            }
            if sender.isComplete { try await keep?(sender.completion) }
            try await writer.write(sender.closing())
        }
    }

    /// Answers a request with one body; batches come in here too.
    static func complete(
        _ chat: ChatRequest, _ body: JSONValue, _ platform: Platform, _ asker: Asker
    ) async throws -> JSONValue {
        let (generation, response) = try await start(chat, platform, asker)
        return try await finish(chat, body, generation, response, platform.store)
    }

    private static func finish(
        _ chat: ChatRequest, _ body: JSONValue, _ generation: Generation, _ response: ChatResponse,
        _ store: any PlatformStore
    ) async throws -> JSONValue {
        let answers = try await generation.collect()
        let usage = generation.usage(answers.map(\.usage))
        let completion = response.completion(answers, usage, logprobs: chat.options.logprobs != nil)
        if chat.store { try await StoredChatHandlers.keep(completion, chat, body, store) }
        return completion
    }

    private static func start(
        _ chat: ChatRequest, _ platform: Platform, _ asker: Asker
    ) async throws -> (Generation, ChatResponse) {
        let model = try platform.models.chat(chat.model)
        var options = chat.options
        options.client = asker.client
        let generation = try await Generation(model, count: chat.choices, platform, asker) { choice in
            try await platform.chat(model, chat.messages, SamplingFields.options(options, choice: choice))
        }
        return (generation, ChatResponse(model: model, created: Platform.now))
    }
}
