// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import QalamEngine

/// `/v1/rerank`: which documents answer a query best, in the shape of Jina's and Cohere's APIs.
enum RerankHandlers {
    private static let shape = Shape.named(
        "Rerank",
        .object([
            .may("model", .word), .must("query", .word),
            .must("documents", .array(.either([.word, .object([.must("text", .word)])]), 1...1000)),
            .may("top_n", .integer(1...1000)), .may("return_documents", .bool),
        ]))
    private static let answer = Shape.named(
        "Ranking",
        .object([
            .must("model", .text),
            .must(
                "results",
                .list(
                    .object([
                        .must("index", .count), .must("relevance_score", .number(-1e38...1e38)),
                        .may("document", .object([.must("text", .text)])),
                    ]))),
            .must("usage", .object([.must("prompt_tokens", .count), .must("total_tokens", .count)])),
        ]))

    static let routes: [Route] = ["/v1/rerank", "/rerank"].map { path in
        .post(path, "Embeddings", "Rank documents by how well they answer", body: .json(shape), answer: .json(answer)) {
            try await rank($0)
        }
    }

    private static func rank(_ call: Call) async throws -> Response {
        let body = try await call.json(shape)
        let model = try call.platform.models.rerank(body["model"]?.text)
        let documents = (body["documents"]?.elements ?? []).map { $0.text ?? $0["text"]?.text ?? "" }
        let pass = try call.platform.gate.enter(1)
        defer { withExtendedLifetime(pass) {} }
        let ranking = try await model.rerank(body["query"]?.text ?? "", documents)
        call.platform.meter.count(
            Usage(promptTokens: ranking.promptTokens, completionTokens: 0), model: model.id, asker: call.asker)
        // Equal scores keep the documents' order.
        let order = ranking.scores.indices.sorted {
            (ranking.scores[$0], $1) > (ranking.scores[$1], $0)
        }
        let results: [JSONValue] = order.prefix(body["top_n"]?.int ?? documents.count).map { index in
            let result: JSONValue = [
                "index": .integer(index), "relevance_score": .number(Double(ranking.scores[index])),
            ]
            guard body["return_documents"]?.flag == true else { return result }
            return result.setting("document", ["text": .string(documents[index])])
        }
        return Response(json: [
            "model": .string(model.id), "results": .array(results),
            "usage": [
                "prompt_tokens": .integer(ranking.promptTokens), "total_tokens": .integer(ranking.promptTokens),
            ],
        ])
    }
}
