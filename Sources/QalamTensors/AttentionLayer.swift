// SPDX-License-Identifier: Apache-2.0

/// What a layer's attention does beside the plain softmax of scaled scores.
public struct AttentionOptions: Sendable, Equatable {
    /// What scores are multiplied by; nil: 1/√D.
    public var scale: Float?
    /// Scores s become c·tanh(s/c), as in Gemma 2; 0: they stay.
    public var softcap: Float
    /// How many of the latest tokens a query sees, its own included; nil: all.
    public var window: Int?

    /// Plain attention unless told otherwise.
    public init(scale: Float? = nil, softcap: Float = 0, window: Int? = nil) {
        precondition(window.map { $0 > 0 } ?? true, "attention: a window of \(window ?? 0)")
        (self.scale, self.softcap, self.window) = (scale, softcap, window)
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

    /// A layer of this shape, plain unless `options` says otherwise.
    public init(
        _ shape: AttentionShape, rope: RoPE?, options: AttentionOptions = AttentionOptions(), sinks: Tensor? = nil
    ) {
        precondition(sinks.map { $0.shape == [shape.heads] } ?? true, "sinks: \(shape.heads) heads")
        self.shape = shape
        self.rope = rope
        self.options = options
        self.sinks = sinks
    }

    /// What scores are multiplied by.
    package var scale: Float { options.scale ?? shape.scale }

    /// Rotates queries and keys of fused rows (N, (H + 2·Hkv)·D) in place, where the layer has a rotation.
    ///
    /// Every context does this first.
    package func rotate(_ qkv: Tensor, positions: [Int32]) { rope?.rotate(qkv, shape, positions: positions) }

    /// Whether sequences of `length` tokens need nothing but scale and causal mask: what training has gradients for.
    package func isPlain(upTo length: Int) -> Bool {
        options.softcap == 0 && sinks == nil && options.window.map { $0 >= length } ?? true
    }
}
