// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import QalamEngine
public import QalamFormats
public import QalamModels
internal import QalamTensors
internal import QalamTokenizers

/// What a training run teaches: a model, its loss and its data.
///
/// `TrainingRun` does all the rest: steps, optimizer, checkpoints, curve. Everything random in a task follows from the
/// seed and the step.
public protocol TrainingTask {
    /// What `run.json` says of model and data; a checkpoint belongs to runs with the same one.
    associatedtype Record: Codable

    /// Everything trainable.
    var parameters: [Parameter] { get }
    /// Model and data, for `run.json`.
    var record: Record { get }
    /// What the loss curve counts in, such as "nats per token".
    var lossUnit: String { get }

    /// Adds up the gradients of the mean loss over the batch of step `step`, from 0.
    func differentiate(step: Int, _ settings: RunSettings) throws -> StepLoss

    /// Measures the model on held-out data; nil if there is none.
    func evaluate(step: Int, _ settings: RunSettings) throws -> Evaluation?

    /// Shows what the model makes now: reports it, or writes files to `folder` and reports those.
    func sample(step: Int, _ settings: RunSettings, to folder: URL, report: (TrainingEvent) -> Void) throws

    /// Writes the trained model as a folder of its own.
    func write(to folder: URL, metadata: [String: String]) throws
}

/// The loss of one step.
public struct StepLoss: Sendable {
    /// The mean over the batch.
    public var mean: Double
    /// Tokens or pictures in the batch.
    public var count: Int
    /// "tok" or "img".
    public var unit: String
    /// FLOPs, by the count of the model's shapes; 0 where nobody counts them.
    public var flops: Double
}

/// A language model and packed data: the loss is the cross-entropy of the next token.
public struct LanguageModelTask: TrainingTask {
    /// The model.
    public let decoder: Decoder
    private let data: PackedData
    private let files: ModelFiles
    private let precision: StoredPrecision

    /// What to train, and what is written beside the weights.
    public init(
        _ decoder: Decoder, data: PackedData, files: ModelFiles, precision: StoredPrecision = .float32
    ) {
        (self.decoder, self.data, self.files, self.precision) = (decoder, data, files, precision)
    }

    /// The description of the packed data, which holds the hashes of its sources and its tokenizer.
    public var record: PackedManifest { data.manifest }
    /// Everything trainable.
    public var parameters: [Parameter] { decoder.parameters }
    /// Nats.
    public var lossUnit: String { "nats per token" }

    /// Forward and backward over the micro-batches of a step.
    public func differentiate(step: Int, _ settings: RunSettings) throws -> StepLoss {
        let batches = try microBatches(step, settings)
        let targets = batches.reduce(0) { $0 + $1.targets.count { $0 >= 0 } }
        var total = 0.0
        for batch in batches {
            var context = CausalContext(batch: batch.rows, length: settings.context)
            let hidden = decoder.hidden(batch.inputs, &context)
            let loss = linearCrossEntropy(
                hidden, head: decoder.head, targets: batch.targets, gradientScale: 1 / Float(max(targets, 1)))
            loss.backward()
            total += loss.total
        }
        return StepLoss(
            mean: total / Double(max(targets, 1)), count: settings.tokensPerStep, unit: "tok",
            flops: Double(settings.tokensPerStep) * decoder.config.trainingFLOPs(context: settings.context))
    }

    private func microBatches(_ step: Int, _ settings: RunSettings) throws -> [TokenBatch] {
        let order = RowOrder(count: data.train.rowCount(length: settings.context), seed: settings.seed)
        return try stride(from: 0, to: settings.batch, by: settings.microBatch).map { offset in
            let first = step * settings.batch + offset
            return try data.train.batch((first..<first + settings.microBatch).map(order.row), length: settings.context)
        }
    }

    /// Bits per byte on the held-out rows.
    public func evaluate(step: Int, _ settings: RunSettings) throws -> Evaluation? {
        try QalamTraining.evaluate(
            decoder, data, tokenizer: files.tokenizer, context: settings.context, step: step)
    }

    /// Continues the sample prompts.
    public func sample(step: Int, _ settings: RunSettings, to folder: URL, report: (TrainingEvent) -> Void) {
        for prompt in settings.samplePrompts {
            let ids = files.tokenizer.encode(prompt).prefix(decoder.config.contextLength / 2)
            guard !ids.isEmpty else { continue }
            var options = SamplingOptions()
            options.seed = settings.seed
            let request = GenerationRequest(
                prompt: Array(ids), sampling: options, maxTokens: min(48, decoder.config.contextLength - ids.count),
                stopTokens: Set(decoder.config.eosTokens))
            report(.sample(prompt: prompt, text: files.tokenizer.decode(generate(decoder, request))))
        }
    }

    /// Writes a Hugging Face folder.
    public func write(to folder: URL, metadata: [String: String]) throws {
        try ModelFolder.write(decoder, files, to: folder, precision: precision, metadata: metadata)
    }
}
