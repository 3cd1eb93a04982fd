// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels

/// Rows `ids` of a table (V,C): (ids,C).
///
/// The ids must lie in 0..<V: whoever takes ids from outside checks them first.
public func embedding(_ ids: [Int32], _ table: Tensor) -> Tensor {
    let (V, C) = table.rowsAndColumns
    precondition(ids.allSatisfy { $0 >= 0 && $0 < V }, "embedding: an id outside 0..<\(V)")
    let out = Tensor(uninitialized: [ids.count, C], on: table.device)
    k_embedding(out.pointer, table.pointer, ids, ids.count, C)
    guard table.node != nil else { return out }
    return out.recorded(from: [table.node]) { dy in
        table.node?.accumulate { into, accumulate in
            if !accumulate { k_fill(into, 0, V * C) }
            k_embedding_backward(into, dy.pointer, ids, ids.count, C)
        }
    }
}
