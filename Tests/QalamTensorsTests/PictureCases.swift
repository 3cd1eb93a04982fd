// SPDX-License-Identifier: Apache-2.0
import CQalamKernels

/// Some pictures, and a convolution of them.
private func pictures(_ m: CaseMemory) -> k_convolution_args {
    let batch = m.pick(1...3), height = m.pick(1...19), width = m.pick(1...19), inputs = m.pick(1...20)
    let outputs = m.pick(1...20)
    return k_convolution_args(
        batch: batch, height: height, width: width, in: inputs, out: outputs,
        x: m.floats(batch * height * width * inputs), weight: m.floats(outputs * 9 * inputs), bias: nil,
        y: m.floats(batch * height * width * outputs), turned: m.once(in: 2), accumulate: m.once(in: 2))
}

@Sendable func convolution(_ m: CaseMemory, _ t: k_table) {
    var args = pictures(m)
    if !args.accumulate, !args.turned { args.bias = UnsafePointer(m.floats(args.out)) }
    t.k_convolution(&args)
    m.leave((args.y, args.batch * args.height * args.width * args.out))
}

@Sendable func convolutionGradient(_ m: CaseMemory, _ t: k_table) {
    var args = pictures(m)
    let count = args.out * 9 * args.in, dy = m.floats(args.batch * args.height * args.width * args.out)
    args.y = m.floats(count)
    t.k_convolution_weight_gradient(&args, dy)
    m.leave((args.y, count))
}

@Sendable func spaceToDepth(_ m: CaseMemory, _ t: k_table) {
    let rows = 2 * m.pick(1...40), width = 2 * m.pick(1...20), channels = m.pick(1...9), n = rows * width * channels
    let x = m.floats(n), out = m.floats(n), back = m.floats(n)
    t.k_space_to_depth(out, x, rows, width, channels, false)
    t.k_space_to_depth(back, x, rows, width, channels, true)
    m.leave((out, n), (back, n))
}

@Sendable func modulation(_ m: CaseMemory, _ t: k_table) {
    let samples = m.pick(1...9), tokens = m.pick(1...40), d = m.pick(1...70), stride = d + m.pick(0...9)
    let n = samples * tokens * d, x = m.floats(n), dx = m.floats(n), dy = m.floats(n), out = m.floats(n)
    let scale = m.floats(samples * stride), dscale = m.floats(samples * stride), dshift = m.floats(samples * stride)
    var args = k_modulation_args(
        samples: samples, tokens: tokens, d: d, stride: stride, x: x, base: m.once(in: 2) ? m.floats(n) : nil,
        scale: scale, shift: m.once(in: 2) ? m.floats(samples * stride) : nil, out: out)
    t.k_modulate(&args)
    t.k_modulate_backward(&args, dy, dx, dscale, m.once(in: 2) ? dshift : nil, m.once(in: 2))
    m.leave((out, n), (dx, n), (dscale, samples * stride), (dshift, samples * stride))
}

@Sendable func relaxation(_ m: CaseMemory, _ t: k_table) {
    let rows = m.pick(1...40), codes = 16 * m.pick(1...9), n = rows * codes
    let out = m.floats(n), divergences = m.floats(rows), dy = m.floats(n), dlogits = m.floats(n)
    var args = k_relaxation_args(
        rows: rows, codes: codes, logits: m.floats(n), temperature: m.once(in: 2) ? 1 : 0.3, seed: 7, out: out,
        divergences: divergences)
    t.k_relax(&args)
    t.k_relax_backward(&args, dy, dlogits, 0.5)
    m.leave((out, n), (divergences, rows), (dlogits, n))
}
