// SPDX-License-Identifier: Apache-2.0
import QalamEngine
import QalamFormats
import QalamModels
import QalamTensors
import Testing

/// Drawing code by code over pages of keys and values, against the model's whole pass.
@Suite struct TokenSamplerTests {
    /// The likeliest codes by the pages are the likeliest by the whole pass over what was drawn, guided or not.
    @Test(arguments: [1, 3] as [Float]) func pagesGiveWhatTheWholePassGives(guidance: Float) throws {
        let (model, images) = try makeModel()
        var sampler = TokenSampler(model, images)
        (sampler.guidance, sampler.sampling.temperature, sampler.cachePrecision) = (guidance, 0, .float32)
        let texts: [[Int32]] = [[1, 2, 3], [7]]
        // Every other code is given, so that the model has something to look at.
        let given = (0..<16).map { Int32($0 * 61 + 3) }, kept = (0..<16).map { $0 % 2 == 0 }
        let source = CodeSource(
            codes: images.quantizer.values(of: given).reshaped([1, 4, 4, 4]), kept: kept, strength: 1)
        let drawn = sampler.draw(texts.map { CodeRequest(text: $0, seed: 1) }, from: source) { _, _ in true }
        let codes = images.quantizer.codes(of: try #require(drawn))
        let c = model.config
        let logits = model.decoder.logits(model.states(text: texts.flatMap(c.padded), codes: codes)).detached
        let free = model.decoder.logits(model.states(text: texts.flatMap { _ in c.padded([]) }, codes: codes)).detached
        for (row, code) in codes.enumerated() where !kept[row % 16] {
            let values = (0..<c.codes).map { i in
                let (with, without) = (logits.buffer[row * c.codes + i], free.buffer[row * c.codes + i])
                return without + guidance * (with - without)
            }
            let best = try #require(values.max())
            #expect(best - values[Int(code)] < 1e-3 * max(1, abs(best)), "row \(row)")
        }
    }

    /// Codes that a mask keeps are those of the original, at their places; others are drawn.
    @Test func masksKeepCodes() throws {
        let (model, images) = try makeModel()
        let original = (0..<16).map { Int32($0 * 60) }
        let numbers = images.quantizer.values(of: original).reshaped([1, 4, 4, 4])
        let kept = (0..<16).map { $0 % 3 == 0 }
        let source = CodeSource(codes: numbers, kept: kept, strength: 1)
        let drawn = TokenSampler(model, images).draw([CodeRequest(text: [1], seed: 5)], from: source) { _, _ in true }
        let codes = images.quantizer.codes(of: try #require(drawn))
        for place in 0..<16 where kept[place] { #expect(codes[place] == original[place], "place \(place)") }
        #expect(zip(codes, original).count { $0 == $1 } < 12)
    }

    /// What is not drawn yet is transparent, and a drawing that is called off ends.
    @Test func showsWhatIsThereAndStops() throws {
        let (model, images) = try makeModel()
        let blank = images.encode(Tensor(repeating: -1, [1, 16, 16, 4])).detached
        var seen: [Int] = []
        let drawn = TokenSampler(model, images).draw([CodeRequest(text: [1], seed: 5)], from: nil) { done, codes in
            seen.append(done)
            let now = codes()
            #expect((4 * done..<64).allSatisfy { now.buffer[$0] == blank.buffer[$0] })
            return done < 3
        }
        #expect(drawn == nil && seen == [1, 2, 3])
    }

    private func makeModel() throws -> (TokenTransformer, ImageTokenizer) {
        var c = ImageTokenizerConfig(size: 16, fineWidth: 8, coarseWidth: 16)
        (c.fineBlocks, c.coarseBlocks) = ([0, 1], [1, 1])
        let config = TokenTransformerConfig(
            grid: c.grid, codes: c.codes.count, width: 16, layers: 2, heads: 2, vocabularySize: 9, textLength: 30)
        let model = try TokenTransformer(config, Weights(FreshWeights(seed: 4), trainable: true)["token"])
        for parameter in model.parameters where parameter.role == .table {
            for i in parameter.tensor.buffer.indices { parameter.tensor.buffer[i] *= 20 }
        }
        return (model, try ImageTokenizer(c, Weights(FreshWeights(seed: 4), trainable: false)["image_tokenizer"]))
    }
}
