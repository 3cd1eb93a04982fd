// SPDX-License-Identifier: Apache-2.0
package import Foundation
package import QalamFormats
internal import QalamTensors
internal import QalamTokenizers

/// A GGUF file, to be written as a model folder that `transformers` opens.
package struct GGUFImport {
    /// A tensor of the folder.
    private struct Item {
        let name: String
        let shape: [Int]
        /// gpt-oss's experts lie otherwise than others'.
        var experts: GPTOSSTensor?
    }

    private let weights: GGUFWeights
    private let config: GGUFConfig
    private let items: [Item]

    /// Opens the file and finds the name of each of its tensors at Hugging Face.
    package init(_ file: GGUF) throws {
        weights = try GGUFWeights(file)
        config = try GGUFConfig(architecture: weights.names.architecture)
        // `config.json` says what these say.
        let implied: Set = ["rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"]
        items = try file.tensors.filter { !implied.contains($0.name) }.flatMap { [weights] tensor in
            try Self.items(tensor, weights)
        }
    }

    /// The type of the largest tensor if the folder can have it, and BF16 for those with blocks.
    package var ownType: ElementType {
        switch weights.file.tensors.max(by: { $0.bytes.count < $1.bytes.count })?.type {
        case .f32: .float32
        case .f16: .float16
        default: .bfloat16
        }
    }

    /// What `config.json` and blocks call a type that can be written.
    private static func written(_ type: ElementType) -> (name: String, type: BlockType) {
        switch type {
        case .float32: ("float32", .f32)
        case .float16: ("float16", .f16)
        case .bfloat16: ("bfloat16", .bf16)
        default: preconditionFailure("\(type.rawValue) can't be written here")
        }
    }

    /// Writes the folder: weights as `type` (F32, F16 or BF16; norms too), config, tokenizer and chat template.
    ///
    /// - Parameters:
    ///   - url: the folder; an existing one keeps its other files
    ///   - type: the type of all numbers
    ///   - progress: told the tensors written and those in all
    /// - Throws: `FormatError`, `TokenizerError` or `ModelError` that name what can't be read, written or converted.
    package func write(
        to url: URL, type: ElementType, progress: @escaping (Int, Int) -> Void = { _, _ in }
    ) throws {
        let json = try config.json(weights.file, dtype: Self.written(type).name)
        let metadata = weights.file.metadata
        let tokenizer = try Tokenizer(gguf: metadata)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        var done = 0
        let tensors = items.map { item in
            TensorToWrite(item.name, shape: item.shape, type: type) { writer in
                try write(item, as: type, to: &writer)
                done += 1
                progress(done, items.count)
            }
        }
        try Safetensors.write(tensors, metadata: ["format": "pt"], to: url.appending(path: Safetensors.fileName))
        try tokenizer.write(to: url)
        try writeJSON(
            settings(tokenizer, contextLength: json["max_position_embeddings"] ?? json["n_positions"]),
            to: url.appending(path: "tokenizer_config.json"))
        try writeAtomically(Array("\(jsonText(json))\n".utf8), to: url.appending(path: "config.json"))
    }

    /// The keys of `tokenizer_config.json`.
    private func settings(_ tokenizer: Tokenizer, contextLength: Any?) throws -> [String: Any] {
        let metadata = weights.file.metadata
        var settings: [String: Any] = ["tokenizer_class": "PreTrainedTokenizerFast"]
        settings["model_max_length"] = contextLength
        settings["chat_template"] = try metadata.optionalString(chatTemplateKey)
        for (key, id) in [
            ("bos_token", "bos_token_id"), ("eos_token", "eos_token_id"), ("pad_token", "padding_token_id"),
        ] {
            guard let number = try metadata.optionalInt("tokenizer.ggml.\(id)"), let id = TokenID(exactly: number)
            else {
                continue
            }
            settings[key] = tokenizer.bytes(of: id).map { String(decoding: $0, as: UTF8.self) }
        }
        for key in ["add_bos_token", "add_eos_token"] where metadata.has("tokenizer.ggml.\(key)") {
            settings[key] = try metadata.bool("tokenizer.ggml.\(key)")
        }
        return settings
    }

    private static func items(_ tensor: GGUF.Tensor, _ weights: GGUFWeights) throws -> [Item] {
        let names = weights.names
        if names.architecture == "gpt-oss", GGUFNames.isStacked(tensor.name) {
            guard let name = names.name(of: tensor.name) else { throw unknown(tensor, weights) }
            let experts = GPTOSSTensor(name, shape: tensor.shape)
            return experts.map { [Item(name: $0.name, shape: $0.shape, experts: $0)] } ?? []
        }
        if GGUFNames.isStacked(tensor.name), let experts = tensor.shape.first {
            return try (0..<experts).map { expert in
                guard let name = names.name(of: tensor.name, expert: expert) else {
                    throw unknown(tensor, weights)
                }
                return Item(name: name, shape: Array(tensor.shape.dropFirst()))
            }
        }
        guard let name = names.name(of: tensor.name), let place = names.place(of: name),
            place.form != .transposed || tensor.shape.count == 2
        else {
            throw unknown(tensor, weights)
        }
        return [Item(name: name, shape: place.form == .transposed ? tensor.shape.reversed() : tensor.shape)]
    }

    private static func unknown(_ tensor: GGUF.Tensor, _ weights: GGUFWeights) -> ModelError {
        .mismatch(
            "\(weights.file.path): \(tensor.name): a \(weights.names.architecture) model at Hugging Face has no place "
                + "for this tensor.")
    }

    private func write(_ item: Item, as type: ElementType, to writer: inout FileWriter) throws {
        if let experts = item.experts {
            return try experts.write(weights, as: Self.written(type).type, to: &writer)
        }
        guard let place = weights.names.place(of: item.name) else { throw FormatError.missing(item.name) }
        let shape = place.form == .transposed ? item.shape.reversed() : item.shape
        let matrix = try weights.matrix(item.name, shape: shape)
        var rows = MatrixRows(shape: shape, type: matrix.type)
        rows.order = matrix.rowOrder
        rows.isTransposed = place.form == .transposed
        rows.offset = place.form == .plusOne ? -1 : 0
        defer { withExtendedLifetime(matrix.file) {} }
        try rows.write(
            UnsafeRawBufferPointer(rebasing: matrix.file.buffer[matrix.bytes]), as: Self.written(type).type, to: &writer
        )
    }
}

/// `value` as JSON, keys sorted.
///
/// Numbers that are no integers keep their point (`30.0`), as `transformers` checks types, and those that JSON lacks
/// become null.
private func jsonText(_ value: Any) -> String {
    switch value {
    case let truth as Bool: return "\(truth)"
    case let number as Int: return "\(number)"
    case let number as Double: return number.isFinite ? "\(number)" : "null"
    case let text as String: return jsonString(text)
    case let list as [Any]: return "[\(list.map(jsonText).joined(separator: ", "))]"
    case let object as [String: Any]:
        let members = object.sorted { $0.key < $1.key }.map { "\(jsonString($0.key)): \(jsonText($0.value))" }
        return "{\n\(members.joined(separator: ",\n"))\n}"
    default: return "null"
    }
}
