// SPDX-License-Identifier: Apache-2.0

/// Two thin matrices whose product is added to a projection's.
///
/// LoRA (Hu et al. 2021). Not recorded on the tape.
public struct LowRank {
    /// (R, inputs).
    public let down: Tensor
    /// (outputs, R), with what the product is multiplied by in it.
    public let up: Tensor

    /// The product up · down, of shape (outputs, inputs).
    public init(down: Tensor, up: Tensor) {
        precondition(down.shape[0] == up.shape[1], "low rank: \(down.shape) and \(up.shape)")
        self.down = down
        self.up = up
    }

    /// y (N,outputs) += x (N,inputs) · downᵀ · upᵀ; a row's result depends on that row alone.
    package func add(_ x: Tensor, to y: Tensor) {
        let h = product(x, down, secondTransposed: true)
        MatrixProduct(a: h, b: up, bTransposed: true).run(into: y.pointer, accumulate: true)
    }
}
