// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels

// Pictures are (B,H,W,C): pixel by pixel, with their channels together.

/// A convolution with 3×3 taps, stride 1 and zeros around the pictures.
///
/// - Parameters:
///   - x: (B,H,W,Cin)
///   - weight: (Cout,3,3,Cin)
///   - bias: (Cout), or nil
/// - Returns: (B,H,W,Cout)
/// - Complexity: 8·B·H·W·Cin·Cout FLOPs forward by minimal filtering, twice that backward.
public func convolution(_ x: Tensor, _ weight: Tensor, bias: Tensor? = nil) -> Tensor {
    let inputs = x.shape[3], outputs = weight.shape[0]
    precondition(weight.shape == [outputs, 3, 3, inputs], "convolution: \(x.shape) by \(weight.shape)")
    let y = Tensor(uninitialized: x.shape.ending(in: outputs), on: x.device)
    var arguments = k_convolution_args(x, inputs: inputs, outputs: outputs, into: y.pointer)
    arguments.weight = UnsafePointer(weight.pointer)
    arguments.bias = bias.map { UnsafePointer($0.pointer) }
    k_convolution(&arguments)
    return y.recorded(from: [x.node, weight.node, bias?.node]) { dy in
        weight.node?.accumulate { into, accumulate in
            if !accumulate { k_fill(into, 0, weight.count) }
            var arguments = k_convolution_args(x, inputs: inputs, outputs: outputs, into: into)
            k_convolution_weight_gradient(&arguments, dy.pointer)
        }
        bias?.node?.accumulate { k_column_sums($0, dy.pointer, dy.rowsAndColumns.rows, outputs, $1) }
        x.node?.accumulate { into, accumulate in
            var arguments = k_convolution_args(dy, inputs: outputs, outputs: inputs, into: into)
            arguments.weight = UnsafePointer(weight.pointer)
            arguments.turned = true
            arguments.accumulate = accumulate
            k_convolution(&arguments)
        }
    }
}

extension k_convolution_args {
    fileprivate init(_ x: Tensor, inputs: Int, outputs: Int, into y: UnsafeMutablePointer<Float>) {
        self.init(
            batch: x.shape[0], height: x.shape[1], width: x.shape[2], in: inputs, out: outputs, x: x.pointer,
            weight: nil, bias: nil, y: y, turned: false, accumulate: false)
    }
}

/// Squares of 2×2 pixels as one pixel each: (B,H,W,C) to (B,H/2,W/2,4C).
public func spaceToDepth(_ x: Tensor) -> Tensor { rearranged(x, inverse: false) }

/// The inverse of ``spaceToDepth(_:)``: (B,H,W,4C) to (B,2H,2W,C).
public func depthToSpace(_ x: Tensor) -> Tensor { rearranged(x, inverse: true) }

private func rearranged(_ x: Tensor, inverse: Bool) -> Tensor {
    let (B, H, W, C) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    precondition(inverse ? C % 4 == 0 : H % 2 == 0 && W % 2 == 0, "space to depth: \(x.shape)")
    let out = Tensor(uninitialized: inverse ? [B, 2 * H, 2 * W, C / 4] : [B, H / 2, W / 2, 4 * C], on: x.device)
    let fine = inverse ? out : x
    let (rows, width, channels) = (B * fine.shape[1], fine.shape[2], fine.shape[3])
    k_space_to_depth(out.pointer, x.pointer, rows, width, channels, inverse)
    return out.recorded(from: [x.node]) { dy in
        let dx = Tensor(uninitialized: x.shape, on: x.device)
        k_space_to_depth(dx.pointer, dy.pointer, rows, width, channels, !inverse)
        x.node?.add(dx)
    }
}
