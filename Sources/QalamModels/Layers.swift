// SPDX-License-Identifier: Apache-2.0
internal import QalamFormats
internal import QalamTensors

/// x · Wᵀ + b, where W may be several projections computed as one.
struct Linear {
    let weight: Weight  // (out,in)
    let bias: Tensor?  // (out)
    /// Where adapters find it.
    var site: Adapter.Site?

    /// The projections `pieces` (their scopes and outputs) behind one another.
    init(
        _ c: DecoderConfig, _ pieces: [(name: String, outputs: Int)], inputs: Int, bias hasBias: Bool,
        residual: Bool = false, _ w: Weights
    ) throws {
        let weights = pieces.map { ("\($0.name).weight", $0.outputs) }
        let biases = pieces.map { ("\($0.name).bias", $0.outputs) }
        weight = try w.matrix(
            weights, inputs: inputs, Self.initial(c, residual: residual), transposed: c.family.names.transposed
        ).packed()
        bias = hasBias ? try w.stacked(biases, columns: [], .zeros, role: .vector) : nil
    }

    /// Given weights.
    init(_ weight: Weight, bias: Tensor?) { (self.weight, self.bias) = (weight, bias) }

    /// A normal distribution with deviation √(2/5C) (Nguyen & Salazar 2019), divided by √(2L) where it writes to the
    /// residual stream, as in GPT-2.
    static func initial(_ c: DecoderConfig, residual: Bool) -> Initial {
        let deviation = (2 / (5 * Float(c.hiddenSize))).squareRoot()
        return .normal(deviation: residual ? deviation / Float(2 * c.layers).squareRoot() : deviation)
    }

    /// x · Wᵀ + b, plus what adapters add to their rows.
    func callAsFunction(_ x: Tensor, _ adapted: [AdaptedRows] = []) -> Tensor {
        let y = linear(x, weight, bias: bias)
        guard let site else { return y }
        for part in adapted { part.adapter.pair(at: site)?.add(x.rows(part.rows), to: y.rows(part.rows)) }
        return y
    }

    /// The same projection at a place where adapters may change it.
    func at(_ layer: Int, _ kind: Adapter.Site.Kind) -> Linear {
        var linear = self
        linear.site = Adapter.Site(layer: layer, kind: kind)
        return linear
    }
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

    /// Given projections.
    init(_ kind: DecoderConfig.FeedForward, up: Linear, down: Linear) {
        (self.kind, self.up, self.down) = (kind, up, down)
    }

    /// The layer of a block, whose projections are in scopes of `w`.
    init(_ c: DecoderConfig, layer: Int, _ w: Weights) throws {
        let names = c.family.names
        kind = c.feedForward
        let width = (kind.isGated ? 2 : 1) * c.intermediateSize
        up = try Linear(
            c, names.up.map { ($0, width / names.up.count) }, inputs: c.hiddenSize, bias: c.feedForwardBias, w
        ).at(layer, .up)
        down = try Linear(
            c, [(names.down, c.hiddenSize)], inputs: c.intermediateSize, bias: c.feedForwardBias, residual: true, w
        ).at(layer, .down)
    }

    func callAsFunction(_ x: Tensor, _ adapted: [AdaptedRows] = []) -> Tensor {
        switch kind {
        case .swiglu: down(swiglu(up(x, adapted)), adapted)
        case .geglu: down(geglu(up(x, adapted)), adapted)
        case .clampedSwiGLU: down(clampedSwiGLU(up(x, adapted)), adapted)
        case .gelu: geluLayer(x, adapted)
        }
    }

    /// In one node of the tape if the weights are dense.
    private func geluLayer(_ x: Tensor, _ adapted: [AdaptedRows]) -> Tensor {
        guard let upWeight = up.weight.dense, let downWeight = down.weight.dense else {
            return geluSteps(x, adapted)
        }
        let y = geluFeedForward(x, up: (upWeight, up.bias), down: (downWeight, down.bias))
        for part in adapted {
            // Rows without adapters are as they are without any in the pass.
            let whole = AdaptedRows(rows: 0..<part.rows.count, adapter: part.adapter)
            let changed = geluSteps(x.rows(part.rows), [whole])
            y.rows(part.rows).pointer.update(from: changed.pointer, count: changed.count)
        }
        return y
    }

    private func geluSteps(_ x: Tensor, _ adapted: [AdaptedRows]) -> Tensor {
        let h = up(x, adapted)
        h.geluInPlace(isExact: false)
        return down(h, adapted)
    }
}
