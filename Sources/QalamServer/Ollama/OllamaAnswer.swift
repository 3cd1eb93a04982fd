// SPDX-License-Identifier: Apache-2.0

import Foundation
import Hummingbird
import QalamEngine

/// An answer in Ollama's shape: lines of JSON, or one body.
struct OllamaAnswer: Sendable {
    private let model: any ServedModel
    private let isChat: Bool
    private let start = ContinuousClock.now

    /// An answer of `model` to a chat, or to a text.
    init(_ model: any ServedModel, isChat: Bool) {
        self.model = model
        self.isChat = isChat
    }

    /// Answers a checked request with what `begin` starts.
    func respond(
        _ body: JSONValue, _ call: Call, _ begin: @escaping @Sendable () async throws -> Generation.Stream
    ) async throws -> Response {
        let generation = try await Generation(model, count: 1, call.platform, call.asker) { _ in try await begin() }
        guard body["stream"]?.flag ?? true else {
            return try await call.watched { ending(try await generation.collect()[0], whole: true) }
        }
        var response = call.events { writer in
            var answer = Answer()
            let answers = generation.begin()
            while let event = try await answers.next() {
                switch event {
                case .event(_, let event):
                    let calls = answer.calls.count
                    answer.take(event)
                    // A call is sent once its arguments are whole.
                    if case .toolCallStarted = event, calls > 0 {
                        try await writer.write(line(call: answer.calls[calls - 1]))
                    }
                    if let line = line(event, answer) { try await writer.write(line) }
                case .failed(let error):
                    try await writer.write(Self.line(ErrorStyle.ollama.json(APIError(error), requestID: nil)))
                case .tick, .ended: break
                }
            }
        }
        response.headers[.contentType] = "application/x-ndjson"
        return response
    }

    private func line(_ event: TextEvent, _ answer: Answer) -> ByteBuffer? {
        switch event {
        case .text(let text, _): return Self.line(piece(text: text))
        case .reasoning(let text, _): return Self.line(piece(thinking: text))
        case .toolCallStarted, .toolCallArguments: return nil
        case .finished:
            var buffer = answer.calls.last.map { line(call: $0) } ?? ByteBuffer()
            var last = Self.line(ending(answer, whole: false))
            buffer.writeBuffer(&last)
            return buffer
        }
    }

    private func line(call: ToolCall) -> ByteBuffer { Self.line(piece(calls: [call])) }

    private static func line(_ json: JSONValue) -> ByteBuffer {
        var bytes: [UInt8] = []
        json.write(to: &bytes)
        bytes.append(UInt8(ascii: "\n"))
        return ByteBuffer(bytes: bytes)
    }

    /// What is sent when there was nothing to answer.
    var loaded: JSONValue { piece().setting("done", true).setting("done_reason", "load") }

    private func piece(text: String = "", thinking: String = "", calls: [ToolCall] = []) -> JSONValue {
        let time = Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        var members: [JSONValue.Member] = [.init("model", .string(model.id)), .init("created_at", .string(time))]
        if isChat {
            var message: JSONValue = ["role": "assistant", "content": .string(text)]
            if !thinking.isEmpty { message = message.setting("thinking", .string(thinking)) }
            if !calls.isEmpty { message = message.setting("tool_calls", .array(calls.map(Self.json))) }
            members.append(.init("message", message))
        } else {
            members.append(.init("response", .string(text)))
            if !thinking.isEmpty { members.append(.init("thinking", .string(thinking))) }
        }
        return .object(members + [.init("done", false)])
    }

    private static func json(_ call: ToolCall) -> JSONValue {
        let arguments = (try? JSONValue(parsing: Array(call.arguments.utf8))) ?? [:]
        return ["id": .string(call.id), "function": ["name": .string(call.name), "arguments": arguments]]
    }

    /// The end; with all that was written if it is the only line.
    private func ending(_ answer: Answer, whole: Bool) -> JSONValue {
        let total = Self.nanoseconds(start.duration(to: .now))
        let body = whole ? piece(text: answer.text, thinking: answer.reasoning, calls: answer.calls) : piece()
        // How long reading took is not told apart from writing.
        return body.setting("done", true)
            .setting("done_reason", answer.finish == .length ? "length" : "stop")
            .setting("total_duration", .integer(total)).setting("load_duration", 0)
            .setting("prompt_eval_count", .integer(answer.usage.promptTokens)).setting("prompt_eval_duration", 0)
            .setting("eval_count", .integer(answer.usage.completionTokens)).setting("eval_duration", .integer(total))
    }

    /// A time in whole nanoseconds.
    static func nanoseconds(_ time: Duration) -> Int { Int(time / .nanoseconds(1)) }
}
