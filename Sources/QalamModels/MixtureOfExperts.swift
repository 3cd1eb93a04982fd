// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import QalamFormats
internal import QalamTensors

// E: experts   K: experts a token is sent to

/// Feed-forward layers of which each token uses a few, chosen by a router.
///
/// Mixtures of experts (Shazeer et al. 2017).
/// A token's result depends on the token alone: its experts' outputs are added in the order of their scores.
struct MixtureOfExperts {
    let used: Int
    let normalised: Bool
    let router: Linear  // C to E
    let experts: [FeedForward]

    init(_ c: DecoderConfig, _ e: DecoderConfig.Experts, _ w: Weights) throws {
        let names = c.family.names
        used = e.used
        normalised = e.normalised
        router = try Linear(c, [(names.router, e.count)], inputs: c.hiddenSize, bias: e.routerBias, w)
        let inside = w[names.experts]
        let (C, F) = (c.hiddenSize, c.intermediateSize)
        let ups = try Self.projections(c, e.count, names.expertUp.map { ($0, F) }, inputs: C, inside)
        let downs = try Self.projections(c, e.count, [(names.expertDown, C)], inputs: F, inside)
        experts = zip(ups, downs).map { FeedForward(c.feedForward, up: $0, down: $1) }
    }

    /// One projection of each expert; biases lie in stacks (E, outputs).
    private static func projections(
        _ c: DecoderConfig, _ count: Int, _ pieces: [(name: String, outputs: Int)], inputs: Int, _ w: Weights
    ) throws -> [Linear] {
        let weights = try w.experts(
            count, pieces.map { ("\($0.name).weight", $0.outputs) }, inputs: inputs,
            Linear.initial(c, residual: false))
        guard c.feedForwardBias else { return weights.map { Linear($0.packed(), bias: nil) } }
        let stacks = try pieces.map { try w[$0.name]["bias"].tensor([count, $0.outputs], .zeros) }
        return weights.enumerated().map { expert, weight in
            let bias = stacks.flatMap { $0.rows(expert..<expert + 1).values }
            return Linear(weight.packed(), bias: Tensor(bias, [bias.count]))
        }
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        let routes = Routes(router(x), used: used, normalised: normalised)
        let outputs = Tensor(uninitialized: [routes.count, x.shape[1]], on: x.device)
        for (expert, slots) in routes.slotsByExpert.enumerated() where !slots.isEmpty {
            let rows = x.gathered(slots.map { $0 / used })
            experts[expert](rows).scatter(to: slots, of: outputs)
        }
        return outputs.combined(weights: routes.weights, groups: used)
    }
}

/// Where each token goes: slot n·K + k is token n's k-th choice.
private struct Routes {
    /// How much of each slot's output the token gets.
    let weights: [Float]
    /// The slots of each expert, in the order of tokens.
    let slotsByExpert: [[Int]]

    var count: Int { weights.count }

    /// The `used` best of each row of scores (N,E), the lower number first among equals.
    init(_ scores: Tensor, used: Int, normalised: Bool) {
        let (N, E) = scores.rowsAndColumns
        let values = scores.buffer
        var weights: [Float] = []
        weights.reserveCapacity(N * used)
        var slotsByExpert = [[Int]](repeating: [], count: E)
        for n in 0..<N {
            let row = values[n * E..<(n + 1) * E]
            let chosen = Self.best(row, used)
            let largest = values[chosen[0]]
            let shares = chosen.map { exp(values[$0] - largest) }
            let total = normalised ? shares.reduce(0, +) : row.reduce(0) { $0 + exp($1 - largest) }
            for (share, index) in zip(shares, chosen) {
                slotsByExpert[index - row.startIndex].append(weights.count)
                weights.append(share / total)
            }
        }
        (self.weights, self.slotsByExpert) = (weights, slotsByExpert)
    }

    /// The indices of the `count` largest numbers, by insertion: E is at most a few hundred and `count` a few.
    private static func best(_ row: Slice<UnsafeMutableBufferPointer<Float>>, _ count: Int) -> [Int] {
        var best: [Int] = []
        for index in row.indices {
            if best.count == count, let last = best.last, row[index] <= row[last] { continue }
            let place = best.firstIndex { row[$0] < row[index] } ?? best.endIndex
            best.insert(index, at: place)
            if best.count > count { best.removeLast() }
        }
        return best
    }
}
