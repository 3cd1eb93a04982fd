// SPDX-License-Identifier: Apache-2.0

import Foundation
import Hummingbird
import QalamEngine

/// `/v1/embeddings`: vectors of texts.
enum EmbeddingHandlers {
    private static let shape = Shape.named(
        "CreateEmbedding",
        .object([
            .may("model", .word), .must("input", CompletionRequest.input), .may("dimensions", .integer(1...65_536)),
            .may("encoding_format", .oneOf(["float", "base64"])), .may("user", .text),
        ]))
    private static let answer = Shape.named(
        "Embeddings",
        .object([
            .must("object", .oneOf(["list"])), .must("model", .text),
            .must(
                "data",
                .list(
                    .object([
                        .must("object", .oneOf(["embedding"])), .must("index", .count),
                        .must("embedding", .either([.text, .list(.number(-1e38...1e38))])),
                    ]))),
            .must("usage", .object([.must("prompt_tokens", .count), .must("total_tokens", .count)])),
        ]))

    static let routes: [Route] = [
        .post("/v1/embeddings", "Embeddings", "Turn texts into vectors", body: .json(shape), answer: .json(answer)) {
            call in
            Response(json: try await embed(call.body(), call.platform, call.asker))
        }
    ]

    /// The answer's body; batches come in here too.
    static func embed(_ body: JSONValue, _ platform: Platform, _ asker: Asker) async throws -> JSONValue {
        try shape.check(RequestField(body: body))
        let model = try platform.models.embedding(body["model"]?.text)
        let inputs = CompletionRequest.inputs(body["input"] ?? .null)
        let isBase64 = body["encoding_format"] == "base64"
        let embeddings = try await run(inputs, body["dimensions"]?.int, model, platform, asker)
        let data: [JSONValue] = embeddings.vectors.enumerated().map { index, vector in
            [
                "object": "embedding", "index": .integer(index),
                "embedding": isBase64 ? .string(base64(vector)) : .array(vector.map { .number(Double($0)) }),
            ]
        }
        return [
            "object": "list", "model": .string(model.id), "data": .array(data),
            "usage": [
                "prompt_tokens": .integer(embeddings.promptTokens), "total_tokens": .integer(embeddings.promptTokens),
            ],
        ]
    }

    /// The vectors of some texts, counted and within the server's limits.
    static func run(
        _ inputs: [TextInput], _ dimensions: Int?, _ model: any EmbeddingModel, _ platform: Platform, _ asker: Asker
    ) async throws -> Embeddings {
        let pass = try platform.gate.enter(1)
        defer { withExtendedLifetime(pass) {} }
        let embeddings: Embeddings
        do {
            embeddings = try await model.embed(inputs, dimensions: dimensions)
        } catch EngineError.badOption("prompt", let why) {
            throw EngineError.badOption(name: "input", why: why)
        }
        platform.meter.count(
            Usage(promptTokens: embeddings.promptTokens, completionTokens: 0), model: model.id, asker: asker)
        return embeddings
    }

    /// Little-endian float32, as OpenAI's clients read it.
    private static func base64(_ vector: [Float]) -> String {
        var data = Data(capacity: vector.count * 4)
        for number in vector {
            withUnsafeBytes(of: number.bitPattern.littleEndian) { data.append(contentsOf: $0) }
        }
        return data.base64EncodedString()
    }
}
