// SPDX-License-Identifier: Apache-2.0

import Foundation
import Hummingbird
import QalamEngine
import QalamModels

/// `/api`: what Ollama's clients expect.
enum OllamaHandlers {
    private static let tag = "Ollama"

    static let routes: [Route] = [
        .get("/api/version", tag, "The version", answer: .json(.object([.must("version", .text)]))) { _ in
            Response(json: ["version": .string(version)])
        },
        .get("/api/tags", tag, "List models") { call in
            let models = call.platform.models
            return Response(json: ["models": .array(try models.names.map { json(try models.find($0), as: $0) })])
        },
        .get("/api/ps", tag, "List models in memory") { call in
            var open: [JSONValue] = []
            for model in call.platform.models.models where await model.load.pages > 0 {
                open.append(json(model, as: model.id).setting("size_vram", 0).setting("expires_at", .string(never)))
            }
            return Response(json: ["models": .array(open)])
        },
        .post("/api/show", tag, "Describe a model", body: .json(OllamaShapes.show), show),
        .post(
            "/api/chat", tag, "Answer a conversation", body: .json(OllamaShapes.chat), answer: .lines(.anyObject)
        ) { call in
            let body = try await call.json(OllamaShapes.chat)
            let model = try OllamaRequest.model(body["model"]?.text, call.platform.models.chat)
            var options = try OllamaRequest.options(body, model, call.platform.configuration)
            options.client = call.asker.client
            let messages = OllamaRequest.conversation(body["messages"])
            return try await OllamaAnswer(model, isChat: true).respond(body, call) { [options] in
                try await call.platform.chat(model, messages, options)
            }
        },
        .post(
            "/api/generate", tag, "Answer or continue a text", body: .json(OllamaShapes.generate),
            answer: .lines(.anyObject), generate),
        .post("/api/embed", tag, "Turn texts into vectors", body: .json(OllamaShapes.embed), embed),
    ]

    /// The version of Ollama's API that this is.
    private static let version = "0.12.0"
    private static let never = "9999-12-31T23:59:59Z"

    private static func json(_ model: any ServedModel, as name: String) -> JSONValue {
        let changed = Date(timeIntervalSince1970: Double(model.created)).formatted(.iso8601)
        return [
            "name": .string(name), "model": .string(name), "modified_at": .string(changed),
            "size": .integer(model.facts?.bytes ?? 0),
            "digest": .string(ChatResponse.fingerprint(of: model)), "details": details(model.facts),
        ]
    }

    private static func details(_ facts: ModelFacts?) -> JSONValue {
        let millions = (facts?.parameterCount ?? 0) / 1_000_000
        let size = millions >= 1000 ? "\(millions / 1000).\(millions % 1000 / 100)B" : "\(millions)M"
        return [
            "parent_model": "", "format": "", "family": .string(facts?.family ?? ""),
            "families": .array(facts.map { [.string($0.family)] } ?? []),
            "parameter_size": .string(facts == nil ? "" : size),
            "quantization_level": .string(facts?.precision ?? ""),
        ]
    }

    private static func show(_ call: Call) async throws -> Response {
        let body = try await call.json(OllamaShapes.show)
        let name = body["model"]?.text ?? body["name"]?.text ?? ""
        let model = try OllamaRequest.model(name, call.platform.models.find)
        var capabilities: [JSONValue] = []
        if model is any ChatModel { capabilities += ["completion", "tools"] }
        if model is any EmbeddingModel { capabilities.append("embedding") }
        return Response(json: [
            "details": details(model.facts), "capabilities": .array(capabilities), "modelfile": "", "template": "",
            "parameters": "",
            "model_info": [
                "general.architecture": .string(model.facts?.family ?? "qalam"),
                "\(model.facts?.family ?? "qalam").context_length": .integer(model.contextLength),
            ],
            "modified_at": json(model, as: name)["modified_at"] ?? "",
        ])
    }

    private static func generate(_ call: Call) async throws -> Response {
        let body = try await call.json(OllamaShapes.generate)
        let model = try OllamaRequest.model(body["model"]?.text, call.platform.models.chat)
        var options = try OllamaRequest.options(body, model, call.platform.configuration)
        options.client = call.asker.client
        if let suffix = body["suffix"]?.text, !suffix.isEmpty { options.suffix = suffix }
        let prompt = body["prompt"]?.text ?? ""
        // An empty prompt only asks for the model to be opened.
        if prompt.isEmpty { return Response(json: OllamaAnswer(model, isChat: false).loaded) }
        return try await OllamaAnswer(model, isChat: false).respond(body, call) { [options] in
            if body["raw"]?.flag == true || options.suffix != nil {
                return try await call.platform.complete(model, .text(prompt), options)
            }
            let system = body["system"]?.text.map { [ChatMessage(role: "system", content: $0)] } ?? []
            return try await call.platform.chat(
                model, system + [ChatMessage(role: "user", content: prompt)], options)
        }
    }

    private static func embed(_ call: Call) async throws -> Response {
        let body = try await call.json(OllamaShapes.embed)
        let model = try OllamaRequest.model(body["model"]?.text, call.platform.models.embedding)
        let start = ContinuousClock.now
        let embeddings = try await EmbeddingHandlers.run(
            CompletionRequest.inputs(body["input"] ?? .null), body["dimensions"]?.int, model, call.platform, call.asker)
        return Response(json: [
            "model": .string(model.id),
            "embeddings": .array(embeddings.vectors.map { .array($0.map { .number(Double($0)) }) }),
            "total_duration": .integer(OllamaAnswer.nanoseconds(start.duration(to: .now))), "load_duration": 0,
            "prompt_eval_count": .integer(embeddings.promptTokens),
        ])
    }
}
