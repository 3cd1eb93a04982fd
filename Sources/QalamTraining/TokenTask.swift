// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import QalamEngine
public import QalamFormats
public import QalamImages
public import QalamModels
internal import QalamTensors

/// A token transformer and captioned pictures: the loss is the cross-entropy of every code after the text and the codes
/// before it.
public struct TokenTask: TrainingTask {
    private let model: TokenTransformer
    private let pictures: CodedPictures
    private let precision: StoredPrecision

    /// What to train on which pictures, and how the trained model is stored.
    public init(_ model: TokenTransformer, _ pictures: CodedPictures, precision: StoredPrecision = .float32) {
        (self.model, self.pictures, self.precision) = (model, pictures, precision)
    }

    /// What the pictures are.
    public var record: PictureManifest { pictures.data.manifest }
    /// Everything trainable.
    public var parameters: [Parameter] { model.parameters }
    /// Nats.
    public var lossUnit: String { "nats per code" }

    /// Forward and backward over the micro-batches of a step.
    public func differentiate(step: Int, _ settings: RunSettings) throws -> StepLoss {
        let order = RowOrder(count: pictures.data.train.count, seed: settings.seed)
        let scale = 1 / Float(settings.batch * model.config.imageTokens)
        var total = 0.0
        for offset in stride(from: 0, to: settings.batch, by: settings.microBatch) {
            let positions = (0..<settings.microBatch).map { step * settings.batch + offset + $0 }
            let rows = positions.map(order.row)
            let captions = zip(positions, rows).map { position, row in
                caption(
                    of: pictures.data.train.records[row], mayBeEmpty: true,
                    CounterRandom(seed: settings.seed, stream: UInt64(position) + 1))
            }
            let loss = loss(captions, pictures.train.ids(rows), gradientScale: scale)
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
    private func caption(of record: PictureRecord, mayBeEmpty: Bool, _ random: CounterRandom) -> [Int32] {
        var random = random
        return model.config.padded(pictures.caption(of: record, mayBeEmpty: mayBeEmpty, using: &random))
    }

    /// The loss on held-out pictures, with the same captions each time.
    public func evaluate(step: Int, _ settings: RunSettings) throws -> Evaluation? {
        let batches = pictures.heldoutBatches, count = batches.reduce(0) { $0 + $1.count }
        guard count > 0 else { return nil }
        var total = 0.0
        for batch in batches {
            let captions = batch.map {
                caption(
                    of: pictures.data.heldout.records[$0], mayBeEmpty: false,
                    CounterRandom(seed: 0, stream: UInt64($0)))
            }
            total += heldoutLoss(captions, pictures.heldout.ids(batch))
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
        try writeSamples(of: .token(model), pictures.imageTokenizer, pictures.text, settings, to: folder, report)
    }

    /// Writes a folder that `qalam draw` opens.
    public func write(to folder: URL, metadata: [String: String]) throws {
        try DrawingFolder.write(
            pictures.imageTokenizer, drawer: (.token(model), pictures.text), to: folder, precision: precision,
            metadata: metadata)
    }
}
