// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels

/// One product of matrices, as the kernel takes it: C (M,N) from op(A) (M,K) and op(B) (K,N).
struct MatrixProduct {
    var a: Tensor
    var aTransposed = false
    var b: Tensor
    var bTransposed = false
    var bias: Tensor?
    var epilogue = K_EPILOGUE_NONE
    /// GELU's slope: written by its epilogue, and the factor of `K_EPILOGUE_MULTIPLY`.
    var auxiliary: Tensor?

    /// Computes it into `c`, whose rows are N long.
    func run(into c: UnsafeMutablePointer<Float>, accumulate: Bool = false) {
        let (aRows, aColumns) = a.rowsAndColumns
        let (bRows, bColumns) = b.rowsAndColumns
        let (m, k) = aTransposed ? (aColumns, aRows) : (aRows, aColumns)
        let (bK, n) = bTransposed ? (bColumns, bRows) : (bRows, bColumns)
        precondition(k == bK, "matmul: inner \(k) against \(bK)")
        var arguments = k_gemm_args(
            m: m, n: n, k: k, a: a.pointer, lda: aColumns, a_transposed: aTransposed, b: b.pointer, ldb: bColumns,
            b_transposed: bTransposed, c: c, ldc: n, accumulate: accumulate, bias: bias?.pointer, epilogue: epilogue,
            aux: auxiliary?.pointer)
        k_gemm(&arguments)
    }
}

/// The matrix product of a (M,K) and b (K,N), either taken transposed; not recorded on the tape.
package func product(
    _ a: Tensor, _ b: Tensor, firstTransposed: Bool = false, secondTransposed: Bool = false
) -> Tensor {
    let m = firstTransposed ? a.rowsAndColumns.columns : a.rowsAndColumns.rows
    let n = secondTransposed ? b.rowsAndColumns.rows : b.rowsAndColumns.columns
    let c = Tensor(uninitialized: [m, n], on: a.device)
    MatrixProduct(a: a, aTransposed: firstTransposed, b: b, bTransposed: secondTransposed).run(into: c.pointer)
    return c
}

/// y (…,N) = x (…,K) · weight (N,K)ᵀ + bias (N).
///
/// - Complexity: 2·rows·N·K FLOPs forward, twice that backward.
public func linear(_ x: Tensor, _ weight: Tensor, bias: Tensor? = nil) -> Tensor {
    precondition(x.shape.last == weight.shape[1], "linear: \(x.shape) by \(weight.shape)")
    let y = Tensor(uninitialized: x.shape.ending(in: weight.shape[0]), on: x.device)
    MatrixProduct(a: x, b: weight, bTransposed: true, bias: bias).run(into: y.pointer)
    guard x.node != nil || weight.node != nil || bias?.node != nil else { return y }
    return y.recorded(from: [x.node, weight.node, bias?.node]) { dy in
        linearGradient(dy, x: x, weight: weight, bias: bias)
        x.node?.accumulate { MatrixProduct(a: dy, b: weight).run(into: $0, accumulate: $1) }
    }
}

/// Adds to the gradients of a linear layer's weight and bias.
private func linearGradient(_ dy: Tensor, x: Tensor, weight: Tensor, bias: Tensor?) {
    weight.node?.accumulate { MatrixProduct(a: dy, aTransposed: true, b: x).run(into: $0, accumulate: $1) }
    bias?.node?.accumulate {
        k_column_sums($0, dy.pointer, dy.rowsAndColumns.rows, dy.rowsAndColumns.columns, $1)
    }
}

/// The feed-forward layer of GPT-2, down(gelu(up(x))), in one node, so that GELU and its gradient run while a product's
/// tile is in cache.
///
/// GELU is the tanh approximation (Hendrycks & Gimpel 2016).
///
/// - Parameters:
///   - x: (…,C)
///   - up: weight (F,C) and bias (F)
///   - down: weight (C,F) and bias (C)
/// - Returns: (…,C)
public func geluFeedForward(
    _ x: Tensor, up: (weight: Tensor, bias: Tensor?), down: (weight: Tensor, bias: Tensor?)
) -> Tensor {
    precondition(x.shape.last == up.weight.shape[1], "feed-forward: \(x.shape) by \(up.weight.shape)")
    precondition(up.weight.shape[0] == down.weight.shape[1], "feed-forward: \(up.weight.shape), \(down.weight.shape)")
    let rows = x.rowsAndColumns.rows
    let nodes = (x.node, up.weight.node, up.bias?.node, down.weight.node, down.bias?.node)
    let wantsGradient = nodes.0 != nil || nodes.1 != nil || nodes.2 != nil || nodes.3 != nil || nodes.4 != nil
    let slope = wantsGradient ? Tensor(uninitialized: [rows, up.weight.shape[0]], on: x.device) : nil
    let h = Tensor(uninitialized: TensorShape(rows: rows, columns: up.weight.shape[0]), on: x.device)
    MatrixProduct(
        a: x, b: up.weight, bTransposed: true, bias: up.bias, epilogue: K_EPILOGUE_GELU, auxiliary: slope
    ).run(into: h.pointer)
    let y = Tensor(uninitialized: x.shape.ending(in: down.weight.shape[0]), on: x.device)
    MatrixProduct(a: h, b: down.weight, bTransposed: true, bias: down.bias).run(into: y.pointer)
    guard wantsGradient else { return y }
    return y.recorded(from: [nodes.0, nodes.1, nodes.2, nodes.3, nodes.4]) { dy in
        linearGradient(dy, x: h, weight: down.weight, bias: down.bias)
        let dz = Tensor(uninitialized: h.shape, on: x.device)
        MatrixProduct(a: dy, b: down.weight, epilogue: K_EPILOGUE_MULTIPLY, auxiliary: slope).run(into: dz.pointer)
        linearGradient(dz, x: x, weight: up.weight, bias: up.bias)
        x.node?.accumulate { MatrixProduct(a: dz, b: up.weight).run(into: $0, accumulate: $1) }
    }
}
