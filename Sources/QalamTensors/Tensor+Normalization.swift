// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels

/// x / rms(x) · weight over the last axis (Zhang & Sennrich 2019).
///
/// - Parameters:
///   - x: (…,C)
///   - weight: (C)
///   - epsilon: added to the mean square
/// - Returns: (…,C)
public func rmsNorm(_ x: Tensor, _ weight: Tensor, epsilon: Float) -> Tensor {
    let (rows, C) = x.rowsAndColumns
    precondition(weight.count == C, "rmsNorm: \(x.shape) by \(weight.shape)")
    let out = Tensor(uninitialized: x.shape, on: x.device)
    guard x.node != nil || weight.node != nil else {
        k_rmsnorm(out.pointer, nil, x.pointer, weight.pointer, epsilon, rows, C)
        return out
    }
    let inverse = Tensor(uninitialized: TensorShape(rows: rows, columns: 1), on: x.device)
    k_rmsnorm(out.pointer, inverse.pointer, x.pointer, weight.pointer, epsilon, rows, C)
    return out.recorded(from: [x.node, weight.node]) { dy in
        normGradient(x: x, weights: [weight]) { dx, dweights, accumulate in
            k_rmsnorm_backward(
                dx, dweights[0], dy.pointer, x.pointer, weight.pointer, inverse.pointer, rows, C, accumulate)
        }
    }
}

/// (x - mean) / deviation · weight + bias over the last axis.
///
/// Layer normalization (Ba et al. 2016).
/// - Parameters:
///   - x: (…,C)
///   - weight: (C)
///   - bias: (C), or nil
///   - epsilon: added to the variance
/// - Returns: (…,C)
public func layerNorm(_ x: Tensor, _ weight: Tensor, bias: Tensor?, epsilon: Float) -> Tensor {
    let (rows, C) = x.rowsAndColumns
    precondition(weight.count == C, "layerNorm: \(x.shape) by \(weight.shape)")
    let out = Tensor(uninitialized: x.shape, on: x.device)
    let mean = Tensor(uninitialized: TensorShape(rows: rows, columns: 1), on: x.device)
    let inverse = Tensor(uninitialized: TensorShape(rows: rows, columns: 1), on: x.device)
    k_layernorm(
        out.pointer, mean.pointer, inverse.pointer, x.pointer, weight.pointer, bias?.pointer, epsilon, rows, C)
    guard x.node != nil || weight.node != nil || bias?.node != nil else { return out }
    return out.recorded(from: [x.node, weight.node, bias?.node]) { dy in
        normGradient(x: x, weights: [weight, bias]) { dx, dweights, accumulate in
            k_layernorm_backward(
                dx, dweights[0], dweights[1], dy.pointer, x.pointer, weight.pointer, mean.pointer, inverse.pointer,
                rows, C, accumulate)
        }
    }
}

/// RMSNorm of queries and keys of fused rows (N, (H + 2·Hkv)·D) in place; not for training.
///
/// A weight of D floats norms each head (Dehghani et al. 2023); a longer one norms all its heads' floats together.
package func normalizeHeads(_ fused: Tensor, _ s: AttentionShape, query: Tensor, key: Tensor, epsilon: Float) {
    let (rows, width) = fused.rowsAndColumns
    precondition(width == s.fusedWidth && fused.node == nil, "norm of heads: \(fused.shape), without gradients")
    func normalize(_ first: UnsafeMutablePointer<Float>, _ weight: Tensor, heads: Int) {
        precondition((heads * s.headDim) % weight.count == 0, "norm of heads: \(weight.shape) for \(s)")
        k_rmsnorm_heads(first, weight.pointer, epsilon, rows, heads * s.headDim / weight.count, weight.count, width)
    }
    normalize(fused.pointer, query, heads: s.heads)
    normalize(fused.pointer + s.heads * s.headDim, key, heads: s.kvHeads)
}

/// Opens the gradients of a norm's input and weights for one kernel call.
///
/// Weights' gradients are added to, so a fresh one starts from zero; an input that needs no gradient gets scratch
/// memory.
private func normGradient(
    x: Tensor, weights: [Tensor?], _ run: (UnsafeMutablePointer<Float>, [UnsafeMutablePointer<Float>?], Bool) -> Void
) {
    let pointers = weights.map { weight in
        weight?.node.map { node in
            var address: UnsafeMutablePointer<Float>?
            node.accumulate { into, accumulate in
                if !accumulate { k_fill(into, 0, weight?.count ?? 0) }
                address = into
            }
            return address
        } ?? nil
    }
    if let node = x.node {
        node.accumulate { run($0, pointers, $1) }
    } else {
        run(Tensor(uninitialized: x.shape, on: x.device).pointer, pointers, false)
    }
}
