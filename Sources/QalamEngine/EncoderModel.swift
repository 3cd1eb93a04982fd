// SPDX-License-Identifier: Apache-2.0
public import Foundation
public import QalamModels
internal import QalamTokenizers

/// An encoder, opened: it turns texts into vectors, and ranks documents by them or by a head made for that.
public struct EncoderModel: EmbeddingModel, RerankModel {
    /// The name clients call it by.
    public let id: String
    /// When its folder's config.json, or its file, was last changed, in seconds since 1970.
    public let created: Int
    /// The most tokens of a text, with the marks around it.
    public let contextLength: Int
    /// The numbers of a vector.
    public let dimensions: Int
    /// What its files say of it.
    public let facts: ModelFacts?
    private let tokenizer: Tokenizer
    private let ranks: Bool
    private let normalised: Bool
    private let runner: EncoderRunner

    /// Opens the folder or `.gguf` file at `url`; `open` does the same on a thread of its own.
    ///
    /// - Throws: errors that name what is wrong where
    public init(_ url: URL, id: String? = nil) throws {
        let encoder = try Encoder(at: url)
        self.id = id ?? modelName(url)
        created = modelDate(url)
        facts = try ModelFacts(url)
        contextLength = encoder.config.contextLength
        dimensions = encoder.config.hiddenSize
        ranks = encoder.config.ranks
        normalised = encoder.config.pooling.normalised
        tokenizer = try Encoder.tokenizer(at: url)
        guard tokenizer.vocabularySize <= encoder.config.vocabularySize else {
            throw ModelError.mismatch("\(url.lastPathComponent): its tokenizer and its weights don't belong together.")
        }
        runner = EncoderRunner(encoder)
    }

    /// Opens an encoder as `init` does, on a thread that no one else waits for.
    public static func open(_ url: URL, id: String? = nil) async throws -> EncoderModel {
        try await onOwnThread { try EncoderModel(url, id: id) }
    }

    /// One vector for each text.
    public func embed(_ inputs: [TextInput], dimensions: Int?) async throws -> Embeddings {
        let kept = try checkedDimensions(dimensions, of: self.dimensions)
        var texts: [[TokenID]] = []
        for (index, input) in inputs.enumerated() {
            let ids: [TokenID]
            switch input {
            case .tokens(let tokens): ids = tokens
            case .text(""): ids = []
            case .text(let text): ids = tokenizer.encode(text, addSpecial: true)
            }
            try check(ids, index)
            texts.append(ids)
        }
        let vectors = try await runner.embed(texts)
        return Embeddings(
            vectors: kept == self.dimensions
                ? vectors : vectors.map { shortened($0, to: kept, normalised: normalised) },
            promptTokens: texts.reduce(0) { $0 + $1.count })
    }

    /// Scores by the model's head for pairs, or the cosines of the query's vector and the documents'.
    public func rerank(_ query: String, _ documents: [String]) async throws -> Ranking {
        guard ranks else {
            let all = try await embed(([query] + documents).map { .text($0) }, dimensions: nil)
            let scores = all.vectors.dropFirst().map { cosine(all.vectors[0], $0) }
            return Ranking(scores: Array(scores), promptTokens: all.promptTokens)
        }
        let first = tokenizer.sequencePrefix + tokenizer.encode(query) + tokenizer.sequenceSuffix
        var pairs: [[TokenID]] = []
        for (index, document) in documents.enumerated() {
            let pair = first + tokenizer.encode(document) + tokenizer.sequenceSuffix
            try check(pair, index)
            pairs.append(pair)
        }
        let scores = try await runner.scores(pairs, second: first.count)
        return Ranking(scores: scores, promptTokens: pairs.reduce(0) { $0 + $1.count })
    }

    private func check(_ ids: [TokenID], _ index: Int) throws(EngineError) {
        guard !ids.isEmpty, ids.count <= contextLength else {
            throw .badInput(index: index, tokens: ids.count, limit: contextLength)
        }
        if let id = ids.first(where: { $0 < 0 || $0 >= runner.vocabularySize }) {
            throw .badOption(
                name: "input", why: "has token \(id), and the vocabulary ends at \(runner.vocabularySize).")
        }
    }
}

/// Runs an encoder for many callers, one batch after the other, on a thread of its own.
private actor EncoderRunner {
    /// Tokens of one pass; a longer text goes alone.
    private static let batchTokens = 2048

    private let encoder: Encoder
    private let thread = EngineThread()
    nonisolated let vocabularySize: Int

    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    init(_ encoder: sending Encoder) {
        vocabularySize = encoder.config.vocabularySize
        self.encoder = encoder
    }

    func embed(_ texts: [[TokenID]]) async throws -> [[Float]] {
        var vectors: [[Float]] = []
        for batch in Self.batches(texts) {
            try Task.checkCancellation()
            vectors += encoder.embed(Array(texts[batch]))
            await Task.yield()
        }
        return vectors
    }

    func scores(_ pairs: [[TokenID]], second: Int) async throws -> [Float] {
        var scores: [Float] = []
        for batch in Self.batches(pairs) {
            try Task.checkCancellation()
            scores += encoder.scores(Array(pairs[batch]), second: batch.map { _ in second }) ?? []
            await Task.yield()
        }
        return scores
    }

    private static func batches(_ texts: [[TokenID]]) -> [Range<Int>] {
        var batches: [Range<Int>] = []
        var (start, tokens) = (0, 0)
        for (index, text) in texts.enumerated() {
            if index > start, tokens + text.count > batchTokens {
                batches.append(start..<index)
                (start, tokens) = (index, 0)
            }
            tokens += text.count
        }
        if start < texts.count { batches.append(start..<texts.count) }
        return batches
    }
}

/// The cosine of the angle between two vectors; 0 if one of them is zero.
private func cosine(_ a: [Float], _ b: [Float]) -> Float {
    var (dot, x, y) = (0.0, 0.0, 0.0)
    for (p, q) in zip(a, b) {
        dot += Double(p) * Double(q)
        x += Double(p) * Double(p)
        y += Double(q) * Double(q)
    }
    return x > 0 && y > 0 ? Float(dot / (x * y).squareRoot()) : 0
}
