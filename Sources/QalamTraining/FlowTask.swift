// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import QalamEngine
public import QalamFormats
public import QalamImages
public import QalamModels
internal import QalamTensors
public import QalamTokenizers

/// A flow transformer and captioned pictures: the loss is the squared error of the predicted clean codes, weighed as
/// the error of the velocity (Li & He 2025).
public struct FlowTask: TrainingTask {
    private let model: FlowTransformer
    private let imageTokenizer: ImageTokenizer
    private let text: Tokenizer
    private let data: PictureData
    private let precision: StoredPrecision
    private let codes: (train: PictureCodes, heldout: PictureCodes)

    /// What to train on which pictures; encodes them all.
    ///
    /// - Parameters:
    ///   - model: what learns
    ///   - imageTokenizer: makes codes of pictures
    ///   - text: makes ids of captions
    ///   - data: the pictures and their captions
    ///   - precision: how the trained model is stored
    ///   - progress: called with pictures encoded so far
    public init(
        _ model: FlowTransformer, imageTokenizer: ImageTokenizer, text: Tokenizer, data: PictureData,
        precision: StoredPrecision = .float32, progress: (Int) -> Void = { _ in }
    ) {
        (self.model, self.imageTokenizer, self.text, self.data) = (model, imageTokenizer, text, data)
        self.precision = precision
        codes.train = PictureCodes(data.train, imageTokenizer, progress: progress)
        codes.heldout = PictureCodes(data.heldout, imageTokenizer, progress: progress)
    }

    /// What the pictures are.
    public var record: PictureManifest { data.manifest }
    /// Everything trainable.
    public var parameters: [Parameter] { model.parameters }
    /// Of codes with deviation 1.
    public var lossUnit: String { "squared error of the velocity" }

    /// The share of captions that are left out, so that the model also learns pictures of nothing in particular.
    private static let emptyShare = 0.1
    /// Weights grow as 1/(1 - time)², up to here.
    private static let greatestWeight: Float = 25

    /// Forward and backward over the micro-batches of a step.
    public func differentiate(step: Int, _ settings: RunSettings) throws -> StepLoss {
        let order = RowOrder(count: data.train.count, seed: settings.seed)
        var total = 0.0
        for offset in stride(from: 0, to: settings.batch, by: settings.microBatch) {
            let positions = (0..<settings.microBatch).map { step * settings.batch + offset + $0 }
            let examples = positions.map { position in
                Example(
                    data.train.records[order.row(at: position)], self,
                    random: CounterRandom(seed: settings.seed, stream: UInt64(position) + 1))
            }
            let share = Float(settings.microBatch) / Float(settings.batch)
            let loss = loss(of: examples, codes.train.tensor(positions.map(order.row)), gradientScale: share)
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

        init(_ record: PictureRecord, _ task: FlowTask, random: CounterRandom, drops: Bool = true) {
            var random = random
            let c = task.model.config
            // Times lie logit-normally, somewhat towards noise, where the picture is decided.
            time = Float(1 / (1 + exp(-(0.8 * random.normal() - 0.4))))
            let isEmpty = drops && random.uniform() < FlowTask.emptyShare
            let caption = CaptionSampler().caption(for: record, using: &random)
            text = c.padded(isEmpty ? [] : captionTokens(caption, task.text))
            noise = (0..<c.imageTokens * c.patchWidth).map { _ in Float(random.normal()) }
        }
    }

    /// The loss on held-out pictures, with the same times and noise each time.
    public func evaluate(step: Int, _ settings: RunSettings) throws -> Evaluation? {
        guard data.heldout.count > 0 else { return nil }
        let count = min(data.heldout.count, 256)
        let indices = (0..<count).map { $0 * data.heldout.count / count }
        var total = 0.0
        for start in stride(from: 0, to: count, by: 32) {
            let part = Array(indices[start..<min(start + 32, count)])
            let examples = part.map {
                Example(
                    data.heldout.records[$0], self, random: CounterRandom(seed: 0, stream: UInt64($0)), drops: false)
            }
            total += loss(of: examples, codes.heldout.tensor(part), gradientScale: 1).mean * Double(part.count)
        }
        return Evaluation(step: step, loss: total / Double(count), measures: [:], count: count)
    }

    /// A sheet of the sample prompts, several pictures each: `samples.png`.
    public func sample(step: Int, _ settings: RunSettings, to folder: URL, report: (TrainingEvent) -> Void) throws {
        try writeSamples(of: .flow(model), imageTokenizer, text, settings, to: folder, report)
    }

    /// Writes a folder that `qalam draw` opens.
    public func write(to folder: URL, metadata: [String: String]) throws {
        try DrawingFolder.write(
            imageTokenizer, drawer: (.flow(model), text), to: folder, precision: precision, metadata: metadata)
    }
}

extension FlowTransformerConfig {
    /// FLOPs of one picture's forward pass: two for each multiplication of a projection or of attention.
    var forwardFLOPs: Double {
        let (L, C, tokens) = (Double(layers), Double(width), Double(textLength + imageTokens))
        return 2 * tokens * L * (12 * C * C + 2 * C * tokens) + 2 * Double(imageTokens * 2 * patchWidth) * C
    }
}
