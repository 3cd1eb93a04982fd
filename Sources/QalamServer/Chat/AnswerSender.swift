// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import QalamEngine

/// Turns what happens to answers into the events of one stream; knows nothing of sockets.
struct AnswerSender: Sendable {
    /// The parts that all chunks have in common.
    private let response: ChatResponse
    /// Whether the client asked for usage at the end.
    private let withUsage: Bool
    private let withLogprobs: Bool
    private let usage: @Sendable ([Usage]) -> Usage
    private var silence = Silence()
    private var failed = false
    /// The events of text, for each choice that has some.
    private var templates: [Int: EventTemplate] = [:]
    /// The answers so far.
    private(set) var answers: [Answer]

    /// A sender of nothing yet; `usage` adds up what the answers cost.
    init(
        _ response: ChatResponse, choices: Int, withUsage: Bool, withLogprobs: Bool,
        usage: @escaping @Sendable ([Usage]) -> Usage
    ) {
        self.response = response
        self.withUsage = withUsage
        self.withLogprobs = withLogprobs
        self.usage = usage
        answers = Array(repeating: Answer(), count: choices)
    }

    /// The whole body that the answers make.
    var completion: JSONValue { response.completion(answers, usage(answers.map(\.usage)), logprobs: withLogprobs) }

    /// Whether all answers have come to their end.
    var isComplete: Bool { !failed }

    /// The first chunk of each choice: who speaks, once, in the order of their indexes.
    func opening() -> ByteBuffer {
        let delta: JSONValue = ["role": "assistant", "content": "", "refusal": nil]
        return .joining(answers.indices.map { .json(response.chunk($0, delta: delta, withUsage: withUsage)) })
    }

    /// What to send when `event` happens; inline, it would make the memory larger that waiting for it takes.
    @inline(never)
    mutating func buffer(for event: AnswerEvent) -> ByteBuffer? {
        if silence.isDue(event) { return ServerSentEvent.keepAlive.buffer }
        switch event {
        case .event(let choice, let event):
            answers[choice].take(event)
            if !withLogprobs, case .text(let text, _) = event { return template(choice).buffer(text) }
            return chunk(choice, event).buffer
        case .failed(let error):
            failed = true
            return ServerSentEvent.json(APIError(error).json).buffer
        case .tick, .ended: return nil
        }
    }

    private mutating func template(_ choice: Int) -> EventTemplate {
        if let template = templates[choice] { return template }
        let template = EventTemplate { chunk(choice, .text($0, tokens: [])) }
        templates[choice] = template
        return template
    }

    private func chunk(_ choice: Int, _ event: TextEvent) -> ServerSentEvent {
        var logprobs = JSONValue.null
        var finish: FinishReason?
        let delta: JSONValue
        switch event {
        case .text(let text, let tokens):
            delta = ["content": .string(text)]
            if withLogprobs { logprobs = ChatResponse.logprobs(tokens) }
        case .reasoning(let text, _): delta = ["reasoning_content": .string(text)]
        case .toolCallStarted(let index, let id, let name):
            delta = [
                "tool_calls": [
                    [
                        "index": .integer(index), "id": .string(id), "type": "function",
                        "function": ["name": .string(name), "arguments": ""],
                    ]
                ]
            ]
        case .toolCallArguments(let index, let text):
            delta = ["tool_calls": [["index": .integer(index), "function": ["arguments": .string(text)]]]]
        case .finished(let reason, _):
            delta = [:]
            finish = reason
        }
        return .json(response.chunk(choice, delta: delta, logprobs: logprobs, finish: finish, withUsage: withUsage))
    }

    /// The end: usage if asked for, and the mark that all went well.
    func closing() -> ByteBuffer {
        if failed { return ByteBuffer() }
        return .joining((withUsage ? [.json(response.usageChunk(usage(answers.map(\.usage))))] : []) + [.done])
    }
}
