// SPDX-License-Identifier: Apache-2.0

/// A regular expression as it was read: its alternatives, each bound to the ends of the text or not.
struct RegexPattern: Sendable {
    struct Alternative: Sendable {
        var node: GrammarNode
        var fromStart = false
        var toEnd = false
    }

    let alternatives: [Alternative]

    /// Texts that match as a whole.
    var whole: GrammarNode { .any(alternatives.map(\.node)) }

    /// Texts in which a match is found somewhere, as `pattern` of JSON Schema asks.
    var anywhere: GrammarNode {
        let rest = GrammarNode.scalars(.all).repeated(0, nil)
        return .any(
            alternatives.map { .all([$0.fromStart ? .empty : rest, $0.node, $0.toEnd ? .empty : rest]) })
    }
}

/// Reads the regular part of ECMA-262's expressions (flag `u`).
///
/// Literals, `.`, classes, `\d \w \s \D \W \S` (ASCII digits and words), `\t \n \v \f \r \0 \cX \xHH \uHHHH \u{H}`,
/// `\p{…}` of general categories, groups of any kind, alternation, quantifiers greedy and lazy (the same language),
/// and `^ $` at the ends of the whole or of a top-level alternative. Lookaround, backreferences, word boundaries, flags
/// and possessive quantifiers are refused by name.
struct RegexParser {
    private static let deepest = 100
    private static let largestCount = 1_000_000

    private let scalars: [Unicode.Scalar]
    private var position = 0

    /// Reads `text`.
    static func parse(_ text: String) throws(GrammarError) -> RegexPattern {
        var parser = RegexParser(scalars: Array(text.unicodeScalars))
        var alternatives: [RegexPattern.Alternative] = []
        repeat {
            alternatives.append(try parser.topAlternative())
        } while parser.take("|")
        if parser.next != nil { throw parser.failure("\")\" closes no group") }
        return RegexPattern(alternatives: alternatives)
    }

    private init(scalars: [Unicode.Scalar]) { self.scalars = scalars }

    private var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    private mutating func take(_ text: String) -> Bool {
        let wanted = Array(text.unicodeScalars)
        guard scalars[position...].starts(with: wanted) else { return false }
        position += wanted.count
        return true
    }

    private func failure(_ reason: String) -> GrammarError { .syntax(at: position, reason: reason) }

    private func unsupported(_ what: String) -> GrammarError { .unsupportedRegex(what, at: position) }

    private mutating func topAlternative() throws(GrammarError) -> RegexPattern.Alternative {
        var result = RegexPattern.Alternative(node: .empty)
        while take("^") { result.fromStart = true }
        result.node = try sequence(depth: 0)
        while take("$") { result.toEnd = true }
        if let next, next != "|", next != ")" { throw unsupported("$ before the end") }
        return result
    }

    private mutating func alternation(depth: Int) throws(GrammarError) -> GrammarNode {
        guard depth < Self.deepest else { throw failure("groups are nested deeper than \(Self.deepest)") }
        var parts: [GrammarNode] = []
        repeat { parts.append(try sequence(depth: depth)) } while take("|")
        return .any(parts)
    }

    private mutating func sequence(depth: Int) throws(GrammarError) -> GrammarNode {
        var parts: [GrammarNode] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            if scalar == "$", depth == 0 { break }
            parts.append(try quantified(try atom(depth: depth)))
        }
        return .all(parts)
    }

    // MARK: Parts

    private mutating func atom(depth: Int) throws(GrammarError) -> GrammarNode {
        guard let scalar = next else { return .empty }
        switch scalar {
        case "^", "$": throw unsupported("\(scalar) within the expression")
        case "*", "+", "?": throw failure("\"\(scalar)\" repeats nothing")
        case "{": throw failure("\"{\" stands for itself only after a backslash")
        case "(": return try group(depth: depth)
        case "[":
            position += 1
            return .set(try characterClass())
        case ".":
            position += 1
            return .scalars(RegexClasses.lineBreaks.inverted)
        case "\\":
            position += 1
            return .set(try RegexClasses.escape(scalars, &position, inClass: false))
        default:
            position += 1
            return .scalars(ScalarSet([scalar.value...scalar.value]))
        }
    }

    private mutating func group(depth: Int) throws(GrammarError) -> GrammarNode {
        for (prefix, name) in [
            ("(?=", "lookahead"), ("(?!", "negative lookahead"), ("(?<=", "lookbehind"),
            ("(?<!", "negative lookbehind"), ("(?>", "an atomic group"), ("(?#", "a comment"), ("(*", "a verb"),
        ] where scalars[position...].starts(with: prefix.unicodeScalars) {
            throw unsupported(name)
        }
        position += 1
        if take("?") {
            if take("<") || take("P<") {
                while let scalar = next, scalar != ">" { position += scalar == "(" ? scalars.count : 1 }
                guard take(">") else { throw failure("the name of a group does not end") }
            } else if !take(":") {
                throw unsupported("flags in a group")
            }
        }
        let node = try alternation(depth: depth + 1)
        guard take(")") else { throw failure("a group does not end") }
        return node
    }

    private mutating func quantified(_ atom: GrammarNode) throws(GrammarError) -> GrammarNode {
        var node = atom
        switch next {
        case "*": node = atom.repeated(0, nil)
        case "+": node = atom.repeated(1, nil)
        case "?": node = atom.optional()
        case "{":
            let (min, max) = try Self.counts(scalars, &position, upTo: Self.largestCount)
            node = atom.repeated(min, max)
            position -= 1
        default: return atom
        }
        position += 1
        if next == "+" { throw unsupported("a possessive quantifier") }
        _ = take("?")
        if let next, "*+?{".unicodeScalars.contains(next) { throw failure("a quantifier follows a quantifier") }
        return node
    }

    /// Reads `{m}`, `{m,}` or `{m,n}`.
    static func counts(
        _ scalars: [Unicode.Scalar], _ position: inout Int, upTo limit: Int
    ) throws(GrammarError) -> (min: Int, max: Int?) {
        let start = position
        position += 1
        func number() -> Int? {
            var value: Int?
            while position < scalars.count, let digit = Int(String(scalars[position])), scalars[position].isASCII {
                value = Swift.min((value ?? 0) * 10 + digit, limit + 1)
                position += 1
            }
            return value
        }
        let low = number()
        var high = low
        if position < scalars.count, scalars[position] == "," {
            position += 1
            high = number()
        }
        guard let low, position < scalars.count, scalars[position] == "}" else {
            throw .syntax(at: start, reason: "a count is {m}, {m,} or {m,n}; \"{\" itself is written \\{")
        }
        position += 1
        guard low <= high ?? low else { throw .syntax(at: start, reason: "a count ends before it begins") }
        guard low <= limit, high ?? low <= limit else { throw .tooLarge("A count above \(limit)") }
        return (low, high)
    }

    private mutating func characterClass() throws(GrammarError) -> ScalarSet {
        let negated = take("^")
        var ranges: [ClosedRange<UInt32>] = []
        while !take("]") {
            let low = try classMember()
            guard next == "-", position + 1 < scalars.count, scalars[position + 1] != "]" else {
                ranges += low.ranges
                continue
            }
            position += 1
            let high = try classMember()
            guard let first = low.single, let last = high.single, first <= last else {
                throw failure("a range in a class goes from one character to a later one")
            }
            ranges.append(first...last)
        }
        let set = ScalarSet(ranges)
        return negated ? set.inverted : set
    }

    private mutating func classMember() throws(GrammarError) -> ScalarSet {
        guard let scalar = next else { throw failure("a class does not end") }
        if scalar == "[", position + 1 < scalars.count, scalars[position + 1] == ":" {
            throw unsupported("a POSIX class")
        }
        position += 1
        if scalar == "\\" { return try RegexClasses.escape(scalars, &position, inClass: true) }
        return ScalarSet([scalar.value...scalar.value])
    }
}

extension ScalarSet {
    /// The scalar of a set of one.
    var single: UInt32? {
        guard ranges.count == 1, ranges[0].count == 1 else { return nil }
        return ranges[0].lowerBound
    }
}
