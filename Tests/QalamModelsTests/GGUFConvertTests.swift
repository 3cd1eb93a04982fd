// SPDX-License-Identifier: Apache-2.0

import Foundation
import QalamFormats
import QalamModels
import QalamTensors
import QalamTokenizers
import TestSupport
import Testing

/// A folder of Hugging Face as a GGUF file, and back.
struct GGUFConvertTests {
    private let folder = fixture("models/tiny-llama")

    @Test func `A folder comes back from a file of the same type bit for bit`() throws {
        try withTemporaryFolder { temporary in
            let file = temporary.appending(path: "m.gguf")
            let export = try GGUFExport(folder)
            #expect(export.ownType == .bf16)
            #expect(try export.write(to: file, type: .f32) == [file])
            let back = temporary.appending(path: "back")
            let model = try GGUFImport(GGUF(file))
            #expect(model.ownType == .float32)
            try model.write(to: back, type: .float32)
            try expectSameModel(back, folder)
            let (before, after) = (try Tokenizer(contentsOf: folder), try Tokenizer(contentsOf: back))
            #expect(before.encode(sampleText) == after.encode(sampleText))
            #expect(try ModelFolder(back).chatTemplateSource == ModelFolder(folder).chatTemplateSource)
        }
    }

    @Test func `Metadata says what the config says`() throws {
        try withTemporaryFolder { temporary in
            let file = temporary.appending(path: "m.gguf")
            _ = try GGUFExport(folder).write(to: file, type: .f16)
            let metadata = try GGUF(file).metadata
            let config = try DecoderConfig(contentsOf: folder.appending(path: "config.json"))
            #expect(try metadata.string("general.architecture") == "llama")
            #expect(try metadata.int("general.file_type") == 1)
            #expect(try metadata.int("llama.block_count") == config.layers)
            #expect(try metadata.int("llama.context_length") == config.contextLength)
            #expect(try metadata.int("llama.attention.head_count_kv") == config.attention.kvHeads)
            #expect(try metadata.int("llama.rope.dimension_count") == config.attention.headDim)
            #expect(Float(try metadata.double("llama.attention.layer_norm_rms_epsilon")) == config.normEpsilon)
            #expect(try metadata.strings("tokenizer.ggml.tokens").count == config.vocabularySize)
            #expect(try metadata.string("tokenizer.chat_template") == ModelFolder(folder).chatTemplateSource)
        }
    }

    @Test func `Matrices take the type asked for, in parts if they are too large`() throws {
        try withTemporaryFolder { temporary in
            let urls = try GGUFExport(folder).write(
                to: temporary.appending(path: "m.gguf"), type: .q8_0, splitSize: 50_000)
            #expect(urls.count > 1 && urls[0].lastPathComponent.hasPrefix("m-00001-of-"))
            let model = try GGUF(urls[0])
            for tensor in model.tensors {
                let fits = (tensor.shape.last ?? 0) % 32 == 0
                #expect(tensor.type == (tensor.shape.count < 2 ? .f32 : fits ? .q8_0 : .f16), "\(tensor.name)")
            }
            // Within half a step of each block's scale.
            let back = temporary.appending(path: "back")
            try GGUFImport(model).write(to: back, type: .float32)
            let (old, new) = (try Safetensors(folder), try Safetensors(back))
            for name in old.names {
                let (before, after) = (try old.floats(name), try new.floats(name))
                let largest = before.map(abs).max() ?? 0
                #expect(zip(before, after).allSatisfy { abs($0 - $1) <= largest / 200 }, "\(name)")
            }
        }
    }

    @Test func `GPT-2's transposed matrices come back too`() throws {
        try withTemporaryFolder { temporary in
            // The folder has no tokenizer; any of the right size does.
            let source = temporary.appending(path: "gpt2")
            try FileManager.default.copyItem(at: fixture("models/tiny-gpt2"), to: source)
            let config = try DecoderConfig(contentsOf: source.appending(path: "config.json"))
            let tokenizer = try tinyTokenizer(vocabularySize: min(300, config.vocabularySize))
            try tokenizer.write(to: source)
            let file = temporary.appending(path: "m.gguf")
            _ = try GGUFExport(source).write(to: file, type: .f32)
            let back = temporary.appending(path: "back")
            try GGUFImport(GGUF(file)).write(to: back, type: .float32)
            let (old, new) = (try Safetensors(source), try Safetensors(back))
            for name in new.names {
                let stored = old.entry(name) == nil ? String(name.dropFirst("transformer.".count)) : name
                let (before, after) = (try old.floats(stored), try new.floats(name))
                #expect(before == after, "\(name)")
            }
        }
    }

    @Test func `Folders that can't be converted say why`() throws {
        try withTemporaryFolder { temporary in
            let source = temporary.appending(path: "m")
            try FileManager.default.copyItem(at: folder, to: source)
            let config = source.appending(path: "config.json")
            let text = try String(contentsOf: config, encoding: .utf8)
            try text.replacing("\"llama\"", with: "\"mamba\"").write(to: config, atomically: true, encoding: .utf8)
            #expect(throws: ModelError.unsupportedArchitecture("mamba")) { try GGUFExport(source) }
            let size = try DecoderConfig(contentsOf: folder.appending(path: "config.json")).vocabularySize
            try text.replacing("\"vocab_size\": \(size)", with: "\"vocab_size\": 4611686018427387904")
                .write(to: config, atomically: true, encoding: .utf8)
            let file = temporary.appending(path: "m.gguf")
            #expect(throws: FormatError.self) { try GGUFExport(source).write(to: file, type: .f32) }
            #expect(!FileManager.default.fileExists(atPath: file.path))
        }
    }
}

/// Expects the tensors of two folders to agree bit for bit, and what their configs say.
func expectSameModel(_ found: URL, _ expected: URL, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let (old, new) = (try Safetensors(expected), try Safetensors(found))
    #expect(old.names == new.names, sourceLocation: sourceLocation)
    for name in old.names {
        #expect(old.entry(name)?.shape == new.entry(name)?.shape, sourceLocation: sourceLocation)
        let (before, after) = (try old.floats(name), try new.floats(name))
        #expect(before == after, "\(name)", sourceLocation: sourceLocation)
    }
    let configs = try [found, expected].map { try DecoderConfig(contentsOf: $0.appending(path: "config.json")) }
    #expect(configs[0] == configs[1], sourceLocation: sourceLocation)
}
