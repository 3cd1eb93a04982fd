import Foundation

/// One pre-training document with the name of the source it came from.
struct Document {
    let source: String
    let text: String
}

/// Reads and writes JSON Lines.
enum JSONLines {
    /// The objects of a `.jsonl` file; none when the file is missing.
    static func read(_ url: URL) throws -> [[String: Any]] {
        guard let text = try? String(contentsOf: url, encoding: .utf8) else { return [] }
        return try text.split(separator: "\n").compactMap { line in
            try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        }
    }

    /// A JSON string with its quotes.
    static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\t": out += "\\t"
            default:
                if scalar.value < 32 { continue }
                out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}

/// Decides which outside text is clean, harmless and simple enough.
struct Cleaner {
    private static let replacements: [Character: String] = [
        "\u{2018}": "'", "\u{2019}": "'", "\u{201C}": "\"", "\u{201D}": "\"", "\u{2013}": "-", "\u{2014}": " - ",
        "\u{2026}": "...", "\u{A0}": " ", "\t": " ", "\r": "\n", "\u{AD}": "", "`": "'", "\u{B4}": "'", "\r\n": "\n",
    ]
    private static let accented = Set("éèêëáàâäíìîïóòôöúùûüñçÉÖÜÄÁ£€°½")
    let unsafe: Set<String>
    /// The most frequent words of the simple sources, for judging the others.
    var common: Set<String> = []

    init(unsafeList url: URL) throws {
        let text = try String(contentsOf: url, encoding: .utf8)
        unsafe = Set(text.split(whereSeparator: { $0 == " " || $0 == "\n" }).map(String.init))
    }

    /// The text with plain quotes, dashes and spaces, or nil when odd characters are left.
    func normalised(_ text: String) -> String? {
        var out = ""
        out.reserveCapacity(text.utf8.count)
        var lastIsSpace = true
        for c in text {
            for d in Cleaner.replacements[c] ?? String(c) {
                guard let ascii = d.asciiValue else {
                    guard Cleaner.accented.contains(d) else { return nil }
                    out.append(d)
                    lastIsSpace = false
                    continue
                }
                if d == " " && lastIsSpace { continue }
                guard ascii >= 32 && ascii < 127 || d == "\n" else { return nil }
                if d == "\n" {
                    while out.last == " " { out.removeLast() }
                    if out.hasSuffix("\n") { continue }
                }
                out.append(d)
                lastIsSpace = d == " " || d == "\n"
            }
        }
        return out.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Lower-case words without punctuation.
    static func words(_ text: String) -> [String] {
        text.lowercased().split { !($0.isLetter || $0 == "'") }
            .map { $0.trimmingCharacters(in: CharacterSet(charactersIn: "'")) }.filter { !$0.isEmpty }
    }

    /// True when no word is on the list.
    func isSafe(_ text: String) -> Bool { !Cleaner.words(text).contains { unsafe.contains($0) } }

    /// The share of words that are common, from 0 to 1.
    func simplicity(_ text: String) -> Double {
        let words = Cleaner.words(text)
        guard !words.isEmpty else { return 0 }
        return Double(words.filter { common.contains($0) || common.contains(Cleaner.stem($0)) }.count)
            / Double(words.count)
    }

    /// The share of words with a capital inside sentences: names, mostly.
    static func nameShare(_ text: String) -> Double {
        var names = 0, words = 0
        var starts = true
        for word in text.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
            words += 1
            if !starts, let first = word.first, first.isUppercase, word.count > 1, !word.hasPrefix("I'") { names += 1 }
            starts = word.last.map { ".!?:\"".contains($0) } ?? false
        }
        return Double(names) / Double(max(1, words))
    }

    private static func stem(_ word: String) -> String {
        for ending in ["'s", "es", "s", "ed", "ing", "ly"] where word.count > ending.count + 2 {
            if word.hasSuffix(ending) { return String(word.dropLast(ending.count)) }
        }
        return word
    }

    /// Learns the common words from texts that are known to be simple.
    mutating func learnCommonWords(from texts: [String], count: Int) {
        var counts: [String: Int] = [:]
        for text in texts { for word in Cleaner.words(text) { counts[word, default: 0] += 1 } }
        let ranked = counts.sorted { $0.value != $1.value ? $0.value > $1.value : $0.key < $1.key }
        common = Set(ranked.prefix(count).map(\.key))
    }

    /// Joins lines that were broken inside a sentence.
    static func joiningLines(_ text: String) -> String {
        var out = ""
        for line in text.split(separator: "\n") {
            if let last = out.last { out += ".!?\":".contains(last) ? "\n" : " " }
            out += line
        }
        return out
    }
}

/// Turns the open data files into documents.
struct SourceReader {
    /// The folder with the unpacked files.
    let folder: URL
    var cleaner: Cleaner
    let names: [String]

    /// Reads everything; the simple sources come first because they teach the common words.
    mutating func documents(generated: [String]) throws -> [Document] {
        var result = try aesop() + storybooks() + fairytales()
        cleaner.learnCommonWords(from: result.map(\.text) + generated, count: 7000)
        result += try sentences() + news() + dialogues()
        cleaner.learnCommonWords(from: result.map(\.text) + generated, count: 8000)
        result += try encyclopedia()
        return result
    }

    private func aesop() throws -> [Document] {
        try JSONLines.read(folder.appending(path: "aesop_for_children.jsonl")).flatMap { row -> [Document] in
            guard let title = row["title"] as? String, let body = row["text"] as? String,
                let text = cleaner.normalised(body), cleaner.isSafe(text) else { return [] }
            let moral = (row["moral"] as? String).flatMap { cleaner.normalised($0) } ?? ""
            let whole = "\(title)\n\n\(text)" + (moral.isEmpty ? "" : "\n\nThe moral: \(moral)")
            return Array(repeating: Document(source: "aesop_for_children", text: whole), count: 3)
        }
    }

    private func storybooks() throws -> [Document] {
        try JSONLines.read(folder.appending(path: "storybooks_en.jsonl")).flatMap { row -> [Document] in
            guard let body = row["text"] as? String, var text = cleaner.normalised(body), cleaner.isSafe(text),
                text.count > 200 else { return [] }
            var title = ""
            if text.hasPrefix("= "), let end = text.firstIndex(of: "\n") {
                title = String(text[..<end]).trimmingCharacters(in: CharacterSet(charactersIn: "= "))
                text = String(text[end...])
            }
            let story = title + "\n\n" + Cleaner.joiningLines(text)
            return Array(repeating: Document(source: "storybooks_en", text: story), count: 3)
        }
    }

    private func fairytales() throws -> [Document] {
        let old: Set<String> = ["thee", "thou", "thy", "hath", "doth", "quoth", "ere", "whilst", "hither", "thither"]
        return try JSONLines.read(folder.appending(path: "fairytaleqa_stories.jsonl")).flatMap { row -> [Document] in
            guard row["split"] as? String != "test", let body = row["text"] as? String,
                let text = cleaner.normalised(body) else { return [] }
            if Cleaner.words(text).filter({ old.contains($0) }).count > 3 { return [] }
            return pieces(Cleaner.joiningLines(text), limit: 1600).filter { isReadable($0, words: 26) }
                .map { Document(source: "fairytaleqa", text: $0) }
        }
    }

    /// Cuts a long text at line ends into pieces of at most `limit` characters.
    private func pieces(_ text: String, limit: Int) -> [String] {
        var result: [String] = []
        var piece = ""
        for line in text.split(separator: "\n") {
            if !piece.isEmpty && piece.count + line.count > limit {
                result.append(piece)
                piece = ""
            }
            piece += (piece.isEmpty ? "" : "\n") + line
        }
        return (result + [piece]).filter { $0.count > 200 }
    }

    /// Safe, and with at most `words` words a sentence on average.
    private func isReadable(_ text: String, words: Int) -> Bool {
        let sentences = max(1, text.split(whereSeparator: { ".!?".contains($0) }).count)
        return cleaner.isSafe(text) && Cleaner.words(text).count / sentences <= words
    }

    private func sentences() throws -> [Document] {
        guard let text = try? String(contentsOf: folder.appending(path: "common_voice_en.txt"), encoding: .utf8) else {
            return []
        }
        let good = text.split(separator: "\n").compactMap { line -> String? in
            guard let sentence = cleaner.normalised(String(line)), let first = sentence.first, first.isUppercase,
                let last = sentence.last, ".!?".contains(last), cleaner.isSafe(sentence),
                (4...14).contains(Cleaner.words(sentence).count), cleaner.simplicity(sentence) == 1,
                !sentence.contains("\"") else { return nil }
            return sentence
        }
        return stride(from: 0, to: good.count - 4, by: 5).map {
            Document(source: "common_voice_en", text: good[$0..<($0 + 5)].joined(separator: "\n"))
        }
    }

    private func news() throws -> [Document] {
        try JSONLines.read(folder.appending(path: "onestopenglish.jsonl")).flatMap { row -> [Document] in
            guard row["level"] as? String == "ele", let body = row["text"] as? String,
                let text = cleaner.normalised(body) else { return [] }
            return text.split(separator: "\n").map(String.init)
                .filter { $0.count > 120 && isReadable($0, words: 18) && cleaner.simplicity($0) > 0.88 }
                .map { Document(source: "onestopenglish_elementary", text: $0) }
        }
    }

    private func dialogues() throws -> [Document] {
        var result: [Document] = []
        for (index, row) in try JSONLines.read(folder.appending(path: "self_dialogue.jsonl")).enumerated() {
            guard let turns = row["turns"] as? [String], turns.count >= 4 else { continue }
            let clean = turns.compactMap { cleaner.normalised($0) }
            guard clean.count == turns.count, isTidy(clean) else { continue }
            var random = Random(seed: 7, name: "speakers", index: index)
            let first = random.pick(names)
            let second = random.pick(names.filter { $0 != first })
            let text = clean.enumerated().map { "\($0.offset % 2 == 0 ? first : second): \($0.element)" }
            result.append(Document(source: "self_dialogue", text: text.joined(separator: "\n")))
        }
        return Array(result.prefix(5000))
    }

    /// Turns that look like written sentences, safe and in common words.
    private func isTidy(_ turns: [String]) -> Bool {
        let good = turns.filter { turn in
            guard let first = turn.first, let last = turn.last else { return false }
            return (first.isUppercase || first.isNumber) && ".!?".contains(last) && !turn.contains(" i ")
        }
        let text = turns.joined(separator: " ")
        return Double(good.count) >= 0.88 * Double(turns.count) && cleaner.isSafe(text) && text.count < 1500
            && cleaner.simplicity(text) >= 0.93 && turns.allSatisfy { Cleaner.nameShare($0) <= 0.15 }
            && Cleaner.nameShare(text) <= 0.025
    }

    private func encyclopedia() throws -> [Document] {
        var scored: [(score: Double, text: String)] = []
        for file in ["wiki_simple_strict.txt", "wiki_simple_wide.txt"] {
            guard let text = try? String(contentsOf: folder.appending(path: file), encoding: .utf8) else { continue }
            var title = ""
            for line in text.split(separator: "\n") {
                if line.hasPrefix("= ") {
                    title = line.trimmingCharacters(in: CharacterSet(charactersIn: "= "))
                } else if !title.contains("("), let article = paragraph(String(line)),
                    let name = cleaner.normalised(title) {
                    scored.append((article.score, "\(name)\n\(article.text)"))
                }
            }
        }
        scored.sort { $0.score != $1.score ? $0.score > $1.score : $0.text < $1.text }
        var seen: Set<String> = []
        var size = 0
        var result: [Document] = []
        for item in scored where seen.insert(item.text).inserted {
            size += item.text.utf8.count
            if size > 4_500_000 { break }
            result.append(Document(source: "wiki_simple", text: item.text))
        }
        return result
    }

    /// A paragraph that can stand alone, with a score for how simple it is.
    private func paragraph(_ line: String) -> (score: Double, text: String)? {
        guard (120...700).contains(line.utf8.count), !line.contains(where: { $0.isNumber || "(\"/;".contains($0) }),
            let first = line.first, first.isUppercase, let last = line.last, last == ".",
            let text = cleaner.normalised(line), isReadable(text, words: 20),
            Cleaner.nameShare(text) <= 0.03 else { return nil }
        let dangling = ["However", "This", "These", "They", "He ", "She ", "But", "Also", "In addition", "Therefore",
                        "His", "Her", "Their", "Such", "Others", "Another", "Thus", "Finally", "Then", "Although"]
        if dangling.contains(where: { text.hasPrefix($0) }) { return nil }
        let score = cleaner.simplicity(text)
        return score >= 0.93 ? (score, text) : nil
    }
}
