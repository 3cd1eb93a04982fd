// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels

/// The sizes of an attention layer.
public struct AttentionShape: Sendable, Equatable {
    /// Query heads, H.
    public var heads: Int
    /// Key and value heads, Hkv; H is a multiple of it.
    ///
    /// Fewer than H: grouped queries (Ainslie et al. 2023).
    public var kvHeads: Int
    /// Floats per head, D.
    public var headDim: Int

    /// H, Hkv and D.
    public init(heads: Int, kvHeads: Int, headDim: Int) {
        precondition(heads % kvHeads == 0, "attention: \(heads) heads, \(kvHeads) key heads")
        self.heads = heads
        self.kvHeads = kvHeads
        self.headDim = headDim
    }

    /// Floats of one token's queries, keys and values side by side: (H + 2·Hkv)·D.
    public var fusedWidth: Int { (heads + 2 * kvHeads) * headDim }

    /// What scores are multiplied by: 1/√D.
    package var scale: Float { 1 / Float(headDim).squareRoot() }
}

/// Causal self-attention within each of `batch` sequences of T tokens, no T×T matrix kept (Dao 2023).
///
/// `qkv` is rotated in place, so it must be fresh from a projection.
/// - Parameters:
///   - qkv: (B·T, (H + 2·Hkv)·D): queries, keys and values of each token side by side
///   - attention: the layer; with a softcap, sinks or a window shorter than T there are no gradients
///   - batch: B
///   - positions: of each row, for the rotation
/// - Returns: (B·T, H·D)
/// - Complexity: 2·B·H·T²·D FLOPs forward, 5·B·H·T²·D backward.
public func causalAttention(_ qkv: Tensor, _ attention: AttentionLayer, batch: Int, positions: [Int32]) -> Tensor {
    let (rows, width) = qkv.rowsAndColumns
    let (s, rope) = (attention.shape, attention.rope)
    precondition(width == s.fusedWidth && rows % batch == 0, "attention: \(qkv.shape) for \(s), batch \(batch)")
    guard attention.isPlain(upTo: rows / batch) else {
        return pagedAttention(qkv, attention, batch: batch, positions: positions)
    }
    rope?.rotate(qkv, s, positions: positions)
    return fusedAttention(qkv, s, scale: attention.scale, batch: batch, bidirectional: false) { dqkv in
        rope?.rotate(dqkv, s, positions: positions, direction: -1)
    }
}

/// Self-attention in which every token sees all of its sequence, as in encoders of pictures: no rotation.
///
/// - Parameters:
///   - qkv: (B·T, 3·H·D): queries, keys and values of each token side by side
///   - shape: H, Hkv and D
///   - batch: B
/// - Returns: (B·T, H·D)
/// - Complexity: 4·B·H·T²·D FLOPs forward, 10·B·H·T²·D backward.
public func bidirectionalAttention(_ qkv: Tensor, _ shape: AttentionShape, batch: Int) -> Tensor {
    let (rows, width) = qkv.rowsAndColumns
    precondition(
        width == shape.fusedWidth && rows % batch == 0, "attention: \(qkv.shape) for \(shape), batch \(batch)")
    return fusedAttention(qkv, shape, scale: shape.scale, batch: batch, bidirectional: true) { _ in }
}

/// Attention inside each of `batch` sequences; `finish` turns the gradient of the fused rows into that of what was
/// projected.
private func fusedAttention(
    _ qkv: Tensor, _ s: AttentionShape, scale: Float, batch: Int, bidirectional: Bool,
    finish: @escaping (Tensor) -> Void
) -> Tensor {
    let rows = qkv.rowsAndColumns.rows
    let out = Tensor(uninitialized: [rows, s.heads * s.headDim], on: qkv.device)
    let logSumExp = qkv.node.map { _ in Tensor(uninitialized: [s.heads * rows], on: qkv.device) }
    func arguments() -> k_attention_args {
        var arguments = k_attention_args(fused: qkv, s, scale: scale, batch: batch, out: out)
        arguments.logsumexp = logSumExp?.pointer
        arguments.bidirectional = bidirectional
        return arguments
    }
    var forward = arguments()
    k_attention(&forward)
    return out.recorded(from: [qkv.node]) { dout in
        let dqkv = Tensor(uninitialized: qkv.shape, on: qkv.device)
        var backward = k_attention_backward_args(
            forward: arguments(), dout: dout.pointer, dq: dqkv.pointer, dk: dqkv.pointer + s.heads * s.headDim,
            dv: dqkv.pointer + (s.heads + s.kvHeads) * s.headDim)
        k_attention_backward(&backward)
        finish(dqkv)
        qkv.node?.add(dqkv)
    }
}

/// The same with everything that a layer may have, over pages of its own; not for training.
private func pagedAttention(
    _ qkv: Tensor, _ attention: AttentionLayer, batch: Int, positions: [Int32]
) -> Tensor {
    precondition(qkv.node == nil, "attention: \(attention.options) has no gradient")
    let s = attention.shape
    let T = qkv.rowsAndColumns.rows / batch
    let count = (T + KVPages.pageTokens - 1) / KVPages.pageTokens
    let pages = KVPages(layers: 1, shape: s, pages: max(1, batch * count), precision: .float32)
    let spans = PagedSpans(
        (0..<batch).map { sequence in
            PagedSpan(
                rows: sequence * T..<(sequence + 1) * T, start: 0,
                pages: (sequence * count..<(sequence + 1) * count).map { Int32($0) })
        })
    attention.rotate(qkv, positions: positions)
    let out = Tensor(uninitialized: [batch * T, s.heads * s.headDim], on: qkv.device)
    pages.attend(layer: 0, qkv: qkv, spans: spans, options: attention.options, sinks: attention.sinks, out: out)
    return out
}

/// Self-attention in which every token of a text sees all of it, for encoders; not for training.
///
/// - Parameters:
///   - qkv: (N, (H + 2·Hkv)·D): queries, keys and values of each token side by side, rotated in place
///   - attention: its shape, rotation and scale; nothing else
///   - lengths: tokens of each text, N in all
///   - positions: of each row, for the rotation
/// - Returns: (N, H·D)
package func fullAttention(
    _ qkv: Tensor, _ attention: AttentionLayer, lengths: [Int], positions: [Int32]
) -> Tensor {
    let s = attention.shape
    let (width, outWidth) = (s.fusedWidth, s.heads * s.headDim)
    precondition(qkv.node == nil && attention.isPlain(upTo: .max), "attention: \(attention.options), no gradients")
    precondition(qkv.rowsAndColumns == (lengths.reduce(0, +), width), "attention: \(qkv.shape) for \(s)")
    attention.rotate(qkv, positions: positions)
    let out = Tensor(uninitialized: [qkv.rowsAndColumns.rows, outWidth], on: qkv.device)
    var start = 0
    for length in lengths {
        let rows = qkv.pointer + start * width
        var arguments = k_attention_args(
            batch: 1, queries: length, keys: length, heads: s.heads, kv_heads: s.kvHeads, head_dim: s.headDim,
            scale: attention.scale, q: rows, q_row: width, q_batch: 0, k: rows + outWidth,
            v: rows + outWidth + s.kvHeads * s.headDim, kv_row: width, kv_batch: 0,
            out: out.pointer + start * outWidth, out_row: outWidth, out_batch: 0, logsumexp: nil, bidirectional: true)
        k_attention(&arguments)
        start += length
    }
    return out
}

extension k_attention_args {
    /// Attention of every sequence of a fused projection to itself.
    fileprivate init(fused qkv: Tensor, _ s: AttentionShape, scale: Float, batch: Int, out: Tensor) {
        let T = qkv.rowsAndColumns.rows / batch
        let (width, outWidth) = (s.fusedWidth, s.heads * s.headDim)
        self.init(
            batch: batch, queries: T, keys: T, heads: s.heads, kv_heads: s.kvHeads, head_dim: s.headDim,
            scale: scale, q: qkv.pointer, q_row: width, q_batch: T * width, k: qkv.pointer + outWidth,
            v: qkv.pointer + outWidth + s.kvHeads * s.headDim, kv_row: width, kv_batch: T * width, out: out.pointer,
            out_row: outWidth, out_batch: T * outWidth, logsumexp: nil, bidirectional: false)
    }
}
