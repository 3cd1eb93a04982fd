// SPDX-License-Identifier: Apache-2.0
public import QalamTensors

/// Reads every parameter from safetensors files.
public struct Checkpoint: WeightSource {
    private let file: Safetensors
    private let optionalPrefix: String

    /// The weights in `file`; a name that starts with `optionalPrefix` may stand there without it.
    public init(_ file: Safetensors, optionalPrefix: String = "") {
        self.file = file
        self.optionalPrefix = optionalPrefix
    }

    /// Copies the tensor out of the file, converted to float32.
    public func fill(
        _ name: String, shape: [Int], initial: Initial, into destination: UnsafeMutableBufferPointer<Float>
    ) throws(FormatError) {
        guard let (stored, entry) = find(name) else { throw .missing(name) }
        guard entry.shape == shape else { throw .shape(stored, expected: shape, got: entry.shape) }
        try file.copyFloats(stored, into: destination)
    }

    /// A matrix of 16-bit floats where it lies in the mapped file.
    public func stored(_ name: String, shape: [Int]) throws(FormatError) -> QuantizedTensor? {
        guard let (stored, entry) = find(name) else { return nil }
        guard entry.shape == shape else { throw .shape(stored, expected: shape, got: entry.shape) }
        let types: [ElementType: BlockType] = [.bfloat16: .bf16, .float16: .f16]
        return types[entry.type].flatMap { file.blocks(stored, of: $0) }
    }

    private func find(_ name: String) -> (String, Safetensors.Entry)? {
        let short = name.hasPrefix(optionalPrefix) ? String(name.dropFirst(optionalPrefix.count)) : name
        // The last two: the text half of models that see pictures, as two versions of transformers write it.
        for candidate in [name, short, "language_model.\(name)", "model.language_model.\(short)"] {
            if let entry = file.entry(candidate) { return (candidate, entry) }
        }
        return nil
    }
}
