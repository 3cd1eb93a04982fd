// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import QalamEngine
public import QalamImages
public import QalamModels
internal import QalamTensors
public import QalamTokenizers

/// How good a model's drawings of held-out captions are, and how much of them is memory.
public struct DrawingEvaluation {
    /// How often the drawing's own caption is the first of all, and among the first ten; the same of the real pictures.
    public let measures: [String: Double]
    /// The captions that were drawn.
    public let captions: [String]
    /// The drawings, in the order of the captions.
    public let drawings: [Picture]
    /// For each drawing the training picture nearest to it in pixels.
    public let nearestByPixels: [Picture]
    /// For each drawing the training picture nearest to it for the score model.
    public let nearestByFeatures: [Picture]

    /// Draws up to a hundred held-out captions once each and compares.
    ///
    /// - Parameters:
    ///   - folder: the model that draws
    ///   - score: the model that judges, and its text tokenizer
    ///   - data: the pictures
    ///   - seed: what the noise of the first drawing follows from
    ///   - progress: called with drawings done and their number
    /// - Throws: what opening the folder throws
    public init(
        _ folder: DrawingFolder, judgedBy score: (model: ScoreModel, text: Tokenizer), _ data: PictureData,
        seed: UInt64, progress: (Int, Int) -> Void
    ) throws {
        let ranking = CaptionRanking(data, score.model, score.text)
        let captions = Array(ranking.captions.prefix(ranking.count))
        let drawn = try Self.draw(folder, captions, seed: seed, progress: progress)
        let tensor = tensorOf(drawn)
        let real = CaptionRanking.recall(ranking.ranks(of: data.heldout.batch(ranking.indices)).ranks)
        measures = CaptionRanking.recall(ranking.ranks(of: tensor).ranks)
            .merging(real.map { ("real_\($0)", $1) }) { own, _ in own }
        self.captions = captions
        drawings = drawn
        nearestByPixels = Self.nearest(of: tensor.reshaped([drawn.count, tensor.count / max(drawn.count, 1)]), data) {
            $0.reshaped([$0.shape[0], $0.count / $0.shape[0]])
        }
        nearestByFeatures = Self.nearest(of: score.model.pictures(tensor).detached, data) {
            score.model.pictures($0).detached
        }
    }

    private static func draw(
        _ folder: DrawingFolder, _ captions: [String], seed: UInt64, progress: (Int, Int) -> Void
    ) throws -> [Picture] {
        let (flow, images) = (try folder.flow(), try folder.imageTokenizer())
        let text = try folder.textTokenizer(), sampler = FlowSampler(flow)
        var drawn: [Picture] = []
        for start in stride(from: 0, to: captions.count, by: 10) {
            let wanted = captions[start..<min(start + 10, captions.count)].enumerated().map { number, caption in
                FlowSampler.Picture(text: captionTokens(caption, text), seed: seed &+ UInt64(start + number))
            }
            guard let codes = sampler.draw(wanted) else { return drawn }
            images.config.quantizer.snap(codes)
            drawn += picturesOf(images.decode(codes))
            progress(drawn.count, captions.count)
        }
        return drawn
    }

    /// The training pictures whose rows are nearest to those of `rows` (N,C).
    private static func nearest(of rows: Tensor, _ data: PictureData, _ features: (Tensor) -> Tensor) -> [Picture] {
        var best = [(distance: Float, index: Int)](repeating: (.infinity, 0), count: rows.shape[0])
        for start in stride(from: 0, to: data.train.count, by: 64) {
            let indices = Array(start..<min(start + 64, data.train.count))
            let known = features(data.train.batch(indices))
            let dots = product(rows, known, secondTransposed: true)
            for (j, index) in indices.enumerated() {
                let size = Float(known.rows(j..<j + 1).sumOfSquares)
                for i in best.indices {
                    // The square of the distance, but for the drawing's own size.
                    let distance = size - 2 * dots.buffer[i * indices.count + j]
                    if distance < best[i].distance { best[i] = (distance, index) }
                }
            }
        }
        return best.map { data.train.picture($0.index) }
    }
}
