// SPDX-License-Identifier: Apache-2.0

/// Builds the statements of a template from its tokens; expressions are in `TemplateParser+Expressions.swift`.
///
/// The grammar is Jinja's (jinja.palletsprojects.com, Template Designer Documentation), without the parts that read
/// other templates. Recursive descent, with limits on nesting so that no template can exhaust the stack.
struct TemplateParser {
    /// Blocks, parentheses and such may nest this deep.
    static let nestingLimit = 48
    /// Expressions may have this many levels.
    static let heightLimit = 150

    private let tokens: [TemplateToken]
    private var index = 0
    private var nesting = 0
    private var loops = 0
    /// Branches around the token in hand: in these, filters and tests that there are not are found out when rendering.
    private(set) var branchDepth = 0

    /// The statements of the template `text`.
    static func statements(of text: String) throws(TemplateError) -> [Statement] {
        var parser = TemplateParser(tokens: try TemplateLexer.tokens(of: text))
        let (body, _) = try parser.body(until: [])
        return body
    }

    private init(tokens: [TemplateToken]) { self.tokens = tokens }

    // MARK: Tokens

    /// The token in hand; the last one is `.end`, and nothing moves past it.
    var current: TemplateToken { tokens[index] }

    /// The kind of the token after the one in hand.
    var following: TemplateToken.Kind { tokens[min(index + 1, tokens.count - 1)].kind }

    mutating func advance() { if index + 1 < tokens.count { index += 1 } }

    mutating func take(_ kind: TemplateToken.Kind) -> Bool {
        guard current.kind == kind else { return false }
        advance()
        return true
    }

    mutating func take(symbol: String) -> Bool { take(.symbol(symbol)) }
    mutating func take(word: String) -> Bool { take(.name(word)) }

    mutating func expect(symbol: String) throws(TemplateError) {
        guard take(symbol: symbol) else { throw unexpected("\"\(symbol)\"") }
    }

    mutating func expectName() throws(TemplateError) -> String {
        guard case .name(let name) = current.kind else { throw unexpected("a name") }
        advance()
        return name
    }

    func unexpected(_ expected: String) -> TemplateError {
        let found =
            switch current.kind {
            case .text: "text"
            case .blockBegin: "\"{%\""
            case .blockEnd: "\"%}\""
            case .outputBegin: "\"{{\""
            case .outputEnd: "\"}}\""
            case .name(let name): "\"\(name)\""
            case .string: "a string"
            case .integer, .float: "a number"
            case .symbol(let symbol): "\"\(symbol)\""
            case .end: "the end of the template"
            }
        return .syntax(line: current.line, why: "expected \(expected), found \(found)")
    }

    /// Runs `body` one level deeper.
    mutating func nested<Result>(
        _ body: (inout TemplateParser) throws(TemplateError) -> Result
    ) throws(TemplateError) -> Result {
        guard nesting < Self.nestingLimit else {
            throw .limit(line: current.line, why: "nested deeper than \(Self.nestingLimit) levels")
        }
        nesting += 1
        defer { nesting -= 1 }
        return try body(&self)
    }

    // MARK: Statements

    /// Statements up to a block named in `ends`, whose name is taken; with no `ends`, up to the end of the template.
    private mutating func body(until ends: [String]) throws(TemplateError) -> ([Statement], end: String) {
        var body: [Statement] = []
        let beginLine = current.line
        while true {
            switch current.kind {
            case .text(let bytes):
                body.append(.text(bytes))
                advance()
            case .outputBegin:
                advance()
                body.append(.output(try tuple()))
                guard take(.outputEnd) else { throw unexpected("\"}}\"") }
            case .blockBegin:
                if case .name(let name) = following, ends.contains(name) {
                    advance()
                    advance()
                    return (body, name)
                }
                advance()
                body += try nested { parser throws(TemplateError) in try parser.block() }
            case .end:
                guard ends.isEmpty else {
                    throw .syntax(line: beginLine, why: "the block that begins here has no \"\(ends[ends.count - 1])\"")
                }
                return (body, "")
            default: throw unexpected("text or a tag")
            }
        }
    }

    private mutating func endBlock() throws(TemplateError) {
        guard take(.blockEnd) else { throw unexpected("\"%}\"") }
    }

    /// The statements between the head of a block, which ends here, and the block `end`.
    private mutating func blockBody(_ end: String) throws(TemplateError) -> [Statement] {
        try endBlock()
        let (statements, _) = try body(until: [end])
        try endBlock()
        return statements
    }

    private mutating func block() throws(TemplateError) -> [Statement] {
        let line = current.line
        let name = try expectName()
        switch name {
        case "if": return [try branches()]
        case "for": return [try loop(line)]
        case "set": return [try set(line)]
        case "macro": return [.macro(try macro(line))]
        case "call": return [try call(line)]
        case "filter":
            let filters = try filterChain()
            return [.filter(filters, body: try blockBody("endfilter"), line: line)]
        case "with": return [try with()]
        // Marks the assistant's own words for training; when rendering, just its content.
        case "generation": return [.scope([], body: try blockBody("endgeneration"))]
        case "break", "continue":
            guard loops > 0 else { throw .syntax(line: line, why: "\"\(name)\" outside a loop") }
            try endBlock()
            return [name == "break" ? .stop(line: line) : .skip(line: line)]
        default: throw .syntax(line: line, why: "unknown or misplaced tag \"\(name)\"")
        }
    }

    private mutating func branches() throws(TemplateError) -> Statement {
        var branches: [(test: Expression, body: [Statement])] = []
        branchDepth += 1
        defer { branchDepth -= 1 }
        while true {
            let test = try tuple(conditional: false)
            try endBlock()
            let (statements, end) = try body(until: ["elif", "else", "endif"])
            branches.append((test, statements))
            if end == "elif" { continue }
            let otherwise = end == "else" ? try blockBody("endif") : []
            if end == "endif" { try endBlock() }
            return .branches(branches, otherwise: otherwise)
        }
    }

    private mutating func loop(_ line: Int) throws(TemplateError) -> Statement {
        let target = try assignmentTarget(stop: "in")
        guard take(word: "in") else { throw unexpected("\"in\"") }
        let items = try tuple(conditional: false)
        let condition = take(word: "if") ? try expression() : nil
        if case .name("recursive") = current.kind {
            throw .syntax(line: line, why: "recursive loops are not supported")
        }
        try endBlock()
        loops += 1
        let (statements, end) = try body(until: ["else", "endfor"])
        loops -= 1
        let otherwise = end == "else" ? try blockBody("endfor") : []
        if end == "endfor" { try endBlock() }
        return .loop(
            Statement.Loop(
                target: target, items: items, condition: condition, body: statements, otherwise: otherwise, line: line))
    }

    private mutating func set(_ line: Int) throws(TemplateError) -> Statement {
        let target = try assignmentTarget(stop: "=")
        if take(symbol: "=") {
            let value = try tuple()
            try endBlock()
            return .set(target, value)
        }
        let filters = take(symbol: "|") ? try filterChain() : []
        return .setBlock(target, filters: filters, body: try blockBody("endset"), line: line)
    }

    private mutating func with() throws(TemplateError) -> Statement {
        var values: [(target: AssignmentTarget, value: Expression)] = []
        while current.kind != .blockEnd {
            if !values.isEmpty { try expect(symbol: ",") }
            let target = try singleTarget()
            try expect(symbol: "=")
            values.append((target, try expression()))
        }
        return .scope(values, body: try blockBody("endwith"))
    }

    private mutating func macro(_ line: Int) throws(TemplateError) -> MacroDefinition {
        let name = try expectName()
        try expect(symbol: "(")
        return try macroBody(name, line, end: "endmacro")
    }

    private mutating func call(_ line: Int) throws(TemplateError) -> Statement {
        // The parameters of `caller` may stand in parentheses before the call.
        let hasParameters = take(symbol: "(")
        let parameters = hasParameters ? try macroParameters() : []
        let callee = try expression()
        guard case .call = callee.kind else { throw .syntax(line: line, why: "\"call\" needs a call of a macro") }
        let outer = loops
        loops = 0
        defer { loops = outer }
        let body = try blockBody("endcall")
        return .call(callee, caller: MacroDefinition(name: "caller", parameters: parameters, body: body, line: line))
    }

    private mutating func macroBody(_ name: String, _ line: Int, end: String) throws(TemplateError) -> MacroDefinition {
        let parameters = try macroParameters()
        let outer = loops
        loops = 0
        defer { loops = outer }
        return MacroDefinition(name: name, parameters: parameters, body: try blockBody(end), line: line)
    }

    /// Parameters up to the closing parenthesis, which is taken.
    private mutating func macroParameters() throws(TemplateError) -> [(name: String, fallback: Expression?)] {
        var parameters: [(name: String, fallback: Expression?)] = []
        while !take(symbol: ")") {
            if !parameters.isEmpty { try expect(symbol: ",") }
            let name = try expectName()
            parameters.append((name, take(symbol: "=") ? try expression() : nil))
        }
        return parameters
    }

    /// Filters behind each other: `trim | indent(2)`.
    private mutating func filterChain() throws(TemplateError) -> FilterChain {
        var filters: FilterChain = []
        repeat {
            let name = try filterName()
            filters.append((name, take(symbol: "(") ? try arguments() : Expression.Arguments()))
        } while take(symbol: "|")
        return filters
    }

    // MARK: Targets

    /// One target or several with commas between them, up to `stop`.
    private mutating func assignmentTarget(stop: String) throws(TemplateError) -> AssignmentTarget {
        let first = try singleTarget()
        guard current.kind == .symbol(",") else { return first }
        var targets = [first]
        while take(symbol: ",") {
            if current.kind == .symbol(stop) || current.kind == .name(stop) { break }
            targets.append(try singleTarget())
        }
        return .tuple(targets)
    }

    private mutating func singleTarget() throws(TemplateError) -> AssignmentTarget {
        if take(symbol: "(") {
            let inner = try nested { parser throws(TemplateError) in try parser.assignmentTarget(stop: ")") }
            try expect(symbol: ")")
            return inner
        }
        let line = current.line
        let name = try expectName()
        guard !["true", "false", "none", "True", "False", "None"].contains(name) else {
            throw .syntax(line: line, why: "\"\(name)\" can't be assigned to")
        }
        return take(symbol: ".") ? .attribute(object: name, name: try expectName()) : .name(name)
    }
}
