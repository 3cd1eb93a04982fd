// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import QalamEngine
public import QalamFormats
public import QalamImages
public import QalamModels
internal import QalamTensors
public import QalamTokenizers

/// A token transformer and captioned pictures: the loss is the cross-entropy of every code after the text and the codes
/// before it.
public struct TokenTask: TrainingTask {
    private let model: TokenTransformer
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
        _ model: TokenTransformer, imageTokenizer: ImageTokenizer, text: Tokenizer, data: PictureData,
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
    /// Nats.
    public var lossUnit: String { "nats per code" }

    /// The share of captions that are left out, so that the model also learns pictures of nothing in particular.
    private static let emptyShare = 0.1

    /// Forward and backward over the micro-batches of a step.
    public func differentiate(step: Int, _ settings: RunSettings) throws -> StepLoss {
        let order = RowOrder(count: data.train.count, seed: settings.seed)
        let scale = 1 / Float(settings.batch * model.config.imageTokens)
        var total = 0.0
        for offset in stride(from: 0, to: settings.batch, by: settings.microBatch) {
            let positions = (0..<settings.microBatch).map { step * settings.batch + offset + $0 }
            let rows = positions.map(order.row)
            let captions = zip(positions, rows).map { position, row in
                caption(
                    of: data.train.records[row],
                    CounterRandom(seed: settings.seed, stream: UInt64(position) + 1), emptyShare: Self.emptyShare)
            }
            let loss = loss(captions, codes.train.ids(rows), gradientScale: scale)
            loss.backward()
            total += loss.total
        }
        return StepLoss(
            mean: total * Double(scale), count: settings.batch, unit: "img",
            flops: Double(settings.batch * model.decoder.config.contextLength)
                * model.decoder.config.trainingFLOPs(context: model.decoder.config.contextLength))
    }

    private func loss(_ captions: [[Int32]], _ codes: [Int32], gradientScale: Float) -> Loss {
        let states = model.states(text: captions.flatMap(\.self), codes: codes)
        return linearCrossEntropy(states, head: model.decoder.head, targets: codes, gradientScale: gradientScale)
    }

    /// A caption of the picture, padded, or none.
    private func caption(of record: PictureRecord, _ random: CounterRandom, emptyShare: Double) -> [Int32] {
        var random = random
        let isEmpty = random.uniform() < emptyShare
        let caption = CaptionSampler().caption(for: record, using: &random)
        return model.config.padded(isEmpty ? [] : captionTokens(caption, text))
    }

    /// The loss on held-out pictures, with the same captions each time.
    public func evaluate(step: Int, _ settings: RunSettings) throws -> Evaluation? {
        guard data.heldout.count > 0 else { return nil }
        let count = min(data.heldout.count, 256)
        let indices = (0..<count).map { $0 * data.heldout.count / count }
        var total = 0.0
        for start in stride(from: 0, to: count, by: 16) {
            let part = Array(indices[start..<min(start + 16, count)])
            let captions = part.map {
                caption(of: data.heldout.records[$0], CounterRandom(seed: 0, stream: UInt64($0)), emptyShare: 0)
            }
            total += heldoutLoss(captions, codes.heldout.ids(part))
        }
        return Evaluation(
            step: step, loss: total / Double(count * model.config.imageTokens), measures: [:], count: count)
    }

    /// The sum over all codes, without gradients: the head would gather its own at once.
    private func heldoutLoss(_ captions: [[Int32]], _ codes: [Int32]) -> Double {
        let states = model.states(text: captions.flatMap(\.self), codes: codes).detached
        return linearCrossEntropy(states, head: model.decoder.head.detached, targets: codes).total
    }

    /// A sheet of the sample prompts, several pictures each: `samples.png`.
    public func sample(step: Int, _ settings: RunSettings, to folder: URL, report: (TrainingEvent) -> Void) throws {
        try writeSamples(of: .token(model), imageTokenizer, text, settings, to: folder, report)
    }

    /// Writes a folder that `qalam draw` opens.
    public func write(to folder: URL, metadata: [String: String]) throws {
        try DrawingFolder.write(
            imageTokenizer, drawer: (.token(model), text), to: folder, precision: precision, metadata: metadata)
    }
}
