// SPDX-License-Identifier: Apache-2.0

import QalamEngine
import QalamImages

/// What is asked of a model that draws: how to draw, and what to make of the pictures.
struct ImageRequest: Sendable {
    /// How the pictures are sent.
    enum Delivery: Sendable {
        case base64
        case url
    }

    /// What to draw.
    private(set) var drawing: DrawRequest
    /// `model`; nil: the first one that draws.
    let model: String?
    /// Pixels of a side; nil: as the model draws.
    let side: Int?
    /// `quality`, in the three words that answers have; nil: the model's own.
    let quality: String?
    /// How the pictures are sent.
    let delivery: Delivery
    /// Whether they are sent while they are drawn.
    let streams: Bool
    private let background: String
    private let format: String
    private let compression: Int

    /// The steps that the words for quality stand for, where `steps` isn't given.
    static let steps = ["low": 12, "medium": 24, "high": 48]

    /// Reads a checked body or form; with a picture, what is drawn starts from that.
    init(_ body: JSONValue, source: DrawSource? = nil) {
        model = body["model"]?.text
        side = body["size"]?.text.flatMap { Int($0.prefix { $0 != "x" }) }
        let words = ["standard": "medium", "hd": "high", "auto": nil]
        quality = body["quality"]?.text.flatMap { words[$0] ?? $0 }
        delivery = body["response_format"] == "url" ? .url : .base64
        streams = body["stream"]?.flag ?? false
        background = body["background"]?.text ?? "auto"
        format = body["output_format"]?.text ?? "png"
        compression = body["output_compression"]?.int ?? 100
        drawing = DrawRequest(
            body["prompt"]?.text ?? "", count: body["n"]?.int ?? 1,
            seed: body["seed"]?.int.map { UInt64(bitPattern: Int64($0)) } ?? UInt64(UInt32.random(in: .min ... .max)))
        drawing.steps = body["steps"]?.int ?? quality.flatMap { Self.steps[$0] }
        drawing.guidance = body["guidance"]?.double
        drawing.partials = body["partial_images"]?.int ?? 0
        drawing.source = source
    }

    /// A picture that the model has drawn, as it was asked for: its size and its ground.
    func finish(_ picture: Picture) -> Picture {
        let sized = side.map { picture.resized(width: $0, height: $0) } ?? picture
        return background == "opaque" || format == "jpeg" ? sized.composed() : sized
    }

    /// The bytes of a file with the picture; a PNG says in text what drew it.
    func file(of picture: Picture, model: String, seed: UInt64) throws -> [UInt8] {
        switch format {
        case "jpeg": return try picture.encoded(as: .jpeg(quality: compression))
        case "webp" where compression == 100: return try picture.encoded(as: .losslessWebP)
        case "webp": return try picture.encoded(as: .webp(quality: Double(compression)))
        default:
            return try picture.encoded(as: .png(text: pictureText(model: model, prompt: drawing.prompt, seed: seed)))
        }
    }

    /// The type of the files.
    var contentType: String { "image/\(format)" }

    /// What an answer says of pictures like this one.
    func description(of picture: Picture) -> [JSONValue.Member] {
        let isOpaque = !stride(from: 3, to: picture.pixels.count, by: 4).contains { picture.pixels[$0] < 255 }
        return [
            .init("background", isOpaque ? "opaque" : "transparent"), .init("output_format", .string(format)),
            .init("size", .string("\(picture.width)x\(picture.height)")),
        ]
    }
}
