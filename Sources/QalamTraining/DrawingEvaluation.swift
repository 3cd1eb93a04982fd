// SPDX-License-Identifier: Apache-2.0
internal import Foundation
public import QalamEngine
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
    ///   - model: what draws
    ///   - request: how it draws; each caption takes the next seed
    ///   - score: the model that judges, and its text tokenizer
    ///   - data: the pictures
    ///   - progress: called with drawings done and their number
    /// - Throws: what drawing throws
    public init(
        _ model: any ImageModel, _ request: DrawRequest, judgedBy score: (model: ScoreModel, text: Tokenizer),
        _ data: PictureData, progress: (Int, Int) -> Void
    ) async throws {
        let ranking = CaptionRanking(data, score.model, score.text)
        let captions = Array(ranking.captions.prefix(ranking.count))
        var drawn: [Picture] = []
        for (number, caption) in captions.enumerated() {
            var request = request
            request.prompt = caption
            request.seed &+= UInt64(number)
            for try await event in try await model.draw(request) {
                if case .finished(_, let picture, _) = event { drawn.append(picture) }
            }
            progress(number + 1, captions.count)
        }
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
