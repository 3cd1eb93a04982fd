// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels

/// The tokens of two sequences of each sample, one behind the other: (B,T,C) and (B,S,C) to (B,T+S,C).
public func joined(_ a: Tensor, _ b: Tensor) -> Tensor {
    let (B, T, S, C) = (a.shape[0], a.shape[1], b.shape[1], a.shape[2])
    precondition(b.shape == [B, S, C], "join: \(a.shape) and \(b.shape)")
    let out = Tensor(uninitialized: [B, T + S, C], on: a.device)
    copyTokens(of: a, to: out, at: 0)
    copyTokens(of: b, to: out, at: T)
    return out.recorded(from: [a.node, b.node]) { dy in
        a.node?.add(cut(dy, 0..<T))
        b.node?.add(cut(dy, T..<T + S))
    }
}

/// The tokens `range` of each sample: (B,T,C) to (B,range,C).
public func tokens(_ x: Tensor, _ range: Range<Int>) -> Tensor {
    cut(x.detached, range).recorded(from: [x.node]) { dy in
        let dx = Tensor(repeating: 0, x.shape, on: x.device)
        copyTokens(of: dy, to: dx, at: range.lowerBound)
        x.node?.add(dx)
    }
}

/// The mean over the tokens of each sample: (B,T,C) to (B,C).
public func meanOfTokens(_ x: Tensor) -> Tensor {
    let (B, T, C) = (x.shape[0], x.shape[1], x.shape[2])
    let out = Tensor(uninitialized: [B, C], on: x.device)
    for sample in 0..<B { k_column_sums(out.pointer + sample * C, x.pointer + sample * T * C, T, C, false) }
    out.scaleInPlace(by: 1 / Float(T))
    return out.recorded(from: [x.node]) { dy in
        let dx = Tensor(uninitialized: x.shape, on: x.device)
        for row in 0..<B * T { (dx.pointer + row * C).update(from: dy.pointer + row / T * C, count: C) }
        dx.scaleInPlace(by: 1 / Float(T))
        x.node?.add(dx)
    }
}

private func cut(_ x: Tensor, _ range: Range<Int>) -> Tensor {
    let (B, T, C) = (x.shape[0], x.shape[1], x.shape[2])
    precondition(range.lowerBound >= 0 && range.upperBound <= T, "tokens: \(range) of \(x.shape)")
    let out = Tensor(uninitialized: [B, range.count, C], on: x.device)
    for sample in 0..<B {
        let from = x.pointer + (sample * T + range.lowerBound) * C
        (out.pointer + sample * range.count * C).update(from: from, count: range.count * C)
    }
    return out
}

private func copyTokens(of x: Tensor, to out: Tensor, at first: Int) {
    let (B, T, C) = (x.shape[0], x.shape[1], x.shape[2])
    for sample in 0..<B {
        (out.pointer + (sample * out.shape[1] + first) * C).update(from: x.pointer + sample * T * C, count: T * C)
    }
}
