// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import QalamFormats
internal import QalamModels
internal import QalamTensors

/// Whole training steps (forward, backward, AdamW) on random data, timed.
public struct TrainingBenchmark {
    /// GPT-2-style models in sizes that span what people train on one machine, and the two models that draw.
    public enum Shape: String, Sendable, CaseIterable {
        /// 6 layers of 288, vocabulary 4,096, 16 rows of 256.
        case a
        /// 12 layers of 768, vocabulary 50,257, 4 rows of 512: GPT-2 small.
        case b
        /// 8 layers of 512, vocabulary 8,192, 8 rows of 512.
        case c
        /// The image tokenizer of qalam-draw-mini, 32 pictures of 64 pixels.
        case imageTokenizer = "image-tokenizer"
        /// The flow transformer of qalam-draw-mini, 48 pictures.
        case image
    }

    /// What was measured.
    public struct Result: Sendable {
        /// Tokens or pictures a second: the median over repeats.
        public var rate: Double
        /// What ``rate`` counts: "tok" or "img".
        public var unit: String
        /// By the count of the model's shapes.
        public var gigaflops: Double
        /// Of each step.
        public var losses: [Double]
        /// Trainable numbers.
        public var parameters: Int
    }

    private let subject: any TimedModel

    /// The benchmark of one shape.
    public init(_ shape: Shape) throws {
        subject =
            switch shape {
            case .a: try TimedDecoder(layers: 6, width: 288, heads: 6, context: 256, vocabulary: 4096, batch: 16)
            case .b: try TimedDecoder(layers: 12, width: 768, heads: 12, context: 512, vocabulary: 50257, batch: 4)
            case .c: try TimedDecoder(layers: 8, width: 512, heads: 8, context: 512, vocabulary: 8192, batch: 8)
            case .imageTokenizer: try TimedImageTokenizer(batch: 32)
            case .image: try TimedFlow(batch: 48)
            }
    }

    /// Times `repeats` times `steps` steps after two that are not counted.
    public func run(steps: Int, repeats: Int) -> Result {
        var optimizer = Optimizer(.adamw, subject.parameters)
        var random = CounterRandom(seed: 1)
        var losses: [Double] = []
        func step() {
            losses.append(subject.differentiate(&random))
            _ = optimizer.update(
                Optimizer.Step(number: losses.count, learningRate: 3e-4, weightDecay: 0.1, clip: 0))
        }
        step()
        step()
        let times = (0..<repeats).map { _ in
            ContinuousClock().measure { for _ in 0..<steps { step() } } / .seconds(1) / Double(steps)
        }
        let rate = Double(subject.samples) / times.sorted()[repeats / 2]
        return Result(
            rate: rate, unit: subject.unit, gigaflops: rate * subject.sampleFLOPs / 1e9, losses: losses,
            parameters: subject.parameters.reduce(0) { $0 + $1.tensor.count })
    }
}

/// A fresh model and the random data of its steps.
private protocol TimedModel {
    var parameters: [Parameter] { get }
    /// Tokens or pictures of one step.
    var samples: Int { get }
    var unit: String { get }
    /// Of one token or picture, forward and backward.
    var sampleFLOPs: Double { get }

    /// Forward and backward on new data; gives the loss.
    func differentiate(_ random: inout CounterRandom) -> Double
}

private struct TimedDecoder: TimedModel {
    private let decoder: Decoder
    private let batch: Int
    private let context: Int

    init(layers: Int, width: Int, heads: Int, context: Int, vocabulary: Int, batch: Int) throws {
        let config = DecoderConfig(
            .gpt2, vocabularySize: vocabulary, hiddenSize: width, layers: layers,
            attention: AttentionShape(heads: heads, kvHeads: heads, headDim: width / heads), contextLength: context)
        decoder = try Decoder(config, Weights(FreshWeights(seed: 1), trainable: true))
        (self.batch, self.context) = (batch, context)
    }

    var parameters: [Parameter] { decoder.parameters }
    var samples: Int { batch * context }
    var unit: String { "tok" }
    var sampleFLOPs: Double { decoder.config.trainingFLOPs(context: context) }

    func differentiate(_ random: inout CounterRandom) -> Double {
        let ids = randomIDs(batch * (context + 1), below: decoder.config.vocabularySize, &random)
        let rows = stride(from: 0, to: ids.count, by: context + 1)
        var causal = CausalContext(batch: batch, length: context)
        let hidden = decoder.hidden(rows.flatMap { ids[$0..<$0 + context] }, &causal)
        let loss = linearCrossEntropy(
            hidden, head: decoder.head, targets: rows.flatMap { ids[$0 + 1...$0 + context] },
            gradientScale: 1 / Float(batch * context))
        loss.backward()
        return loss.mean
    }
}

private struct TimedImageTokenizer: TimedModel {
    private let model: ImageTokenizer
    let samples: Int

    init(batch: Int) throws {
        model = try ImageTokenizer(ImageTokenizerConfig(), Weights(FreshWeights(seed: 1), trainable: true))
        samples = batch
    }

    var parameters: [Parameter] { model.parameters }
    var unit: String { "img" }
    var sampleFLOPs: Double { 3 * model.config.forwardFLOPs }

    func differentiate(_ random: inout CounterRandom) -> Double {
        let pictures = randomNumbers([samples, model.config.size, model.config.size, 4], &random)
        let loss = squaredError(model.decode(model.encode(pictures)), pictures)
        loss.backward()
        return loss.mean
    }
}

private struct TimedFlow: TimedModel {
    private let model: FlowTransformer
    let samples: Int

    init(batch: Int) throws {
        let config = FlowTransformerConfig(grid: 16, codeWidth: 4, layers: 6, vocabularySize: 2048)
        model = try FlowTransformer(config, Weights(FreshWeights(seed: 1), trainable: true))
        samples = batch
    }

    var parameters: [Parameter] { model.parameters }
    var unit: String { "img" }
    var sampleFLOPs: Double { 3 * model.config.forwardFLOPs }

    func differentiate(_ random: inout CounterRandom) -> Double {
        let c = model.config
        let text = randomIDs(samples * c.textLength, below: c.vocabularySize, &random)
        let noisy = randomNumbers([samples, c.imageTokens, c.patchWidth], &random)
        let clean = randomNumbers(noisy.shape, &random)
        let times = (0..<samples).map { _ in Float(random.uniform()) }
        let loss = squaredError(model(noisy, times: times, text: text), clean)
        loss.backward()
        return loss.mean
    }
}

private func randomIDs(_ count: Int, below bound: Int, _ random: inout CounterRandom) -> [Int32] {
    (0..<count).map { _ in Int32.random(in: 0..<Int32(bound), using: &random) }
}

/// Numbers in -1..<1.
private func randomNumbers(_ shape: TensorShape, _ random: inout CounterRandom) -> Tensor {
    Tensor((0..<shape.reduce(1, *)).map { _ in Float(2 * random.uniform() - 1) }, shape)
}
