// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import QalamFormats
internal import QalamModels
internal import QalamTensors

/// Whole training steps (forward, backward, AdamW) of GPT-2-style models on random ids, timed.
public struct TrainingBenchmark {
    /// Sizes that span what people train on one machine.
    public enum Shape: String, Sendable, CaseIterable {
        /// 6 layers of 288, vocabulary 4,096, 16 rows of 256.
        case a
        /// 12 layers of 768, vocabulary 50,257, 4 rows of 512: GPT-2 small.
        case b
        /// 8 layers of 512, vocabulary 8,192, 8 rows of 512.
        case c
    }

    /// What was measured.
    public struct Result: Sendable {
        /// The median over repeats.
        public var tokensPerSecond: Double
        /// By the count of the model's shapes.
        public var gigaflops: Double
        /// Of each step.
        public var losses: [Double]
        /// Trainable numbers.
        public var parameters: Int
    }

    private let config: DecoderConfig
    private let batch: Int
    private let context: Int

    /// The benchmark of one shape.
    public init(_ shape: Shape) {
        let (layers, width, heads, context, vocabulary, batch) =
            switch shape {
            case .a: (6, 288, 6, 256, 4096, 16)
            case .b: (12, 768, 12, 512, 50257, 4)
            case .c: (8, 512, 8, 512, 8192, 8)
            }
        config = DecoderConfig(
            .gpt2, vocabularySize: vocabulary, hiddenSize: width, layers: layers,
            attention: AttentionShape(heads: heads, kvHeads: heads, headDim: width / heads), contextLength: context)
        self.batch = batch
        self.context = context
    }

    /// Times `repeats` times `steps` steps after two that are not counted.
    public func run(steps: Int, repeats: Int) throws -> Result {
        let decoder = try Decoder(config, Weights(FreshWeights(seed: 1), trainable: true))
        var optimizer = Optimizer(.adamw, decoder.parameters)
        var random = CounterRandom(seed: 1)
        var losses: [Double] = []
        func step() {
            let ids = (0..<batch * (context + 1)).map { _ in
                Int32.random(in: 0..<Int32(config.vocabularySize), using: &random)
            }
            let rows = stride(from: 0, to: ids.count, by: context + 1)
            var causal = CausalContext(batch: batch, length: context)
            let hidden = decoder.hidden(rows.flatMap { ids[$0..<$0 + context] }, &causal)
            let loss = linearCrossEntropy(
                hidden, head: decoder.head, targets: rows.flatMap { ids[$0 + 1...$0 + context] },
                gradientScale: 1 / Float(batch * context))
            loss.backward()
            losses.append(loss.mean)
            _ = optimizer.update(
                Optimizer.Step(number: losses.count, learningRate: 3e-4, weightDecay: 0.1, clip: 0))
        }
        step()
        step()
        let times = (0..<repeats).map { _ in
            ContinuousClock().measure { for _ in 0..<steps { step() } } / .seconds(1) / Double(steps)
        }
        let rate = Double(batch * context) / times.sorted()[repeats / 2]
        return Result(
            tokensPerSecond: rate, gigaflops: rate * config.trainingFLOPs(context: context) / 1e9, losses: losses,
            parameters: config.parameterCount)
    }
}
