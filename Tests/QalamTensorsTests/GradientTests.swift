// SPDX-License-Identifier: Apache-2.0
import QalamTensors
import TestSupport
import Testing

/// Every gradient against central differences of the operation it belongs to.
@Suite struct GradientTests {
    @Test func linearLayer() {
        check([[5, 7], [3, 7], [3]]) { linear($0[0], $0[1], bias: $0[2]) }
        check([[2, 3, 4], [6, 4]]) { linear($0[0], $0[1]) }
    }

    @Test func geluFeedForwardLayer() {
        check([[5, 6], [9, 6], [9], [6, 9], [6]]) {
            geluFeedForward($0[0], up: ($0[1], $0[2]), down: ($0[3], $0[4]))
        }
        check([[3, 4], [5, 4], [4, 5]]) { geluFeedForward($0[0], up: ($0[1], nil), down: ($0[2], nil)) }
    }

    @Test func norms() {
        check([[4, 9], [9]]) { rmsNorm($0[0], $0[1], epsilon: 1e-5) }
        check([[4, 9], [9], [9]]) { layerNorm($0[0], $0[1], bias: $0[2], epsilon: 1e-5) }
        check([[2, 3, 5], [5]]) { layerNorm($0[0], $0[1], bias: nil, epsilon: 1e-5) }
    }

    @Test func elementwise() {
        check([[3, 5], [3, 5]]) { $0[0] + $0[1] }
        check([[3, 8]]) { swiglu($0[0]) }
        check([[3, 4]]) { $0[0].scaled(by: -1.5) }
        check([[2, 6]]) { $0[0].reshaped([3, 4]) }
    }

    /// A tensor that several operations use gathers all their gradients, and none of them spoils another's.
    @Test func sharedInput() {
        check([[4, 6], [6]]) { inputs in
            let h = inputs[0] + rmsNorm(inputs[0], inputs[1], epsilon: 1e-5)
            return h + rmsNorm(h, inputs[1], epsilon: 1e-5)
        }
        check([[3, 3]]) { linear($0[0] + $0[0], $0[0]) }
    }

    @Test func embeddingTable() {
        check([[5, 3]]) { embedding([4, 0, 4, 2], $0[0]) }
    }

    @Test(arguments: [(heads: 2, kvHeads: 2, rope: false), (4, 2, true), (3, 1, true)])
    func attention(heads: Int, kvHeads: Int, rope: Bool) {
        let shape = AttentionShape(heads: heads, kvHeads: kvHeads, headDim: 4)
        let positions = [Int32](0..<5) + [Int32](0..<5)
        check([[10, shape.fusedWidth]]) { inputs in
            // The projection is rotated in place, so each evaluation gets a fresh one.
            causalAttention(
                inputs[0] + Tensor(repeating: 0, inputs[0].shape),
                AttentionLayer(shape, rope: rope ? RoPE(width: 4, theta: 100) : nil), batch: 2, positions: positions)
        }
    }

    @Test func bidirectionalAttentionLayer() {
        let shape = AttentionShape(heads: 2, kvHeads: 2, headDim: 3)
        check([[10, shape.fusedWidth]]) { bidirectionalAttention($0[0], shape, batch: 2) }
    }

    @Test func pictureOperations() {
        check([[2, 3, 4, 2], [3, 3, 3, 2], [3]]) { convolution($0[0], $0[1], bias: $0[2]) }
        check([[1, 4, 2, 3]]) { spaceToDepth($0[0]) }
        check([[1, 2, 1, 8]]) { depthToSpace($0[0]) }
    }

    @Test func modulation() {
        check([[6, 4], [2, 8]]) { Modulation($0[1], width: 4).modulate($0[0], scale: 0, shift: 1) }
        check([[6, 4], [6, 4], [2, 12]]) { Modulation($0[2], width: 4).gate($0[0], addedTo: $0[1], by: 2) }
    }

    @Test func relaxedChoices() {
        let relaxation = Codebook.Relaxation(temperature: 0.7, seed: 3, divergenceWeight: 0)
        check([[3, 16], [2, 16]]) { Codebook($0[1]).relaxed($0[0], relaxation).numbers }
    }

    /// The divergence's own gradient, where nothing else has any.
    @Test func divergenceOfChoices() {
        let logits = Tensor(random(3 * 16, seed: 1), [3, 16]), codebook = Codebook(Tensor(repeating: 0, [2, 16]))
        let relaxation = Codebook.Relaxation(temperature: 1, seed: 3, divergenceWeight: 0.5)
        let leaf = logits.requiringGradient()
        codebook.relaxed(leaf, relaxation).numbers.backward()
        let numeric = differences(of: logits) { 0.5 * codebook.relaxed(logits, relaxation).divergence }
        expectClose(leaf.gradient?.values ?? [], numeric)
    }

    @Test func tokensOfSamples() {
        check([[2, 3, 4], [2, 1, 4]]) { joined($0[0], $0[1]) }
        check([[2, 5, 3]]) { tokens($0[0], 1..<3) }
        check([[2, 5, 3]]) { meanOfTokens($0[0]) }
    }

    @Test func squaredErrorOfSamples() {
        let x = Tensor(random(12, seed: 8), [2, 6]), target = Tensor(random(12, seed: 9), [2, 6])
        let leaf = x.requiringGradient()
        squaredError(leaf, target, weights: [1, 3], gradientScale: 0.5).backward()
        let numeric = differences(of: x) { 0.5 * squaredError(x, target, weights: [1, 3]).mean }
        expectClose(leaf.gradient?.values ?? [], numeric)
    }

    @Test func lossOfLinearHead() {
        let targets: [Int32] = [3, -1, 0, 6, 6]
        let hidden = Tensor(random(5 * 4, seed: 1), [5, 4])
        let head = Tensor(random(7 * 4, seed: 2), [7, 4])
        let (x, w) = (hidden.requiringGradient(), head.requiringGradient())
        let loss = linearCrossEntropy(x, head: Weight(w), targets: targets, gradientScale: 0.25)
        loss.backward()
        #expect(loss.targets == 4)
        for (leaf, values) in [(x, hidden), (w, head)] {
            let numeric = differences(of: values) {
                0.25 * linearCrossEntropy(hidden, head: Weight(head), targets: targets).total
            }
            expectClose(leaf.gradient?.values ?? [], numeric)
        }
    }

    /// Two backward passes add up, and clearing starts anew.
    @Test func accumulation() {
        let x = Tensor(random(6, seed: 3), [2, 3])
        let w = Tensor(random(9, seed: 4), [3, 3]).requiringGradient()
        linear(x, w).backward()
        let once = w.gradient?.values ?? []
        linear(x, w).backward()
        expectClose(w.gradient?.values ?? [], once.map { 2 * Double($0) })
        w.clearGradient()
        #expect(w.gradient == nil)
    }

    /// A chain of thousands of operations neither overflows the stack nor keeps its memory.
    @Test func deepGraphs() {
        let x = Tensor([1, 2], [1, 2]).requiringGradient()
        var y = x
        for _ in 0..<20_000 { y = y + Tensor([0, 0], [1, 2]) }
        y.backward()
        #expect(x.gradient?.values == [1, 1])
    }

    /// A second step of the same shape takes no memory from the system.
    @Test func memoryIsReused() {
        let device = Device(name: "alone")
        let w = Tensor(random(64 * 64, seed: 5), [64, 64], on: device).requiringGradient()
        let x = Tensor(random(640, seed: 6), [10, 64], on: device)
        func step() {
            let weights = Tensor(repeating: 1, [10, 64], on: device)
            rmsNorm(linear(linear(x, w), w), Tensor(repeating: 1, [64], on: device), epsilon: 1e-5).backward(weights)
            w.clearGradient()
        }
        step()
        let before = device.reservedBytes
        #expect(before > 0)
        for _ in 0..<20 { step() }
        #expect(device.reservedBytes == before)
        device.trim()
        #expect(device.reservedBytes < before)
    }
}

/// Numbers in -1...1 from a seed.
private func random(_ count: Int, seed: UInt64) -> [Float] {
    var random = CounterRandom(seed: seed)
    return (0..<count).map { _ in Float(random.uniform() * 2 - 1) }
}

/// Central differences of `function` by each number of `tensor`, which it must read anew.
private func differences(of tensor: Tensor, _ function: () -> Double) -> [Double] {
    let step: Float = 1e-2
    return tensor.buffer.indices.map { i in
        let value = tensor.buffer[i]
        tensor.buffer[i] = value + step
        let above = function()
        tensor.buffer[i] = value - step
        let below = function()
        tensor.buffer[i] = value
        return (above - below) / Double(2 * step)
    }
}

private func expectClose(_ found: [Float], _ expected: [Double], sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(found.count == expected.count, sourceLocation: sourceLocation)
    let size = expected.reduce(0) { max($0, abs($1)) }
    for (i, (a, b)) in zip(found, expected).enumerated() {
        #expect(abs(Double(a) - b) < 2e-3 * max(size, 1), "number \(i)", sourceLocation: sourceLocation)
    }
}

/// Compares the gradients of a weighted sum of `operation`'s output with differences, for every input.
private func check(
    _ shapes: [TensorShape], sourceLocation: SourceLocation = #_sourceLocation, _ operation: ([Tensor]) -> Tensor
) {
    let inputs = shapes.enumerated().map { Tensor(random($1.reduce(1, *), seed: UInt64($0 + 10)), $1) }
    let leaves = inputs.map { $0.copied().requiringGradient() }
    let output = operation(leaves)
    let weights = random(output.count, seed: 99)
    output.backward(Tensor(weights, output.shape))
    for (input, leaf) in zip(inputs, leaves) {
        let numeric = differences(of: input) {
            zip(operation(inputs).values, weights).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        }
        expectClose(leaf.gradient?.values ?? [], numeric, sourceLocation: sourceLocation)
    }
}
