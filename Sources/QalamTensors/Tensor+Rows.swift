// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels

// Rows picked out of a table and put back; none of this is recorded on the tape.
extension Tensor {
    /// Rows `indices` of a table (N,C), one after the other: (indices,C).
    package func gathered(_ indices: [Int]) -> Tensor {
        let (rows, C) = rowsAndColumns
        let out = Tensor(uninitialized: [indices.count, C], on: device)
        for (i, index) in indices.enumerated() {
            precondition(index >= 0 && index < rows, "rows: \(index) of \(rows)")
            (out.pointer + i * C).update(from: pointer + index * C, count: C)
        }
        return out
    }

    /// Copies its rows to rows `indices` of `table`.
    package func scatter(to indices: [Int], of table: Tensor) {
        let (rows, C) = rowsAndColumns
        precondition(rows == indices.count && table.shape.last == C, "rows: \(shape) to \(table.shape)")
        for (i, index) in indices.enumerated() {
            precondition(index >= 0 && index < table.rowsAndColumns.rows, "rows: \(index) of \(table.shape)")
            (table.pointer + index * C).update(from: pointer + i * C, count: C)
        }
    }

    /// The weighted sum of every `groups` rows in turn, in their order: (N·groups,C) to (N,C).
    package func combined(weights: [Float], groups: Int) -> Tensor {
        let (rows, C) = rowsAndColumns
        precondition(weights.count == rows && rows % groups == 0, "combine: \(weights.count) weights, \(shape)")
        let out = Tensor(repeating: 0, [rows / groups, C], on: device)
        for row in 0..<rows { k_axpy(out.pointer + row / groups * C, weights[row], pointer + row * C, C) }
        return out
    }
}
