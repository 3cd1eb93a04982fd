// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import QalamEngine
public import QalamFormats
public import QalamImages
public import QalamModels
internal import QalamTensors

/// An image tokenizer and pictures: the loss is the squared error of the reconstruction.
public struct ImageTokenizerTask: TrainingTask {
    private let model: ImageTokenizer
    private let data: PictureData
    private let precision: StoredPrecision

    /// What to train on which pictures.
    public init(_ model: ImageTokenizer, data: PictureData, precision: StoredPrecision = .float32) {
        (self.model, self.data, self.precision) = (model, data, precision)
    }

    /// What the pictures are.
    public var record: PictureManifest { data.manifest }
    /// Everything trainable.
    public var parameters: [Parameter] { model.parameters }
    /// Of values in -1...1.
    public var lossUnit: String { "squared error" }

    /// Forward and backward over the micro-batches of a step.
    public func differentiate(step: Int, _ settings: RunSettings) throws -> StepLoss {
        let order = RowOrder(count: data.train.count, seed: settings.seed)
        var total = 0.0
        for offset in stride(from: 0, to: settings.batch, by: settings.microBatch) {
            let first = step * settings.batch + offset
            let x = data.train.batch((first..<first + settings.microBatch).map(order.row))
            let share = Float(settings.microBatch) / Float(settings.batch)
            let made = model.reconstruction(of: x, relaxation(step: step, first: first, settings, share: share))
            let loss = squaredError(made, x, gradientScale: share)
            loss.backward()
            total += loss.mean * Double(share)
        }
        return StepLoss(
            mean: total, count: settings.batch, unit: "img",
            flops: 3 * Double(settings.batch) * model.config.forwardFLOPs)
    }

    /// What the divergence of a codebook's choices from even ones counts beside the squared error, in nats.
    private static let divergenceWeight: Float = 1e-4

    /// How soft a codebook's choices are: from temperature 1 down to 1/16 in a half cosine, as in DALL-E.
    ///
    /// Ramesh et al. 2021, A.2.
    private func relaxation(step: Int, first: Int, _ settings: RunSettings, share: Float) -> Codebook.Relaxation {
        let progress = Double(step) / Double(max(settings.steps - 1, 1))
        let temperature = 1 / 16 + (1 - 1 / 16) * 0.5 * (1 + cos(.pi * progress))
        var random = CounterRandom(seed: settings.seed, stream: UInt64(first))
        return Codebook.Relaxation(
            temperature: Float(temperature), seed: UInt32(truncatingIfNeeded: random.next()),
            divergenceWeight: Self.divergenceWeight * share)
    }

    /// PSNR and SSIM of held-out pictures before a white ground.
    public func evaluate(step: Int, _ settings: RunSettings) throws -> Evaluation? {
        guard data.heldout.count > 0 else { return nil }
        let count = min(data.heldout.count, 512)
        let indices = (0..<count).map { $0 * data.heldout.count / count }
        var (loss, psnr, ssim) = (0.0, 0.0, 0.0)
        for start in stride(from: 0, to: count, by: 32) {
            let part = Array(indices[start..<min(start + 32, count)])
            let x = data.heldout.batch(part), y = model.decode(model.encode(x)).detached
            loss += squaredError(y, x).mean * Double(part.count)
            for (made, index) in zip(picturesOf(y), part) {
                let likeness = Likeness(of: made.composed(), to: data.heldout.picture(index).composed())
                psnr += likeness.psnr
                ssim += likeness.ssim
            }
        }
        return Evaluation(
            step: step, loss: loss / Double(count),
            measures: ["psnr": psnr / Double(count), "ssim": ssim / Double(count)], count: count)
    }

    /// A sheet of held-out pictures, each above its reconstruction: `samples.png`.
    public func sample(step: Int, _ settings: RunSettings, to folder: URL, report: (TrainingEvent) -> Void) throws {
        guard data.heldout.count > 0 else { return }
        let columns = 12
        var cells: [Picture] = []
        for row in 0..<4 {
            let part = (0..<columns).map { ($0 + row * columns) * data.heldout.count / (4 * columns) }
            cells += part.map(data.heldout.picture)
            cells += picturesOf(model.decode(model.encode(data.heldout.batch(part))).detached)
        }
        try writeSheet(cells, columns: columns, to: folder.appending(path: "samples.png"), report)
    }

    /// Writes a folder with the image tokenizer alone.
    public func write(to folder: URL, metadata: [String: String]) throws {
        try DrawingFolder.write(model, drawer: nil, to: folder, precision: precision, metadata: metadata)
    }
}

extension ImageTokenizerConfig {
    /// FLOPs to encode and decode one picture: two for each multiplication of a convolution or projection.
    var forwardFLOPs: Double {
        let fine = Double(size * size / 4), coarse = Double(grid * grid)
        func block(_ width: Int) -> Double { 13 * Double(width * width) }
        let fineParts = Double(fineBlocks.reduce(0, +)) * block(fineWidth) + 2 * 9 * 16 * Double(fineWidth)
        let coarseParts =
            Double(coarseBlocks.reduce(0, +)) * block(coarseWidth)
            + 8 * Double(fineWidth * coarseWidth) + 2 * Double(coarseWidth * codes.width)
        return 2 * (fine * fineParts + coarse * coarseParts)
    }
}
