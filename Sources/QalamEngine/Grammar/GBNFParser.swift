// SPDX-License-Identifier: Apache-2.0

/// Reads grammars in llama.cpp's notation, GBNF.
///
/// `name ::= …` with literals `"…"`, classes `[…]` and `[^…]`, `.` for any character, groups, `|`, `? * +`,
/// `{m} {m,} {m,n}` and comments from `#`. Escapes: `\n \r \t \\ \" \[ \] \- \^ \xHH \uHHHH \UHHHHHHHH`. The answer is
/// the rule `root`. A rule goes on over line breaks until the next `name ::=`. Tokens (`<…>`) are refused.
struct GBNFParser {
    private static let deepest = 100
    private static let largestCount = 1_000_000

    private enum Lexeme: Equatable {
        case name(String)
        case defines
        case literal([UInt8])
        case set(ScalarSet)
        case count(min: Int, max: Int?)
        case mark(Unicode.Scalar)
    }

    private var lexemes: [(lexeme: Lexeme, line: Int)] = []
    private var position = 0
    private var rules = GrammarRules()
    private var indices: [String: Int] = [:]
    private var defined: Set<String> = []

    /// Reads a grammar: its rules and the index of `root`.
    static func parse(_ text: String) throws(GrammarError) -> (rules: GrammarRules, root: Int) {
        var parser = GBNFParser()
        try parser.scan(Array(text.unicodeScalars))
        while parser.position < parser.lexemes.count { try parser.rule() }
        guard let root = parser.indices["root"], parser.defined.contains("root") else {
            throw .rule("root", reason: "is missing: it says what an answer is")
        }
        for name in parser.indices.keys.sorted() where !parser.defined.contains(name) {
            throw .rule(name, reason: "is used but not defined")
        }
        return (parser.rules, root)
    }

    private init() {}

    // MARK: Rules

    private func failure(_ reason: String) -> GrammarError {
        let place = min(position, lexemes.count - 1)
        return .syntax(at: place < 0 ? 1 : lexemes[place].line, reason: reason)
    }

    private func lexeme(_ offset: Int = 0) -> Lexeme? {
        position + offset < lexemes.count ? lexemes[position + offset].lexeme : nil
    }

    private mutating func index(of name: String) -> Int {
        if let known = indices[name] { return known }
        let index = rules.reserve(name)
        indices[name] = index
        return index
    }

    private mutating func rule() throws(GrammarError) {
        guard case .name(let name)? = lexeme(), lexeme(1) == .defines else { throw failure("a rule begins name ::=") }
        guard defined.insert(name).inserted else { throw .rule(name, reason: "is defined twice") }
        position += 2
        let index = index(of: name)
        rules.define(index, try alternation(depth: 0))
        guard lexeme() == nil || lexeme(1) == .defines else { throw failure("a rule or a part of one belongs here") }
    }

    private mutating func alternation(depth: Int) throws(GrammarError) -> GrammarNode {
        guard depth < Self.deepest else { throw failure("groups are nested deeper than \(Self.deepest)") }
        var parts = [try sequence(depth: depth)]
        while lexeme() == .mark("|") {
            position += 1
            parts.append(try sequence(depth: depth))
        }
        return .any(parts)
    }

    private mutating func sequence(depth: Int) throws(GrammarError) -> GrammarNode {
        var parts: [GrammarNode] = []
        while let item = lexeme() {
            var node: GrammarNode
            switch item {
            case .name(let name):
                if lexeme(1) == .defines { return .all(parts) }
                node = .rule(index(of: name))
            case .literal(let bytes): node = .bytes(bytes)
            case .set(let set): node = .set(set)
            case .mark("("):
                position += 1
                node = try alternation(depth: depth + 1)
                guard lexeme() == .mark(")") else { throw failure("a group does not end") }
            default: return .all(parts)
            }
            position += 1
            repeated(&node)
            parts.append(node)
        }
        return .all(parts)
    }

    private mutating func repeated(_ node: inout GrammarNode) {
        while let item = lexeme() {
            switch item {
            case .mark("*"): node = node.repeated(0, nil)
            case .mark("+"): node = node.repeated(1, nil)
            case .mark("?"): node = node.optional()
            case .count(let min, let max): node = node.repeated(min, max)
            default: return
            }
            position += 1
        }
    }

    // MARK: Lexemes

    private mutating func scan(_ text: [Unicode.Scalar]) throws(GrammarError) {
        var line = 1
        var i = 0
        while i < text.count {
            let scalar = text[i]
            let at = line
            switch scalar {
            case "\n":
                line += 1
                i += 1
            case " ", "\t", "\r": i += 1
            case "#": while i < text.count, text[i] != "\n" { i += 1 }
            case "\"": lexemes.append((.literal(try Self.literal(text, &i, at)), at))
            case "[": lexemes.append((.set(try Self.characterClass(text, &i, at)), at))
            case ".":
                lexemes.append((.set(.all), at))
                i += 1
            case "{":
                let count = try RegexParser.counts(text, &i, upTo: Self.largestCount)
                lexemes.append((.count(min: count.min, max: count.max), at))
            case "(", ")", "|", "*", "+", "?":
                lexemes.append((.mark(scalar), at))
                i += 1
            case ":" where text[i...].starts(with: "::=".unicodeScalars):
                lexemes.append((.defines, at))
                i += 3
            case "<", "!": throw .syntax(at: at, reason: "tokens (<…>) are not supported: write their text")
            default:
                let start = i
                while i < text.count, Self.isName(text[i]) { i += 1 }
                guard i > start else { throw .syntax(at: at, reason: "\"\(scalar)\" means nothing here") }
                lexemes.append((.name(String(String.UnicodeScalarView(text[start..<i]))), at))
            }
        }
    }

    private static func isName(_ scalar: Unicode.Scalar) -> Bool {
        RegexClasses.words.contains(scalar.value) || scalar == "-"
    }

    private static func literal(_ text: [Unicode.Scalar], _ i: inout Int, _ line: Int) throws(GrammarError) -> [UInt8] {
        var bytes: [UInt8] = []
        i += 1
        while i < text.count, text[i] != "\"" {
            guard text[i] != "\n" else { break }
            bytes += Array(String(try character(text, &i, line)).utf8)
        }
        guard i < text.count, text[i] == "\"" else { throw .syntax(at: line, reason: "a literal does not end") }
        i += 1
        return bytes
    }

    private static func characterClass(
        _ text: [Unicode.Scalar], _ i: inout Int, _ line: Int
    ) throws(GrammarError) -> ScalarSet {
        i += 1
        let negated = i < text.count && text[i] == "^"
        if negated { i += 1 }
        var ranges: [ClosedRange<UInt32>] = []
        while i < text.count, text[i] != "]" {
            let low = try character(text, &i, line).value
            guard i + 1 < text.count, text[i] == "-", text[i + 1] != "]" else {
                ranges.append(low...low)
                continue
            }
            i += 1
            let high = try character(text, &i, line).value
            guard low <= high else { throw .syntax(at: line, reason: "a range in a class ends before it begins") }
            ranges.append(low...high)
        }
        guard i < text.count else { throw .syntax(at: line, reason: "a class does not end") }
        i += 1
        let set = ScalarSet(ranges)
        return negated ? set.inverted : set
    }

    /// A character or an escape.
    private static func character(
        _ text: [Unicode.Scalar], _ i: inout Int, _ line: Int
    ) throws(GrammarError) -> Unicode.Scalar {
        guard text[i] == "\\" else {
            i += 1
            return text[i - 1]
        }
        guard i + 1 < text.count else { throw .syntax(at: line, reason: "a backslash escapes nothing") }
        let kind = text[i + 1]
        i += 2
        switch kind {
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "\\", "\"", "[", "]", "-", "^", "/": return kind
        case "x", "u", "U":
            let digits = kind == "x" ? 2 : kind == "u" ? 4 : 8
            guard i + digits <= text.count, text[i..<i + digits].allSatisfy(\.properties.isASCIIHexDigit),
                let value = UInt32(String(String.UnicodeScalarView(text[i..<i + digits])), radix: 16),
                let scalar = Unicode.Scalar(value)
            else { throw .syntax(at: line, reason: "no such character") }
            i += digits
            return scalar
        default: throw .syntax(at: line, reason: "no escape \\\(kind)")
        }
    }
}
