// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import QalamEngine
public import QalamFormats
public import QalamImages
public import QalamModels
internal import QalamTensors

/// A flow transformer and captioned pictures: the loss is the squared error of the predicted clean codes, weighed as
/// the error of the velocity (Li & He 2025).
public struct FlowTask: TrainingTask {
    private let model: FlowTransformer
    private let pictures: CodedPictures
    private let precision: StoredPrecision

    /// What to train on which pictures, and how the trained model is stored.
    public init(_ model: FlowTransformer, _ pictures: CodedPictures, precision: StoredPrecision = .float32) {
        (self.model, self.pictures, self.precision) = (model, pictures, precision)
    }

    /// What the pictures are.
    public var record: PictureManifest { pictures.data.manifest }
    /// Everything trainable.
    public var parameters: [Parameter] { model.parameters }
    /// Of codes with deviation 1.
    public var lossUnit: String { "squared error of the velocity" }

    /// Weights grow as 1/(1 - time)², up to here.
    private static let greatestWeight: Float = 25

    /// Forward and backward over the micro-batches of a step.
    public func differentiate(step: Int, _ settings: RunSettings) throws -> StepLoss {
        let order = RowOrder(count: pictures.data.train.count, seed: settings.seed)
        var total = 0.0
        for offset in stride(from: 0, to: settings.batch, by: settings.microBatch) {
            let positions = (0..<settings.microBatch).map { step * settings.batch + offset + $0 }
            let examples = positions.map { position in
                Example(
                    pictures.data.train.records[order.row(at: position)], self,
                    random: CounterRandom(seed: settings.seed, stream: UInt64(position) + 1))
            }
            let share = Float(settings.microBatch) / Float(settings.batch)
            let loss = loss(of: examples, pictures.train.tensor(positions.map(order.row)), gradientScale: share)
            loss.backward()
            total += loss.mean * Double(share)
        }
        return StepLoss(
            mean: total, count: settings.batch, unit: "img",
            flops: 3 * Double(settings.batch) * model.config.forwardFLOPs)
    }

    private func loss(
        of examples: [Example], _ codes: Tensor, gradientScale: Float
    ) -> DifferentiatedError {
        let clean = model.patches(of: codes)
        let noisy = Tensor(examples.flatMap(\.noise), clean.shape)
        let size = clean.count / examples.count
        for (row, example) in examples.enumerated() {
            let part = noisy.rows(row..<row + 1)
            part.scaleInPlace(by: 1 - example.time)
            part.addInPlace(clean.rows(row..<row + 1), times: example.time)
        }
        precondition(examples.allSatisfy { $0.noise.count == size }, "noise: \(size) numbers a picture")
        let made = model(noisy, times: examples.map(\.time), text: examples.flatMap(\.text))
        let weights = examples.map { min(1 / ((1 - $0.time) * (1 - $0.time)), Self.greatestWeight) }
        return squaredError(made, clean, weights: weights, gradientScale: gradientScale)
    }

    /// One picture at one time with one caption.
    private struct Example {
        let time: Float
        let noise: [Float]
        let text: [Int32]

        init(_ record: PictureRecord, _ task: FlowTask, random: CounterRandom, mayBeEmpty: Bool = true) {
            var random = random
            let c = task.model.config
            // Times lie logit-normally, somewhat towards noise, where the picture is decided.
            time = Float(1 / (1 + exp(-(0.8 * random.normal() - 0.4))))
            text = c.padded(task.pictures.caption(of: record, mayBeEmpty: mayBeEmpty, using: &random))
            noise = (0..<c.imageTokens * c.patchWidth).map { _ in Float(random.normal()) }
        }
    }

    /// The loss on held-out pictures, with the same times and noise each time.
    public func evaluate(step: Int, _ settings: RunSettings) throws -> Evaluation? {
        let batches = pictures.heldoutBatches, count = batches.reduce(0) { $0 + $1.count }
        guard count > 0 else { return nil }
        var total = 0.0
        for batch in batches {
            let examples = batch.map {
                Example(
                    pictures.data.heldout.records[$0], self, random: CounterRandom(seed: 0, stream: UInt64($0)),
                    mayBeEmpty: false)
            }
            total += loss(of: examples, pictures.heldout.tensor(batch), gradientScale: 1).mean * Double(batch.count)
        }
        return Evaluation(step: step, loss: total / Double(count), measures: [:], count: count)
    }

    /// A sheet of the sample prompts, several pictures each: `samples.png`.
    public func sample(step: Int, _ settings: RunSettings, to folder: URL, report: (TrainingEvent) -> Void) throws {
        try writeSamples(of: .flow(model), pictures.imageTokenizer, pictures.text, settings, to: folder, report)
    }

    /// Writes a folder that `qalam draw` opens.
    public func write(to folder: URL, metadata: [String: String]) throws {
        try DrawingFolder.write(
            pictures.imageTokenizer, drawer: (.flow(model), pictures.text), to: folder, precision: precision,
            metadata: metadata)
    }
}

extension FlowTransformerConfig {
    /// FLOPs of one picture's forward pass: two for each multiplication of a projection or of attention.
    var forwardFLOPs: Double {
        let (L, C, tokens) = (Double(layers), Double(width), Double(textLength + imageTokens))
        return 2 * tokens * L * (12 * C * C + 2 * C * tokens) + 2 * Double(imageTokens * 2 * patchWidth) * C
    }
}
