// SPDX-License-Identifier: Apache-2.0

import QalamEngine
import QalamStore

/// A response on its way: what is asked, of whom, and where it is kept.
struct ResponseRun: Sendable {
    let request: ResponseRequest
    let model: any ChatModel
    /// The tool that draws, if the request has it.
    let pictures: PictureTool?
    /// The response as it is before anything is written.
    private(set) var response: JSONValue
    private let context: ResponseContext
    private let platform: Platform

    /// Reads a request and gathers what it refers to.
    init(_ body: JSONValue, _ platform: Platform) async throws {
        request = try ResponseRequest(body, platform.configuration)
        model = try platform.models.chat(body["model"]?.text)
        pictures = try PictureTool(body, platform.models)
        context = try await ResponseContext(body, conversation: request.conversation, platform.store)
        response = ResponseObject.new(request, model: model, status: request.isInBackground ? "queued" : "in_progress")
        self.platform = platform
    }

    /// A response that was begun earlier, and waits in the store.
    init(resuming document: JSONValue, _ platform: Platform) async throws {
        try await self.init(document["request"] ?? [:], platform)
        response = document
    }

    /// Where the response is kept.
    var key: RecordKey { RecordKey(.response, response["id"]?.text ?? "") }

    /// A writer of the response; if a picture is demanded, that is all that it waits for.
    func writer() throws(APIError) -> ResponseWriter {
        var writer = ResponseWriter(
            response, withLogprobs: request.options.logprobs != nil, drawsPictures: pictures != nil)
        if pictures?.isDemanded == true {
            guard let words = context.messages.last(where: { $0.role == "user" })?.content, !words.isEmpty else {
                throw RequestField(path: "input", value: .null).error("must have a user's message to draw.")
            }
            writer.draw(words)
        }
        return writer
    }

    /// Asks the model, unless only a picture is wanted.
    ///
    /// With `truncation: "auto"` the oldest messages go if all don't fit.
    func start(_ asker: Asker) async throws -> Generation? {
        if pictures?.isDemanded == true { return nil }
        var options = request.options
        options.client = asker.client
        do {
            return try await generation(context.messages, options, asker)
        } catch EngineError.contextOverflow where request.body["truncation"] == "auto" {
            var context = context
            try await context.truncate(for: model, options)
            return try await generation(context.messages, options, asker)
        }
    }

    private func generation(
        _ messages: [ChatMessage], _ options: ChatOptions, _ asker: Asker
    ) async throws -> Generation {
        try await Generation(model, count: 1, platform, asker) { _ in
            try await platform.chat(model, messages, options)
        }
    }

    /// Keeps a response that waits to be written in the background.
    func queue(key account: String?) async throws {
        let document = response.setting("request", request.body).setting("key", JSONValue(account))
        try await platform.store.apply(
            [.insert(key, created: Platform.now, body: document.encoded)] + inputs)
    }

    /// Keeps a response that was written while its sender waited, and goes on with its conversation.
    func keep(_ response: JSONValue) async throws {
        var changes: [RecordChange] = []
        if request.stores {
            changes.append(.insert(key, created: Platform.now, body: response.encoded))
            changes += inputs
        }
        try await platform.store.apply(changes + turns(response))
    }

    /// What goes into the conversation, if there is one: what was asked and answered.
    func turns(_ response: JSONValue) -> [RecordChange] {
        guard let conversation = request.conversation else { return [] }
        return ConversationHandlers.insertions(context.input + (response["output"]?.elements ?? []), into: conversation)
    }

    private var inputs: [RecordChange] {
        context.input.map { item in
            let key = RecordKey(.responseInput, item["id"]?.text ?? "", in: key.id)
            return .insert(key, created: Platform.now, body: item.encoded)
        }
    }
}
