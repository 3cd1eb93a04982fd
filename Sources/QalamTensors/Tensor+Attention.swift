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
///   - attention: its shape, rotation and scale; no softcap, no sinks, and no window shorter than T
///   - batch: B
///   - positions: of each row, for the rotation
/// - Returns: (B·T, H·D)
/// - Complexity: 2·B·H·T²·D FLOPs forward, 5·B·H·T²·D backward.
public func causalAttention(_ qkv: Tensor, _ attention: AttentionLayer, batch: Int, positions: [Int32]) -> Tensor {
    let (rows, width) = qkv.rowsAndColumns
    let (s, rope) = (attention.shape, attention.rope)
    precondition(attention.isPlain(upTo: rows / batch), "attention: \(attention.options) is not for training")
    precondition(width == s.fusedWidth && rows % batch == 0, "attention: \(qkv.shape) for \(s), batch \(batch)")
    rope?.rotate(qkv, s, positions: positions)
    let out = Tensor(uninitialized: [rows, s.heads * s.headDim], on: qkv.device)
    let logSumExp = qkv.node.map { _ in Tensor(uninitialized: [s.heads * rows], on: qkv.device) }
    var arguments = k_attention_args(fused: qkv, attention, batch: batch, out: out)
    arguments.logsumexp = logSumExp?.pointer
    k_attention(&arguments)
    return out.recorded(from: [qkv.node]) { dout in
        let dqkv = Tensor(uninitialized: qkv.shape, on: qkv.device)
        var forward = k_attention_args(fused: qkv, attention, batch: batch, out: out)
        forward.logsumexp = logSumExp?.pointer
        var arguments = k_attention_backward_args(
            forward: forward, dout: dout.pointer, dq: dqkv.pointer, dk: dqkv.pointer + s.heads * s.headDim,
            dv: dqkv.pointer + (s.heads + s.kvHeads) * s.headDim)
        k_attention_backward(&arguments)
        rope?.rotate(dqkv, s, positions: positions, direction: -1)
        qkv.node?.add(dqkv)
    }
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
        // One query sees all keys given, so each token is a sequence of one query over the same keys.
        var arguments = k_attention_args(
            batch: length, queries: 1, keys: length, heads: s.heads, kv_heads: s.kvHeads, head_dim: s.headDim,
            scale: attention.scale, q: rows, q_row: width, q_batch: width, k: rows + outWidth,
            v: rows + outWidth + s.kvHeads * s.headDim, kv_row: width, kv_batch: 0,
            out: out.pointer + start * outWidth, out_row: outWidth, out_batch: outWidth, logsumexp: nil)
        k_attention(&arguments)
        start += length
    }
    return out
}

extension k_attention_args {
    /// Attention of every sequence of a fused projection to itself.
    fileprivate init(fused qkv: Tensor, _ attention: AttentionLayer, batch: Int, out: Tensor) {
        let s = attention.shape
        let T = qkv.rowsAndColumns.rows / batch
        let (width, outWidth) = (s.fusedWidth, s.heads * s.headDim)
        self.init(
            batch: batch, queries: T, keys: T, heads: s.heads, kv_heads: s.kvHeads, head_dim: s.headDim,
            scale: attention.scale, q: qkv.pointer, q_row: width, q_batch: T * width, k: qkv.pointer + outWidth,
            v: qkv.pointer + outWidth + s.kvHeads * s.headDim, kv_row: width, kv_batch: T * width, out: out.pointer,
            out_row: outWidth, out_batch: T * outWidth, logsumexp: nil)
    }
}

/// The keys and values that one sequence has gathered in one layer, in memory that doubles as it fills.
package struct LayerCache {
    private let width: Int
    private var keys: Tensor
    private var values: Tensor
    /// Tokens held.
    package private(set) var count = 0

    /// An empty cache for a layer of this shape, with room for `capacity` tokens.
    package init(_ shape: AttentionShape, capacity: Int, on device: Device = .cpu) {
        width = shape.kvHeads * shape.headDim
        keys = Tensor(uninitialized: [max(capacity, 1), width], on: device)
        values = Tensor(uninitialized: [max(capacity, 1), width], on: device)
    }

    /// Appends the keys and values of the new rows of one sequence and attends its queries to all that is held.
    ///
    /// - Parameters:
    ///   - qkv: (N, (H + 2·Hkv)·D), the rows of this sequence, rotated in place
    ///   - attention: shape, rotation and scale; nothing that training does not have
    ///   - positions: of each row, for the rotation
    ///   - out: (N, H·D), written
    package mutating func attend(_ qkv: Tensor, _ attention: AttentionLayer, positions: [Int32], out: Tensor) {
        let N = qkv.shape[0]
        let s = attention.shape
        precondition(attention.isPlain(upTo: count + N), "attention: \(attention.options) is not for this cache")
        attention.rotate(qkv, positions: positions)
        reserve(count + N)
        let queryWidth = s.heads * s.headDim
        for row in 0..<N {
            let source = qkv.pointer + row * s.fusedWidth + queryWidth
            (keys.pointer + (count + row) * width).update(from: source, count: width)
            (values.pointer + (count + row) * width).update(from: source + width, count: width)
        }
        count += N
        var arguments = k_attention_args(
            batch: 1, queries: N, keys: count, heads: s.heads, kv_heads: s.kvHeads, head_dim: s.headDim,
            scale: attention.scale, q: qkv.pointer, q_row: s.fusedWidth, q_batch: 0, k: keys.pointer,
            v: values.pointer,
            kv_row: width, kv_batch: 0, out: out.pointer, out_row: queryWidth, out_batch: 0, logsumexp: nil)
        k_attention(&arguments)
    }

    private mutating func reserve(_ needed: Int) {
        guard needed > keys.shape[0] else { return }
        let capacity = max(needed, 2 * keys.shape[0])
        keys = grown(keys, to: capacity)
        values = grown(values, to: capacity)
    }

    private func grown(_ old: Tensor, to capacity: Int) -> Tensor {
        let new = Tensor(uninitialized: [capacity, width], on: old.device)
        new.pointer.update(from: old.pointer, count: count * width)
        return new
    }
}
