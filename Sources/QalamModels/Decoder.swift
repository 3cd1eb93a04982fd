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

    /// Attention of each row to its own past, for one layer.
    ///
    /// - Parameters:
    ///   - layer: the block's number
    ///   - qkv: (N, (H + 2·Hkv)·D), fresh from the projection; may be rotated in place
    ///   - shape: H, Hkv and D
    ///   - rope: the rotation, if the model has one
    /// - Returns: (N, H·D)
    mutating func attend(layer: Int, qkv: Tensor, shape: AttentionShape, rope: RoPE?) -> Tensor
}

/// The context of training: `batch` whole sequences of equal length, nothing before them.
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
    public func attend(layer: Int, qkv: Tensor, shape: AttentionShape, rope: RoPE?) -> Tensor {
        causalAttention(qkv, shape, batch: batch, rope: rope, positions: positions)
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
    private let embeddingTable: Tensor  // (V,C)
    private let positionTable: Tensor?  // (contextLength,C)
    private let blocks: [Block]
    private let finalNorm: Norm
    private let rope: RoPE?
    /// The output projection (V,C).
    public let head: Tensor

    /// Builds the model from a scope of weights.
    ///
    /// - Throws: what the scope throws if a tensor is missing or misshapen.
    public init(_ c: DecoderConfig, _ root: Weights) throws {
        let names = c.family.names
        let w = root[names.root]
        let draw = Initial.normal(deviation: 0.02)
        config = c
        embeddingTable = try w[names.embedding]["weight"].tensor([c.vocabularySize, c.hiddenSize], draw)
        switch c.position {
        case .learned:
            positionTable = try w[names.positions]["weight"].tensor([c.contextLength, c.hiddenSize], draw)
            rope = nil
        case .rotary(let theta):
            positionTable = nil
            rope = RoPE(headDim: c.attention.headDim, theta: theta)
        }
        blocks = try (0..<c.layers).map { try Block(c, layer: $0, w[names.layers][$0]) }
        finalNorm = try Norm(c, w[names.finalNorm])
        head = c.tiedHead ? embeddingTable : try root["lm_head.weight"].tensor([c.vocabularySize, c.hiddenSize], draw)
        parameters = root.parameters
    }

    /// The final hidden states of packed tokens: (N,C).
    ///
    /// - Parameters:
    ///   - ids: N token ids, each in 0..<V
    ///   - context: whose rows belong together, and their past
    /// - Returns: the states after the last norm, (N,C)
    public func hidden(_ ids: [Int32], _ context: inout some AttentionContext) -> Tensor {
        var x = embedding(ids, embeddingTable)  // (N,C)
        if let positionTable { x = x + embedding(context.positions, positionTable) }
        for block in blocks { x = block(x, rope, &context) }
        return finalNorm(x)
    }

    /// Scores of every token as the next one, from hidden states (N,C): (N,V).
    public func logits(_ hidden: Tensor) -> Tensor { linear(hidden, head) }
}

/// Pre-norm attention and feed-forward, each added to the residual stream.
private struct Block {
    let layer: Int
    let shape: AttentionShape
    let attentionNorm: Norm
    let qkv: Linear
    let attentionOutput: Linear
    let feedForwardNorm: Norm
    let feedForward: FeedForward

    init(_ c: DecoderConfig, layer: Int, _ w: Weights) throws {
        let names = c.family.names
        let inner = c.attention.heads * c.attention.headDim
        let kvInner = c.attention.kvHeads * c.attention.headDim
        let rows = names.qkv.count == 1 ? [c.attention.fusedWidth] : [inner, kvInner, kvInner]
        self.layer = layer
        shape = c.attention
        attentionNorm = try Norm(c, w[names.attentionNorm])
        qkv = try Linear(c, zip(names.qkv, rows).map { ($0, $1) }, inputs: c.hiddenSize, bias: c.attentionBias, w)
        attentionOutput = try Linear(
            c, [(names.attentionOutput, c.hiddenSize)], inputs: inner, bias: c.attentionBias, residual: true, w)
        feedForwardNorm = try Norm(c, w[names.feedForwardNorm])
        feedForward = try FeedForward(c, w)
    }

    func callAsFunction(_ x: Tensor, _ rope: RoPE?, _ context: inout some AttentionContext) -> Tensor {
        let attended = context.attend(layer: layer, qkv: qkv(attentionNorm(x)), shape: shape, rope: rope)
        let h = x + attentionOutput(attended)
        return h + feedForward(feedForwardNorm(h))
    }
}
