// SPDX-License-Identifier: Apache-2.0
internal import QalamFormats
internal import QalamTensors

/// x · Wᵀ + b, where W may be several projections computed as one.
struct Linear {
    let weight: Tensor  // (out,in)
    let bias: Tensor?  // (out)

    /// The projections `pieces` (their scopes and outputs) behind one another.
    ///
    /// Weights start from a normal distribution with deviation √(2/5C) (Nguyen & Salazar 2019); those that write to the
    /// residual stream are divided by √(2L), as in GPT-2.
    init(
        _ c: DecoderConfig, _ pieces: [(name: String, outputs: Int)], inputs: Int, bias hasBias: Bool,
        residual: Bool = false, _ w: Weights
    ) throws {
        let deviation = (2 / (5 * Float(c.hiddenSize))).squareRoot()
        let initial = Initial.normal(deviation: residual ? deviation / Float(2 * c.layers).squareRoot() : deviation)
        weight = try w.stacked(
            pieces.map { ("\($0.name).weight", $0.outputs) }, columns: [inputs], initial,
            role: .projection, transposed: c.family.names.transposed)
        let biases = pieces.map { ("\($0.name).bias", $0.outputs) }
        bias = hasBias ? try w.stacked(biases, columns: [], .zeros, role: .vector) : nil
    }

    func callAsFunction(_ x: Tensor) -> Tensor { linear(x, weight, bias: bias) }
}

/// RMSNorm or LayerNorm, as the config says.
struct Norm {
    let kind: DecoderConfig.Norm
    let epsilon: Float
    let weight: Tensor  // (C)
    let bias: Tensor?  // (C), LayerNorm only

    init(_ c: DecoderConfig, _ w: Weights) throws {
        kind = c.norm
        epsilon = c.normEpsilon
        weight = try Self.weight(c, w, c.hiddenSize)
        bias = c.norm == .layer ? try w["bias"].tensor([c.hiddenSize], .zeros) : nil
    }

    /// The weight of a norm over `size` floats, with the offset that files leave out.
    static func weight(_ c: DecoderConfig, _ w: Weights, _ size: Int) throws -> Tensor {
        let weight = try w["weight"].tensor([size], .ones)
        return c.normOffset == 0 ? weight : weight + Tensor(repeating: c.normOffset, [size])
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        switch kind {
        case .rms: rmsNorm(x, weight, epsilon: epsilon)
        case .layer: layerNorm(x, weight, bias: bias, epsilon: epsilon)
        }
    }
}

/// down(silu(gate(x)) · up(x)), or another activation, or down(gelu(up(x))).
struct FeedForward {
    let kind: DecoderConfig.FeedForward
    let up: Linear  // gate and up behind one another if gated
    let down: Linear

    /// A layer whose projections are scopes `up` (one or two) and `down` of `w`.
    init(_ c: DecoderConfig, _ w: Weights, up names: [String], down name: String) throws {
        kind = c.feedForward
        let width = (kind.isGated ? 2 : 1) * c.intermediateSize
        up = try Linear(
            c, names.map { ($0, width / names.count) }, inputs: c.hiddenSize, bias: c.feedForwardBias, w)
        down = try Linear(
            c, [(name, c.hiddenSize)], inputs: c.intermediateSize, bias: c.feedForwardBias, residual: true, w)
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        switch kind {
        case .swiglu: down(swiglu(up(x)))
        case .geglu: down(geglu(up(x)))
        case .clampedSwiGLU: down(clampedSwiGLU(up(x)))
        case .gelu: geluFeedForward(x, up: (up.weight, up.bias), down: (down.weight, down.bias))
        }
    }
}
