// SPDX-License-Identifier: Apache-2.0
internal import Foundation
public import QalamModels
public import QalamTensors

/// Attention of one sequence by its formula, in double precision: the oracle for every switch of `AttentionLayer`.
public struct NaiveContext: AttentionContext {
    /// Of the rows of the next pass.
    public private(set) var positions: [Int32] = []
    private var keys: [Int: [Float]] = [:]
    private var values: [Int: [Float]] = [:]

    /// Nothing cached.
    public init() {}

    /// Makes the next `count` tokens of the sequence the rows of the next pass.
    public mutating func advance(_ count: Int) {
        let start = (positions.last ?? -1) + 1
        positions = Array(start..<start + Int32(count))
    }

    /// Each row's attention to its past, by the formula.
    public mutating func attend(layer: Int, qkv: Tensor, attention: AttentionLayer) -> Tensor {
        let s = attention.shape
        attention.rotate(qkv, positions: positions)
        let fused = qkv.values
        let (inner, kvInner) = (s.heads * s.headDim, s.kvHeads * s.headDim)
        for row in positions.indices {
            let start = row * s.fusedWidth + inner
            keys[layer, default: []] += fused[start..<start + kvInner]
            values[layer, default: []] += fused[start + kvInner..<start + 2 * kvInner]
        }
        var out: [Float] = []
        for (row, position) in positions.enumerated() {
            for head in 0..<s.heads {
                let start = row * s.fusedWidth + head * s.headDim
                let query = Array(fused[start..<start + s.headDim])
                out += attended(query, position: Int(position), head: head, layer: layer, attention)
            }
        }
        return Tensor(out, [positions.count, inner])
    }

    private func attended(
        _ query: [Float], position: Int, head: Int, layer: Int, _ attention: AttentionLayer
    ) -> [Float] {
        let (s, options) = (attention.shape, attention.options)
        let D = s.headDim
        let first = options.window.map { max(0, position + 1 - $0) } ?? 0
        let kvHead = head / (s.heads / s.kvHeads)
        func start(_ token: Int) -> Int { (token * s.kvHeads + kvHead) * D }
        let layerKeys = keys[layer] ?? [], layerValues = values[layer] ?? []
        var scores = (first...position).map { token in
            let dot = (0..<D).reduce(0.0) { $0 + Double(query[$1]) * Double(layerKeys[start(token) + $1]) }
            let score = dot * Double(options.scale ?? 1 / Float(D).squareRoot())
            let cap = Double(options.softcap)
            return cap == 0 ? score : cap * tanh(score / cap)
        }
        let sink = attention.sinks.map { Double($0.values[head]) }
        let largest = max(scores.max() ?? 0, sink ?? -.infinity)
        scores = scores.map { exp($0 - largest) }
        let total = scores.reduce(0, +) + (sink.map { exp($0 - largest) } ?? 0)
        return (0..<D).map { i in
            let sum = scores.enumerated().reduce(0.0) { sum, score in
                sum + score.element * Double(layerValues[start(first + score.offset) + i])
            }
            return Float(sum / total)
        }
    }
}
