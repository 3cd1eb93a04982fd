// SPDX-License-Identifier: Apache-2.0
public import Foundation
public import QalamFormats
public import QalamTensors

// N: packed tokens of all texts   C: hidden size   F: intermediate size   V: vocabulary

/// A transformer whose tokens see the whole text, for embeddings: blocks with norms after attention and feed-forward,
/// then one vector a text.
public struct Encoder {
    /// The switches it was built by.
    public let config: EncoderConfig
    private let embeddingTable: Weight  // (V,C)
    private let segments: Tensor?  // (segments,C)
    private let positionTable: Weight?  // (contextLength,C)
    private let embeddingNorm: EncoderNorm
    private let blocks: [EncoderBlock]
    private let ranking: RankingHead?

    /// Builds the model from a scope of weights.
    ///
    /// - Throws: what the scope throws if a tensor is missing or misshapen.
    public init(_ c: EncoderConfig, _ root: Weights) throws {
        let names = c.family.names
        let w = root[names.root]
        let tables = w["embeddings"]
        func table(_ name: String, _ rows: Int) throws -> Weight {
            try tables[name].matrix([("weight", rows)], inputs: c.hiddenSize, encoderInitial, role: .table)
        }
        config = c
        embeddingTable = try table("word_embeddings", c.vocabularySize)
        segments =
            c.segments > 0
            ? embedding(Array(0..<Int32(c.segments)), try table("token_type_embeddings", c.segments)) : nil
        positionTable = c.rotaryBase == nil ? try table("position_embeddings", c.contextLength) : nil
        embeddingNorm = try EncoderNorm(c, w[names.embeddingNorm])
        blocks = try (0..<c.layers).map { try EncoderBlock(c, w[names.layers][$0]) }
        ranking = try c.ranks ? RankingHead(c, pooler: w["pooler.dense"], classifier: root["classifier"]) : nil
    }

    /// Opens a folder of safetensors and its config, or a GGUF file.
    public init(at url: URL) throws {
        if url.pathExtension == "gguf" {
            let gguf = try GGUF(url)
            let config = try EncoderConfig(gguf)
            // Names in a GGUF file's table have no root.
            let source = RootlessWeights(try GGUFWeights(gguf), root: config.family.names.root)
            try self.init(config, Weights(source, trainable: false))
        } else {
            let config = try EncoderConfig(folder: url)
            let source = Checkpoint(try Safetensors(url), optionalPrefix: "\(config.family.names.root).")
            try self.init(config, Weights(source, trainable: false))
        }
    }

    /// One vector of C numbers for each text.
    ///
    /// A text's vector does not depend on the others.
    /// - Parameter texts: token ids with the model's own start and end; none empty or longer than the context
    /// - Returns: the vectors, in the order of the texts
    public func embed(_ texts: [[Int32]]) -> [[Float]] {
        let states = hidden(texts)
        var start = 0
        return texts.map { text in
            defer { start += text.count }
            let end = start + text.count
            let rows =
                switch config.pooling.pooling {
                case .first: start..<start + 1
                case .mean: start..<end
                case .last: end - 1..<end
                }
            let pooled = states.rows(rows)
                .combined(weights: Array(repeating: 1 / Float(rows.count), count: rows.count), groups: rows.count)
            let length = Float(pooled.sumOfSquares.squareRoot())
            if config.pooling.normalised, length > 0 { pooled.scaleInPlace(by: 1 / length) }
            return pooled.values
        }
    }

    /// How well the second of two texts answers the first, by the model's head: a score in 0...1 for each pair.
    ///
    /// - Parameters:
    ///   - pairs: token ids of both texts with the model's own marks between and around them
    ///   - second: where in each pair the second text begins
    /// - Returns: nil if the model has no such head
    public func scores(_ pairs: [[Int32]], second: [Int]) -> [Float]? {
        guard let ranking else { return nil }
        let states = hidden(pairs, second: second)
        var starts = [0]
        for pair in pairs { starts.append(starts[starts.count - 1] + pair.count) }
        return ranking(states.gathered(starts.dropLast())).map { 1 / (1 + exp(-$0)) }
    }

    /// The last hidden states of packed texts, one after the other: (N,C).
    ///
    /// From `second` on, the tokens of a text belong to the second segment.
    public func hidden(_ texts: [[Int32]], second: [Int]? = nil) -> Tensor {
        let lengths = texts.map(\.count)
        precondition(
            lengths.allSatisfy { $0 > 0 && $0 <= config.contextLength },
            "encoder: \(lengths) of \(config.contextLength)")
        let positions = lengths.flatMap { Array(0..<Int32($0)) }
        var x = embedding(texts.flatMap(\.self), embeddingTable)
        if let positionTable { x = x + embedding(positions, positionTable) }
        if let segments {
            let first = second ?? lengths
            let rows = zip(lengths, first).flatMap { length, start in (0..<length).map { $0 < start ? 0 : 1 } }
            x = x + segments.gathered(rows)
        }
        x = embeddingNorm(x)
        for block in blocks { x = block(x, lengths: lengths, positions: positions) }
        return x
    }
}

/// One number from the first token's state: a dense layer with tanh, then a weighted sum.
private struct RankingHead {
    let pooler: Linear
    let classifier: Linear

    init(_ c: EncoderConfig, pooler: Weights, classifier: Weights) throws {
        func layer(_ w: Weights, _ outputs: Int) throws -> Linear {
            Linear(
                try w.matrix([("weight", outputs)], inputs: c.hiddenSize, encoderInitial),
                bias: try w["bias"].tensor([outputs], .zeros))
        }
        self.pooler = try layer(pooler, c.hiddenSize)
        self.classifier = try layer(classifier, 1)
    }

    /// A number for each row (N,C).
    func callAsFunction(_ x: Tensor) -> [Float] {
        let pooled = pooler(x)
        for (index, value) in pooled.buffer.enumerated() { pooled.buffer[index] = tanh(value) }
        return classifier(pooled).values
    }
}

/// How weights would start if there were nothing to load.
private let encoderInitial = Initial.normal(deviation: 0.02)

/// LayerNorm with a bias.
private struct EncoderNorm {
    let weight: Tensor  // (C)
    let bias: Tensor  // (C)
    let epsilon: Float

    init(_ c: EncoderConfig, _ w: Weights) throws {
        weight = try w["weight"].tensor([c.hiddenSize], .ones)
        bias = try w["bias"].tensor([c.hiddenSize], .zeros)
        epsilon = c.normEpsilon
    }

    func callAsFunction(_ x: Tensor) -> Tensor { layerNorm(x, weight, bias: bias, epsilon: epsilon) }
}

/// Attention and feed-forward, each added to its input and then normalised.
private struct EncoderBlock {
    let attention: AttentionLayer
    let qkv: Linear
    let attentionOutput: Linear
    let attentionNorm: EncoderNorm
    let kind: EncoderConfig.FeedForward
    let up: Linear
    let down: Linear
    let feedForwardNorm: EncoderNorm

    init(_ c: EncoderConfig, _ w: Weights) throws {
        let names = c.family.names
        let (C, F) = (c.hiddenSize, c.intermediateSize)
        func projection(_ names: [String], _ outputs: Int, inputs: Int) throws -> Linear {
            let pieces = names.map { ("\($0).weight", outputs / names.count) }
            let biases = names.map { ("\($0).bias", outputs / names.count) }
            return Linear(
                try w.matrix(pieces, inputs: inputs, encoderInitial).packed(),
                bias: c.bias ? try w.stacked(biases, columns: [], .zeros, role: .vector) : nil)
        }
        let rope = c.rotaryBase.map { RoPE(width: c.attention.headDim, theta: $0) }
        attention = AttentionLayer(c.attention, rope: rope)
        qkv = try projection(names.qkv, 3 * C, inputs: C)
        attentionOutput = try projection([names.attentionOutput], C, inputs: C)
        attentionNorm = try EncoderNorm(c, w[names.attentionNorm])
        kind = c.feedForward
        up = try projection(names.up, kind == .swiglu ? 2 * F : F, inputs: C)
        down = try projection([names.down], C, inputs: F)
        feedForwardNorm = try EncoderNorm(c, w[names.feedForwardNorm])
    }

    func callAsFunction(_ x: Tensor, lengths: [Int], positions: [Int32]) -> Tensor {
        let attended = fullAttention(qkv(x), attention, lengths: lengths, positions: positions)
        let h = attentionNorm(x + attentionOutput(attended))
        var inner = up(h)
        switch kind {
        case .swiglu: inner = swiglu(inner)
        case .gelu: inner.geluInPlace(isExact: true)
        case .geluTanh: inner.geluInPlace(isExact: false)
        }
        return feedForwardNorm(h + down(inner))
    }
}
