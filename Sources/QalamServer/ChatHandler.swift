// SPDX-License-Identifier: Apache-2.0

import Foundation
import Hummingbird
import Logging
import QalamEngine

/// Answers `POST /v1/chat/completions`.
struct ChatHandler: Sendable {
    private let models: ModelList
    private let configuration: ServerConfiguration
    private let gate: AnswerGate

    /// Answers with `models`, within the limits of `configuration`.
    init(models: ModelList, configuration: ServerConfiguration) {
        self.models = models
        self.configuration = configuration
        gate = AnswerGate(limit: configuration.answerLimit)
    }

    /// Reads the body, starts the models, and sends what they write, as one body or as a stream.
    func respond(to request: Request, context: some RequestContext) async throws -> Response {
        var request = request
        let chat = try await read(&request)
        let model = try models.find(chat.model)
        let pass = try gate.enter(chat.choices)
        let answer = ChatResponse(model: model, created: Int(Date().timeIntervalSince1970))
        var response: Response
        if chat.stream {
            let streams = try await start(chat, on: model)
            response = stream(streams, chat, answer, pass, request, context.logger)
        } else {
            response = try await request.body.consumeWithCancellationOnInboundClose { _ in
                let json = try await complete(start(chat, on: model), answer)
                return Response(json: json)
            }
        }
        // Watching for the client to go away has used up the connection's input.
        response.headers[.connection] = "close"
        return response
    }

    /// The request's body, read and checked.
    private func read(_ request: inout Request) async throws -> ChatRequest {
        let limit = configuration.bodyLimit
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit {
            throw APIError.bodyTooLarge(limit: limit)
        }
        let body: ByteBuffer
        do {
            body = try await request.collectBody(upTo: limit)
        } catch let error as any HTTPResponseError where error.status == .contentTooLarge {
            throw APIError.bodyTooLarge(limit: limit)
        }
        return try ChatRequest(
            JSONValue(parsing: Array(body.readableBytesView)), choiceLimit: configuration.choiceLimit)
    }

    /// Asks the model for every answer; a fault in the request shows here, before anything is sent.
    private func start(
        _ chat: ChatRequest, on model: any ChatModel
    ) async throws -> [AsyncThrowingStream<TextEvent, any Error>] {
        var streams: [AsyncThrowingStream<TextEvent, any Error>] = []
        for choice in 0..<chat.choices {
            var options = chat.options
            options.sampling.seed = options.sampling.seed.map { ChatRequest.seed($0, choice: choice) }
            streams.append(try await model.chat(chat.messages, options))
        }
        return streams
    }

    /// Waits for all answers and makes one body of them.
    private func complete(
        _ streams: [AsyncThrowingStream<TextEvent, any Error>], _ answer: ChatResponse
    ) async throws -> JSONValue {
        var choices = Array(repeating: ChatResponse.Choice(), count: streams.count)
        var usage = Usage(promptTokens: 0, completionTokens: 0)
        try await withAnswerEvents(of: streams, tick: configuration.keepAlive, grace: configuration.grace) { event in
            switch event {
            case .event(let choice, .text(let text, _)): choices[choice].text += text
            case .event(let choice, .finished(let reason, let used)):
                choices[choice].finish = reason
                usage.add(used)
            case .failed(let error): throw error
            case .event, .tick: break
            }
        }
        return answer.completion(choices, usage)
    }

    /// A response that sends the answers while they are written.
    private func stream(
        _ streams: [AsyncThrowingStream<TextEvent, any Error>], _ chat: ChatRequest, _ answer: ChatResponse,
        _ pass: AnswerGate.Pass, _ request: Request, _ logger: Logger
    ) -> Response {
        let body = ResponseBody { writer in
            defer { withExtendedLifetime(pass) {} }
            try await request.body.consumeWithCancellationOnInboundClose { _ in
                var sender = AnswerSender(answer: answer, withUsage: chat.includeUsage)
                try await writer.write(contentsOf: sender.opening(choices: streams.count).map(\.buffer))
                try await withAnswerEvents(of: streams, tick: configuration.keepAlive, grace: configuration.grace) {
                    if case .failed(let error) = $0, !(error is APIError) {
                        logger.error("answer failed", metadata: ["error": "\(error)"])
                    }
                    for event in sender.events(for: $0) { try await writer.write(event.buffer) }
                }
                try await writer.write(contentsOf: sender.closing().map(\.buffer))
            }
            try await writer.finish(nil)
        }
        return Response(
            status: .ok,
            headers: [.contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-cache"], body: body)
    }
}

/// Turns what happens to answers into the events of one stream; knows nothing of sockets.
struct AnswerSender {
    /// The parts that all chunks have in common.
    let answer: ChatResponse
    /// Whether the client asked for usage at the end.
    let withUsage: Bool

    private var usage = Usage(promptTokens: 0, completionTokens: 0)
    private var failed = false
    private var silent = true

    /// A sender of nothing yet.
    init(answer: ChatResponse, withUsage: Bool) {
        self.answer = answer
        self.withUsage = withUsage
    }

    /// The first chunk of each choice: who speaks, once, in the order of their indexes.
    func opening(choices: Int) -> [ServerSentEvent] {
        let delta: JSONValue = ["role": "assistant", "content": "", "refusal": nil]
        return (0..<choices).map { .json(answer.chunk($0, delta: delta, withUsage: withUsage)) }
    }

    /// What to send when `event` happens.
    mutating func events(for event: AnswerEvent) -> [ServerSentEvent] {
        if case .tick = event {
            // Only after a whole interval without a word.
            defer { silent = true }
            return silent ? [.keepAlive] : []
        }
        silent = false
        switch event {
        case .event(let choice, .text(let text, _)):
            return [.json(answer.chunk(choice, delta: ["content": .string(text)], withUsage: withUsage))]
        case .event(let choice, .finished(let reason, let used)):
            usage.add(used)
            return [.json(answer.chunk(choice, delta: [:], finish: reason, withUsage: withUsage))]
        case .failed(let error):
            failed = true
            return [.json(APIError(error).json)]
        case .event, .tick: return []
        }
    }

    /// The end: usage if asked for, and the mark that all went well.
    func closing() -> [ServerSentEvent] {
        if failed { return [] }
        return (withUsage ? [.json(answer.usageChunk(usage))] : []) + [.done]
    }
}

extension Usage {
    /// Adds an answer to the same prompt, which is counted once.
    fileprivate mutating func add(_ other: Usage) {
        promptTokens = other.promptTokens
        // The first answer's prompt is cached for the others.
        cachedTokens = completionTokens == 0 ? other.cachedTokens : min(cachedTokens, other.cachedTokens)
        completionTokens += other.completionTokens
    }
}
