// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels

/// Scales and shifts that belong to whole samples rather than to rows: what conditions a transformer on a time or a
/// text (adaptive layer norm, Peebles & Xie 2023).
public struct Modulation {
    /// (B, parts·C): the parts of a sample side by side.
    private let values: Tensor
    private let width: Int

    /// Parts of `width` floats each.
    public init(_ values: Tensor, width: Int) {
        precondition(values.shape.count == 2 && values.shape[1] % width == 0, "modulation: \(values.shape) by \(width)")
        (self.values, self.width) = (values, width)
    }

    /// x · (1 + scale) + shift, where x is (B·T,C), and scale and shift are parts of each of the B samples.
    public func modulate(_ x: Tensor, scale: Int, shift: Int) -> Tensor { run(x, base: x, scale: scale, shift: shift) }

    /// base + x · gate, where both are (B·T,C) and the gate is a part of each of the B samples.
    public func gate(_ x: Tensor, addedTo base: Tensor, by gate: Int) -> Tensor {
        run(x, base: base, scale: gate, shift: nil)
    }

    private func run(_ x: Tensor, base: Tensor, scale: Int, shift: Int?) -> Tensor {
        let (rows, C) = x.rowsAndColumns
        let samples = values.shape[0]
        precondition(C == width && rows % samples == 0 && base.shape == x.shape, "modulation: \(x.shape) by \(width)")
        let out = Tensor(uninitialized: x.shape, on: x.device)
        func arguments() -> k_modulation_args {
            k_modulation_args(
                samples: samples, tokens: rows / samples, d: C, stride: values.shape[1], x: x.pointer,
                base: base.pointer, scale: values.pointer + scale * C,
                shift: shift.map { UnsafePointer(values.pointer + $0 * C) }, out: out.pointer)
        }
        var forward = arguments()
        k_modulate(&forward)
        return out.recorded(from: [x.node, base.node, values.node]) { dy in
            base.node?.add(dy)
            var slopes: UnsafeMutablePointer<Float>?
            values.node?.accumulate { into, accumulate in
                if !accumulate { k_fill(into, 0, values.count) }
                slopes = into
            }
            var backward = arguments()
            let dscale = slopes.map { $0 + scale * C }
            let dshift = shift.flatMap { part in slopes.map { $0 + part * C } }
            guard let node = x.node else {
                k_modulate_backward(&backward, dy.pointer, nil, dscale, dshift, false)
                return
            }
            node.accumulate { k_modulate_backward(&backward, dy.pointer, $0, dscale, dshift, $1) }
        }
    }
}
