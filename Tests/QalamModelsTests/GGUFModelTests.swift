// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamModels
import QalamTensors
import TestSupport
import Testing

/// A model in a GGUF file runs as the folder that it was made from.
@Suite struct GGUFModelTests {
    @Test(arguments: [(BlockType.f32, 1e-5), (.bf16, 1e-5), (.q8_0, 3e-2)])
    func logits(type: BlockType, tolerance: Double) throws {
        let golden = try Golden(in: fixture("models/tiny-llama"))
        try withTemporaryFolder { url in
            let file = url.appending(path: "model.gguf")
            _ = try GGUFExport(fixture("models/tiny-llama")).write(to: file, type: type)
            let model = try ModelFolder(file)
            let folder = try ModelFolder(fixture("models/tiny-llama"))
            #expect(model.config == folder.config)
            #expect(model.chatTemplateSource == folder.chatTemplateSource)
            #expect(try model.stopTokens() == folder.stopTokens())
            let decoder = try model.decoder()
            #expect(decoder.isMapped == (type != .f32))
            var context = NaiveContext()
            context.advance(golden.ids[0].count)
            let logits = decoder.logits(decoder.hidden(golden.ids[0], &context)).values
            let found = logits.suffix(golden.logits.count * decoder.config.vocabularySize).map { Double($0) }
            let limit = type == .bf16 ? bfloat16Tolerance : tolerance
            #expect(distance(found, golden.logits.flatMap(\.self)) < limit)
        }
    }
}
