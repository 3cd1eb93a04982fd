// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import QalamFormats

/// What is known of one picture of a data folder: a line of `train.jsonl` or `heldout.jsonl`.
public struct PictureRecord: Codable, Sendable, Equatable {
    /// What it is called.
    public var name: String
    /// What it shows, the same for all its styles, tones and colours; a concept is never on both sides of the split.
    public var concept: String
    /// How it is drawn, as its source is called.
    public var style: String
    /// Captions by language ("en", "ar").
    public var captions: [String: [String]] = [:]
    /// Keywords by language.
    public var keywords: [String: [String]] = [:]
    /// The colour it was given, in English; nil for a picture as it came.
    public var color: String?

    /// A record of these.
    public init(name: String, concept: String, style: String) {
        self.name = name
        self.concept = concept
        self.style = style
    }

    /// Reads a line of a data folder.
    init(_ json: JSONReader) throws(FormatError) {
        name = try json.string("name")
        concept = try json.string("concept")
        style = try json.string("style")
        captions = try Self.lists(json, "captions")
        keywords = try Self.lists(json, "keywords")
        color = try json.optionalString("color")
    }

    private static func lists(_ json: JSONReader, _ key: String) throws(FormatError) -> [String: [String]] {
        guard let object = try json.optionalObject(key) else { return [:] }
        var result: [String: [String]] = [:]
        for language in object.keys { result[language] = try object.strings(language) }
        return result
    }
}
