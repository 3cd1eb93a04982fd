// SPDX-License-Identifier: Apache-2.0
internal import QalamFormats
internal import QalamTensors

// E: experts   C: hidden size   F: an expert's width

/// One of the stacks (E, outputs, inputs) of weights or (E, outputs) of biases that gpt-oss's experts are in a GGUF
/// file, read from a folder of Hugging Face, where they lie in another order: see `GPTOSSCheckpoint`.
struct GPTOSSStack {
    /// As `GPTOSSCheckpoint` calls it: `….experts.gate_proj.weight`.
    let name: String
    /// The folder's tensor that it is in.
    private let source: String

    /// The stacks whose numbers are in a folder's tensor, none for scales, which come with their blocks; nil for a
    /// tensor of anything else.
    static func stacks(in tensor: String) -> [GPTOSSStack]? {
        for (projections, source) in [(["gate_proj", "up_proj"], "gate_up_proj"), (["down_proj"], "down_proj")] {
            guard let range = tensor.firstRange(of: ".mlp.experts.\(source)") else { continue }
            let kind = tensor[range.upperBound...], leaf = kind == "_bias" ? "bias" : "weight"
            guard ["", "_blocks", "_bias", "_scales"].contains(kind) else { return nil }
            guard kind != "_scales" else { return [] }
            return projections.map {
                GPTOSSStack(name: "\(tensor[..<range.lowerBound]).mlp.experts.\($0).\(leaf)", source: tensor)
            }
        }
        return nil
    }

    /// Its shape, by what the config says.
    func shape(_ j: JSONReader) throws -> [Int] {
        let (E, C, F) = (
            try j.positive("num_local_experts"), try j.positive("hidden_size"), try j.positive("intermediate_size")
        )
        let isDown = name.contains(".down_proj.")
        return name.hasSuffix(".bias") ? [E, isDown ? C : F] : isDown ? [E, C, F] : [E, F, C]
    }

    /// What its numbers are read as.
    func type(_ file: Safetensors) -> BlockType {
        if source.hasSuffix("_blocks") { return .mxfp4 }
        if source.hasSuffix("_bias") { return .f32 }
        return file.entry(source).flatMap { GGUFExport.readable[$0.type] } ?? .f32
    }

    /// Its numbers.
    func read(_ file: Safetensors, shape: [Int]) throws -> QuantizedTensor {
        let checkpoint = GPTOSSCheckpoint(file, optionalPrefix: "model.")
        if shape.count == 3 {
            if let stored = try checkpoint.stored(name, shape: shape) { return stored }
            throw FormatError.elementType(
                source, supported: ["F32", "F16", "BF16", "MXFP4"], got: file.entry(source)?.type.rawValue ?? "nothing")
        }
        // Before memory is asked for by what the config says.
        let expected = [shape[0], shape[1] * (name.contains(".down_proj.") ? 1 : 2)]
        guard let found = file.entry(source)?.shape, found == expected else {
            throw FormatError.shape(source, expected: expected, got: file.entry(source)?.shape ?? [])
        }
        let memory = HeapBytes(shape[0] * shape[1] * MemoryLayout<Float>.stride)
        let floats = UnsafeMutableRawBufferPointer(memory.bytes).bindMemory(to: Float.self)
        try checkpoint.fill(name, shape: shape, initial: .zeros, into: floats)
        return memory.tensor(.f32, shape)
    }
}

/// A tensor of gpt-oss's experts in a folder of Hugging Face, gathered from the stacks of a GGUF file: weights
/// (E, inputs, outputs) and biases (E, outputs), those of gate and up alternating.
struct GPTOSSTensor {
    /// Its name in the folder.
    let name: String
    let shape: [Int]
    /// What the parts of an expert are called at Hugging Face, but for its number at `#`; their outputs alternate.
    private let parts: [String]

    /// That which begins with the numbers of the stack that Hugging Face calls `stack`; nil for `up_proj`, which comes
    /// after `gate_proj`.
    init?(_ stack: String, shape: [Int]) {
        let isBias = stack.hasSuffix(".bias")
        guard let range = stack.firstRange(of: ".experts."), shape.count == (isBias ? 2 : 3) else { return nil }
        let (stem, leaf) = (stack[..<range.upperBound], isBias ? "bias" : "weight")
        let isDown = stack[range.upperBound...].hasPrefix("down_proj")
        guard isDown || stack[range.upperBound...].hasPrefix("gate_proj") else { return nil }
        parts = (isDown ? ["down_proj"] : ["gate_proj", "up_proj"]).map { "\(stem)#.\($0).\(leaf)" }
        name = "\(stem)\(isDown ? "down_proj" : "gate_up_proj")\(isBias ? "_bias" : "")"
        let outputs = shape[1] * parts.count
        self.shape = isBias ? [shape[0], outputs] : [shape[0], shape[2], outputs]
    }

    /// Writes it as `type`, an expert at a time.
    func write(_ weights: GGUFWeights, as type: BlockType, to writer: inout FileWriter) throws {
        let inputs = shape.count == 3 ? shape[1] : 1, width = shape[shape.count - 1]
        let outputs = width / parts.count
        var part = [Float](repeating: 0, count: outputs * inputs)
        var numbers = [Float](repeating: 0, count: inputs * width)
        for expert in 0..<shape[0] {
            for (first, name) in parts.enumerated() {
                try part.withUnsafeMutableBufferPointer {
                    let shape = shape.count == 3 ? [outputs, inputs] : [outputs]
                    try weights.fill(name.replacing("#", with: "\(expert)"), shape: shape, initial: .zeros, into: $0)
                }
                for output in 0..<outputs {
                    for input in 0..<inputs {
                        numbers[input * width + output * parts.count + first] = part[output * inputs + input]
                    }
                }
            }
            let rows = MatrixRows(shape: [inputs, width], type: .f32)
            try numbers.withUnsafeBytes { try rows.write($0, as: type, to: &writer) }
        }
    }
}
