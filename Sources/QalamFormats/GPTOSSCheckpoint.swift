// SPDX-License-Identifier: Apache-2.0
public import QalamTensors

// E: experts   C: hidden size   F: an expert's width

/// Reads gpt-oss's safetensors, whose experts lie together in a layout of their own, as `gate_proj`, `up_proj` and
/// `down_proj` in stacks (E, outputs, inputs).
///
/// Files hold gate and up in alternating rows of `gate_up_proj`, either as floats (E, inputs, outputs) or as MXFP4:
/// `…_blocks` (E, outputs, inputs / 32, 16), whose bytes are pairs of neighbours, and `…_scales` beside them.
public struct GPTOSSCheckpoint: WeightSource {
    private let file: Safetensors
    private let plain: Checkpoint

    /// The weights in `file`; a name that starts with `optionalPrefix` may stand there without it.
    public init(_ file: Safetensors, optionalPrefix: String = "") {
        self.file = file
        plain = Checkpoint(file, optionalPrefix: optionalPrefix)
    }

    /// Copies the tensor out of the file, converted to float32.
    public func fill(
        _ name: String, shape: [Int], initial: Initial, into destination: UnsafeMutableBufferPointer<Float>
    ) throws {
        guard let expert = ExpertTensor(name, leaf: "bias"), shape.count == 2 else {
            return try plain.fill(name, shape: shape, initial: initial, into: destination)
        }
        let source = "\(expert.source)_bias"
        try check(source, [shape[0], shape[1] * expert.stride])
        let values = try file.floats(source)
        for i in destination.indices { destination[i] = values[i * expert.stride + expert.first] }
    }

    /// Experts in memory of their own, everything else where it lies.
    public func stored(_ name: String, shape: [Int]) throws -> QuantizedTensor? {
        guard let expert = ExpertTensor(name, leaf: "weight"), shape.count == 3 else {
            return try plain.stored(name, shape: shape)
        }
        return file.entry("\(expert.source)_blocks") == nil
            ? try transposed(expert, shape) : try repacked(expert, shape)
    }

    private func check(_ name: String, _ shape: [Int]) throws(FormatError) {
        guard let entry = file.entry(name) else { throw .missing(name, in: file.path) }
        guard entry.shape == shape else { throw .shape(name, expected: shape, got: entry.shape) }
    }

    /// Floats (E, inputs, outputs) as (E, outputs, inputs).
    private func transposed(_ expert: ExpertTensor, _ shape: [Int]) throws -> QuantizedTensor? {
        let (E, outputs, inputs) = (shape[0], shape[1], shape[2])
        try check(expert.source, [E, inputs, outputs * expert.stride])
        let types: [ElementType: BlockType] = [.float32: .f32, .bfloat16: .bf16, .float16: .f16]
        guard let entry = file.entry(expert.source), let type = types[entry.type] else { return nil }
        let size = entry.type.size
        let memory = HeapBytes(E * outputs * inputs * size)
        try file.withBytes(of: expert.source) { source in
            for e in 0..<E {
                for input in 0..<inputs {
                    let row = (e * inputs + input) * outputs * expert.stride + expert.first
                    for output in 0..<outputs {
                        let from = (row + output * expert.stride) * size
                        let to = ((e * outputs + output) * inputs + input) * size
                        for byte in 0..<size { memory.bytes[to + byte] = source[from + byte] }
                    }
                }
            }
        }
        return memory.tensor(type, shape)
    }

    /// MXFP4 in the order of GGUF files: the scale before its block, whose low halves are the first 16 numbers.
    private func repacked(_ expert: ExpertTensor, _ shape: [Int]) throws -> QuantizedTensor {
        let (E, outputs, blocks) = (shape[0], shape[1], shape[2] / 32)
        let (blockName, scaleName) = ("\(expert.source)_blocks", "\(expert.source)_scales")
        guard shape[2] % 32 == 0 else {
            throw FormatError.shape(blockName, expected: shape, got: [E, outputs, blocks])
        }
        try check(blockName, [E, outputs * expert.stride, blocks, 16])
        try check(scaleName, [E, outputs * expert.stride, blocks])
        for name in [blockName, scaleName] {
            guard let type = file.entry(name)?.type, type == .uint8 else {
                throw FormatError.elementType(
                    name, supported: ["U8"], got: file.entry(name)?.type.rawValue ?? "nothing")
            }
        }
        let memory = HeapBytes(E * outputs * blocks * 17)
        try file.withBytes(of: blockName) { codes in
            try file.withBytes(of: scaleName) { scales in
                for row in 0..<E * outputs {
                    // Row r of a stack is row r·stride + first of the file, in each expert and so overall.
                    let from = (row * expert.stride + expert.first) * blocks
                    for block in 0..<blocks {
                        let target = (row * blocks + block) * 17
                        memory.bytes[target] = scales[from + block]
                        for i in 0..<16 {
                            // Numbers i and i + 16 come from bytes i/2 and 8 + i/2, low half first.
                            let (low, high) = (
                                codes[(from + block) * 16 + i / 2], codes[(from + block) * 16 + 8 + i / 2]
                            )
                            let shift = UInt8(i % 2 * 4)
                            memory.bytes[target + 1 + i] = (low >> shift & 15) | (high >> shift & 15) << 4
                        }
                    }
                }
            }
        }
        return memory.tensor(.mxfp4, shape)
    }
}

/// Which tensor of the file a stack of experts is in: rows first, first + stride, ….
private struct ExpertTensor {
    let source: String
    let first: Int
    let stride: Int

    /// nil for names of other tensors.
    init?(_ name: String, leaf: String) {
        for (projection, source, first, stride) in [
            ("gate_proj", "gate_up_proj", 0, 2), ("up_proj", "gate_up_proj", 1, 2), ("down_proj", "down_proj", 0, 1),
        ] where name.hasSuffix(".experts.\(projection).\(leaf)") {
            self.source = name.dropLast(projection.count + leaf.count + 1) + source
            (self.first, self.stride) = (first, stride)
            return
        }
        return nil
    }
}
