// SPDX-License-Identifier: Apache-2.0
public import QalamImages

/// A model that draws pictures from words.
public protocol ImageModel: ServedModel {
    /// The side of its pictures in pixels.
    var nativeSize: Int { get }

    /// Draws; dropping the stream ends the work.
    ///
    /// - Throws: `EngineError` if the request can't be met
    func draw(_ request: DrawRequest) async throws -> AsyncThrowingStream<DrawEvent, any Error>
}

/// What to draw.
public struct DrawRequest: Sendable {
    /// The words; empty for a picture of anything.
    public var prompt: String
    /// How many pictures.
    public var count: Int
    /// What the first picture's noise follows from; the others take the seeds behind it.
    public var seed: UInt64
    /// Steps from noise to picture; nil: the model's usual number.
    ///
    /// Models of tokens have none.
    public var steps: Int?
    /// How much the words count, 1 or more; nil: the model's usual weight.
    public var guidance: Double?
    /// Divides the logits of codes; nil: the model's usual one.
    ///
    /// For models of tokens, as are the next two.
    public var temperature: Double?
    /// Keeps only the k likeliest codes; 0 keeps all.
    public var topK: Int?
    /// Keeps the likeliest codes whose probabilities sum to p; 1 keeps all.
    public var topP: Double?
    /// How many pictures are drawn, of which the `count` that fit the prompt best are kept, in that order; nil: as many
    /// as asked for.
    ///
    /// Unfinished pictures are those of the first `count`, whichever are kept.
    public var candidates: Int?
    /// Unfinished pictures shown on the way, for each picture.
    public var partials: Int
    /// A picture to start from.
    public var source: DrawSource?

    /// One picture of `prompt`.
    public init(
        _ prompt: String, count: Int = 1, seed: UInt64, steps: Int? = nil, guidance: Double? = nil, partials: Int = 0,
        source: DrawSource? = nil
    ) {
        (self.prompt, self.count, self.seed, self.steps) = (prompt, count, seed, steps)
        (self.guidance, self.partials, self.source) = (guidance, partials, source)
    }
}

/// A picture to start from.
public struct DrawSource: Sendable {
    /// The picture, of any size.
    public var picture: Picture
    /// What is transparent in it is drawn anew, the rest stays; nil: all is drawn anew.
    public var mask: Picture?
    /// How far from the picture to go, in 0...1: 1 forgets it, but for what the mask keeps.
    public var strength: Double

    /// A picture, and what to do with it.
    public init(_ picture: Picture, mask: Picture? = nil, strength: Double = 1) {
        (self.picture, self.mask, self.strength) = (picture, mask, strength)
    }
}

/// What happens while a model draws.
public enum DrawEvent: Sendable {
    /// An unfinished picture: of which picture, from 0, and which of its partial ones, from 0.
    case partial(picture: Int, number: Int, Picture)
    /// A picture is done, and this seed draws it alone.
    case finished(picture: Int, Picture, seed: UInt64)
    /// All is done: tokens of the prompt, and image tokens drawn.
    case usage(inputTokens: Int, outputTokens: Int)
}
