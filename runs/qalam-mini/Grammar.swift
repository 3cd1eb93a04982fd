import Foundation

/// What is wrong with a text file of this folder.
enum GrammarError: Error, CustomStringConvertible {
    case unbalanced(String)
    case unknownSlot(String)
    case badLine(String, Int, String)
    case missing(String)

    var description: String {
        switch self {
        case .unbalanced(let text): "Close the bracket in: \(text)"
        case .unknownSlot(let name): "Define a list called '\(name)' in lists.txt, or correct the slot's name."
        case .badLine(let file, let line, let text): "\(file):\(line): start the line with a known mark: \(text)"
        case .missing(let what): "Provide \(what)."
        }
    }
}

/// A template: text with `{this|or that}` and `[slot]` in it.
struct Template {
    indirect enum Node {
        case text(String)
        case slot(String)
        case choice([[Node]])
    }

    let nodes: [Node]

    init(_ source: String) throws {
        var rest = Substring(source)
        nodes = try Template.parse(&rest, inside: false, source)
        if !rest.isEmpty { throw GrammarError.unbalanced(source) }
    }

    /// Parses up to the end, or up to `|` or `}` when inside a choice.
    private static func parse(_ rest: inout Substring, inside: Bool, _ source: String) throws -> [Node] {
        var nodes: [Node] = []
        var text = ""
        while let c = rest.first, !(inside && (c == "|" || c == "}")) {
            rest.removeFirst()
            if c != "{" && c != "[" { text.append(c); continue }
            if !text.isEmpty { nodes.append(.text(text)); text = "" }
            if c == "[" {
                guard let end = rest.firstIndex(of: "]") else { throw GrammarError.unbalanced(source) }
                nodes.append(.slot(String(rest[..<end])))
                rest = rest[rest.index(after: end)...]
            } else {
                nodes.append(try parseChoice(&rest, source))
            }
        }
        if !text.isEmpty { nodes.append(.text(text)) }
        return nodes
    }

    private static func parseChoice(_ rest: inout Substring, _ source: String) throws -> Node {
        var options: [[Node]] = []
        while true {
            options.append(try parse(&rest, inside: true, source))
            guard let mark = rest.popFirst() else { throw GrammarError.unbalanced(source) }
            if mark == "}" { return .choice(options) }
        }
    }
}

/// Words bound for one story or conversation, and the lists that unbound slots draw from.
struct Scene {
    var words: [String: String] = [:]
    /// Slots that may read differently at each use, as "Tilo" and "the fox".
    var references: [String: [String]] = [:]
    /// Slots that read so at their first use only, as "a fox named Tilo".
    var once: [String: String] = [:]
    let lists: [String: [String]]
    var random: Random

    init(lists: [String: [String]], random: Random) {
        self.lists = lists
        self.random = random
    }

    private static let afterFirst = ["intro": "hero", "fintro": "friend", "pintro": "pal", "intro2": "hero2"]

    /// The template with its choices made and slots filled, sentences capitalised.
    mutating func fill(_ template: Template) throws -> String {
        var out = ""
        try append(template.nodes, to: &out)
        return English.capitalisingSentences(English.singleSpaced(out))
    }

    private mutating func append(_ nodes: [Template.Node], to out: inout String) throws {
        for node in nodes {
            switch node {
            case .text(let text): out += text
            case .slot(let name): out += try value(of: name)
            case .choice(let options): try append(random.pick(options), to: &out)
            }
        }
    }

    /// `[x]` the word, `[X]` capitalised, `[a x]` with its article, `[s x]` its plural, `[x2]` another word.
    private mutating func value(of slot: String) throws -> String {
        let parts = slot.split(separator: " ", maxSplits: 1).map(String.init)
        let name = parts.last ?? ""
        let modifier = parts.count == 2 ? parts[0] : ""
        let key = name.lowercased()
        var word = try bound(key)
        switch modifier.lowercased() {
        case "": break
        case "a": word = English.withArticle(word)
        case "s": word = English.plural(word)
        default: throw GrammarError.unknownSlot(slot)
        }
        if slot.first?.isUppercase == true { word = English.capitalised(word) }
        return word
    }

    private mutating func bound(_ key: String) throws -> String {
        if let first = once.removeValue(forKey: key) {
            if key == "fintro" { once["friend"] = nil }
            return first
        }
        if let name = Scene.afterFirst[key], let word = words[name] { return word }
        if let choices = references[key] { return random.pick(choices) }
        if let word = words[key] { return word }
        var base = key
        while let last = base.last, last.isNumber { base.removeLast() }
        guard let list = lists[base], !list.isEmpty else { throw GrammarError.unknownSlot(key) }
        let used = Set(words.filter { $0.key.hasPrefix(base) }.values)
        var word = random.pick(list)
        for _ in 0..<20 where used.contains(word) { word = random.pick(list) }
        words[key] = word
        return word
    }
}

/// One block of a text file: `## name key=value`, then marked lines.
struct Block {
    let name: String
    let options: [String: String]
    /// The lines in order, each with its mark.
    let lines: [(mark: Character, template: Template)]
    /// Rows of a table: `@ column | column`.
    let rows: [[String]]

    func templates(_ mark: Character) -> [Template] { lines.filter { $0.mark == mark }.map(\.template) }
}

/// Reads the text files of this folder.
enum GrammarFile {
    private static let marks: Set<Character> = ["?", "-", "~", "|", "!", "^", "%", ">", "<", "=", ":"]

    /// The blocks of a file. Lines that start with `//` are comments.
    static func blocks(_ url: URL) throws -> [Block] {
        let text = try String(contentsOf: url, encoding: .utf8)
        var result: [Block] = []
        var head: (String, [String: String])?
        var lines: [(Character, Template)] = []
        var rows: [[String]] = []
        func close() {
            if let head { result.append(Block(name: head.0, options: head.1, lines: lines, rows: rows)) }
            lines = []
            rows = []
        }
        for (number, raw) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = raw.trimmingCharacters(in: .whitespaces)
            if line.isEmpty || line.hasPrefix("//") { continue }
            if line.hasPrefix("## ") {
                close()
                head = header(String(line.dropFirst(3)))
                continue
            }
            guard let mark = line.first, head != nil else {
                throw GrammarError.badLine(url.lastPathComponent, number + 1, line)
            }
            let body = line.dropFirst().trimmingCharacters(in: .whitespaces)
            if mark == "@" {
                rows.append(body.components(separatedBy: "|").map { $0.trimmingCharacters(in: .whitespaces) })
            } else if marks.contains(mark) {
                lines.append((mark, try Template(body)))
            } else {
                throw GrammarError.badLine(url.lastPathComponent, number + 1, line)
            }
        }
        close()
        return result
    }

    /// `name key=value; key=value` with spaces allowed in values.
    private static func header(_ text: String) -> (String, [String: String]) {
        let name = String(text.prefix { $0 != " " })
        var options: [String: String] = [:]
        for part in text.dropFirst(name.count).split(separator: ";") {
            let pair = part.split(separator: "=", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            if pair.count == 2 { options[pair[0]] = pair[1] }
        }
        return (name, options)
    }

    /// `key: one, two, three` lines.
    static func lists(_ url: URL) throws -> [String: [String]] {
        var result: [String: [String]] = [:]
        for line in try String(contentsOf: url, encoding: .utf8).split(separator: "\n") where !line.hasPrefix("//") {
            let pair = line.split(separator: ":", maxSplits: 1)
            guard pair.count == 2 else { throw GrammarError.badLine(url.lastPathComponent, 0, String(line)) }
            let words = pair[1].components(separatedBy: ",").map { $0.trimmingCharacters(in: .whitespaces) }
            result[pair[0].trimmingCharacters(in: .whitespaces), default: []] += words.filter { !$0.isEmpty }
        }
        return result
    }
}
