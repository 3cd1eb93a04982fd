// SPDX-License-Identifier: Apache-2.0

/// What a layer's attention does beside the plain softmax of scaled scores.
public struct AttentionOptions: Sendable, Equatable {
    /// What scores are multiplied by.
    public var scale: Float
    /// Scores pass through softcap·tanh(score / softcap) (Gemma 2).
    public var softcap: Float?
    /// A row sees itself and the `window - 1` rows before it; nil for all of its past.
    public var window: Int?

    /// Scores times `scale`, and nothing else unless asked.
    public init(scale: Float, softcap: Float? = nil, window: Int? = nil) {
        self.scale = scale
        self.softcap = softcap
        self.window = window
    }
}

/// One layer's attention, as contexts need it: everything but the projections.
public struct AttentionLayer {
    /// H, Hkv and D.
    public let shape: AttentionShape
    /// The rotation of queries and keys; nil for learned positions and for layers without any.
    public let rope: RoPE?
    /// Scale, softcap and window.
    public let options: AttentionOptions
    /// (H): a logit of each head that takes part in the softmax and has no value (gpt-oss); nil for none.
    public let sinks: Tensor?

    /// A layer of this shape, with scores times 1/√D unless `options` says otherwise.
    public init(_ shape: AttentionShape, rope: RoPE?, options: AttentionOptions? = nil, sinks: Tensor? = nil) {
        precondition(sinks.map { $0.shape == [shape.heads] } ?? true, "sinks: \(shape.heads) heads")
        self.shape = shape
        self.rope = rope
        self.options = options ?? AttentionOptions(scale: shape.scale)
        self.sinks = sinks
    }

    /// Rotates queries and keys of fused rows (N, (H + 2·Hkv)·D) in place, where the layer has a rotation.
    ///
    /// Every context does this first.
    package func rotate(_ qkv: Tensor, positions: [Int32]) { rope?.rotate(qkv, shape, positions: positions) }

    /// Whether sequences of `length` tokens need nothing but scale and causal mask: what training has gradients for.
    package func isPlain(upTo length: Int) -> Bool {
        options.softcap == nil && sinks == nil && options.window.map { $0 >= length } ?? true
    }
}
