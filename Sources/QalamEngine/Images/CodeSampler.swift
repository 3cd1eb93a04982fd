// SPDX-License-Identifier: Apache-2.0
package import QalamModels
package import QalamTensors

// B: pictures   G: side of the grid of codes   D: numbers of a code

/// What one picture is to become.
package struct CodeRequest: Sendable {
    /// Ids of the text, not padded; none for any picture.
    package var text: [Int32]
    /// What everything random in it follows from.
    package var seed: UInt64

    /// A picture of a text.
    package init(text: [Int32], seed: UInt64) { (self.text, self.seed) = (text, seed) }
}

/// A picture to start from.
package struct CodeSource {
    /// Its codes as numbers: (1,G,G,D).
    package var codes: Tensor
    /// Codes that stay as they are, G² flags; nil: none.
    package var kept: [Bool]?
    /// How far from the picture to go, in 0...1.
    package var strength: Float

    /// A picture, and what is to stay of it.
    package init(codes: Tensor, kept: [Bool]?, strength: Float) {
        (self.codes, self.kept, self.strength) = (codes, kept, strength)
    }
}

/// Draws the codes of pictures from words.
///
/// What comes out for one picture does not depend on the others of a batch.
package protocol CodeSampler {
    /// Image tokens of a picture.
    var imageTokens: Int { get }
    /// Steps of a whole picture.
    var steps: Int { get }

    /// Takes what a request says of drawing, where it says anything that this sampler knows.
    mutating func follow(_ request: DrawRequest)

    /// Draws all pictures together.
    ///
    /// - Parameters:
    ///   - pictures: B texts and seeds
    ///   - source: what all of them start from; nil for nothing
    ///   - progress: called before each step but the first with the steps done, and how to get the codes as they look
    ///     now; false ends
    /// - Returns: (B,G,G,D), on the tokenizer's levels only after rounding; nil if `progress` ended it
    func draw(
        _ pictures: [CodeRequest], from source: CodeSource?, progress: (Int, () -> Tensor) -> Bool
    ) -> Tensor?
}

extension CodeSampler {
    /// Draws without looking on.
    package func draw(_ pictures: [CodeRequest]) -> Tensor? { draw(pictures, from: nil) { _, _ in true } }
}

extension Drawer {
    /// What draws with this model and the image tokenizer whose codes it makes.
    package func sampler(_ images: ImageTokenizer) -> any CodeSampler {
        switch self {
        case .flow(let model): FlowSampler(model)
        case .token(let model): TokenSampler(model, images)
        }
    }
}
