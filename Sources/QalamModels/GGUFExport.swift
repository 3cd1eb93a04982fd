// SPDX-License-Identifier: Apache-2.0
package import Foundation
internal import QalamFormats
package import QalamTensors
internal import QalamTokenizers

/// A model folder of Hugging Face, to be written as a GGUF file that llama.cpp opens.
package struct GGUFExport {
    /// A tensor to write, gathered from one or, for stacked experts, several of the folder's.
    private struct Item {
        let name: String
        let form: GGUFNames.Form
        /// Names in the folder, in the order of experts.
        var sources: [String] = []
        /// gpt-oss's experts, instead of sources.
        var stack: GPTOSSStack?
    }

    /// The types that can be written.
    package static let types: [BlockType] = [.f32, .f16, .bf16, .q8_0]

    static let readable: [ElementType: BlockType] = [.float32: .f32, .float16: .f16, .bfloat16: .bf16]

    private let url: URL
    private let json: JSONReader
    private let config: GGUFConfig
    private let weights: Safetensors
    private let items: [Item]

    /// Opens the folder at `url` and finds a place for each of its tensors.
    ///
    /// - Throws: `ModelError` for an architecture or a tensor that GGUF has no place for; `FormatError` for damaged
    ///   files.
    package init(_ url: URL) throws {
        self.url = url
        json = try JSONReader(contentsOf: url.appending(path: "config.json"))
        config = try GGUFConfig(modelType: json.string("model_type"))
        weights = try Safetensors(url)
        guard let names = GGUFNames(architecture: config.architecture) else {
            throw ModelError.unsupportedArchitecture(config.architecture)
        }
        // The defaults of `transformers`.
        let tied: Set = ["gpt2", "gemma2", "gemma3", "smollm3"]
        let isTied = try json.bool("tie_word_embeddings", default: tied.contains(config.architecture))
        items = try Self.items(weights, names, skipsHead: isTied)
    }

    /// The type of the largest tensor of floats: that of the folder's matrices.
    package var ownType: BlockType {
        let numbers = weights.tensors.filter { Self.readable[$0.value.type] != nil }
        let largest = numbers.max { ($0.value.bytes.count, $0.key) < ($1.value.bytes.count, $1.key) }
        return largest.flatMap { Self.readable[$0.value.type] } ?? .f16
    }

    /// Writes the model, matrices as `type`; norms, biases and routers stay float32, experts in MXFP4 what they are.
    ///
    /// - Parameters:
    ///   - output: where; with `splitSize`, the name that parts are named after
    ///   - type: one of `types`; rows that are no whole number of blocks become F16
    ///   - splitSize: the most bytes of numbers in one file
    ///   - progress: told the tensors written and those in all
    /// - Returns: the files written.
    /// - Throws: `FormatError` or `ModelError` that name what can't be read, written or converted.
    package func write(
        to output: URL, type: BlockType, splitSize: Int = .max, progress: @escaping (Int, Int) -> Void = { _, _ in }
    ) throws -> [URL] {
        precondition(Self.types.contains(type), "\(type.name) can't be written here")
        var tensors = try config.divisors(json).map { name, values in
            GGUF.TensorToWrite(name, shape: [values.count], type: .f32) { writer in
                try values.withUnsafeBytes { try writer.write($0) }
            }
        }
        let total = tensors.count + items.count
        for item in items {
            let number = tensors.count + 1
            let (shape, sourceType) = try self.shape(item)
            let target = sourceType == .mxfp4 ? .mxfp4 : Self.storedType(item.name, shape, type)
            tensors.append(
                GGUF.TensorToWrite(item.name, shape: shape, type: target) { writer in
                    if let stack = item.stack {
                        let tensor = try stack.read(weights, shape: shape)
                        try MatrixRows(shape: shape, type: tensor.type).write(tensor.bytes, as: target, to: &writer)
                        withExtendedLifetime(tensor) {}
                    }
                    for source in item.sources {
                        try write(source, item.form, sourceType, as: target, to: &writer)
                    }
                    progress(number, total)
                })
        }
        return try GGUF.write(tensors, metadata: try metadata(type), to: output, splitSize: splitSize)
    }

    // MARK: Metadata

    private func metadata(_ type: BlockType) throws -> [GGUFField] {
        var fields = [
            GGUFField("general.architecture", .string(config.architecture)),
            GGUFField("general.type", .string("model")),
            GGUFField("general.name", .string(url.standardizedFileURL.lastPathComponent)),
        ]
        fields += try config.fields(json)
        let fileTypes: [BlockType: UInt32] = [.f32: 0, .f16: 1, .q8_0: 7, .bf16: 32]
        fields.append(GGUFField("general.file_type", .uint32(fileTypes[type] ?? 0)))
        fields.append(GGUFField("general.quantization_version", .uint32(2)))
        return fields + (try tokenizerFields())
    }

    private func tokenizerFields() throws -> [GGUFField] {
        let tokenizer = try Tokenizer(contentsOf: url)
        var vocabulary = try tokenizer.ggufVocabulary()
        let size = try json.positive("vocab_size")
        let embeddings = try items.first { $0.name == "token_embd.weight" }.map(shape)?.0.first
        guard embeddings == size else {
            throw json.error("vocab_size", "\(size), but there are \(embeddings ?? 0) embeddings")
        }
        guard vocabulary.tokens.count <= size else {
            throw ModelError.mismatch(
                "\(url.lastPathComponent): the tokenizer has \(vocabulary.tokens.count) entries and the model only "
                    + "\(size); they don't belong together.")
        }
        for id in vocabulary.tokens.count..<size {
            vocabulary.tokens.append("[PAD\(id)]".utf8)
            if !vocabulary.types.isEmpty { vocabulary.types.append(VocabularyData.Kind.unused.rawValue) }
            if !vocabulary.scores.isEmpty { vocabulary.scores.append(-10000) }
        }
        let settingsURL = url.appending(path: "tokenizer_config.json")
        let settings =
            FileManager.default.fileExists(atPath: settingsURL.path) ? try JSONReader(contentsOf: settingsURL) : nil
        /// The id of a special token: by its text in `tokenizer_config.json`, or by number in `config.json`.
        func id(_ name: String) throws -> TokenID? {
            if let text = try Self.tokenText(settings, name), let id = tokenizer.specialTokens[text] { return id }
            return try json.ints("\(name)_id").first.flatMap { TokenID(exactly: $0) }
        }
        vocabulary.bosID = try id("bos_token") ?? vocabulary.bosID
        vocabulary.eosID = try id("eos_token") ?? vocabulary.eosID
        vocabulary.paddingID = try id("pad_token") ?? vocabulary.paddingID
        if let settings, settings.has("add_bos_token") { vocabulary.addsBOS = try settings.bool("add_bos_token") }
        if let settings, settings.has("add_eos_token") { vocabulary.addsEOS = try settings.bool("add_eos_token") }
        var fields = vocabulary.fields
        if let template = try ModelFolder.templateSource(in: url) {
            fields.append(GGUFField(chatTemplateKey, .string(template)))
        }
        return fields
    }

    /// A token's text in `tokenizer_config.json`: a string, or an object that has it as `content`.
    private static func tokenText(_ settings: JSONReader?, _ name: String) throws -> String? {
        guard let settings, let value = settings[name] else { return nil }
        if case .object = value { return try settings.object(name).string("content") }
        return try settings.string(name)
    }

    // MARK: Tensors

    private static func items(
        _ weights: Safetensors, _ names: GGUFNames, skipsHead: Bool
    ) throws -> [Item] {
        var items: [String: Item] = [:]
        var experts: [String: [Int: String]] = [:]
        for name in weights.names {
            // Heads that are the embedding, masks and other constants that older versions saved.
            if skipsHead && name == "lm_head.weight" { continue }
            if [".inv_freq", ".attn.bias", ".masked_bias"].contains(where: name.hasSuffix) { continue }
            if names.architecture == "gpt-oss", let stacks = GPTOSSStack.stacks(in: name) {
                for stack in stacks {
                    guard let place = names.place(of: stack.name) else { throw FormatError.missing(stack.name) }
                    items[place.name] = Item(name: place.name, form: .same, stack: stack)
                }
                continue
            }
            let full = ["", "model.", "transformer."].map { $0 + name }
            guard let place = full.lazy.compactMap(names.place).first else {
                throw ModelError.mismatch(
                    "\(weights.path): \(name): a \(names.architecture) model in GGUF has no place for this tensor.")
            }
            if let expert = place.expert {
                experts[place.name, default: [:]][expert] = name
            } else {
                items[place.name] = Item(name: place.name, form: place.form, sources: [name])
            }
        }
        for (stacked, sources) in experts {
            let ordered = try (0..<sources.count).map { expert in
                guard let source = sources[expert] else {
                    throw FormatError.missing("\(stacked): expert \(expert)", in: weights.path)
                }
                return source
            }
            items[stacked] = Item(name: stacked, form: .same, sources: ordered)
        }
        return items.values.sorted { order($0.name) < order($1.name) }
    }

    /// Layers in the order of their numbers, what is outside of them first.
    private static func order(_ name: String) -> (Int, String) {
        let parts = name.split(separator: ".")
        return (parts.first == "blk" ? Int(parts[1]) ?? 0 : -1, name)
    }

    /// The shape in the GGUF file, and the type in the folder, which all sources share.
    private func shape(_ item: Item) throws -> ([Int], BlockType) {
        if let stack = item.stack {
            let shape = try stack.shape(json)
            return (shape, stack.type(weights))
        }
        var shapes: Set<[Int]> = []
        var types: Set<ElementType> = []
        for source in item.sources {
            guard let entry = weights.entry(source) else { throw FormatError.missing(source, in: weights.path) }
            shapes.insert(entry.shape)
            types.insert(entry.type)
        }
        guard let shape = shapes.first, let type = types.first, types.count == 1, let found = Self.readable[type] else {
            throw FormatError.elementType(
                item.sources[0], supported: ["F32", "F16", "BF16"],
                got: types.map(\.rawValue).sorted().joined(separator: " and "))
        }
        let fits =
            switch item.form {
            case .transposed: shape.count == 2
            case .queryPairs, .keyPairs: (1...2).contains(shape.count)
            case .same, .plusOne: shape.count <= 3
            }
        guard fits, shapes.count == 1, shape.allSatisfy({ $0 > 0 }) else {
            throw ModelError.mismatch("\(item.sources[0]): its shape \(shape) can't be that of \(item.name).")
        }
        let stacked = GGUFNames.isStacked(item.name) ? [item.sources.count] : []
        return (stacked + (item.form == .transposed ? shape.reversed() : shape), found)
    }

    /// The type that a tensor is stored as when matrices are `type`.
    static func storedType(_ name: String, _ shape: [Int], _ type: BlockType) -> BlockType {
        let isSmall =
            shape.count < 2 || name.hasSuffix("_norm.weight") || name.contains("ffn_gate_inp")
            || name.hasPrefix("position_embd") || name.hasPrefix("token_types") || !name.hasSuffix(".weight")
        if isSmall { return .f32 }
        return type.byteCount(numbers: shape.last ?? 0) == nil ? .f16 : type
    }

    /// Writes one of the folder's tensors in the layout of GGUF, a run of rows at a time.
    private func write(
        _ name: String, _ form: GGUFNames.Form, _ type: BlockType, as target: BlockType, to writer: inout FileWriter
    ) throws {
        guard let entry = weights.entry(name) else { throw FormatError.missing(name, in: weights.path) }
        var rows = MatrixRows(shape: entry.shape, type: type)
        switch form {
        case .same: break
        case .plusOne: rows.offset = 1
        case .transposed: rows.isTransposed = true
        case .queryPairs: rows.order = try fileOrder(name, entry.shape, "num_attention_heads")
        case .keyPairs:
            let key = json.has("num_key_value_heads") ? "num_key_value_heads" : "num_attention_heads"
            rows.order = try fileOrder(name, entry.shape, key)
        }
        try weights.withBytes(of: name) { try rows.write($0, as: target, to: &writer) }
    }

    private func fileOrder(_ name: String, _ shape: [Int], _ key: String) throws -> [Int32] {
        let heads = try json.positive(key)
        guard heads <= shape[0], shape[0] % (2 * heads) == 0 else {
            throw ModelError.mismatch("\(name): \(shape[0]) rows are no whole number of pairs in \(heads) heads.")
        }
        return fileRowOrder(rows: shape[0], heads: heads)
    }
}
