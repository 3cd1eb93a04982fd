// SPDX-License-Identifier: Apache-2.0
public import QalamFormats
public import QalamTensors

// N: packed tokens of all sequences   C: hidden size   F: intermediate size   V: vocabulary
// H, Hkv, D: query heads, key heads, head size

/// What attention needs to know beside its input: which rows belong together and what came before them.
///
/// The model sees packed rows only; sequences, caches and masks are the context's.
public protocol AttentionContext {
    /// The position of each row in its sequence.
    var positions: [Int32] { get }

    /// Rows that adapters change; no row is in two of them.
    var adapted: [AdaptedRows] { get }

    /// Attention of each row to its own past, for one layer.
    ///
    /// - Parameters:
    ///   - layer: the block's number
    ///   - qkv: (N, (H + 2·Hkv)·D), fresh from the projection; the context rotates it in place
    ///   - attention: shape, rotation, window and what else the layer has
    /// - Returns: (N, H·D)
    mutating func attend(layer: Int, qkv: Tensor, attention: AttentionLayer) -> Tensor
}

extension AttentionContext {
    /// None.
    public var adapted: [AdaptedRows] { [] }
}

/// The context of training and evaluation: `batch` whole sequences of equal length, nothing before them.
public struct CausalContext: AttentionContext {
    /// 0, 1, … of each sequence in turn.
    public let positions: [Int32]
    private let batch: Int

    /// `batch` sequences of `length` tokens.
    public init(batch: Int, length: Int) {
        self.batch = batch
        positions = (0..<batch).flatMap { _ in 0..<Int32(length) }
    }

    /// Causal attention inside each sequence.
    public func attend(layer: Int, qkv: Tensor, attention: AttentionLayer) -> Tensor {
        causalAttention(qkv, attention, batch: batch, positions: positions)
    }
}

/// A decoder-only transformer: embedding, blocks of attention and feed-forward with residuals, a final norm and a head.
///
/// One type for the whole family; `DecoderConfig` holds the switches.
public struct Decoder {
    /// The switches it was built by.
    public let config: DecoderConfig
    /// Everything trainable, in the order of the model.
    public let parameters: [Parameter]
    /// Whether some weights are used as they lie in their files, so that `parameters` are not all there is.
    public let isMapped: Bool
    private let embeddingTable: Weight  // (V,C)
    private let positionTable: Tensor?  // (contextLength,C)
    private let blocks: [Block]
    private let finalNorm: Norm
    /// The output projection (V,C).
    public let head: Weight

    /// Builds the model from a scope of weights.
    ///
    /// - Throws: what the scope throws if a tensor is missing or misshapen, and `ModelError.untrainable` if gradients
    ///   are asked for that this version does not have.
    public init(_ c: DecoderConfig, _ root: Weights) throws {
        if root.isTrainable, let what = c.untrainableSwitch { throw ModelError.untrainable(c.family, what) }
        let names = c.family.names
        let w = root[names.root]
        let draw = Initial.normal(deviation: 0.02)
        config = c
        let table = try w[names.embedding].matrix(
            [("weight", c.vocabularySize)], inputs: c.hiddenSize, draw, role: .table)
        embeddingTable = table
        positionTable =
            try c.learnedPositions
            ? w[names.positions]["weight"].tensor([c.contextLength, c.hiddenSize], draw) : nil
        blocks = try (0..<c.layers).map { try Block(c, layer: $0, w[names.layers][$0]) }
        finalNorm = try Norm(c, w[names.finalNorm])
        let head =
            try c.tiedHead
            ? table
            : root["lm_head"].matrix([("weight", c.vocabularySize)], inputs: c.hiddenSize, draw, role: .table)
        self.head = head.packed()
        parameters = root.parameters
        isMapped = root.isMapped
    }

    /// The final hidden states of packed tokens: (N,C).
    ///
    /// - Parameters:
    ///   - ids: N token ids, each in 0..<V
    ///   - context: whose rows belong together, and their past
    /// - Returns: the states after the last norm, (N,C)
    public func hidden(_ ids: [Int32], _ context: inout some AttentionContext) -> Tensor {
        hidden(embedded: embedded(ids), &context)
    }

    /// Tokens as the first block reads them, but for learned positions: (ids,C).
    public func embedded(_ ids: [Int32]) -> Tensor {
        let x = embedding(ids, embeddingTable)
        if config.embeddingScale != 1 { x.scaleInPlace(by: config.embeddingScale) }
        return x
    }

    /// The final hidden states of packed tokens that are embedded already: (N,C) to (N,C).
    public func hidden(embedded: Tensor, _ context: inout some AttentionContext) -> Tensor {
        var x = embedded
        if let positionTable { x = x + embedding(context.positions, positionTable) }
        for block in blocks { x = block(x, &context) }
        return finalNorm(x)
    }

    /// Scores of every token as the next one, from hidden states (N,C): (N,V).
    public func logits(_ hidden: Tensor) -> Tensor {
        let logits = linear(hidden, head)
        if let cap = config.logitSoftcap { logits.softcapInPlace(cap) }
        return logits
    }
}

/// Attention and feed-forward, each added to the residual stream, with norms before, after or around them.
private struct Block {
    let attentionNorm: Norm?
    let attention: Attention
    let attentionPostNorm: Norm?
    let feedForwardNorm: Norm?
    let feedForward: FeedForwardLayer
    let feedForwardPostNorm: Norm?

    init(_ c: DecoderConfig, layer: Int, _ w: Weights) throws {
        let names = c.family.names
        func norm(_ name: String, unless placement: DecoderConfig.NormPlacement) throws -> Norm? {
            c.normPlacement == placement ? nil : try Norm(c, w[name])
        }
        attentionNorm = try norm(names.attentionNorm, unless: .after)
        attention = try Attention(c, layer: layer, w)
        attentionPostNorm = try norm(names.attentionPostNorm, unless: .before)
        feedForwardNorm = try norm(names.feedForwardNorm, unless: .after)
        feedForward =
            try c.experts.map { .mixture(try MixtureOfExperts(c, $0, w)) }
            ?? .dense(try FeedForward(c, layer: layer, w))
        feedForwardPostNorm = try norm(names.feedForwardPostNorm, unless: .before)
    }

    func callAsFunction(_ x: Tensor, _ context: inout some AttentionContext) -> Tensor {
        let attended = attention(attentionNorm?(x) ?? x, &context)
        let h = x + (attentionPostNorm?(attended) ?? attended)
        let fed = feedForward(feedForwardNorm?(h) ?? h, context.adapted)
        return h + (feedForwardPostNorm?(fed) ?? fed)
    }
}

/// One feed-forward layer, or a choice of several.
private enum FeedForwardLayer {
    case dense(FeedForward)
    case mixture(MixtureOfExperts)

    func callAsFunction(_ x: Tensor, _ adapted: [AdaptedRows]) -> Tensor {
        switch self {
        case .dense(let layer): layer(x, adapted)
        case .mixture(let layer): layer(x)
        }
    }
}
