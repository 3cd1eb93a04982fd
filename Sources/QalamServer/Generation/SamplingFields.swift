// SPDX-License-Identifier: Apache-2.0

import QalamEngine

/// The fields about sampling that several APIs share.
enum SamplingFields {
    /// Their shapes.
    static let members: [Shape.Member] = [
        .may("temperature", .number(0...2)), .may("top_p", .number(0...1)),
        .may("frequency_penalty", .number(-2...2)), .may("presence_penalty", .number(-2...2)),
        .may("seed", .integer(.min ... .max)), .may("top_k", .integer(0...Int(Int32.max))),
        .may("min_p", .number(0...1)), .may("repetition_penalty", .number(0.1...10)),
        .may("logit_bias", .map(.number(-100...100), atMost: 1024)),
    ]

    /// One text or up to four that end an answer.
    static let stop = Shape.either([.word, .array(.word, 0...4)])

    /// Reads the fields of a checked body.
    /// - Throws: `APIError` if a name in `logit_bias` is no token
    static func read(_ body: JSONValue, into options: inout ChatOptions) throws(APIError) {
        var sampling = options.sampling
        func float(_ name: String) -> Float? { body[name]?.double.map { Float($0) } }
        sampling.temperature = float("temperature") ?? sampling.temperature
        sampling.topP = float("top_p") ?? sampling.topP
        sampling.topK = body["top_k"]?.int ?? sampling.topK
        sampling.minP = float("min_p") ?? sampling.minP
        sampling.frequencyPenalty = float("frequency_penalty") ?? sampling.frequencyPenalty
        sampling.presencePenalty = float("presence_penalty") ?? sampling.presencePenalty
        sampling.repetitionPenalty = float("repetition_penalty") ?? sampling.repetitionPenalty
        sampling.seed = body["seed"]?.int.map { UInt64(bitPattern: Int64($0)) }
        for member in body["logit_bias"]?.members ?? [] {
            guard let bias = member.value.double else { continue }
            guard let token = Int32(member.name), token >= 0 else {
                throw RequestField(path: "logit_bias.\(member.name)", value: .null).error(
                    "must be named by a token's number.")
            }
            sampling.logitBias[token] = Float(bias)
        }
        options.sampling = sampling
        if let stop = body["stop"], stop != .null {
            options.stop = stop.text.map { [$0] } ?? (stop.elements ?? []).compactMap(\.text)
        }
    }

    /// The options of answer number `choice`: a seed of its own.
    static func options(_ options: ChatOptions, choice: Int) -> ChatOptions {
        var options = options
        options.sampling.seed = options.sampling.seed.map { Seeds.seed($0, choice: choice) }
        return options
    }
}
