// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamFormats
import QalamModels
import QalamTensors
import QalamTraining
import TestSupport
import Testing

/// Ten AdamW steps against PyTorch's losses on the same model and batch.
@Suite struct GoldenTrainingTests {
    @Test(arguments: Golden.models)
    func tenSteps(name: String) throws {
        let folder = fixture("models/\(name)")
        let golden = try Golden(in: folder)
        let config = try DecoderConfig(contentsOf: folder.appending(path: "config.json"))
        let prefix = config.family == .gpt2 ? "transformer." : "model."
        let weights = Weights(Checkpoint(try Safetensors(folder), optionalPrefix: prefix), trainable: true)
        let decoder = try Decoder(config, weights)
        var optimizer = Optimizer(.adamw, decoder.parameters)
        var losses: [Double] = []
        for step in 1...11 {
            losses.append(gradients(decoder, golden.ids))
            _ = optimizer.update(Optimizer.Step(number: step, learningRate: 1e-3, weightDecay: 0.1, clip: 0))
        }
        #expect(distance(losses, golden.steps + [golden.lossAfterSteps]) < 1e-4, "\(losses)")
    }

    /// The mean loss of next tokens, gradients left at the parameters.
    private func gradients(_ decoder: Decoder, _ ids: [[Int32]]) -> Double {
        let T = ids[0].count
        var context = CausalContext(batch: ids.count, length: T)
        let loss = linearCrossEntropy(
            decoder.hidden(ids.flatMap(\.self), &context), head: decoder.head,
            targets: ids.flatMap { $0.dropFirst() + [-1] }, gradientScale: 1 / Float(ids.count * (T - 1)))
        loss.backward()
        return loss.mean
    }
}
