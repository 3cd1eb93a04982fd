// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels

extension Tensor {
    /// The sum of two tensors of one shape.
    public static func + (a: Tensor, b: Tensor) -> Tensor {
        precondition(a.shape == b.shape, "+: \(a.shape) and \(b.shape)")
        let sum = Tensor(uninitialized: a.shape, on: a.device)
        k_add(sum.pointer, a.pointer, b.pointer, a.count)
        guard a.node != nil || b.node != nil else { return sum }
        return sum.recorded(from: [a.node, b.node]) { gradient in
            a.node?.add(gradient)
            b.node?.add(gradient)
        }
    }

    /// Every number times `factor`.
    public func scaled(by factor: Float) -> Tensor {
        let scaled = copied()
        scaled.scaleInPlace(by: factor)
        return scaled.recorded(from: [node]) { gradient in
            let own = gradient.copied()
            own.scaleInPlace(by: factor)
            node?.add(own)
        }
    }

    /// Multiplies every number by `factor` in place; not recorded on the tape.
    package func scaleInPlace(by factor: Float) { k_scale(pointer, factor, count) }

    /// Adds `factor` times `other` in place; not recorded on the tape.
    package func addInPlace(_ other: Tensor, times factor: Float = 1) {
        precondition(other.count == count, "add in place: \(other.shape) to \(shape)")
        k_axpy(pointer, factor, other.pointer, count)
    }

    /// The sum of squares, in double precision.
    package var sumOfSquares: Double { k_sum_of_squares(pointer, count) }
}

/// silu(gate) · up, where x (…,2F) holds gate and up side by side (Shazeer 2020).
public func swiglu(_ x: Tensor) -> Tensor {
    let (rows, width) = x.rowsAndColumns
    precondition(width % 2 == 0, "swiglu: \(x.shape)")
    let out = Tensor(uninitialized: x.shape.ending(in: width / 2), on: x.device)
    k_swiglu(out.pointer, x.pointer, rows, width / 2)
    guard x.node != nil else { return out }
    return out.recorded(from: [x.node]) { dy in
        let dx = Tensor(uninitialized: x.shape, on: x.device)
        k_swiglu_backward(dx.pointer, dy.pointer, x.pointer, rows, width / 2)
        x.node?.add(dx)
    }
}

/// gelu(gate) · up, where x (…,2F) holds gate and up side by side; GELU by tanh.
///
/// Not for training.
package func geglu(_ x: Tensor) -> Tensor { gated(x, k_geglu) }

/// g · sigmoid(1.702·g) · (u + 1), where g is the gate held below 7 and u is up held within ±7: gpt-oss.
///
/// Not for training.
package func clampedSwiGLU(_ x: Tensor) -> Tensor { gated(x) { k_clamped_swiglu($0, $1, $2, $3, 1.702, 7) } }

private func gated(
    _ x: Tensor, _ kernel: (UnsafeMutablePointer<Float>, UnsafePointer<Float>, Int, Int) -> Void
) -> Tensor {
    let (rows, width) = x.rowsAndColumns
    precondition(width % 2 == 0 && x.node == nil, "gated unit: \(x.shape), without gradients")
    let out = Tensor(uninitialized: x.shape.ending(in: width / 2), on: x.device)
    kernel(out.pointer, x.pointer, rows, width / 2)
    return out
}

extension Tensor {
    /// GELU of every number in place, by tanh or exactly (Hendrycks & Gimpel 2016); not recorded on the tape.
    package func geluInPlace(isExact: Bool) {
        if isExact { k_gelu_erf(pointer, pointer, count) } else { k_gelu(pointer, pointer, count) }
    }

    /// cap · tanh(x / cap) in place (Gemma 2); not recorded on the tape.
    package func softcapInPlace(_ cap: Float) { k_softcap(pointer, cap, count) }
}
