// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels

/// The loss of one batch: a terminal of the tape.
public struct Loss {
    /// -log p(target) of each row in nats; 0 where there is no target.
    public let losses: [Float]
    /// Rows that have a target.
    public let targets: Int
    private let hidden: Tensor
    private let hiddenGradient: Tensor?

    fileprivate init(losses: [Float], targets: Int, hidden: Tensor, hiddenGradient: Tensor?) {
        self.losses = losses
        self.targets = targets
        self.hidden = hidden
        self.hiddenGradient = hiddenGradient
    }

    /// The sum of all losses in nats, in double precision.
    public var total: Double { losses.reduce(0) { $0 + Double($1) } }

    /// The mean over rows with a target; 0 if there is none.
    public var mean: Double { targets == 0 ? 0 : total / Double(targets) }

    /// Propagates the gradient, scaled as asked when the loss was computed, to all leaves.
    public func backward() {
        if let hiddenGradient { hidden.backward(hiddenGradient) }
    }
}

/// The output projection and softmax cross-entropy in one operation that keeps neither logits nor probabilities.
///
/// The gradients of the projection are computed here, a block of rows at a time, while that block's logits are at hand:
/// the head's weight gets its share at once, and `Loss.backward` carries on from the hidden states.
/// - Parameters:
///   - hidden: (N,C)
///   - head: (V,C); with blocks nothing is recorded
///   - targets: N ids, -1 for rows without a loss
///   - gradientScale: what each row's loss is multiplied by before differentiation, such as 1/(rows of the whole batch)
///   - softcap: logits z become c·tanh(z/c), without gradients; nil: they stay
/// - Returns: the loss of each row, which `Loss.backward` differentiates.
/// - Complexity: 2·N·V·C FLOPs, 6·N·V·C if gradients are recorded; 64 MB of logits at a time.
public func linearCrossEntropy(
    _ hidden: Tensor, head: Weight, targets: [Int32], gradientScale: Float = 1, softcap: Float? = nil
) -> Loss {
    let (N, C) = hidden.rowsAndColumns
    let V = head.rows
    precondition(
        targets.count == N && head.columns == C,
        "loss: \(targets.count) targets, \(hidden.shape), (\(V), \(head.columns))")
    precondition(targets.allSatisfy { $0 >= -1 && $0 < V }, "loss: a target outside 0..<\(V)")
    let headNode = head.dense?.node
    let records = hidden.node != nil || headNode != nil
    precondition(!records || (head.dense != nil && softcap == nil), "loss: blocks and softcaps have no gradient")
    let hiddenGradient = records ? Tensor(uninitialized: hidden.shape, on: hidden.device) : nil
    var losses = [Float](repeating: 0, count: N)
    let block = min(N, max(64, (64 << 20) / (4 * V) / 64 * 64))
    let logits = Tensor(uninitialized: [block, V], on: hidden.device)
    for start in stride(from: 0, to: N, by: max(block, 1)) {
        let rows = start..<min(start + block, N)
        let x = hidden.detached.reshaped([N, C]).rows(rows)
        let z = head.dense == nil ? linear(x, head) : logits.rows(0..<rows.count)
        if let dense = head.dense { MatrixProduct(a: x, b: dense, bTransposed: true).run(into: z.pointer) }
        if let softcap { z.softcapInPlace(softcap) }
        losses.withUnsafeMutableBufferPointer { losses in
            targets.withUnsafeBufferPointer { targets in
                guard let losses = losses.baseAddress, let targets = targets.baseAddress else { return }
                k_cross_entropy(
                    losses + start, z.pointer, targets + start, rows.count, V, records ? gradientScale : 0)
            }
        }
        if let hiddenGradient, let dense = head.dense {
            MatrixProduct(a: z, b: dense).run(into: hiddenGradient.pointer + start * C)
            headNode?.accumulate { MatrixProduct(a: z, aTransposed: true, b: x).run(into: $0, accumulate: $1) }
        }
    }
    return Loss(
        losses: losses, targets: targets.count { $0 >= 0 }, hidden: hidden, hiddenGradient: hiddenGradient)
}

extension Weight {
    /// The same numbers without their history.
    public var detached: Weight { dense.map { Weight($0.detached) } ?? self }
}
