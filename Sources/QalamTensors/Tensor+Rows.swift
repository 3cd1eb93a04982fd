// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels

// Rows picked out of a table and put back; none of this is recorded on the tape. Lists are buffers, so that decoding
// needs no arrays: a generic collection's elements would be read through frames on the heap.
extension Tensor {
    /// Rows `indices` of a table (N,C), one after the other: (indices,C); of a table in which each row stands for
    /// `each` equal ones, if given.
    package func gathered(_ indices: UnsafeBufferPointer<Int>, each: Int = 1) -> Tensor {
        let (rows, C) = rowsAndColumns
        let out = Tensor(uninitialized: TensorShape(rows: indices.count, columns: C), on: device)
        for (i, index) in indices.enumerated() {
            precondition(index >= 0 && index / each < rows, "rows: \(index) of \(rows), each \(each)")
            (out.pointer + i * C).update(from: pointer + index / each * C, count: C)
        }
        return out
    }

    /// Rows `indices` of a table (N,C), one after the other: (indices,C).
    package func gathered(_ indices: [Int]) -> Tensor { indices.withUnsafeBufferPointer { gathered($0) } }

    /// Copies its rows to rows `indices` of `table`.
    package func scatter(to indices: UnsafeBufferPointer<Int>, of table: Tensor) {
        let (rows, C) = rowsAndColumns
        precondition(rows == indices.count && table.shape.last == C, "rows: \(shape) to \(table.shape)")
        for (i, index) in indices.enumerated() {
            precondition(index >= 0 && index < table.rowsAndColumns.rows, "rows: \(index) of \(table.shape)")
            (table.pointer + index * C).update(from: pointer + i * C, count: C)
        }
    }

    /// The weighted sum of every `groups` rows in turn, in their order: (N·groups,C) to (N,C).
    package func combined(weights: UnsafeBufferPointer<Float>, groups: Int) -> Tensor {
        let (rows, C) = rowsAndColumns
        precondition(weights.count == rows && rows % groups == 0, "combine: \(weights.count) weights, \(shape)")
        let out = Tensor(repeating: 0, TensorShape(rows: rows / groups, columns: C), on: device)
        for (row, weight) in weights.enumerated() {
            k_axpy(out.pointer + row / groups * C, weight, pointer + row * C, C)
        }
        return out
    }

    /// The weighted sum of every `groups` rows in turn, in their order: (N·groups,C) to (N,C).
    package func combined(weights: [Float], groups: Int) -> Tensor {
        weights.withUnsafeBufferPointer { combined(weights: $0, groups: groups) }
    }
}
