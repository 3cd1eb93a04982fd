// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import QalamFormats

/// What a line of a caption file says about a picture.
struct CaptionEntry {
    var captions: [String: [String]] = [:]
    var keywords: [String: [String]] = [:]
    /// The characters it is a picture of, for emoji.
    var character: String?
    var style: String?
    var hasSkinTone = false

    /// Reads `{"file": …, "caption": "…"}`, with names by language (`"en": "…"`, `"ar"`, `"captions": {"en": […]}`)
    /// and keywords (`"keywords"`, `"tags"`, `"en_keywords"`), all of them optional.
    init(_ json: JSONReader) throws(FormatError) {
        for key in ["caption", "captions", "text", "name"] { try add(key, of: json, to: \.captions) }
        for key in ["keywords", "tags"] { try add(key, of: json, to: \.keywords) }
        for language in ["en", "ar"] {
            if let name = try json.optionalString(language) { captions[language, default: []].append(name) }
            keywords[language, default: []] += try json.strings("\(language)_keywords")
        }
        captions = captions.mapValues(Self.cleaned).filter { !$0.value.isEmpty }
        keywords = keywords.mapValues(Self.cleaned).filter { !$0.value.isEmpty }
        character = try json.optionalString("char")
        style = try json.optionalString("style")
        hasSkinTone = try json.bool("skin_tone", default: false)
    }

    /// A picture of which only the name is known.
    init(named name: String) { captions[Self.language(of: name)] = [name] }

    /// The name by which errors and concepts know it; nil if there is none.
    var name: String? { (captions["en"] ?? captions["ar"] ?? captions.values.first)?.first }

    /// A string, a list of strings, or lists by language.
    private mutating func add(
        _ key: String, of json: JSONReader, to lists: WritableKeyPath<CaptionEntry, [String: [String]]>
    ) throws(FormatError) {
        switch json[key] {
        case nil: return
        case .string(let text): self[keyPath: lists][Self.language(of: text), default: []].append(text)
        case .object:
            let object = try json.object(key)
            for language in object.keys {
                if case .string(let text) = object[language] {
                    self[keyPath: lists][language, default: []].append(text)
                } else {
                    self[keyPath: lists][language, default: []] += try object.strings(language)
                }
            }
        default:
            for text in try json.strings(key) {
                self[keyPath: lists][Self.language(of: text), default: []].append(text)
            }
        }
    }

    /// Each text once, in order, without space around it; empty ones are dropped.
    private static func cleaned(_ texts: [String]) -> [String] {
        var seen: Set<String> = []
        return texts.map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
            .filter { !$0.isEmpty && seen.insert($0).inserted }
    }

    /// "ar" for a text with Arabic letters, else "en".
    static func language(of text: String) -> String {
        text.unicodeScalars.contains { (0x0600...0x06FF).contains($0.value) } ? "ar" : "en"
    }
}

/// All captions of one input, found again by the path of a picture.
struct CaptionIndex {
    private var byFile: [String: CaptionEntry] = [:]
    private var byStem: [String: CaptionEntry] = [:]
    private var sidecars: [String: CaptionEntry] = [:]

    /// Files that the captions name.
    var files: [String] { byFile.keys.sorted() }

    /// Reads a file of JSON lines.
    mutating func read(_ url: URL) throws(FormatError) {
        var lines = try JSONLinesReader([url], lineLimit: 1 << 20)
        while let json = try lines.next() {
            let file = try json.string("file")
            let entry = try CaptionEntry(json)
            byFile[file] = entry
            if let stem = Self.commonStem(file)?.stem { byStem[stem] = entry }
        }
    }

    /// Notes the JSON object that lies beside a picture under its name; one without captions and tags says nothing.
    mutating func addSidecar(_ bytes: [UInt8], path: String) throws(FormatError) {
        let entry = try CaptionEntry(try JSONReader(bytes, file: path))
        if !entry.captions.isEmpty || !entry.keywords.isEmpty { sidecars[Self.withoutExtension(path)] = entry }
    }

    /// What is known of the picture at `path`.
    ///
    /// Its whole path is looked up, then its path without one folder after another, then the same file in another
    /// style (`cat_3d.png` for `cat_flat.svg`), then the file beside it; else its name is its caption.
    func entry(for path: String) -> CaptionEntry {
        let parts = path.split(separator: "/")
        for start in parts.indices {
            if let entry = byFile[parts[start...].joined(separator: "/")] { return entry }
        }
        if let last = parts.last, let (stem, style) = Self.commonStem(String(last)), var entry = byStem[stem] {
            entry.style = style
            return entry
        }
        var entry = CaptionEntry(named: Self.words(path))
        if let sidecar = sidecars[Self.withoutExtension(path)] {
            if !sidecar.captions.isEmpty { entry.captions = sidecar.captions }
            entry.keywords = sidecar.keywords
            entry.style = sidecar.style
        }
        return entry
    }

    /// "cat-face_2.png" as a caption: "cat face".
    static func words(_ path: String) -> String {
        let name = withoutExtension(path).split(separator: "/").last.map(String.init) ?? path
        var words = name.split { "-_ ".contains($0) }
        while words.count > 1, let last = words.last, last.allSatisfy(\.isNumber) { words.removeLast() }
        return words.joined(separator: " ").lowercased()
    }

    /// "1f600_3d.png" as ("1f600", "3d").
    private static func commonStem(_ file: String) -> (stem: String, style: String)? {
        let stem = withoutExtension(file)
        guard let cut = stem.lastIndex(of: "_"), cut > stem.startIndex else { return nil }
        return (String(stem[..<cut]), String(stem[stem.index(after: cut)...]))
    }

    static func withoutExtension(_ path: String) -> String {
        guard let dot = path.lastIndex(of: "."), !path[dot...].contains("/") else { return path }
        return String(path[..<dot])
    }
}
