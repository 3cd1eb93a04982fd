// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import QalamEngine

/// `/v1/messages`: conversations as Anthropic's clients hold them.
enum MessageHandlers {
    static let routes: [Route] = [
        .post(
            "/v1/messages", "Messages", "Answer a conversation (Anthropic)",
            query: [.init(name: "beta", shape: .bool)], body: .json(MessageShapes.request),
            answer: .stream(MessageShapes.message), create),
        .post(
            "/v1/messages/count_tokens", "Messages", "Count what an answer would read (Anthropic)",
            query: [.init(name: "beta", shape: .bool)], body: .json(MessageShapes.count),
            answer: .json(.object([.must("input_tokens", .count)]))
        ) { call in
            let body = try await call.json(MessageShapes.count)
            let model = try call.platform.models.chat(body["model"]?.text)
            let request = try MessageRequest(body, call.platform.configuration)
            let count = try await model.countTokens(request.messages, request.options)
            return Response(json: ["input_tokens": .integer(count)])
        },
    ]

    private static func create(_ call: Call) async throws -> Response {
        let body = try await call.json(MessageShapes.request)
        let model = try call.platform.models.chat(body["model"]?.text)
        let request = try MessageRequest(body, call.platform.configuration)
        var options = request.options
        options.client = call.asker.client
        let writer = MessageWriter(model: model)
        let generation = try await Generation(model, count: 1, call.platform, call.asker) { [options] _ in
            try await call.platform.chat(model, request.messages, options)
        }
        guard body["stream"]?.flag == true else {
            return try await call.watched { writer.message(try await generation.collect()[0]) }
        }
        return call.events { body in
            var writer = writer
            var silence = Silence()
            try await body.write(writer.opening().buffer)
            let answers = generation.begin()
            while let event = try await answers.next() {
                if silence.isDue(event) {
                    try await body.write(ServerSentEvent.named("ping", ["type": "ping"]).buffer)
                }
                for event in writer.events(for: event) { try await body.write(event.buffer) }
            }
        }
    }
}
