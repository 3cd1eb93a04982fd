// SPDX-License-Identifier: Apache-2.0
public import QalamImages

/// A model that draws: the seam between whatever draws and those who ask for pictures.
public protocol ImageModel: Sendable {
    /// What it is called.
    var name: String { get }
    /// Pixels of a side of what it draws; pictures are squares.
    var nativeSize: Int { get }

    /// Draws; dropping the stream ends the work.
    ///
    /// For each picture come its partial ones, if they were asked for, then the finished one; once comes what it cost.
    /// - Throws: from the stream, `EngineError` if the request can't be drawn
    func draw(_ request: DrawRequest) -> AsyncThrowingStream<DrawEvent, any Error>
}

/// What to draw.
public struct DrawRequest: Sendable, Equatable {
    /// What the picture shows, in words; empty for whatever the model likes.
    public var prompt: String
    /// How many pictures.
    public var count: Int
    /// What chance hangs on: the same seed draws the same pictures.
    public var seed: UInt64
    /// How many steps to take; nil: as the model likes, and models without steps ignore it.
    public var steps: Int?
    /// How closely to follow the words; nil: as the model likes.
    public var guidance: Float?
    /// How many pictures to show on the way to each finished one: 0...3.
    public var partials: Int
    /// The picture to start from, if there is one.
    public var source: DrawSource?

    /// A request for `count` pictures of `prompt`.
    public init(
        prompt: String, count: Int = 1, seed: UInt64, steps: Int? = nil, guidance: Float? = nil, partials: Int = 0,
        source: DrawSource? = nil
    ) {
        self.prompt = prompt
        self.count = count
        self.seed = seed
        self.steps = steps
        self.guidance = guidance
        self.partials = partials
        self.source = source
    }
}

/// A picture to start from, of any size.
public struct DrawSource: Sendable, Equatable {
    /// The picture.
    public var picture: Picture
    /// A picture of the same size whose transparent parts are to be drawn anew; nil: all of it is.
    public var mask: Picture?
    /// How much may change, 0...1; 1 takes no notice of what is there.
    public var strength: Float

    /// A start from `picture`.
    public init(picture: Picture, mask: Picture? = nil, strength: Float) {
        self.picture = picture
        self.mask = mask
        self.strength = strength
    }
}

/// What happens while pictures are drawn.
public enum DrawEvent: Sendable {
    /// How picture number `picture` looks on the way, for the time number `number`; both count from 0.
    case partial(picture: Int, number: Int, Picture)
    /// Picture number `picture` is finished; `seed` draws it alone.
    case finished(picture: Int, Picture, seed: UInt64)
    /// What it cost: tokens of the words, and of the pictures.
    case usage(inputTokens: Int, outputTokens: Int)
}

/// A model that draws, as a server shows it.
public protocol DrawingModel: ServedModel {
    /// Pixels of a side of what it draws.
    var nativeSize: Int { get }

    /// Draws; dropping the stream ends the work.
    func draw(_ request: DrawRequest) async throws -> AsyncThrowingStream<DrawEvent, any Error>
}

extension DrawingModel {
    /// It takes no texts that are counted in tokens.
    public var contextLength: Int { 0 }
}
