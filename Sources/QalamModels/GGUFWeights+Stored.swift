// SPDX-License-Identifier: Apache-2.0
internal import QalamFormats
package import QalamTensors

extension GGUFWeights {
    /// A matrix of blocks or 16-bit floats where it lies in the file.
    ///
    /// Its rows are copied into another order where the file's differs; matrices of float32 are read as numbers.
    package func stored(_ name: String, shape: [Int]) throws -> QuantizedTensor? {
        var matrix = try blocks(name, shape: shape)
        matrix?.activations = activations
        return matrix
    }

    private func blocks(_ name: String, shape: [Int]) throws -> QuantizedTensor? {
        guard has(name) else { return nil }
        let matrix = try matrix(name, shape: shape)
        guard matrix.type != .f32, shape.count >= 2 else { return nil }
        let bytes = UnsafeRawBufferPointer(rebasing: matrix.file.buffer[matrix.bytes])
        guard let order = matrix.rowOrder else {
            return QuantizedTensor(type: matrix.type, shape: shape, bytes: bytes, owner: matrix.file, isFile: true)
        }
        let memory = HeapBytes(bytes.count)
        let size = bytes.count / order.count
        for (row, place) in order.enumerated() {
            let source = UnsafeRawBufferPointer(rebasing: bytes[Int(place) * size..<(Int(place) + 1) * size])
            UnsafeMutableRawBufferPointer(rebasing: memory.bytes[row * size..<(row + 1) * size]).copyMemory(
                from: source)
        }
        return memory.tensor(matrix.type, shape)
    }
}

/// A source whose names lack the root that a model asks with.
struct RootlessWeights: WeightSource {
    private let source: any WeightSource
    private let root: String

    init(_ source: any WeightSource, root: String) {
        self.source = source
        self.root = root + "."
    }

    func fill(
        _ name: String, shape: [Int], initial: Initial, into destination: UnsafeMutableBufferPointer<Float>
    ) throws {
        try source.fill(bare(name), shape: shape, initial: initial, into: destination)
    }

    func stored(_ name: String, shape: [Int]) throws -> QuantizedTensor? { try source.stored(bare(name), shape: shape) }

    private func bare(_ name: String) -> String { name.hasPrefix(root) ? String(name.dropFirst(root.count)) : name }
}
