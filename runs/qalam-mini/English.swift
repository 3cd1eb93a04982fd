import Foundation

/// The little English grammar that templates need.
enum English {
    private static let irregular: [String: String] = [
        "child": "children", "man": "men", "woman": "women", "person": "people", "foot": "feet", "tooth": "teeth",
        "mouse": "mice", "goose": "geese", "sheep": "sheep", "fish": "fish", "deer": "deer", "leaf": "leaves",
        "wolf": "wolves", "knife": "knives", "loaf": "loaves", "scarf": "scarves", "shelf": "shelves", "half": "halves",
        "potato": "potatoes", "tomato": "tomatoes", "calf": "calves", "thief": "thieves", "goldfish": "goldfish",
        "life": "lives", "wife": "wives", "hero": "heroes", "ox": "oxen", "grandchild": "grandchildren",
    ]

    /// "a fox", "an owl", "an hour", "a unicorn".
    static func withArticle(_ word: String) -> String {
        let lower = word.lowercased()
        let soundsLikeConsonant = ["uni", "use", "usu", "eu", "one", "once", "ukul"].contains { lower.hasPrefix($0) }
        let silentH = ["hour", "honest", "honour"].contains { lower.hasPrefix($0) }
        let vowel = lower.first.map { "aeiou".contains($0) } ?? false
        return ((vowel && !soundsLikeConsonant) || silentH ? "an " : "a ") + word
    }

    /// The plural of a noun; of the last word when there are several.
    static func plural(_ noun: String) -> String {
        if let space = noun.lastIndex(of: " ") {
            return noun[...space] + plural(String(noun[noun.index(after: space)...]))
        }
        if let known = irregular[noun] { return known }
        if ["s", "x", "z", "ch", "sh"].contains(where: { noun.hasSuffix($0) }) { return noun + "es" }
        if noun.hasSuffix("y"), let before = noun.dropLast().last, !"aeiou".contains(before) {
            return noun.dropLast() + "ies"
        }
        return noun + "s"
    }

    /// The word with a capital first letter.
    static func capitalised(_ word: String) -> String {
        guard let first = word.first else { return word }
        return first.uppercased() + word.dropFirst()
    }

    /// Capitals at the start of the text, after `. `, `! `, `? `, `." ` and line ends, also behind an opening quote.
    static func capitalisingSentences(_ text: String) -> String {
        var out = ""
        out.reserveCapacity(text.utf8.count)
        var atStart = true
        var ended = false
        var quoted = false
        var lastWasFullStop = false
        for c in text {
            if atStart && c.isLetter {
                out += c.uppercased()
                atStart = false
            } else {
                out.append(c)
                if c == "\n" || (c == " " && ended) {
                    atStart = true
                } else if atStart && c != "\"" && c != " " {
                    atStart = false
                }
            }
            quoted = ended && c == "\"" && lastWasFullStop
            lastWasFullStop = c == "."
            ended = quoted || c == "." || c == "!" || c == "?"
        }
        return out
    }

    /// The text without doubled spaces, spaces at its ends, or a full stop after an abbreviation's.
    static func singleSpaced(_ text: String) -> String {
        var out = ""
        out.reserveCapacity(text.utf8.count)
        for c in text {
            if c == " " && (out.isEmpty || out.last == " ") { continue }
            if c == "." && out.hasSuffix("D.C.") { continue }
            out.append(c)
        }
        while out.last == " " { out.removeLast() }
        return out
    }

    /// A question as people type it: sometimes without capitals or the mark at its end.
    static func asTyped(_ text: String, _ random: inout Random) -> String {
        let draw = random.below(100)
        if draw < 58 { return text }
        var typed = text
        if draw < 90, let last = typed.last, last == "?" || last == "." || last == "!" { typed.removeLast() }
        if draw >= 66 { typed = typed.lowercased() }
        return typed
    }

    /// Number words from 0 to 20.
    static let numbers = [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
        "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
    ]
}
