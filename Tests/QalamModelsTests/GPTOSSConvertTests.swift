// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamFormats
import QalamModels
import QalamTensors
import QalamTokenizers
import TestSupport
import Testing

/// gpt-oss, whose experts lie otherwise in folders than in GGUF files.
@Suite struct GPTOSSConvertTests {
    @Test(arguments: ["gpt-oss", "gpt-oss-mxfp4"])
    func thereAndBack(name: String) throws {
        try withTemporaryFolder { temporary in
            let source = temporary.appending(path: "source"), back = temporary.appending(path: "back")
            let file = temporary.appending(path: "m.gguf")
            try writeFolder(fixture("families/\(name)"), to: source)
            _ = try GGUFExport(source).write(to: file, type: .f32)
            let model = try GGUF(file)
            let experts = model.tensors.filter { $0.name.contains("_exps.weight") }
            #expect(!experts.isEmpty)
            #expect(experts.allSatisfy { $0.type == (name == "gpt-oss" ? .f32 : .mxfp4) })
            try GGUFImport(model).write(to: back, type: .float32)
            let logits = try [source, file, back].map(logits)
            // The folder's numbers are bfloat16, whose products are rounded on some processors: two experts may swap.
            let limit = bfloat16Tolerance > 1e-5 ? 0.1 : 1e-5
            #expect(distance(logits[1], logits[0]) < limit)
            // MXFP4 multiplies activations of 8 bits; as floats, experts multiply them as they are.
            #expect(distance(logits[2], logits[0]) < (name == "gpt-oss" ? limit : max(limit, 3e-2)))
        }
    }

    /// Numbers come back bit for bit where the folder had floats.
    @Test func floatsComeBack() throws {
        try withTemporaryFolder { temporary in
            let source = temporary.appending(path: "source"), back = temporary.appending(path: "back")
            let file = temporary.appending(path: "m.gguf")
            try writeFolder(fixture("families/gpt-oss"), to: source)
            _ = try GGUFExport(source).write(to: file, type: .f32)
            try GGUFImport(GGUF(file)).write(to: back, type: .float32)
            try expectSameModel(back, source)
        }
    }

    @Test func misshapenExpertsAreNamed() throws {
        try withTemporaryFolder { temporary in
            let source = temporary.appending(path: "source"), file = temporary.appending(path: "m.gguf")
            try writeFolder(fixture("families/gpt-oss"), to: source)
            let config = source.appending(path: "config.json")
            let text = try String(contentsOf: config, encoding: .utf8)
            try text.replacing("\"num_local_experts\": 5", with: "\"num_local_experts\": 6")
                .write(to: config, atomically: true, encoding: .utf8)
            #expect {
                try GGUFExport(source).write(to: file, type: .f32)
            } throws: {
                "\($0)".contains("experts")
            }
            #expect(!FileManager.default.fileExists(atPath: file.path))
        }
    }

    private func logits(_ url: URL) throws -> [Double] {
        let decoder = try ModelFolder(url).decoder()
        var context = NaiveContext()
        context.advance(12)
        return decoder.logits(decoder.hidden((0..<12).map { $0 * 7 % 96 }, &context)).values.map { Double($0) }
    }

    /// The model in `folder` with a vocabulary that a tokenizer has: its rows again and again.
    private func writeFolder(_ folder: URL, to url: URL) throws {
        let size = 300
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        try tinyTokenizer(vocabularySize: size).write(to: url)
        let text = try String(contentsOf: folder.appending(path: "config.json"), encoding: .utf8)
        try text.replacing("\"vocab_size\": 96", with: "\"vocab_size\": \(size)")
            .write(to: url.appending(path: "config.json"), atomically: true, encoding: .utf8)
        let file = try Safetensors(folder)
        let tensors = try file.names.map { name in
            let entry = try #require(file.entry(name))
            guard entry.shape[0] == 96 else {
                return TensorToWrite(name, shape: entry.shape, type: entry.type) { writer in
                    try file.withBytes(of: name) { try writer.write($0) }
                }
            }
            let values = try file.floats(name), rows = (0..<size * entry.shape[1]).map { values[$0 % values.count] }
            return TensorToWrite.floats(name, shape: [size, entry.shape[1]], type: .float32) { writer in
                try rows.withUnsafeBufferPointer { try writer($0) }
            }
        }
        try Safetensors.write(tensors, metadata: [:], to: url.appending(path: Safetensors.fileName))
    }
}
