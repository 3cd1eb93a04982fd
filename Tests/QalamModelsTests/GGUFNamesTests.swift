// SPDX-License-Identifier: Apache-2.0

import Foundation
import QalamFormats
import QalamModels
import QalamTensors
import TestSupport
import Testing

/// Names and layouts of GGUF files against those that the reference implementation lists.
struct GGUFNamesTests {
    @Test func `Every tensor of every architecture is mapped, and back`() throws {
        let recorded = try JSONDecoder().decode(
            [String: [[String]]].self, from: Data(contentsOf: fixture("gguf/names.json")))
        for (architecture, pairs) in recorded {
            let names = try #require(GGUFNames(architecture: architecture))
            for pair in pairs {
                let place = try #require(names.place(of: pair[0]), "\(architecture): \(pair[0])")
                #expect(place.name == pair[1], "\(architecture)")
                #expect(names.name(of: place.name, expert: place.expert) == pair[0], "\(architecture)")
                #expect(GGUFNames.isStacked(place.name) == (place.expert != nil))
            }
        }
        #expect(Set(recorded.keys).union(["gpt-oss"]) == Set(GGUFNames.architectures))
    }

    @Test func `Names outside the table are not guessed`() throws {
        #expect(GGUFNames(architecture: "mamba") == nil)
        let llama = try #require(GGUFNames(architecture: "llama"))
        #expect(llama.place(of: "model.layers.0.self_attn.rotary_emb.inv_freq") == nil)
        #expect(llama.name(of: "rope_freqs.weight") == nil)
        let oss = try #require(GGUFNames(architecture: "gpt-oss"))
        #expect(oss.place(of: "model.layers.3.self_attn.sinks")?.name == "blk.3.attn_sinks.weight")
        #expect(oss.name(of: "blk.3.attn_sinks.weight") == "model.layers.3.self_attn.sinks")
        let expert = oss.place(of: "model.layers.3.mlp.experts.7.gate_proj.bias")
        #expect(expert == .init(name: "blk.3.ffn_gate_exps.bias", form: .same, expert: 7))
    }

    @Test func `The order of rotated rows is undone by its inverse`() {
        // Two heads of four rows: the file has pairs (0, 2) and (1, 3) of each.
        #expect(rotaryRowOrder(rows: 8, heads: 2) == [0, 2, 1, 3, 4, 6, 5, 7])
        let (order, inverse) = (rotaryRowOrder(rows: 48, heads: 4), fileRowOrder(rows: 48, heads: 4))
        #expect(order.map { inverse[Int($0)] } == Array(0..<48))
    }

    /// Writes a file of `tensors`, floats each, and opens it as weights.
    private func weights(
        _ architecture: String, _ tensors: [(String, [Int], [Float])], in folder: URL, type: BlockType = .f32
    ) throws -> GGUFWeights {
        let url = folder.appending(path: "m.gguf")
        let fields = [
            GGUFField("general.architecture", .string(architecture)),
            GGUFField("\(architecture).attention.head_count", .uint32(2)),
            GGUFField("\(architecture).attention.head_count_kv", .uint32(1)),
        ]
        try GGUF.write(
            tensors.map { name, shape, values in
                GGUF.TensorToWrite(name, shape: shape, type: type) { writer in
                    var bytes = [UInt8](repeating: 0, count: try #require(type.byteCount(numbers: values.count)))
                    values.withUnsafeBufferPointer { numbers in
                        bytes.withUnsafeMutableBytes { encodeBlocks(type, numbers, into: $0) }
                    }
                    try writer.write(bytes)
                }
            }, metadata: fields, to: url)
        return try GGUFWeights(GGUF(url))
    }

    private func values(_ weights: GGUFWeights, _ name: String, _ shape: [Int]) throws -> [Float] {
        var numbers = [Float](repeating: .nan, count: shape.reduce(1, *))
        try numbers.withUnsafeMutableBufferPointer {
            try weights.fill(name, shape: shape, initial: .zeros, into: $0)
        }
        return numbers
    }

    @Test(arguments: [BlockType.f32, .q8_0])
    func `Rows of queries and keys come in the order of halves`(type: BlockType) throws {
        // Row r of the file holds r everywhere: exact in Q8_0 too, as all numbers of a block are equal.
        let file = (0..<8).flatMap { [Float](repeating: Float($0), count: 32) }
        try withTemporaryFolder { folder in
            let tensors = [
                ("blk.0.attn_q.weight", [8, 32], file), ("blk.0.attn_k.weight", [8, 32], file),
                ("blk.0.attn_v.weight", [8, 32], file),
            ]
            let w = try weights("llama", tensors, in: folder, type: type)
            func rows(_ name: String) throws -> [Float] {
                let all = try values(w, "model.layers.0.self_attn.\(name)_proj.weight", [8, 32])
                return stride(from: 0, to: all.count, by: 32).map { all[$0].rounded() }
            }
            #expect(try rows("q") == [0, 2, 1, 3, 4, 6, 5, 7])
            #expect(try rows("k") == [0, 2, 4, 6, 1, 3, 5, 7])
            #expect(try rows("v") == [0, 1, 2, 3, 4, 5, 6, 7])
            let other = try weights("qwen2", tensors, in: folder, type: type)
            #expect(try other.matrix("model.layers.0.self_attn.q_proj.weight", shape: [8, 32]).rowOrder == nil)
        }
    }

    @Test func `Fused, stacked, shifted and transposed tensors are taken apart`() throws {
        try withTemporaryFolder { folder in
            let fused = try weights(
                "qwen2", [("blk.1.attn_qkv.weight", [8, 2], (0..<16).map(Float.init))], in: folder)
            #expect(try values(fused, "model.layers.1.self_attn.q_proj.weight", [4, 2]) == (0..<8).map(Float.init))
            #expect(try values(fused, "model.layers.1.self_attn.k_proj.weight", [2, 2]) == [8, 9, 10, 11])
            #expect(try values(fused, "model.layers.1.self_attn.v_proj.weight", [2, 2]) == [12, 13, 14, 15])
            let stacked = try weights(
                "qwen3moe", [("blk.0.ffn_up_exps.weight", [3, 2, 2], (0..<12).map(Float.init))], in: folder)
            #expect(try values(stacked, "model.layers.0.mlp.experts.2.up_proj.weight", [2, 2]) == [8, 9, 10, 11])
            #expect(
                try stacked.matrix("model.layers.0.mlp.experts.up_proj.weight", shape: [3, 2, 2]).bytes.count == 48)
            #expect(throws: FormatError.self) {
                try stacked.matrix("model.layers.0.mlp.experts.3.up_proj.weight", shape: [2, 2])
            }
            let shifted = try weights("gemma2", [("blk.0.attn_norm.weight", [3], [1, 0.5, 3])], in: folder)
            #expect(try values(shifted, "model.layers.0.input_layernorm.weight", [3]) == [0, -0.5, 2])
            let transposed = try weights(
                "gpt2", [("blk.0.ffn_up.weight", [3, 2], [1, 2, 3, 4, 5, 6])], in: folder)
            #expect(try values(transposed, "transformer.h.0.mlp.c_fc.weight", [2, 3]) == [1, 3, 5, 2, 4, 6])
            #expect(try transposed.matrix("transformer.h.0.mlp.c_fc.weight", shape: [3, 2]).shape == [3, 2])
        }
    }

    @Test func `Missing and misshapen tensors are named`() throws {
        try withTemporaryFolder { folder in
            let w = try weights("qwen2", [("output_norm.weight", [3], [1, 2, 3])], in: folder)
            #expect(w.has("model.norm.weight") && !w.has("lm_head.weight"))
            #expect(throws: FormatError.missing("lm_head.weight", in: w.file.path)) {
                try values(w, "lm_head.weight", [3, 2])
            }
            #expect(
                throws: FormatError.shape("model.norm.weight (output_norm.weight)", expected: [4], got: [3])
            ) { try values(w, "model.norm.weight", [4]) }
            #expect(throws: ModelError.unsupportedArchitecture("mamba")) { try weights("mamba", [], in: folder) }
        }
    }
}
