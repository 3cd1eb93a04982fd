// SPDX-License-Identifier: Apache-2.0
internal import QalamEngine
public import QalamImages
public import QalamModels
internal import QalamTensors
public import QalamTokenizers

/// Captioned pictures as codes: what models that draw are trained on, by a flow or code by code.
public struct CodedPictures {
    /// The pictures and their captions.
    let data: PictureData
    /// Makes codes of pictures.
    let imageTokenizer: ImageTokenizer
    /// Makes ids of captions.
    let text: Tokenizer
    let train: PictureCodes
    let heldout: PictureCodes

    /// Encodes all pictures; `progress` is called with how many of a split are done.
    public init(
        _ data: PictureData, _ imageTokenizer: ImageTokenizer, _ text: Tokenizer, progress: (Int) -> Void = { _ in }
    ) {
        (self.data, self.imageTokenizer, self.text) = (data, imageTokenizer, text)
        train = PictureCodes(data.train, imageTokenizer, progress: progress)
        heldout = PictureCodes(data.heldout, imageTokenizer) { progress(data.train.count + $0) }
    }

    /// The share of captions that are left out, so that models also learn pictures of nothing in particular.
    private static let emptyShare = 0.1

    /// The ids of a caption of the picture; now and then none, if it `mayBeEmpty`.
    func caption(of record: PictureRecord, mayBeEmpty: Bool, using random: inout CounterRandom) -> [Int32] {
        let isEmpty = mayBeEmpty && random.uniform() < Self.emptyShare
        let caption = CaptionSampler().caption(for: record, using: &random)
        return isEmpty ? [] : captionTokens(caption, text)
    }

    /// The held-out pictures that are measured, at most 256, spread over all; in batches of 16.
    var heldoutBatches: [[Int]] {
        let count = min(data.heldout.count, 256)
        return stride(from: 0, to: count, by: 16).map { start in
            (start..<min(start + 16, count)).map { $0 * data.heldout.count / count }
        }
    }
}
