// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import QalamEngine

/// `/tokenize` and `/detokenize`: how a model sees texts.
enum TokenHandlers {
    private static let text = Shape.named(
        "Tokenize",
        .either(
            ["content", "prompt"].map {
                .object([.may("model", .word), .must($0, .text), .may("add_special", .bool)])
            }))
    private static let tokens = Shape.named(
        "Detokenize",
        .object([.may("model", .word), .must("tokens", .array(.integer(0...Int(Int32.max)), 0...131_072))]))

    static let routes: [Route] = [
        .post(
            "/tokenize", "Tokens", "The tokens of a text", body: .json(text),
            answer: .json(
                .object([.must("tokens", .list(.count)), .must("count", .count), .must("max_model_len", .count)]))
        ) { call in
            let body = try await call.json(text)
            let content = body["content"]?.text ?? body["prompt"]?.text ?? ""
            let model = try model(body, call)
            let ids = try await model.tokenize(content, addSpecial: body["add_special"]?.flag ?? false)
            return Response(json: [
                "tokens": .array(ids.map { .integer(Int($0)) }), "count": .integer(ids.count),
                "max_model_len": .integer(model.contextLength),
            ])
        },
        .post(
            "/detokenize", "Tokens", "The text of tokens", body: .json(tokens),
            answer: .json(.object([.must("content", .text), .must("prompt", .text)]))
        ) { call in
            let body = try await call.json(tokens)
            let ids = (body["tokens"]?.elements ?? []).compactMap { $0.int.map(Int32.init) }
            let text = JSONValue.string(try await model(body, call).detokenize(ids))
            return Response(json: ["content": text, "prompt": text])
        },
    ]

    /// The model asked for; the first one if none is: llama.cpp's clients name none.
    private static func model(_ body: JSONValue, _ call: Call) throws(APIError) -> any ChatModel {
        try call.platform.models.chat(body["model"]?.text ?? call.platform.models.models.first?.id)
    }
}
