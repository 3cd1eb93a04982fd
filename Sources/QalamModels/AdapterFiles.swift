// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import QalamFormats
internal import QalamTensors

/// An adapter's folder as PEFT writes it.
struct PEFTFolder: AdapterFile {
    private let file: Safetensors
    private let alpha: Double
    private let alphas: JSONReader?
    private let isStabilized: Bool
    /// What tensors of this adapter are called, by the projections they change.
    private var pairs: [String: (down: String, up: String)] = [:]

    init(_ url: URL) throws {
        let j = try JSONReader(contentsOf: url.appending(path: "adapter_config.json"))
        let type = try j.string("peft_type")
        guard type == "LORA" else {
            throw ModelError.unsupportedSetting(file: j.file, key: "peft_type", value: type)
        }
        if try j.bool("use_dora", default: false) {
            throw ModelError.unsupportedSetting(file: j.file, key: "use_dora", value: "true")
        }
        alpha = try j.positiveDouble("lora_alpha")
        alphas = try j.optionalObject("alpha_pattern")
        isStabilized = try j.bool("use_rslora", default: false)
        file = try Safetensors(url.appending(path: "adapter_model.safetensors"))
        for name in file.names {
            guard let mark = name.range(of: ".lora_A.") else { continue }
            let up = name.replacing(".lora_A.", with: ".lora_B.")
            let module = Self.plain(String(name[..<mark.lowerBound]))
            if file.entry(up) != nil { pairs[module] = (name, up) }
        }
    }

    var path: String { file.path }

    var names: Set<String> { Set(file.names) }

    func piece(_ name: String, outputs: Int, inputs: Int) throws -> AdapterPiece? {
        guard let pair = pairs[name] ?? pairs[Self.withoutRoot(name)], let rank = file.entry(pair.down)?.shape.first,
            rank > 0
        else { return nil }
        for (tensor, shape) in [(pair.down, [rank, inputs]), (pair.up, [outputs, rank])] {
            let found = file.entry(tensor)?.shape ?? []
            guard found == shape else { throw FormatError.shape(tensor, expected: shape, got: found) }
        }
        return AdapterPiece(
            down: try file.floats(pair.down), up: try file.floats(pair.up), rank: rank, outputs: outputs,
            scale: Float(try scale(name, rank)), names: [pair.down, pair.up])
    }

    private func scale(_ name: String, _ rank: Int) throws -> Double {
        // A pattern is the end of a module's name.
        let key = alphas?.keys.filter { name == $0 || name.hasSuffix(".\($0)") }.max { $0.count < $1.count }
        let alpha = try key.flatMap { try alphas?.positiveDouble($0) } ?? alpha
        return isStabilized ? alpha / Double(rank).squareRoot() : alpha / Double(rank)
    }

    /// `base_model.model.model.layers…` without what PEFT wraps around a model.
    private static func plain(_ module: String) -> String {
        let wrap = "base_model.model."
        return module.hasPrefix(wrap) ? String(module.dropFirst(wrap.count)) : module
    }

    private static func withoutRoot(_ name: String) -> String {
        name.firstIndex(of: ".").map { String(name[name.index(after: $0)...]) } ?? name
    }
}

/// An adapter in a GGUF file as llama.cpp's converter writes it.
struct GGUFAdapterFile: AdapterFile {
    private let file: GGUF
    private let table: GGUFNames
    private let alpha: Double
    private let attention: AttentionShape

    init(_ url: URL, _ config: DecoderConfig) throws {
        attention = config.attention
        file = try GGUF(url)
        let metadata = file.metadata
        for (key, value) in [("general.type", "adapter"), ("adapter.type", "lora")] {
            let found = try metadata.string(key)
            guard found == value else { throw metadata.error(key, "expected \"\(value)\", found \"\(found)\"") }
        }
        let architecture = try metadata.string("general.architecture")
        guard let names = GGUFNames(architecture: architecture) else {
            throw ModelError.unsupportedArchitecture(architecture)
        }
        table = names
        alpha = try metadata.positiveDouble("adapter.lora.alpha")
    }

    var path: String { file.path }

    var names: Set<String> { Set(file.tensors.map(\.name)) }

    func piece(_ name: String, outputs: Int, inputs: Int) throws -> AdapterPiece? {
        guard let place = table.place(of: "\(name).weight"),
            let down = file.tensor(named: "\(place.name).lora_a"), let up = file.tensor(named: "\(place.name).lora_b"),
            let rank = down.shape.first, rank > 0
        else { return nil }
        for (tensor, shape) in [(down, [rank, inputs]), (up, [outputs, rank])] where tensor.shape != shape {
            throw FormatError.shape(tensor.name, expected: shape, got: tensor.shape)
        }
        var piece = AdapterPiece(
            down: numbers(down), up: numbers(up), rank: rank, outputs: outputs, scale: Float(alpha / Double(rank)),
            names: [down.name, up.name])
        if let order = rowOrder(place.form, rows: outputs) {
            piece.up = order.flatMap { piece.up[Int($0) * rank..<(Int($0) + 1) * rank] }
        }
        return piece
    }

    /// Where the rows of Hugging Face's layout are in the file; nil where both agree.
    private func rowOrder(_ form: GGUFNames.Form, rows: Int) -> [Int32]? {
        switch form {
        case .queryPairs: rotaryRowOrder(rows: rows, heads: attention.heads)
        case .keyPairs: rotaryRowOrder(rows: rows, heads: attention.kvHeads)
        case .same, .plusOne, .transposed: nil
        }
    }

    private func numbers(_ tensor: GGUF.Tensor) -> [Float] {
        var numbers = [Float](repeating: 0, count: tensor.count)
        file.withBytes(of: tensor) { bytes in
            numbers.withUnsafeMutableBufferPointer { decodeBlocks(tensor.type, bytes, into: $0) }
        }
        return numbers
    }
}
