// SPDX-License-Identifier: Apache-2.0
import CQalamKernels
import Foundation
import Testing

/// Some calls to kernels on random shapes.
///
/// Errors are relative to 1 + the size of the value.
struct KernelCase: Sendable, CustomTestStringConvertible {
    let name: String
    let tolerance: Double
    let count: Int
    private let body: @Sendable (CaseMemory, k_table) -> Void

    private init(
        _ name: String, _ tolerance: Double, count: Int = 8, _ body: @escaping @Sendable (CaseMemory, k_table) -> Void
    ) {
        (self.name, self.tolerance, self.count, self.body) = (name, tolerance, count, body)
    }

    var testDescription: String { name }

    /// What case `number` leaves when it calls `table`.
    func results(_ number: Int, _ table: k_table) -> [Float] {
        let memory = CaseMemory(number: number)
        body(memory, table)
        return memory.results
    }

    static let all = [
        KernelCase("matrix product", 1e-5, count: 16, product),
        KernelCase("elementwise", 2e-6, elementwise),
        KernelCase("swiglu", 2e-6, swiglu),
        KernelCase("gated units", 3e-6, gated),
        KernelCase("norm of heads", 1e-4, headNorm),
        KernelCase("sums", 1e-5, sums),
        KernelCase("16-bit formats", 0, halves),
        KernelCase("layernorm", 1e-4, layerNorm),
        KernelCase("rmsnorm", 1e-4, rmsNorm),
        KernelCase("rope", 1e-6, rope),
        KernelCase("attention", 1e-5, count: 16, attention),
        KernelCase("attention backward", 2e-5, attentionBackward),
        KernelCase("paged attention", 1e-5, count: 24, pagedAttention),
        KernelCase("convolution", 1e-5, convolution),
        KernelCase("gradient of convolution", 1e-4, convolutionGradient),
        KernelCase("space to depth", 0, spaceToDepth),
        KernelCase("modulation", 1e-5, modulation),
        KernelCase("relaxation", 1e-4, relaxation),
        KernelCase("cross entropy", 2e-6, crossEntropy),
        KernelCase("embedding", 2e-5, embedding),
        KernelCase("adamw", 1e-6, adamW),
    ]
}

/// Mostly short, now and then long enough to be cut into pieces.
private func length(_ m: CaseMemory) -> Int {
    m.once(in: 6) ? m.pick(40_000...60_000) : m.pick(1...300)
}

// MARK: Matrix product

@Sendable private func product(_ m: CaseMemory, _ t: k_table) {
    let small = m.once(in: 2)
    let M = m.pick(1...(small ? 9 : 90)), N = m.pick(1...(small ? 70 : 90)), K = m.pick(1...(small ? 70 : 300))
    let aTransposed = m.once(in: 2), bTransposed = m.once(in: 2), extra = m.pick(0...5)
    let lda = (aTransposed ? M : K) + extra, ldb = (bTransposed ? K : N) + extra, ldc = N + extra
    let a = m.floats((aTransposed ? K : M) * lda), b = m.floats((bTransposed ? N : K) * ldb)
    let c = m.floats(M * ldc), aux = m.floats(M * ldc), kind = m.pick(0...3)
    var args = k_gemm_args(
        m: M, n: N, k: K, a: a, lda: lda, a_transposed: aTransposed, b: b, ldb: ldb, b_transposed: bTransposed, c: c,
        ldc: ldc, accumulate: kind == 0, bias: kind > 0 && m.once(in: 2) ? m.floats(N) : nil,
        epilogue: [K_EPILOGUE_NONE, K_EPILOGUE_NONE, K_EPILOGUE_GELU, K_EPILOGUE_MULTIPLY][kind],
        aux: kind >= 2 ? aux : nil)
    t.k_gemm(&args)
    m.leave((c, M * ldc), (aux, M * ldc))
}

// MARK: Elementwise, sums, formats

@Sendable private func elementwise(_ m: CaseMemory, _ t: k_table) {
    let n = length(m), x = m.floats(n, scale: 6), y = m.floats(n)
    let out = (0..<8).map { _ in m.floats(n) }
    t.k_fill(out[0], x[0], n)
    t.k_add(out[1], x, y, n)
    t.k_add(out[2], out[2], x, n)
    t.k_multiply(out[3], x, y, n)
    t.k_scale(out[4], x[0], n)
    t.k_axpy(out[5], x[0], y, n)
    t.k_gelu(out[6], x, n)
    t.k_gelu_backward(out[7], out[7], x, n)
    for output in out { m.leave((output, n)) }
}

@Sendable private func swiglu(_ m: CaseMemory, _ t: k_table) {
    let d = m.pick(1...200), rows = length(m) / d + 1
    let x = m.floats(2 * rows * d, scale: 8), dy = m.floats(rows * d)
    let out = m.floats(rows * d), dx = m.floats(2 * rows * d)
    t.k_swiglu(out, x, rows, d)
    t.k_swiglu_backward(dx, dy, x, rows, d)
    m.leave((out, rows * d), (dx, 2 * rows * d))
}

@Sendable private func gated(_ m: CaseMemory, _ t: k_table) {
    let d = m.pick(1...200), rows = length(m) / d + 1
    let x = m.floats(2 * rows * d, scale: 8), gelu = m.floats(2 * rows * d), capped = m.floats(2 * rows * d, scale: 9)
    let out = m.floats(rows * d), clamped = m.floats(rows * d)
    t.k_geglu(out, x, rows, d)
    t.k_clamped_swiglu(clamped, x, rows, d, 1.702, 3)
    t.k_gelu_erf(gelu, x, 2 * rows * d)
    t.k_softcap(capped, 5, 2 * rows * d)
    m.leave((out, rows * d), (clamped, rows * d), (gelu, 2 * rows * d), (capped, 2 * rows * d))
}

@Sendable private func headNorm(_ m: CaseMemory, _ t: k_table) {
    let headDim = m.pick(1...100), heads = m.pick(1...5), tokens = m.pick(1...40)
    let stride = heads * headDim + m.pick(0...9)
    let x = m.floats(tokens * stride), weight = m.floats(headDim)
    t.k_rmsnorm_heads(x, weight, 1e-5, tokens, heads, headDim, stride)
    m.leave((x, tokens * stride))
}

@Sendable private func sums(_ m: CaseMemory, _ t: k_table) {
    let d = m.pick(1...300), rows = length(m) / d + 1
    let x = m.floats(rows * d), fresh = m.floats(d), added = m.floats(d), total = m.floats(1)
    for i in 0..<rows * d { x[i] += 1.5 }  // no cancelling, so that a relative error means something
    total[0] = Float(t.k_sum_of_squares(x, rows * d))
    t.k_column_sums(fresh, x, rows, d, false)
    t.k_column_sums(added, x, rows, d, true)
    m.leave((fresh, d), (added, d), (total, 1))
}

@Sendable private func halves(_ m: CaseMemory, _ t: k_table) {
    let n = m.once(in: 4) ? 65536 : m.pick(1...300)
    let codes = m.codes(n), half = m.codes(n), bfloat = m.codes(n)
    let x = m.floats(n), fromHalf = m.floats(n), fromBfloat = m.floats(n)
    for i in 0..<n {
        if n == 65536 { codes[i] = UInt16(i) }
        var bits = m.bits() & (i % 3 == 0 ? 0xffff_f000 : 0xffff_ffff)  // a third of them near ties
        if i % 4 > 0 { bits = (bits & 0x87ff_ffff) | 0x3800_0000 | (m.bits() & 0x0f00_0000) }  // in the range of halves
        x[i] = Float(bitPattern: bits)
        if x[i].isNaN { x[i] = -.infinity }
    }
    t.k_f16_to_f32(fromHalf, codes, n)
    t.k_bf16_to_f32(fromBfloat, codes, n)
    t.k_f32_to_f16(half, x, n)
    t.k_f32_to_bf16(bfloat, x, n)
    m.leave((fromHalf, n), (fromBfloat, n))
    m.leave(codes: half, n)
    m.leave(codes: bfloat, n)
}

// MARK: Norms and positions

@Sendable private func layerNorm(_ m: CaseMemory, _ t: k_table) {
    let d = m.pick(4...400), rows = length(m) / d + 1, n = rows * d
    let x = m.floats(n), weight = m.floats(d), bias = m.floats(d), dy = m.floats(n)
    let out = m.floats(n), mean = m.floats(rows), inverse = m.floats(rows)
    let dx = m.floats(n), dweight = m.floats(d), dbias = m.floats(d)
    t.k_layernorm(out, mean, inverse, x, weight, m.once(in: 2) ? bias : nil, 1e-5, rows, d)
    t.k_layernorm_backward(dx, dweight, dbias, dy, x, weight, mean, inverse, rows, d, m.once(in: 2))
    m.leave((out, n), (mean, rows), (inverse, rows), (dx, n), (dweight, d), (dbias, d))
}

@Sendable private func rmsNorm(_ m: CaseMemory, _ t: k_table) {
    let d = m.pick(1...400), rows = length(m) / d + 1, n = rows * d
    let x = m.floats(n), weight = m.floats(d), dy = m.floats(n), out = m.floats(n), inverse = m.floats(rows)
    let dx = m.floats(n), dweight = m.floats(d)
    t.k_rmsnorm(out, inverse, x, weight, 1e-2, rows, d)
    t.k_rmsnorm_backward(dx, m.once(in: 4) ? nil : dweight, dy, x, weight, inverse, rows, d, m.once(in: 2))
    m.leave((out, n), (inverse, rows), (dx, n), (dweight, d))
}

@Sendable private func rope(_ m: CaseMemory, _ t: k_table) {
    let heads = m.pick(1...8), half = m.pick(1...70), tokens = length(m) / (2 * heads * half) + 1
    let stride = 2 * heads * half + m.pick(0...20)
    let x = m.floats(tokens * stride), frequency = m.floats(half)
    for i in 0..<half { frequency[i] = pow(10000, -Float(i) / Float(half)) }
    let positions = m.integers(tokens, 0...(m.once(in: 2) ? 300 : 131072))
    t.k_rope(x, positions, frequency, tokens, heads, 2 * half, stride, m.once(in: 2) ? 1 : -1)
    m.leave((x, tokens * stride))
}

// MARK: Attention

/// Random heads; q, k and v are slices of a fused projection of `keys` rows.
private func heads(_ m: CaseMemory, queries: Int, keys: Int) -> k_attention_args {
    let kvHeads = m.pick(1...3), heads = kvHeads * m.pick(1...3), D = m.pick(1...80), batch = m.pick(1...2)
    let row = (heads + 2 * kvHeads) * D + m.pick(0...9)
    let fused = m.floats(batch * keys * row)
    return k_attention_args(
        batch: batch, queries: queries, keys: keys, heads: heads, kv_heads: kvHeads, head_dim: D,
        scale: 2 / Float(D).squareRoot(), q: fused, q_row: row, q_batch: keys * row, k: fused + heads * D,
        v: fused + (heads + kvHeads) * D, kv_row: row, kv_batch: keys * row,
        out: m.floats(batch * queries * heads * D), out_row: heads * D, out_batch: queries * heads * D,
        logsumexp: m.floats(batch * heads * queries), bidirectional: m.once(in: 3))
}

@Sendable private func attention(_ m: CaseMemory, _ t: k_table) {
    let queries = m.once(in: 2) ? m.pick(1...9) : m.pick(1...150)
    var args = heads(m, queries: queries, keys: queries + (m.once(in: 3) ? m.pick(0...700) : m.pick(0...130)))
    t.k_attention(&args)
    m.leave((args.out, args.batch * args.out_batch))
    if let logsumexp = args.logsumexp { m.leave((logsumexp, args.batch * args.heads * queries)) }
}

@Sendable private func attentionBackward(_ m: CaseMemory, _ t: k_table) {
    let T = m.pick(1...150)
    var forward = heads(m, queries: T, keys: T)
    k_table_reference().pointee.k_attention(&forward)
    let n = forward.batch * forward.q_batch, gradient = m.floats(n)
    let q = forward.heads * forward.head_dim, kv = forward.kv_heads * forward.head_dim
    var args = k_attention_backward_args(
        forward: forward, dout: m.floats(forward.batch * forward.out_batch), dq: gradient, dk: gradient + q,
        dv: gradient + q + kv)
    t.k_attention_backward(&args)
    m.leave((gradient, n))
}

// MARK: Loss, embedding, optimizer

@Sendable private func crossEntropy(_ m: CaseMemory, _ t: k_table) {
    let vocabulary = m.once(in: 3) ? m.pick(4_000...20_000) : m.pick(1...700), rows = m.pick(1...7)
    let logits = m.floats(rows * vocabulary, scale: 20), losses = m.floats(rows), again = m.floats(rows)
    let targets = m.integers(rows, -1...vocabulary - 1)
    t.k_cross_entropy(losses, logits, targets, rows, vocabulary, 0)
    t.k_cross_entropy(again, logits, targets, rows, vocabulary, 0.5)
    m.leave((losses, rows), (again, rows), (logits, rows * vocabulary))
}

@Sendable private func embedding(_ m: CaseMemory, _ t: k_table) {
    let d = m.pick(1...200), rows = length(m) / d + 1, vocabulary = m.pick(1...50)
    let table = m.floats(vocabulary * d), out = m.floats(rows * d), dtable = m.floats(vocabulary * d)
    let dout = m.floats(rows * d), ids = m.integers(rows, 0...vocabulary - 1)
    t.k_embedding(out, table, ids, rows, d)
    t.k_embedding_backward(dtable, dout, ids, rows, d)
    m.leave((out, rows * d), (dtable, vocabulary * d))
}

@Sendable private func adamW(_ m: CaseMemory, _ t: k_table) {
    let n = length(m), parameters = m.floats(n), gradients = m.floats(n), mean = m.floats(n), square = m.floats(n)
    for i in 0..<n { square[i] *= square[i] }
    var args = k_adamw_args(
        learning_rate: 0.01, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.1, bias1: 0.19, bias2: 0.0975,
        gradient_scale: 0.7)
    t.k_adamw(parameters, gradients, mean, square, n, &args)
    m.leave((parameters, n), (mean, n), (square, n))
}
