// SPDX-License-Identifier: Apache-2.0

import Foundation
import QalamFormats
import QalamTensors
import TestSupport
import Testing

/// A model is written with the types of a mix, and nothing else changes.
struct GGUFQuantizerTests {
    private let shapes = [
        ("token_embd.weight", [40, 256]), ("blk.0.attn_norm.weight", [256]), ("blk.0.attn_v.weight", [8, 256]),
        ("blk.0.attn_q.weight", [16, 256]), ("blk.0.ffn_down.weight", [8, 320]), ("output.weight", [40, 256]),
    ]

    /// Writes a model of F32 and gives its numbers by tensor.
    private func write(_ file: URL, spoiling spoiled: Float? = nil) throws -> [String: [Float]] {
        var random = SplitMix(state: 3)
        var numbers: [String: [Float]] = [:]
        for (name, shape) in shapes {
            numbers[name] = (0..<shape.reduce(1, *)).map { _ in Float.random(in: -1...1, using: &random) }
        }
        if let spoiled { numbers["blk.0.attn_q.weight"]?[700] = spoiled }
        let tensors = shapes.map { name, shape in
            GGUF.TensorToWrite(name, shape: shape, type: .f32) { [values = numbers[name] ?? []] writer in
                try values.withUnsafeBytes { try writer.write($0) }
            }
        }
        let metadata = [
            GGUFField("general.architecture", .string("llama")), GGUFField("llama.block_count", .uint32(1)),
            GGUFField("llama.attention.head_count", .uint32(4)), GGUFField("general.file_type", .uint32(0)),
            GGUFField("general.name", .string("one layer")),
        ]
        try GGUF.write(tensors, metadata: metadata, to: file)
        return numbers
    }

    @Test func writesTheTypesOfTheMix() throws {
        try withTemporaryFolder { folder in
            let (source, target) = (folder.file("in.gguf"), folder.file("out.gguf"))
            let numbers = try write(source)
            var last = (0, 1)
            try GGUFQuantizer(GGUF(source), .q4_K_M).write(to: target) { last = ($0, $1) }
            #expect(last.0 == last.1)
            let model = try GGUF(target)
            let types = model.tensors.map(\.type)
            #expect(types == [.q4_K, .f32, .q6_K, .q4_K, .q8_0, .q6_K])
            #expect(try model.metadata.int("general.file_type") == 15)
            #expect(try model.metadata.int("general.quantization_version") == 2)
            #expect(try model.metadata.string("general.name") == "one layer")
            for tensor in model.tensors {
                let expected = try #require(numbers[tensor.name])
                var decoded = [Float](repeating: 0, count: expected.count)
                model.withBytes(of: tensor) { bytes in
                    decoded.withUnsafeMutableBufferPointer { decodeBlocks(tensor.type, bytes, into: $0) }
                }
                let error = zip(decoded, expected).map { abs($0 - $1) }.max() ?? 1
                #expect(error < (tensor.type == .f32 ? 0x1p-30 : 0.12), "\(tensor.name)")
            }
        }
    }

    @Test func refusesToQuantizeTwice() throws {
        try withTemporaryFolder { folder in
            let (source, once, twice) = (folder.file("in.gguf"), folder.file("1.gguf"), folder.file("2.gguf"))
            _ = try write(source)
            try GGUFQuantizer(GGUF(source), .q4_K_M).write(to: once)
            let why = message { try GGUFQuantizer(GGUF(once), .q8_0).write(to: twice) }
            #expect(why?.contains("token_embd.weight is quantized already, as Q4_K") == true)
            try GGUFQuantizer(GGUF(once), .q8_0, requantizing: true).write(to: twice)
            #expect(try GGUF(twice).tensors.filter { $0.type == .q8_0 }.count == 5)
            // The same mix again copies every byte.
            try GGUFQuantizer(GGUF(once), .q4_K_M).write(to: twice)
            let (a, b) = (try GGUF(once), try GGUF(twice))
            for (old, new) in zip(a.tensors, b.tensors) {
                #expect(a.withBytes(of: old) { Array($0) } == b.withBytes(of: new) { Array($0) })
            }
        }
    }

    @Test(arguments: [Float.nan, -.infinity])
    func refusesNumbersThatAreNone(_ number: Float) throws {
        try withTemporaryFolder { folder in
            let (source, target) = (folder.file("in.gguf"), folder.file("out.gguf"))
            _ = try write(source, spoiling: number)
            let why = message { try GGUFQuantizer(GGUF(source), .q4_0).write(to: target) }
            #expect(why?.contains("blk.0.attn_q.weight holds NaN or infinity") == true)
            #expect(!FileManager.default.fileExists(atPath: target.path))
        }
    }
}
