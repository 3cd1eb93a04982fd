// SPDX-License-Identifier: Apache-2.0

import QalamEngine

/// Turns what a model writes into the items of a response and the events of its stream; knows nothing of sockets.
struct ResponseWriter {
    /// An event of the stream: its type is in it.
    typealias Event = JSONValue

    /// The item that is being written.
    private enum Open {
        case message(id: String, text: String, tokens: [ScoredToken])
        case reasoning(id: String, text: String)
        case call(id: String, ToolCall)
        /// A call of the tool that draws; nothing of it is sent before its words are there.
        case picture(arguments: String)
    }

    /// The response as far as it has come.
    private(set) var response: JSONValue
    private let withLogprobs: Bool
    private let drawsPictures: Bool
    /// What is to be drawn before the end.
    private(set) var pictures: [String] = []
    /// The end, held back until all is drawn.
    private var end: (FinishReason, Usage)?
    private var sequence = 0
    private(set) var output: [JSONValue] = []
    private var open: Open?

    /// A writer of `response`, of which nothing is written yet.
    init(_ response: JSONValue, withLogprobs: Bool, drawsPictures: Bool = false) {
        self.response = response
        self.drawsPictures = drawsPictures
        self.withLogprobs = withLogprobs
    }

    /// Whether the response has come to its end, good or bad.
    var isOver: Bool { !["queued", "in_progress"].contains(response["status"]?.text) }

    /// The first events.
    mutating func opening() -> [Event] {
        var events: [Event] = []
        if response["status"] == "queued" {
            events = [event("response.created", whole: response), event("response.queued", whole: response)]
            response = response.setting("status", "in_progress")
        } else {
            events = [event("response.created", whole: response)]
        }
        return events + [event("response.in_progress", whole: response)]
    }

    /// The events of what the model wrote.
    mutating func events(for event: TextEvent) -> [Event] {
        switch event {
        case .text(let text, let tokens): add(text, tokens)
        case .reasoning(let text, _): add(reasoning: text)
        case .toolCallStarted(_, let id, let name): start(ToolCall(id: id, name: name, arguments: ""))
        case .toolCallArguments(_, let text): add(arguments: text)
        case .finished(let reason, let usage): finish(reason, usage)
        }
    }

    /// The events of a failure.
    mutating func fail(_ error: APIError) -> [Event] {
        response = ResponseObject.failed(response.setting("output", .array(output)), error)
        return [event("response.failed", whole: response)]
    }

    /// A piece of what the model says.
    private mutating func add(_ text: String, _ tokens: [ScoredToken]) -> [Event] {
        var events: [Event] = []
        if case .message = open {
        } else {
            events = close()
            let id = "msg_" + randomText(length: 32)
            open = .message(id: id, text: "", tokens: [])
            let item: JSONValue = [
                "type": "message", "id": .string(id), "status": "in_progress", "role": "assistant", "content": [],
            ]
            events.append(event("response.output_item.added", ["output_index": index, "item": item]))
            events.append(part("response.content_part.added", id, Self.textPart("", [])))
        }
        guard case .message(let id, let old, let oldTokens) = open else { return events }
        open = .message(id: id, text: old + text, tokens: oldTokens + tokens)
        let logprobs = withLogprobs ? Self.logprobs(tokens) : []
        events.append(
            event(
                "response.output_text.delta",
                [
                    "item_id": .string(id), "output_index": index, "content_index": 0, "delta": .string(text),
                    "logprobs": logprobs,
                ]))
        return events
    }

    /// A piece of what the model thinks.
    private mutating func add(reasoning text: String) -> [Event] {
        var events: [Event] = []
        if case .reasoning = open {
        } else {
            events = close()
            let id = "rs_" + randomText(length: 32)
            open = .reasoning(id: id, text: "")
            let item: JSONValue = [
                "type": "reasoning", "id": .string(id), "summary": [], "content": [], "status": "in_progress",
            ]
            events.append(event("response.output_item.added", ["output_index": index, "item": item]))
            events.append(
                part("response.content_part.added", id, ["type": "reasoning_text", "text": ""]))
        }
        guard case .reasoning(let id, let old) = open else { return events }
        open = .reasoning(id: id, text: old + text)
        events.append(
            event(
                "response.reasoning_text.delta",
                ["item_id": .string(id), "output_index": index, "content_index": 0, "delta": .string(text)]))
        return events
    }

    private mutating func start(_ call: ToolCall) -> [Event] {
        let events = close()
        if drawsPictures, call.name == PictureTool.name {
            open = .picture(arguments: "")
            return events
        }
        let id = "fc_" + randomText(length: 32)
        open = .call(id: id, call)
        let item = Self.item(call, id: id, status: "in_progress")
        return events + [event("response.output_item.added", ["output_index": index, "item": item])]
    }

    private mutating func add(arguments text: String) -> [Event] {
        if case .picture(let arguments) = open {
            open = .picture(arguments: arguments + text)
            return []
        }
        guard case .call(let id, var call) = open else { return [] }
        call.arguments += text
        open = .call(id: id, call)
        return [
            event(
                "response.function_call_arguments.delta",
                ["item_id": .string(id), "output_index": index, "delta": .string(text)])
        ]
    }

    private mutating func finish(_ reason: FinishReason, _ usage: Usage) -> [Event] {
        let events = close(status: reason == .length ? "incomplete" : "completed")
        guard pictures.isEmpty else {
            end = (reason, usage)
            return events
        }
        response = ResponseObject.finished(response, output: output, reason: reason, usage: usage)
        return events + [event("response.\(reason == .length ? "incomplete" : "completed")", whole: response)]
    }

    /// Ends the item that is being written, if any.
    private mutating func close(status: String = "completed") -> [Event] {
        guard let item = open else { return [] }
        var events: [Event] = []
        let done: JSONValue
        switch item {
        case .picture(let arguments):
            pictures.append(PictureTool.prompt(arguments))
            open = nil
            return []
        case .message(let id, let text, let tokens):
            let logprobs = withLogprobs ? Self.logprobs(tokens) : []
            events.append(
                event(
                    "response.output_text.done",
                    [
                        "item_id": .string(id), "output_index": index, "content_index": 0, "text": .string(text),
                        "logprobs": logprobs,
                    ]))
            let content = Self.textPart(text, logprobs)
            events.append(part("response.content_part.done", id, content))
            done = [
                "type": "message", "id": .string(id), "status": .string(status), "role": "assistant",
                "content": [content],
            ]
        case .reasoning(let id, let text):
            let content: JSONValue = ["type": "reasoning_text", "text": .string(text)]
            events.append(
                event(
                    "response.reasoning_text.done",
                    ["item_id": .string(id), "output_index": index, "content_index": 0, "text": .string(text)]))
            events.append(part("response.content_part.done", id, content))
            done = [
                "type": "reasoning", "id": .string(id), "summary": [], "content": [content], "status": .string(status),
            ]
        case .call(let id, let call):
            events.append(
                event(
                    "response.function_call_arguments.done",
                    [
                        "item_id": .string(id), "output_index": index, "name": .string(call.name),
                        "arguments": .string(call.arguments),
                    ]))
            done = Self.item(call, id: id, status: status)
        }
        events.append(event("response.output_item.done", ["output_index": index, "item": done]))
        output.append(done)
        open = nil
        return events
    }

    // MARK: Pictures

    /// Ends the response after `prompt` has been drawn: nothing is asked of the model.
    mutating func draw(_ prompt: String) {
        pictures.append(prompt)
        end = (.stop, .none)
    }

    /// The first events of a picture, which is the next item.
    mutating func startPicture(_ id: String) -> [Event] {
        let item: JSONValue = [
            "type": .string(PictureTool.call), "id": .string(id), "status": "in_progress", "result": nil,
        ]
        return [
            event("response.output_item.added", ["output_index": index, "item": item]),
            pictureEvent("in_progress", id), pictureEvent("generating", id),
        ]
    }

    /// The event of an unfinished picture, described as the images API does.
    mutating func partialPicture(_ id: String, _ picture: JSONValue) -> Event {
        var members: [JSONValue.Member] = [
            .init("item_id", .string(id)), .init("output_index", index),
            .init("partial_image_index", picture["partial_image_index"] ?? 0),
            .init("partial_image_b64", picture["b64_json"] ?? .null),
        ]
        members += PictureTool.described.map { .init($0, picture[$0] ?? .null) }
        return event("response.image_generation_call.partial_image", .object(members))
    }

    /// The events of a finished picture of `prompt`.
    mutating func finishPicture(_ id: String, _ prompt: String, _ picture: JSONValue) -> [Event] {
        var members: [JSONValue.Member] = [
            .init("type", .string(PictureTool.call)), .init("id", .string(id)), .init("status", "completed"),
            .init("result", picture["b64_json"] ?? .null), .init("revised_prompt", .string(prompt)),
            .init("action", "generate"), .init("seed", picture["seed"] ?? .null),
        ]
        members += PictureTool.described.map { .init($0, picture[$0] ?? .null) }
        let item = JSONValue.object(members)
        let events = [
            pictureEvent("completed", id), event("response.output_item.done", ["output_index": index, "item": item]),
        ]
        output.append(item)
        return events
    }

    /// The last events, once all is drawn.
    mutating func endPictures() -> [Event] {
        guard let (reason, usage) = end else { return [] }
        (pictures, end) = ([], nil)
        return finish(reason, usage)
    }

    private mutating func pictureEvent(_ what: String, _ id: String) -> Event {
        event("response.image_generation_call.\(what)", ["item_id": .string(id), "output_index": index])
    }

    // MARK: Pieces

    /// The number of the item that is being written, or of the next one.
    private var index: JSONValue { .integer(output.count) }

    private mutating func event(_ type: String, _ members: JSONValue) -> Event {
        defer { sequence += 1 }
        return .object(
            [.init("type", .string(type)), .init("sequence_number", .integer(sequence))] + (members.members ?? []))
    }

    private mutating func event(_ type: String, whole response: JSONValue) -> Event {
        event(type, ["response": ResponseObject.shown(response)])
    }

    private mutating func part(_ type: String, _ id: String, _ part: JSONValue) -> Event {
        event(type, ["item_id": .string(id), "output_index": index, "content_index": 0, "part": part])
    }

    private static func textPart(_ text: String, _ logprobs: JSONValue) -> JSONValue {
        ["type": "output_text", "text": .string(text), "annotations": [], "logprobs": logprobs]
    }

    private static func item(_ call: ToolCall, id: String, status: String) -> JSONValue {
        [
            "type": "function_call", "id": .string(id), "call_id": .string(call.id), "name": .string(call.name),
            "arguments": .string(call.arguments), "status": .string(status),
        ]
    }

    private static func logprobs(_ tokens: [ScoredToken]) -> JSONValue {
        ChatResponse.logprobs(tokens)["content"] ?? []
    }
}
