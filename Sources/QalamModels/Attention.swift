// SPDX-License-Identifier: Apache-2.0
internal import QalamFormats
internal import QalamTensors

/// Self-attention: a fused projection to queries, keys and values, the context's attention, and a projection back.
struct Attention {
    let number: Int
    let qkv: Linear  // C to (H + 2·Hkv)·D
    let queryNorm: Tensor?  // (D), or (H·D) for all heads together
    let keyNorm: Tensor?  // (D), or (Hkv·D)
    let normEpsilon: Float
    let layer: AttentionLayer
    let output: Linear  // H·D to C

    init(_ c: DecoderConfig, layer number: Int, _ w: Weights) throws {
        let names = c.family.names
        let s = c.attention
        let (inner, kvInner) = (s.heads * s.headDim, s.kvHeads * s.headDim)
        let rows = names.qkv.count == 1 ? [s.fusedWidth] : [inner, kvInner, kvInner]
        self.number = number
        normEpsilon = c.normEpsilon
        qkv = try Linear(c, zip(names.qkv, rows).map { ($0, $1) }, inputs: c.hiddenSize, bias: c.qkvBias, w)
            .at(number, .attentionInput)
        func norm(_ name: String, _ whole: Int) throws -> Tensor? {
            try c.queryKeyNorm.map { try Norm.weight(c, w[name], $0 == .whole ? whole : s.headDim) }
        }
        queryNorm = try norm(names.queryNorm, inner)
        keyNorm = try norm(names.keyNorm, kvInner)
        let sinks = try c.sinks ? w[names.sinks].tensor([s.heads], .zeros) : nil
        layer = AttentionLayer(
            s, rope: c.rope(layer: number), options: c.attentionOptions(layer: number), sinks: sinks)
        output = try Linear(
            c, [(names.attentionOutput, c.hiddenSize)], inputs: inner, bias: c.outputBias, residual: true, w
        ).at(number, .attentionOutput)
    }

    func callAsFunction(_ x: Tensor, _ context: inout some AttentionContext) -> Tensor {
        let fused = qkv(x, context.adapted)
        if let queryNorm, let keyNorm {
            normalizeHeads(fused, layer.shape, query: queryNorm, key: keyNorm, epsilon: normEpsilon)
        }
        let attended = context.attend(layer: number, qkv: fused, attention: layer)
        return output(attended, context.adapted)
    }
}

extension DecoderConfig {
    /// The rotation of a layer.
    func rope(layer: Int) -> RoPE? {
        layerAttention[layer % layerAttention.count].rotary.map {
            RoPE(width: $0.width, theta: $0.theta, scaling: $0.scaling, contextLength: contextLength)
        }
    }

    /// Scale, softcap and window of a layer.
    func attentionOptions(layer: Int) -> AttentionOptions {
        AttentionOptions(
            scale: scoreScale, softcap: scoreSoftcap ?? 0, window: layerAttention[layer % layerAttention.count].window)
    }
}
