// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import QalamEngine
public import QalamFormats
public import QalamImages
public import QalamModels
internal import QalamTensors
public import QalamTokenizers

/// A score model and captioned pictures: the loss is the cross-entropy of the right caption among those of the batch,
/// and of the right picture.
///
/// Radford et al. 2021, figure 3.
public struct ScoreTask: TrainingTask {
    private let model: ScoreModel
    private let text: Tokenizer
    private let data: PictureData
    private let usesHeldout: Bool
    private let precision: StoredPrecision

    /// What to train on which pictures.
    ///
    /// - Parameters:
    ///   - model: what learns
    ///   - text: makes ids of captions
    ///   - data: the pictures and their captions
    ///   - usesHeldout: whether held-out pictures are trained on too, for a model that judges another one's drawings
    ///   - precision: how the trained model is stored
    public init(
        _ model: ScoreModel, text: Tokenizer, data: PictureData, usesHeldout: Bool = false,
        precision: StoredPrecision = .float32
    ) {
        (self.model, self.text, self.data) = (model, text, data)
        (self.usesHeldout, self.precision) = (usesHeldout, precision)
    }

    /// What `run.json` says of the data.
    public struct Record: Codable {
        let pictures: PictureManifest
        let usesHeldout: Bool
    }

    /// What the pictures are.
    public var record: Record { Record(pictures: data.manifest, usesHeldout: usesHeldout) }
    /// Everything trainable.
    public var parameters: [Parameter] { model.parameters }
    /// Nats.
    public var lossUnit: String { "nats per pair" }

    /// What cosines are multiplied by before the softmax.
    private static let sharpness: Float = 16

    /// Where a picture is.
    private struct Place: Hashable {
        let isHeldout: Bool
        let index: Int
    }

    private func record(_ place: Place) -> PictureRecord {
        (place.isHeldout ? data.heldout : data.train).records[place.index]
    }

    /// Forward and backward over the batch of a step, whose concepts differ.
    public func differentiate(step: Int, _ settings: RunSettings) throws -> StepLoss {
        let places = places(step: step, settings)
        let captions = places.enumerated().flatMap { number, place in
            var random = CounterRandom(
                seed: settings.seed, stream: UInt64(step * settings.batch + number) + 1)
            let caption = CaptionSampler().caption(for: record(place), using: &random)
            return model.config.padded(captionTokens(caption, text))
        }
        let pictures = Tensor(uninitialized: [places.count, data.size, data.size, 4])
        for (row, place) in places.enumerated() {
            let one = (place.isHeldout ? data.heldout : data.train).batch([place.index])
            pictures.rows(row..<row + 1).pointer.update(from: one.pointer, count: one.count)
        }
        let seen = model.pictures(pictures), read = model.texts(captions)
        let targets = (0..<Int32(places.count)).map(\.self)
        let scale = 1 / (2 * Float(places.count))
        // Sharp vectors of pictures against those of texts, and the other way round.
        let byPicture = linearCrossEntropy(
            seen.scaled(by: Self.sharpness), head: Weight(read), targets: targets, gradientScale: scale)
        let byText = linearCrossEntropy(
            read.scaled(by: Self.sharpness), head: Weight(seen), targets: targets, gradientScale: scale)
        byPicture.backward()
        byText.backward()
        return StepLoss(mean: (byPicture.mean + byText.mean) / 2, count: places.count, unit: "img", flops: 0)
    }

    /// The pictures of a step: in the order of the epoch, but for those whose concept is in the batch already.
    private func places(step: Int, _ settings: RunSettings) -> [Place] {
        let total = data.train.count + (usesHeldout ? data.heldout.count : 0)
        let order = RowOrder(count: total, seed: settings.seed)
        var random = CounterRandom(seed: settings.seed, stream: UInt64(step), position: 1 << 40)
        var (places, concepts): ([Place], Set<String>) = ([], [])
        for number in 0..<settings.batch {
            var row = order.row(at: step * settings.batch + number)
            for _ in 0..<100 {
                let place = Place(
                    isHeldout: row >= data.train.count, index: row >= data.train.count ? row - data.train.count : row)
                if concepts.insert(record(place).concept).inserted {
                    places.append(place)
                    break
                }
                row = Int(random.next() % UInt64(total))
            }
        }
        return places
    }

    /// How often the right caption of a held-out picture is the first, or among the first ten, of a hundred.
    public func evaluate(step: Int, _ settings: RunSettings) throws -> Evaluation? {
        guard data.heldout.count > 1 else { return nil }
        let ranking = CaptionRanking(data, model, text)
        let (loss, ranks) = ranking.ranks(of: data.heldout.batch(ranking.indices))
        return Evaluation(step: step, loss: loss, measures: CaptionRanking.recall(ranks), count: ranking.count)
    }

    /// Nothing to see.
    public func sample(step: Int, _ settings: RunSettings, to folder: URL, report: (TrainingEvent) -> Void) {}

    /// Writes a folder with the score model alone.
    public func write(to folder: URL, metadata: [String: String]) throws {
        try ScoreFolder.write(model, text, to: folder, precision: precision, metadata: metadata)
    }
}

/// A hundred captions, among which those of up to a hundred held-out pictures with different concepts are to be found;
/// training pictures lend captions where too few concepts are held out.
struct CaptionRanking {
    /// The held-out pictures whose captions are to be found.
    let indices: [Int]
    /// Their captions, in English or whatever there is, before those that training pictures lend.
    let captions: [String]
    private let model: ScoreModel
    private let texts: Tensor

    /// How many pictures there are.
    var count: Int { indices.count }

    init(_ data: PictureData, _ model: ScoreModel, _ tokenizer: Tokenizer) {
        var seen: Set<String> = []
        func concepts(_ split: PictureSplit, _ most: Int) -> [Int] {
            var found: [Int] = []
            for (index, record) in split.records.enumerated() where found.count < most && record.color == nil {
                if seen.insert(record.concept).inserted { found.append(index) }
            }
            return found
        }
        indices = concepts(data.heldout, 100)
        let lent = concepts(data.train, 100 - indices.count)
        captions = (indices.map { data.heldout.records[$0] } + lent.map { data.train.records[$0] }).map { record in
            record.captions["en"]?.first ?? record.captions.values.joined().first ?? record.name
        }
        self.model = model
        texts = model.texts(captions.flatMap { model.config.padded(captionTokens($0, tokenizer)) }).detached
    }

    /// The loss and the rank, from 0, of each picture's own caption among all.
    func ranks(of pictures: Tensor) -> (loss: Double, ranks: [Int]) {
        let scores = product(model.pictures(pictures).detached, texts, secondTransposed: true)
        var loss = 0.0
        let ranks = (0..<count).map { row in
            let values = captions.indices.map { scores.buffer[row * captions.count + $0] }
            let own = values[row]
            loss += log(values.reduce(0.0) { $0 + exp(16 * Double($1 - own)) })
            return values.count { $0 > own }
        }
        return (loss / Double(count), ranks)
    }

    /// The shares of ranks below 1 and below 10.
    static func recall(_ ranks: [Int]) -> [String: Double] {
        [
            "recall_at_1": Double(ranks.count { $0 < 1 }) / Double(max(ranks.count, 1)),
            "recall_at_10": Double(ranks.count { $0 < 10 }) / Double(max(ranks.count, 1)),
        ]
    }
}
