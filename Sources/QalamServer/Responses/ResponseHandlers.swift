// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import QalamEngine
import QalamStore

/// `/v1/responses`.
enum ResponseHandlers {
    private static let path = "/v1/responses/{response_id}"
    private static let counted = Shape.object([
        .must("object", .oneOf(["response.input_tokens"])), .must("input_tokens", .count),
    ])

    static let routes: [Route] = [
        .post(
            "/v1/responses", "Responses", "Answer", body: .json(ResponseShapes.request),
            answer: .stream(ResponseShapes.response), create),
        .post(
            "/v1/responses/input_tokens", "Responses", "Count what a response would read",
            body: .json(ResponseShapes.count), answer: .json(counted), count),
        .post(
            "/v1/responses/compact", "Responses", "Make a long conversation short", body: .json(Compaction.request),
            answer: .json(Compaction.answer), Compaction.create),
        .get(
            path, "Responses", "Get a response",
            query: [
                ItemShapes.includeParameter, .init(name: "stream", shape: .bool),
                .init(name: "starting_after", shape: .count), .init(name: "include_obfuscation", shape: .bool),
            ], answer: .stream(ResponseShapes.response), retrieve),
        .delete(
            path, "Responses", "Delete a response", answer: .json(Listing.deletedShape("response.deleted"))
        ) { call in
            let key = key(call)
            do {
                try await call.platform.store.apply([.delete(key)])
            } catch StoreError.missing {
                throw APIError.noSuch("response", key.id)
            }
            return Response(json: ["id": .string(key.id), "object": "response.deleted", "deleted": true])
        },
        .post(path + "/cancel", "Responses", "Stop a background response", answer: .json(ResponseShapes.response)) {
            call in
            Response(json: ResponseObject.shown(try await cancel(key(call), call.platform)))
        },
        .get(
            path + "/input_items", "Responses", "List what a response was asked",
            query: Listing.parameters() + [ItemShapes.includeParameter],
            answer: .json(Listing.shape(of: .anyObject))
        ) { call in
            let key = key(call)
            _ = try await call.platform.store.document(key, "response")
            let query = Listing.query(.responseInput, in: key.id, call, newestFirst: true)
            return try await Response(json: Listing.page(query, call.platform.store))
        },
    ]

    private static func key(_ call: Call) -> RecordKey { RecordKey(.response, call.parameter("response_id")) }

    private static func create(_ call: Call) async throws -> Response {
        let body = try await call.optionalBody()
        let run = try await ResponseRun(body, call.platform)
        if run.request.isInBackground {
            try await run.queue(key: call.asker.key?.id)
            call.platform.background.call()
            guard run.request.streams else { return Response(json: run.response) }
            return ResponseReplay.follow(run.key, after: nil, call)
        }
        let generation = try await run.start(call.asker)
        let begun = try run.writer()
        guard run.request.streams else {
            return try await call.watched { try await finish(run, begun, generation, call) }
        }
        return call.events { writer in
            var response = begun
            var silence = Silence()
            for event in response.opening() { try await writer.write(Self.framed(event)) }
            var closing: [JSONValue] = []
            let answers = generation?.begin()
            while let event = try await answers?.next() {
                if silence.isDue(event) { try await writer.write(ServerSentEvent.keepAlive.buffer) }
                var events: [JSONValue] = []
                switch event {
                case .event(_, let event): events = response.events(for: event)
                case .failed(let error): events = response.fail(APIError(error))
                case .tick, .ended: break
                }
                // The last event says that all is well and kept, so it comes after that.
                if response.isOver { closing = [events.removeLast()] }
                for event in events { try await writer.write(Self.framed(event)) }
            }
            if !response.isOver, var pictures = run.pictures?.pictures(of: response, call) {
                do {
                    while let events = try await pictures.next(&response) {
                        for event in events { try await writer.write(Self.framed(event)) }
                    }
                    closing = response.endPictures()
                } catch let error as CancellationError {
                    throw error
                } catch {
                    closing = response.fail(APIError(error))
                }
            }
            try await run.keep(response.response)
            for event in closing { try await writer.write(Self.framed(event)) }
        }
    }

    /// Answers a request with one body; batches come in here.
    static func complete(_ body: JSONValue, _ platform: Platform, _ asker: Asker) async throws -> JSONValue {
        let run = try await ResponseRun(body, platform)
        guard !run.request.isInBackground else {
            throw RequestField(path: "background", value: .null).unsupported("has no meaning in a batch.")
        }
        guard run.pictures == nil else {
            throw RequestField(path: "tools", value: .null).unsupported("can't have image_generation in a batch.")
        }
        return try await finish(run, run.writer(), try await run.start(asker), nil)
    }

    private static func finish(
        _ run: ResponseRun, _ writer: ResponseWriter, _ generation: Generation?, _ call: Call?
    ) async throws -> JSONValue {
        var response = writer
        try await generation?.run { event in
            switch event {
            case .event(_, let event): _ = response.events(for: event)
            case .failed(let error): throw error
            case .tick, .ended: break
            }
        }
        if let call, var pictures = run.pictures?.pictures(of: response, call) {
            while try await pictures.next(&response) != nil {}
            _ = response.endPictures()
        }
        try await run.keep(response.response)
        return response.response
    }

    private static func count(_ call: Call) async throws -> Response {
        let body = try await call.json(ResponseShapes.count)
        let model = try call.platform.models.chat(body["model"]?.text)
        var options = ChatOptions()
        try ResponseRequest.readAsked(body, call.platform.configuration, into: &options)
        let conversation = body["conversation"]?.text ?? body["conversation"]?["id"]?.text
        var context = try await ResponseContext(body, conversation: conversation, call.platform.store)
        if body["truncation"] == "auto" { try await context.truncate(for: model, options) }
        let tokens = try await model.countTokens(context.messages, options)
        return Response(json: ["object": "response.input_tokens", "input_tokens": .integer(tokens)])
    }

    private static func retrieve(_ call: Call) async throws -> Response {
        let document = try await call.platform.store.document(key(call), "response")
        guard call.query["stream"]?.flag == true else {
            guard call.query["starting_after"] == nil || call.query["stream"]?.flag == false else {
                throw APIError(
                    "starting_after is only allowed when stream is true.", param: "starting_after",
                    code: "invalid_parameter_combination")
            }
            return Response(json: ResponseObject.shown(document))
        }
        return ResponseReplay.follow(key(call), after: call.query["starting_after"]?.int, call)
    }

    /// Stops a background response; the one who writes it notices.
    private static func cancel(_ key: RecordKey, _ platform: Platform) async throws -> JSONValue {
        let document = try await platform.store.update(key, "response") { response in
            guard response["background"] == true else {
                throw APIError(
                    "Only background responses can be cancelled: end the connection of others.", status: .conflict,
                    code: "not_cancellable")
            }
            switch response["status"]?.text {
            case "queued", "in_progress": return (response.setting("status", "cancelled"), [])
            case "cancelled": return nil
            case let status:
                throw APIError(
                    "A response that is \(status ?? "over") can't be cancelled.", status: .conflict,
                    code: "not_cancellable")
            }
        }
        platform.background.call()
        return document
    }

    /// An event as it is sent: its type stands on a line of its own too.
    static func framed(_ event: JSONValue) -> ByteBuffer {
        ServerSentEvent.named(event["type"]?.text ?? "", event).buffer
    }
}
