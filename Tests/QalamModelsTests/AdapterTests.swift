// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamFormats
import QalamModels
import QalamTensors
import TestSupport
import Testing

/// Low-rank adapters against the logits of merged weights, computed in float64 (see the README beside the fixtures).
@Suite struct AdapterTests {
    private struct Golden: Decodable {
        var ids: [Int32]
        var base: [[Double]]
        var all: [[Double]]
        var some: [[Double]]
    }

    /// A whole sequence, of which rows are changed by an adapter.
    private struct Context: AttentionContext {
        var causal: CausalContext
        var adapted: [AdaptedRows]

        var positions: [Int32] { causal.positions }

        mutating func attend(layer: Int, qkv: Tensor, attention: AttentionLayer) -> Tensor {
            causal.attend(layer: layer, qkv: qkv, attention: attention)
        }
    }

    private let model = fixture("models/tiny-llama-tied")
    private let golden: Golden

    init() throws {
        golden = try JSONDecoder().decode(
            Golden.self, from: Data(contentsOf: fixture("adapters/golden.json")))
    }

    private func logits(_ decoder: Decoder, _ adapter: Adapter?, _ ids: [Int32]) -> [Double] {
        let rows = adapter.map { [AdaptedRows(rows: 0..<ids.count, adapter: $0)] } ?? []
        var context = Context(causal: CausalContext(batch: 1, length: ids.count), adapted: rows)
        let logits = decoder.logits(decoder.hidden(ids, &context)).values
        return logits.suffix(2 * decoder.config.vocabularySize).map { Double($0) }
    }

    @Test(arguments: ["all", "some"])
    func logitsOfAnAdaptedModel(name: String) throws {
        let decoder = try ModelFolder.decoder(at: model)
        let adapter = try Adapter(fixture("adapters/\(name)"), for: decoder.config)
        let expected = (name == "all" ? golden.all : golden.some).flatMap(\.self)
        let base = golden.base.flatMap(\.self)
        #expect(distance(logits(decoder, nil, golden.ids), base) < 1e-5)
        #expect(distance(logits(decoder, adapter, golden.ids), expected) < 1e-5)
        #expect(distance(expected, base) > 0.1)
    }

    @Test(arguments: ["all", "some"])
    func mergedIntoAFolder(name: String) throws {
        try withTemporaryFolder { url in
            let merged = url.appending(path: "merged")
            try AdapterMerge(model, adapter: fixture("adapters/\(name)")).write(to: merged)
            let expected = (name == "all" ? golden.all : golden.some).flatMap(\.self)
            #expect(distance(logits(try ModelFolder.decoder(at: merged), nil, golden.ids), expected) < 1e-5)
            #expect(throws: ModelError.self) {
                try AdapterMerge(merged, adapter: fixture("adapters/\(name)")).write(to: merged)
            }
        }
    }

    /// GPT-2's feed-forward layer runs in one operation, its files hold (in, out), and rows beside adapted ones stay as
    /// they are.
    @Test func gpt2() throws {
        try withTemporaryFolder { url in
            let folder = fixture("models/tiny-gpt2")
            let decoder = try ModelFolder.decoder(at: folder)
            let modules = ["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"]
            let sizes = [(144, 48), (48, 48), (192, 48), (48, 192)]
            try writeAdapter(
                to: url,
                zip(modules, sizes).flatMap { module, size in
                    (0..<2).map { ("transformer.h.\($0).\(module)", size.0, size.1) }
                })
            let adapter = try Adapter(url, for: decoder.config)
            let merged = url.appending(path: "merged")
            try AdapterMerge(folder, adapter: url).write(to: merged)
            let ids = golden.ids
            let found = logits(decoder, adapter, ids)
            // Merged weights are rounded to float16.
            #expect(distance(found, logits(try ModelFolder.decoder(at: merged), nil, ids)) < 3e-3)
            #expect(distance(found, logits(decoder, nil, ids)) > 0.05)
            var context = Context(
                causal: CausalContext(batch: 2, length: 12), adapted: [AdaptedRows(rows: 12..<24, adapter: adapter)])
            let both = decoder.hidden(ids, &context).values
            var alone = Context(causal: CausalContext(batch: 1, length: 12), adapted: [])
            #expect(Array(both.prefix(both.count / 2)) == decoder.hidden(Array(ids.prefix(12)), &alone).values)
        }
    }

    /// The same adapter in a GGUF file, whose queries and keys lie in another order, on a model in one.
    @Test func fromGGUF() throws {
        try withTemporaryFolder { url in
            let decoder = try ModelFolder.decoder(at: model)
            let peft = try Safetensors(fixture("adapters/all/adapter_model.safetensors"))
            let file = url.appending(path: "adapter.gguf")
            try writeGGUF(peft, to: file)
            let adapter = try Adapter(file, for: decoder.config)
            #expect(distance(logits(decoder, adapter, golden.ids), golden.all.flatMap(\.self)) < 1e-5)
        }
    }

    /// Over blocks of a GGUF file: as near to the float model with the adapter as without.
    @Test(arguments: [QuantizationMix.q8_0, .q4_0])
    func overQuantizedWeights(mix: QuantizationMix) throws {
        try withTemporaryFolder { url in
            let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appending(path: "models/qalam-mini")
            let decoder = try ModelFolder.decoder(at: folder)
            let projections = [
                ("self_attn.q_proj", decoder.config.attention.heads * decoder.config.attention.headDim),
                ("self_attn.k_proj", decoder.config.attention.kvHeads * decoder.config.attention.headDim),
                ("mlp.gate_proj", decoder.config.intermediateSize),
            ]
            try writeAdapter(
                to: url,
                (0..<decoder.config.layers).flatMap { layer in
                    projections.map { ("model.layers.\(layer).\($0.0)", $0.1, decoder.config.hiddenSize) }
                })
            let file = url.appending(path: "model.gguf")
            let whole = url.appending(path: "whole.gguf")
            _ = try GGUFExport(folder).write(to: whole, type: .f32)
            try GGUFQuantizer(GGUF(whole), mix).write(to: file)
            let quantized = try ModelFolder.decoder(at: file)
            let adapter = try Adapter(url, for: decoder.config)
            #expect(try DecoderConfig(GGUF(file)).layers == decoder.config.layers)
            let ids = (0..<24).map { Int32($0 * 37 % 4000) }
            let exact = logits(decoder, adapter, ids)
            let (without, with) = (
                distance(logits(quantized, nil, ids), logits(decoder, nil, ids)),
                distance(logits(quantized, adapter, ids), exact)
            )
            #expect(with < 1.5 * without + 1e-3, "\(with) beside \(without)")
            #expect(distance(logits(decoder, nil, ids), exact) > with)
        }
    }

    @Test func whatDoesNotFitIsNamed() throws {
        let config = try DecoderConfig(contentsOf: model.appending(path: "config.json"))
        let other = try DecoderConfig(contentsOf: fixture("models/tiny-llama/config.json"))
        let mixture = try DecoderConfig(contentsOf: fixture("families/mixtral/config.json"))
        _ = try Adapter(fixture("adapters/all"), for: config)
        #expect(throws: FormatError.self) { try Adapter(fixture("adapters/all"), for: mixture) }
        #expect(throws: Never.self) { try Adapter(fixture("adapters/all"), for: other) }
        try withTemporaryFolder { url in
            try writeAdapter(to: url, [("lm_head", 320, 48), ("model.layers.0.self_attn.q_proj", 48, 48)])
            let error = #expect(throws: ModelError.self) { try Adapter(url, for: config) }
            #expect(error.map { "\($0)".contains("lm_head") } == true)
            try writeAdapter(to: url, [("model.layers.0.self_attn.q_proj", 48, 48)], settings: ["use_dora": true])
            #expect(throws: ModelError.self) { try Adapter(url, for: config) }
            try writeAdapter(to: url, [("model.layers.0.self_attn.q_proj", 46, 48)])
            #expect(throws: FormatError.self) { try Adapter(url, for: config) }
            try writeAdapter(to: url, [("model.layers.0.self_attn.q_proj", 48, 48)], settings: ["lora_alpha": -1])
            #expect(throws: FormatError.self) { try Adapter(url, for: config) }
        }
    }

    /// An adapter of rank 2 with seeded numbers.
    private func writeAdapter(
        to url: URL, _ modules: [(name: String, outputs: Int, inputs: Int)], settings: [String: Any] = [:]
    ) throws {
        let keys: [String: Any] = ["peft_type": "LORA", "r": 2, "lora_alpha": 4]
        try writeJSON(keys.merging(settings) { $1 }, to: url.appending(path: "adapter_config.json"))
        var random = CounterRandom(seed: 5)
        var tensors: [TensorToWrite] = []
        for (name, outputs, inputs) in modules {
            for (part, shape) in [("A", [2, inputs]), ("B", [outputs, 2])] {
                let numbers = (0..<shape.reduce(1, *)).map { _ in Float(random.normal()) * 0.1 }
                tensors.append(
                    .floats("base_model.model.\(name).lora_\(part).weight", shape: shape, type: .float32) { lend in
                        try numbers.withUnsafeBufferPointer(lend)
                    })
            }
        }
        try Safetensors.write(tensors, to: url.appending(path: "adapter_model.safetensors"))
    }

    private func writeGGUF(_ peft: Safetensors, to url: URL) throws {
        let names = try #require(GGUFNames(architecture: "llama"))
        let tensors = try peft.names.map { name in
            let module = name.replacing("base_model.model.", with: "").replacing(/\.lora_[AB]/, with: "")
            let place = try #require(names.place(of: module))
            let shape = try #require(peft.entry(name)?.shape)
            var numbers = try peft.floats(name)
            let isUp = name.contains("lora_B")
            if isUp, place.form != .same {
                let order = fileRowOrder(rows: shape[0], heads: place.form == .queryPairs ? 4 : 2)
                numbers = order.flatMap { numbers[Int($0) * shape[1]..<(Int($0) + 1) * shape[1]] }
            }
            let written = numbers
            return GGUF.TensorToWrite("\(place.name).lora_\(isUp ? "b" : "a")", shape: shape, type: .f32) { writer in
                try written.withUnsafeBytes { try writer.write($0) }
            }
        }
        let metadata = [
            GGUFField("general.architecture", .string("llama")), GGUFField("general.type", .string("adapter")),
            GGUFField("adapter.type", .string("lora")), GGUFField("adapter.lora.alpha", .float32(8)),
        ]
        try GGUF.write(tensors, metadata: metadata, to: url)
    }
}
