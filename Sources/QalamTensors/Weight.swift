// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels

/// What a projection multiplies by: dense float32, which can be trained, or blocks as files hold them.
public struct Weight {
    private enum Numbers {
        case dense(Tensor)
        case blocks([QuantizedTensor])
    }

    private let numbers: Numbers
    /// Outputs.
    public let rows: Int
    /// Inputs.
    public let columns: Int

    /// A dense matrix (rows, columns).
    public init(_ tensor: Tensor) {
        (rows, columns) = (tensor.shape[0], tensor.shape[1])
        numbers = .dense(tensor)
    }

    /// Matrices of the same columns, their outputs behind one another; each may be of another type.
    public init(_ pieces: [QuantizedTensor]) {
        precondition(!pieces.isEmpty && pieces.allSatisfy { $0.columns == pieces[0].columns }, "weight: \(pieces)")
        rows = pieces.reduce(0) { $0 + $1.rows }
        columns = pieces[0].columns
        numbers = .blocks(pieces)
    }

    /// The dense matrix, if it is one.
    public var dense: Tensor? { if case .dense(let tensor) = numbers { tensor } else { nil } }

    /// The types of its blocks; F32 for a dense matrix.
    public var types: [BlockType] {
        switch numbers {
        case .dense: [.f32]
        case .blocks(let pieces): pieces.map(\.type)
        }
    }

    /// Blocks reordered for products; see `QuantizedTensor.packed`.
    package func packed() -> Weight {
        switch numbers {
        case .dense: self
        case .blocks(let pieces): Weight(pieces.map { $0.packed() })
        }
    }

    /// y (…,rows) = x (…,columns) · weightᵀ + bias (rows).
    ///
    /// With blocks nothing is recorded on the tape: only dense weights can be trained.
    func product(_ x: Tensor, bias: Tensor?) -> Tensor {
        switch numbers {
        case .dense(let tensor): return linear(x, tensor, bias: bias)
        case .blocks(let pieces):
            precondition(x.node == nil, "linear: blocks have no gradient")
            let y = Tensor(uninitialized: x.shape.ending(in: rows), on: x.device)
            multiply(x, pieces, bias: bias, into: y)
            return y
        }
    }

    private func multiply(_ x: Tensor, _ pieces: [QuantizedTensor], bias: Tensor?, into y: Tensor) {
        let m = x.rowsAndColumns.rows
        withUnsafeTemporaryAllocation(of: k_weight.self, capacity: pieces.count) { weights in
            var first = 0
            for (i, piece) in pieces.enumerated() {
                weights.initializeElement(
                    at: i, to: piece.kernelWeight(bias: bias.map { UnsafePointer($0.pointer + first) }))
                first += piece.rows
            }
            guard let start = weights.baseAddress else { return }
            var arguments = k_linear_args(
                m: m, x: x.pointer, ldx: columns, weights: start, count: pieces.count, y: y.pointer, ldy: rows)
            k_linear(&arguments)
        }
        withExtendedLifetime(pieces) {}  // the kernel has only addresses
    }

    /// Rows `ids` as floats: (ids, columns).
    func rows(_ ids: [Int32]) -> Tensor {
        switch numbers {
        case .dense(let tensor): return embedding(ids, tensor)
        case .blocks(let pieces):
            precondition(pieces.count == 1, "embedding: a table in \(pieces.count) pieces")
            let out = Tensor(uninitialized: [ids.count, columns])
            pieces[0].decodeRows(ids, into: out.pointer)
            return out
        }
    }
}

/// y (…,N) = x (…,K) · weight (N,K)ᵀ + bias (N).
///
/// - Complexity: 2·rows·N·K operations.
public func linear(_ x: Tensor, _ weight: Weight, bias: Tensor? = nil) -> Tensor {
    precondition(x.shape.last == weight.columns, "linear: \(x.shape) by (\(weight.rows), \(weight.columns))")
    return weight.product(x, bias: bias)
}

/// Rows `ids` of a table (V,C): (ids,C).
///
/// The ids must lie in 0..<V: whoever takes ids from outside checks them first.
public func embedding(_ ids: [Int32], _ table: Weight) -> Tensor { table.rows(ids) }
