// SPDX-License-Identifier: Apache-2.0
package import QalamFormats
package import QalamTensors

/// How the numbers of one tensor go from one file into another of a different type or layout, a run of rows at a time.
package struct MatrixRows {
    /// Numbers decoded at once.
    private static let runLength = 1 << 18

    private let shape: [Int]
    private let type: BlockType
    /// Row r of what is written is row `order[r]` of what is read.
    package var order: [Int32]?
    /// Whether (rows, columns) is read and (columns, rows) written.
    package var isTransposed = false
    /// What is added to each number.
    package var offset: Float = 0

    /// Numbers of `type` in rows of the last axis of `shape`, to be written as they are.
    package init(shape: [Int], type: BlockType) {
        self.shape = shape
        self.type = type
    }

    /// Writes the tensor in `bytes` as `target`.
    package func write(_ bytes: UnsafeRawBufferPointer, as target: BlockType, to writer: inout FileWriter) throws {
        if type == target, order == nil, !isTransposed, offset == 0 { return try writer.write(bytes) }
        let count = shape.reduce(1, *)
        guard count > 0 else { return }
        if isTransposed {
            let numbers = transposed(bytes, count)
            return try numbers.withUnsafeBufferPointer { try send($0, columns: shape[0], as: target, to: &writer) }
        }
        // A permuted vector is a column: each number is a row.
        let columns = order != nil && shape.count == 1 ? 1 : shape.last ?? 1
        let rowSize = bytes.count / (count / columns)
        let rowsAtOnce = max(1, Self.runLength / columns)
        var numbers = [Float](repeating: 0, count: min(rowsAtOnce * columns, count))
        for start in stride(from: 0, to: count / columns, by: rowsAtOnce) {
            let run = start..<min(start + rowsAtOnce, count / columns)
            try numbers.withUnsafeMutableBufferPointer { all in
                let piece = UnsafeMutableBufferPointer(rebasing: all[..<(run.count * columns)])
                decode(run, of: bytes, rowSize, into: piece)
                if offset != 0 {
                    for index in piece.indices { piece[index] += offset }
                }
                try send(UnsafeBufferPointer(piece), columns: columns, as: target, to: &writer)
            }
        }
    }

    private func decode(
        _ run: Range<Int>, of bytes: UnsafeRawBufferPointer, _ rowSize: Int,
        into target: UnsafeMutableBufferPointer<Float>
    ) {
        func source(_ rows: Range<Int>) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(rebasing: bytes[rows.lowerBound * rowSize..<rows.upperBound * rowSize])
        }
        guard let order else { return decodeBlocks(type, source(run), into: target) }
        let columns = target.count / run.count
        for (index, row) in run.enumerated() {
            let place = Int(order[row])
            decodeBlocks(
                type, source(place..<place + 1),
                into: UnsafeMutableBufferPointer(rebasing: target[index * columns..<(index + 1) * columns]))
        }
    }

    private func transposed(_ bytes: UnsafeRawBufferPointer, _ count: Int) -> [Float] {
        var numbers = [Float](repeating: 0, count: count)
        numbers.withUnsafeMutableBufferPointer { decodeBlocks(type, bytes, into: $0) }
        var result = [Float](repeating: 0, count: count)
        let (rows, columns) = (shape[0], shape[1])
        for row in 0..<rows {
            for column in 0..<columns { result[column * rows + row] = numbers[row * columns + column] }
        }
        return result
    }

    /// Encodes whole rows, a run at a time.
    private func send(
        _ numbers: UnsafeBufferPointer<Float>, columns: Int, as target: BlockType, to writer: inout FileWriter
    ) throws {
        let length = max(1, Self.runLength / columns) * columns
        for start in stride(from: 0, to: numbers.count, by: length) {
            let piece = UnsafeBufferPointer(rebasing: numbers[start..<min(start + length, numbers.count)])
            guard let size = target.byteCount(numbers: piece.count) else {
                preconditionFailure("\(piece.count) numbers are no whole blocks of \(target.name)")
            }
            var bytes = [UInt8](repeating: 0, count: size)
            bytes.withUnsafeMutableBytes { encodeBlocks(target, piece, into: $0) }
            try writer.write(bytes)
        }
    }
}
