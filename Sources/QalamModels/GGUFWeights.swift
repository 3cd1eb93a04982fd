// SPDX-License-Identifier: Apache-2.0
package import QalamFormats
package import QalamTensors

/// The weights of a GGUF file under the names and in the layouts of Hugging Face, by `GGUFNames`.
package struct GGUFWeights: WeightSource, Sendable {
    /// A matrix as it lies in the file, for products that read it there or repack it.
    package struct StoredMatrix: Sendable {
        /// The type of its numbers.
        package let type: BlockType
        /// (rows, columns), or (experts, rows, columns): (out, in) whatever files of Hugging Face have.
        package let shape: [Int]
        /// The mapped file; it keeps the bytes alive.
        package let file: MappedFile
        /// Where in the file it is, row by row.
        package let bytes: Range<Int>
        /// Row r of the matrix is row `rowOrder[r]` in the file; nil where that is r itself.
        package let rowOrder: [Int32]?
    }

    /// The file.
    package let file: GGUF
    /// The table.
    package let names: GGUFNames
    /// What activations become in products with its matrices.
    let activations: ActivationPrecision
    private let heads: [Int]
    private let kvHeads: [Int]

    /// The weights in `file`.
    ///
    /// - Throws: `FormatError` if its architecture is not in the table or its numbers of heads make no sense.
    package init(_ file: GGUF, activations: ActivationPrecision = .accurate) throws {
        let architecture = try file.metadata.string("general.architecture")
        guard let names = GGUFNames(architecture: architecture) else {
            throw ModelError.unsupportedArchitecture(architecture)
        }
        self.file = file
        self.names = names
        self.activations = activations
        heads = try file.metadata.ints("\(architecture).attention.head_count")
        let keyHeads = try file.metadata.ints("\(architecture).attention.head_count_kv")
        kvHeads = keyHeads.isEmpty ? heads : keyHeads
        guard (heads + kvHeads).allSatisfy({ (1...1 << 20).contains($0) }) else {
            throw file.metadata.error("\(architecture).attention.head_count", "expected integers of 1 to 1048576")
        }
    }

    /// Whether the file has the tensor `name`.
    package func has(_ name: String) -> Bool { names.place(of: name).flatMap(find) != nil }

    /// Decodes the tensor into floats, laid out as in files of Hugging Face.
    package func fill(
        _ name: String, shape: [Int], initial: Initial, into destination: UnsafeMutableBufferPointer<Float>
    ) throws {
        let isTransposed = names.place(of: name)?.form == .transposed
        let matrix = try matrix(name, shape: isTransposed ? shape.reversed() : shape)
        precondition(destination.count == shape.reduce(1, *), "\(name): \(destination.count) numbers for \(shape)")
        if isTransposed {
            let values = [Float](unsafeUninitializedCapacity: destination.count) { numbers, count in
                matrix.decode(into: UnsafeMutableBufferPointer(rebasing: numbers[..<destination.count]))
                count = destination.count
            }
            let (rows, columns) = (matrix.shape[0], matrix.shape[1])
            for row in 0..<rows {
                for column in 0..<columns { destination[column * rows + row] = values[row * columns + column] }
            }
        } else {
            matrix.decode(into: destination)
        }
        if names.place(of: name)?.form == .plusOne {
            for index in destination.indices { destination[index] -= 1 }
        }
    }

    /// The tensor `name` in the file: (out, in) for a matrix, (out) for a bias.
    ///
    /// Of norms that the file has with 1 added (Gemma's), these are those sums; `fill` takes the 1 away.
    /// - Throws: `FormatError` that names the tensor if it is missing or has another shape.
    package func matrix(_ name: String, shape: [Int]) throws -> StoredMatrix {
        guard let place = names.place(of: name), let (tensor, part) = find(place) else {
            throw FormatError.missing(name, in: file.path)
        }
        var found = tensor.shape
        if place.expert != nil, !found.isEmpty { found.removeFirst() }
        let (mapped, bytes) = file.mapped(tensor)
        var range = bytes
        if let expert = place.expert {
            let count = tensor.shape.first ?? 0
            guard expert < count else { throw FormatError.missing(name, in: file.path) }
            let size = bytes.count / count
            range = bytes.lowerBound + expert * size..<bytes.lowerBound + (expert + 1) * size
        } else if let part, let rows = shape.first, let total = found.first, let first = part.start(rows, of: total) {
            let rowSize = bytes.count / total
            range = bytes.lowerBound + first * rowSize..<bytes.lowerBound + (first + rows) * rowSize
            found[0] = rows
        }
        // ggml drops outer dimensions of 1.
        guard found.drop(while: { $0 == 1 }) == shape.drop(while: { $0 == 1 }),
            tensor.type.byteCount(numbers: shape.reduce(1, *)) == range.count
        else {
            throw FormatError.shape("\(name) (\(place.name))", expected: shape, got: found)
        }
        return StoredMatrix(
            type: tensor.type, shape: shape, file: mapped, bytes: range,
            rowOrder: try rowOrder(place, name, shape, tensor.type))
    }

    /// The tensor at `place`, or the one of queries, keys and values that it is a part of.
    private func find(_ place: GGUFNames.Place) -> (tensor: GGUF.Tensor, part: FusedPart?)? {
        if let tensor = file.tensor(named: place.name) { return (tensor, nil) }
        for part in FusedPart.allCases where place.name.contains(".attn_\(part.rawValue).") {
            let fused = place.name.replacing(".attn_\(part.rawValue).", with: ".attn_qkv.")
            return file.tensor(named: fused).map { ($0, part) }
        }
        return nil
    }

    private func rowOrder(
        _ place: GGUFNames.Place, _ name: String, _ shape: [Int], _ type: BlockType
    ) throws -> [Int32]? {
        let counts: [Int]
        let rows = shape.first ?? 1
        switch place.form {
        case .queryPairs: counts = heads
        case .keyPairs: counts = kvHeads
        default: return nil
        }
        let layer = place.name.split(separator: ".").dropFirst().first.flatMap { Int($0) } ?? 0
        guard let count = counts.count == 1 ? counts[0] : counts.dropFirst(layer).first, rows % (2 * count) == 0,
            shape.count == 2 || shape.count == 1 && !type.isQuantized
        else {
            throw FormatError.shape(name, expected: counts, got: shape)
        }
        return rotaryRowOrder(rows: rows, heads: count)
    }
}

/// A projection that some files have in one tensor with two others.
private enum FusedPart: String, CaseIterable {
    case queries = "q"
    case keys = "k"
    case values = "v"

    /// The first of its `rows` rows among `total`; nil if they don't fit.
    func start(_ rows: Int, of total: Int) -> Int? {
        let start =
            switch self {
            case .queries: 0
            case .keys: total - 2 * rows
            case .values: total - rows
            }
        return start >= 0 && rows <= total && rows > 0 ? start : nil
    }
}

/// Where the rows of a projection that is rotated by halves are in a file that keeps the two rows of a pair together.
///
/// In each head of D rows, row s·D/2 + i (s = 0 or 1) is row 2i + s of the file. The inverse is `fileRowOrder`.
package func rotaryRowOrder(rows: Int, heads: Int) -> [Int32] {
    let size = rows / heads
    return (0..<rows).map { row in
        let (head, inHead) = row.quotientAndRemainder(dividingBy: size)
        let (half, pair) = inHead.quotientAndRemainder(dividingBy: size / 2)
        return Int32(head * size + 2 * pair + half)
    }
}

/// The other way: which row of Hugging Face's layout each row of a GGUF file is.
package func fileRowOrder(rows: Int, heads: Int) -> [Int32] {
    var order = [Int32](repeating: 0, count: rows)
    for (row, place) in rotaryRowOrder(rows: rows, heads: heads).enumerated() { order[Int(place)] = Int32(row) }
    return order
}

extension GGUFWeights.StoredMatrix {
    /// Decodes all numbers, row by row in its own order.
    package func decode(into target: UnsafeMutableBufferPointer<Float>) {
        defer { withExtendedLifetime(file) {} }
        let source = UnsafeRawBufferPointer(rebasing: file.buffer[bytes])
        guard let rowOrder, !rowOrder.isEmpty else { return decodeBlocks(type, source, into: target) }
        let (width, size) = (target.count / rowOrder.count, source.count / rowOrder.count)
        for (row, place) in rowOrder.enumerated() {
            decodeBlocks(
                type, UnsafeRawBufferPointer(rebasing: source[Int(place) * size..<(Int(place) + 1) * size]),
                into: UnsafeMutableBufferPointer(rebasing: target[row * width..<(row + 1) * width]))
        }
    }
}
