// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamFormats
import QalamModels
import QalamTensors
import TestSupport
import Testing

/// Every decoder family against the logits that `transformers` computes in double precision from the same files.
@Suite struct GoldenFamilyTests {
    @Test(arguments: GoldenFamily.names)
    func logits(name: String) throws {
        let golden = try GoldenFamily(in: folder(name))
        let decoder = try decoder(name, golden)
        let logits = run(decoder, [golden.ids])
        let found = logits.suffix(golden.logits.count * decoder.config.vocabularySize).map { Double($0) }
        #expect(distance(found, golden.logits.flatMap(\.self)) < tolerance(name))
        #expect(decoder.config.parameterCount == golden.parameters)
    }

    /// Token by token, and in pieces, through the cache.
    @Test(arguments: GoldenFamily.names)
    func stepByStep(name: String) throws {
        let golden = try GoldenFamily(in: folder(name))
        let decoder = try decoder(name, golden)
        let pieces = [Array(golden.ids.prefix(7))] + golden.ids.dropFirst(7).map { [$0] }
        let found = run(decoder, pieces).map { Double($0) }
        #expect(distance(found, run(decoder, [golden.ids]).map { Double($0) }) < 1e-5)
    }

    /// Whole sequences beside each other, as evaluation runs them.
    @Test(arguments: GoldenFamily.names)
    func wholeSequences(name: String) throws {
        let golden = try GoldenFamily(in: folder(name))
        let decoder = try decoder(name, golden)
        var context = CausalContext(batch: 2, length: golden.ids.count)
        let others = golden.ids.reversed()
        let logits = decoder.logits(decoder.hidden(others + golden.ids, &context)).values
        let found = logits.suffix(golden.logits.count * decoder.config.vocabularySize).map { Double($0) }
        #expect(distance(found, golden.logits.flatMap(\.self)) < tolerance(name))
    }

    /// A family without gradients says so, and one whose weights lie in files is not written.
    @Test(arguments: GoldenFamily.names)
    func training(name: String) throws {
        let config = try DecoderConfig(contentsOf: folder(name).appending(path: "config.json"))
        let trainable = ["llama3", "llama-linear", "llama-yarn", "phi3", "phi3-long", "smollm3"].contains(name)
        if trainable {
            let decoder = try Decoder(config, Weights(FreshWeights(seed: 1), trainable: true))
            #expect(decoder.parameters.reduce(0) { $0 + $1.tensor.count } == config.parameterCount)
        } else {
            #expect(throws: ModelError.self) {
                try Decoder(config, Weights(FreshWeights(seed: 1), trainable: true))
            }
        }
    }

    private func folder(_ name: String) -> URL { fixture("families/\(name)") }

    /// Blocks of 4 bits multiply activations of 8, in blocks of 32 as llama.cpp's do.
    private func tolerance(_ name: String) -> Double { max(name == "gpt-oss-mxfp4" ? 2e-2 : 0, bfloat16Tolerance) }

    private func decoder(_ name: String, _ golden: GoldenFamily) throws -> Decoder {
        try ModelFolder.decoder(at: folder(name), contextLength: golden.ids.count)
    }

    /// The logits of the sequence that the pieces make up, run one after another.
    private func run(_ decoder: Decoder, _ pieces: [[Int32]]) -> [Float] {
        var context = NaiveContext()
        return pieces.flatMap { ids in
            context.advance(ids.count)
            return decoder.logits(decoder.hidden(ids, &context)).values
        }
    }
}
