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
        let scores = router(x)
        return withRoutes(scores, used: used, normalised: normalised) { routes in
            let shape = TensorShape(rows: routes.slots.count, columns: x.shape[1])
            let outputs = Tensor(uninitialized: shape, on: x.device)
            for expert in experts.indices {
                let slots = routes.slots(of: expert)
                guard !slots.isEmpty else { continue }
                experts[expert](x.gathered(slots, each: used)).scatter(to: slots, of: outputs)
            }
            return outputs.combined(weights: UnsafeBufferPointer(routes.weights), groups: used)
        }
    }
}

/// Where each token goes: slot n·K + k is token n's k-th choice.
private struct Routes {
    /// How much of each slot's output the token gets.
    let weights: UnsafeMutableBufferPointer<Float>
    /// The expert of each slot.
    let choices: UnsafeMutableBufferPointer<Int>
    /// The slots of the first expert, then those of the next, each in the order of tokens.
    let slots: UnsafeMutableBufferPointer<Int>
    /// Where in `slots` those of each expert begin, and where the last one's end.
    let starts: UnsafeMutableBufferPointer<Int>

    func slots(of expert: Int) -> UnsafeBufferPointer<Int> {
        UnsafeBufferPointer(rebasing: slots[starts[expert]..<starts[expert + 1]])
    }

    /// Chooses for each row of scores (N,E).
    func fill(_ scores: Tensor, used: Int, normalised: Bool) {
        let (N, E) = scores.rowsAndColumns
        for n in 0..<N {
            let row = UnsafeBufferPointer(rebasing: scores.buffer[n * E..<(n + 1) * E])
            let part = n * used..<(n + 1) * used
            let chosen = UnsafeMutableBufferPointer(rebasing: choices[part])
            Self.choose(row, into: chosen)
            let largest = row[chosen[0]]
            var total: Float = 0
            for (slot, expert) in zip(part, chosen) {
                weights[slot] = exp(row[expert] - largest)
                total += weights[slot]
            }
            if !normalised { total = row.reduce(0) { $0 + exp($1 - largest) } }
            for slot in part { weights[slot] /= total }
        }
        sortSlots()
    }

    /// Numbers slots by expert: counts, then places.
    private func sortSlots() {
        starts.update(repeating: 0)
        for expert in choices { starts[expert + 1] += 1 }
        for expert in starts.indices.dropFirst() { starts[expert] += starts[expert - 1] }
        // Each expert's start moves to its end, which is the next one's start.
        for (slot, expert) in choices.enumerated() {
            slots[starts[expert]] = slot
            starts[expert] += 1
        }
        for expert in starts.indices.dropFirst().reversed() { starts[expert] = starts[expert - 1] }
        starts[0] = 0
    }

    /// The indices of the largest numbers, the lower first among equals, by insertion: E is at most a few hundred and
    /// `best` a few.
    private static func choose(_ row: UnsafeBufferPointer<Float>, into best: UnsafeMutableBufferPointer<Int>) {
        var count = 0
        for index in row.indices {
            if count == best.count, !(row[index] > row[best[count - 1]]) { continue }
            var place = min(count, best.count - 1)
            count = min(count + 1, best.count)
            while place > 0, row[best[place - 1]] < row[index] {
                best[place] = best[place - 1]
                place -= 1
            }
            best[place] = index
        }
    }
}

/// Lends the routes of scores (N,E); for a few tokens they take no memory but the stack's.
private func withRoutes(
    _ scores: Tensor, used: Int, normalised: Bool, _ body: (Routes) -> Tensor
) -> Tensor {
    let (N, E) = scores.rowsAndColumns
    return withUnsafeTemporaryAllocation(of: Float.self, capacity: N * used) { weights in
        withUnsafeTemporaryAllocation(of: Int.self, capacity: N * used) { choices in
            withUnsafeTemporaryAllocation(of: Int.self, capacity: N * used) { slots in
                withUnsafeTemporaryAllocation(of: Int.self, capacity: E + 1) { starts in
                    let routes = Routes(weights: weights, choices: choices, slots: slots, starts: starts)
                    routes.fill(scores, used: used, normalised: normalised)
                    return body(routes)
                }
            }
        }
    }
}
