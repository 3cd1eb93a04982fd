// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import QalamModels
internal import QalamTensors
internal import QalamTokenizers

// What a decoder does with texts that it only reads.
extension LoadedModel {
    /// How likely the model thinks a text.
    public func score(_ input: TextInput, _ options: ChatOptions) async throws -> [ScoredToken] {
        let prompt = try tokens(of: input)
        var request = try request(prompt, options)
        request.work = .score(top: max(options.logprobs ?? 0, 0))
        var scored = [ScoredToken(prompt[0], nil, tokenizer)]
        for try await event in try engine.generate(request) {
            guard case .promptToken(let logprobs) = event else { continue }
            scored.append(ScoredToken(prompt[scored.count], logprobs, tokenizer))
        }
        return scored
    }

    /// What the engine makes of every prompt, all of them at once; errors name the prompt by its number.
    private func numbers(_ prompts: [[TokenID]], _ work: Work) async throws -> [[Float]] {
        for (index, prompt) in prompts.enumerated() where prompt.isEmpty || prompt.count >= contextLength {
            throw EngineError.badInput(index: index, tokens: prompt.count, limit: contextLength - 1)
        }
        var results = [[Float]](repeating: [], count: prompts.count)
        // A few at a time: one batch for the engine, and its queue stays free for others.
        for start in stride(from: 0, to: prompts.count, by: 16) {
            var streams: [(Int, AsyncThrowingStream<GenerationEvent, any Error>)] = []
            for index in start..<min(start + 16, prompts.count) {
                var request = try request(prompts[index], ChatOptions())
                request.work = work
                streams.append((index, try engine.generate(request)))
            }
            for (index, stream) in streams {
                for try await event in stream { if case .numbers(let values) = event { results[index] = values } }
            }
        }
        return results
    }
}

extension LoadedModel: EmbeddingModel {
    /// C: the width of the model.
    public var dimensions: Int { hiddenSize }

    /// The states of the last token, or their mean, as the model's folder says (the mean if it says nothing).
    public func embed(_ inputs: [TextInput], dimensions: Int?) async throws -> Embeddings {
        let kept = try checkedDimensions(dimensions, of: hiddenSize)
        var prompts: [[TokenID]] = []
        for (index, input) in inputs.enumerated() {
            switch input {
            case .tokens(let ids): prompts.append(ids)
            case .text(""): throw EngineError.badInput(index: index, tokens: 0, limit: contextLength - 1)
            case .text(let text): prompts.append(tokenizer.encode(text, addSpecial: true))
            }
        }
        let states = try await numbers(prompts, .pool(pooling.pooling == .mean ? .mean : .last))
        return Embeddings(
            vectors: states.map { shortened($0, to: kept, normalised: pooling.normalised) },
            promptTokens: prompts.reduce(0) { $0 + $1.count })
    }
}

extension LoadedModel: RerankModel {
    /// How likely the model answers "yes" rather than "no" when asked whether a document meets a query, in the words
    /// that Qwen3-Reranker was trained with.
    public func rerank(_ query: String, _ documents: [String]) async throws -> Ranking {
        let answers = ["yes", "no"].map { tokenizer.encode($0) }
        guard answers.allSatisfy({ $0.count == 1 }) else {
            throw EngineError.unsupported(model: id, what: "rank documents: it has no tokens for yes and no")
        }
        var options = ChatOptions()
        options.thinking = false
        let prompts = try documents.map { document in
            tokenizer.encode(try conversation.render(Self.question(query, document), options))
        }
        let logits = try await numbers(prompts, .compare(answers.map { $0[0] }))
        return Ranking(
            scores: logits.map { sigmoid($0[0] - $0[1]) }, promptTokens: prompts.reduce(0) { $0 + $1.count })
    }

    private static func question(_ query: String, _ document: String) -> [ChatMessage] {
        [
            .system(
                "Judge whether the Document meets the requirements based on the Query and the Instruct provided. "
                    + "Note that the answer can only be \"yes\" or \"no\"."),
            .user(
                "<Instruct>: Given a web search query, retrieve relevant passages that answer the query\n\n"
                    + "<Query>: \(query)\n\n<Document>: \(document)"),
        ]
    }
}

/// 1 / (1 + e⁻ˣ).
private func sigmoid(_ x: Float) -> Float { 1 / (1 + exp(-x)) }

/// How many numbers of a vector to keep.
func checkedDimensions(_ wanted: Int?, of all: Int) throws(EngineError) -> Int {
    guard let wanted else { return all }
    guard (1...all).contains(wanted) else {
        throw .badOption(name: "dimensions", why: "must be from 1 to \(all) for this model.")
    }
    return wanted
}

/// The first `count` numbers of a vector, of length one if `normalised`.
func shortened(_ vector: [Float], to count: Int, normalised: Bool) -> [Float] {
    let part = vector.prefix(count)
    let length = part.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    guard normalised, length > 0 else { return Array(part) }
    return part.map { Float(Double($0) / length) }
}
