// SPDX-License-Identifier: Apache-2.0

internal import Foundation
public import QalamTensors

/// Draws the captions that pictures are trained with: the same picture under many words.
public struct CaptionSampler: Sendable {
    /// The share of captions that say the style too, where it has words.
    public var styleShare = 0.2
    /// The share of captions that are the name alone; a part as large as what is left is name and keywords, and the
    /// other keywords alone.
    public var nameShare = 0.5
    /// The languages that captions are drawn in, with equal chances where a picture has both.
    public var languages = ["en", "ar"]

    /// A sampler with the usual shares.
    public init() {}

    /// A caption for a picture, as `normalized` leaves it; empty if the picture has none in these languages.
    public func caption(for record: PictureRecord, using random: inout CounterRandom) -> String {
        let spoken = languages.filter { !(record.captions[$0] ?? []).isEmpty }
        guard let language = spoken.randomElement(using: &random),
            let name = record.captions[language]?.randomElement(using: &random)
        else { return "" }
        var text = words(of: record, name: name, language: language, using: &random)
        if random.uniform() < styleShare { text = withStyle(text, record.style, language, using: &random) }
        return Self.normalized(text)
    }

    /// A text as captions are written and prompts should be: small letters, one space, no Arabic vowel signs.
    public static func normalized(_ text: String) -> String {
        let scalars = text.lowercased().unicodeScalars.filter {
            !(0x064B...0x0652).contains($0.value) && $0.value != 0x0640 && $0.value != 0x0670
        }
        return String(String.UnicodeScalarView(scalars)).split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    private func words(
        of record: PictureRecord, name: String, language: String, using random: inout CounterRandom
    ) -> String {
        let form = random.uniform()
        let keywords = (record.keywords[language] ?? []).shuffled(using: &random)
        let some = Array(keywords.prefix(1 + Int(3 * random.uniform())))
        let separator = random.uniform() < 0.5 ? ", " : " "
        guard form >= nameShare, !some.isEmpty else { return name }
        if form < (1 + nameShare) / 2 { return ([name] + some).joined(separator: separator) }
        guard let color = record.color.flatMap(NamedColor.init) else { return some.joined(separator: separator) }
        return ([color.named(some[0], in: language)] + some.dropFirst()).joined(separator: separator)
    }

    private func withStyle(
        _ text: String, _ style: String, _ language: String, using random: inout CounterRandom
    ) -> String {
        guard let words = Self.styleWords(style)[language]?.randomElement(using: &random) else { return text }
        if language == "ar" { return words.first ? "\(words.text) \(text)" : "\(text) \(words.text)" }
        return words.first && random.uniform() < 0.5 ? "\(words.text) \(text)" : "\(text) \(words.text)"
    }

    /// The words for a style by language, and whether they can stand before the text.
    private static func styleWords(_ style: String) -> [String: [(text: String, first: Bool)]] {
        let style = style.lowercased()
        if style.contains("3d") { return ["en": [("3d", true)], "ar": [("ثلاثي الأبعاد", false)]] }
        if style.contains("flat") { return ["en": [("flat", true)], "ar": [("مسطح", false)]] }
        if style.contains("pixel") || style.contains("tiles") {
            return ["en": [("pixel art", true)], "ar": [("بفن البكسل", false)]]
        }
        if style.contains("icon") || style.contains("lucide") {
            return ["en": [("icon", false)], "ar": [("أيقونة", true)]]
        }
        if style.contains("noto") || style.contains("emoji") {
            return ["en": [("emoji", false)], "ar": [("إيموجي", true)]]
        }
        return [:]
    }
}
