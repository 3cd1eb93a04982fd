// SPDX-License-Identifier: Apache-2.0
package import Foundation
package import QalamImages
internal import QalamModels
internal import QalamTensors
internal import QalamTokenizers

/// Orders pictures by how well they fit a prompt, as DALL-E did with CLIP.
///
/// Ramesh et al. 2021, § 2.6.
package struct PictureRanker {
    /// The name of the folder inside a model's own that holds its score model.
    package static let folderName = "score"

    private let model: ScoreModel
    private let text: Tokenizer

    /// Opens a folder that `qalam train image-score` wrote.
    package init(_ url: URL) throws { (model, text) = try ScoreFolder.open(url) }

    /// How well each picture fits, the cosine of its vector and the prompt's; in the order of the pictures.
    package func scores(of pictures: [Picture], for prompt: String) -> [Float] {
        let size = model.config.size
        let seen = model.pictures(tensorOf(pictures.map { $0.width == size ? $0 : $0.squared(to: size) }))
        let read = model.texts(model.config.padded(captionTokens(prompt, text)))
        let cosines = product(seen.detached, read.detached, secondTransposed: true)
        return pictures.indices.map { cosines.buffer[$0] }
    }

    /// The places of the pictures, the best first; of equals the first.
    package func order(of pictures: [Picture], for prompt: String) -> [Int] {
        let scores = scores(of: pictures, for: prompt)
        return pictures.indices.sorted { scores[$0] == scores[$1] ? $0 < $1 : scores[$0] > scores[$1] }
    }
}
