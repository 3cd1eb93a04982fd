// SPDX-License-Identifier: Apache-2.0

// Expressions, from the loosest operator to the tightest:
//   a if b else c · or · and · not · comparisons, in · + - · ~ · * / // % · ** · signs · | filters, is tests · . [] ()
extension TemplateParser {
    /// An expression of `kind` whose parts are `children`.
    private func make(
        _ kind: Expression.Kind, _ children: [Expression] = [], line: Int
    ) throws(TemplateError) -> Expression {
        let height = 1 + (children.map(\.height).max() ?? 0)
        guard height <= Self.heightLimit else {
            throw .limit(line: line, why: "an expression of more than \(Self.heightLimit) levels")
        }
        return Expression(kind: kind, line: line, height: height)
    }

    /// One expression.
    mutating func expression(conditional: Bool = true) throws(TemplateError) -> Expression {
        try nested { parser throws(TemplateError) in
            conditional ? try parser.conditional() : try parser.either()
        }
    }

    /// Expressions with commas between them: a tuple, or the one expression if there is no comma.
    mutating func tuple(conditional: Bool = true) throws(TemplateError) -> Expression {
        let line = current.line
        let first = try expression(conditional: conditional)
        guard current.kind == .symbol(",") else { return first }
        var items = [first]
        while take(symbol: ",") {
            switch current.kind {
            case .outputEnd, .blockEnd, .symbol(")"): break
            default:
                items.append(try expression(conditional: conditional))
                continue
            }
            break
        }
        return try make(.list(items, isTuple: true), items, line: line)
    }

    private mutating func conditional() throws(TemplateError) -> Expression {
        var value = try either()
        while current.kind == .name("if") {
            let line = current.line
            advance()
            let test = try either()
            let no = take(word: "else") ? try expression() : nil
            value = try make(
                .conditional(test: test, yes: value, no: no), [test, value] + (no.map { [$0] } ?? []), line: line)
        }
        return value
    }

    private mutating func either() throws(TemplateError) -> Expression {
        let line = current.line
        var parts = [try both()]
        while take(word: "or") { parts.append(try both()) }
        return parts.count == 1 ? parts[0] : try make(.any(parts), parts, line: line)
    }

    private mutating func both() throws(TemplateError) -> Expression {
        let line = current.line
        var parts = [try negation()]
        while take(word: "and") { parts.append(try negation()) }
        return parts.count == 1 ? parts[0] : try make(.all(parts), parts, line: line)
    }

    private mutating func negation() throws(TemplateError) -> Expression {
        let line = current.line
        guard take(word: "not") else { return try comparison() }
        let value = try nested { parser throws(TemplateError) in try parser.negation() }
        return try make(.not(value), [value], line: line)
    }

    private mutating func comparison() throws(TemplateError) -> Expression {
        let line = current.line
        let first = try sum()
        var rest: [(comparison: Expression.Comparison, value: Expression)] = []
        while let comparison = takeComparison() { rest.append((comparison, try sum())) }
        return rest.isEmpty ? first : try make(.compare(first, rest), [first] + rest.map(\.value), line: line)
    }

    private mutating func takeComparison() -> Expression.Comparison? {
        switch current.kind {
        case .symbol(let symbol):
            guard let comparison = Expression.Comparison(rawValue: symbol) else { return nil }
            advance()
            return comparison
        case .name("in"):
            advance()
            return .isIn
        case .name("not") where following == .name("in"):
            advance()
            advance()
            return .notIn
        default: return nil
        }
    }

    private mutating func sum() throws(TemplateError) -> Expression {
        try chain(["+", "-"]) { parser throws(TemplateError) in try parser.concatenation() }
    }

    private mutating func concatenation() throws(TemplateError) -> Expression {
        let line = current.line
        var parts = [try product()]
        while take(symbol: "~") { parts.append(try product()) }
        return parts.count == 1 ? parts[0] : try make(.concatenate(parts), parts, line: line)
    }

    private mutating func product() throws(TemplateError) -> Expression {
        try chain(["*", "/", "//", "%"]) { parser throws(TemplateError) in try parser.power() }
    }

    private mutating func power() throws(TemplateError) -> Expression {
        try chain(["**"]) { parser throws(TemplateError) in try parser.unary(filters: true) }
    }

    /// Operands with the operators `symbols` between them, grouped from the left.
    private mutating func chain(
        _ symbols: [String], _ operand: (inout TemplateParser) throws(TemplateError) -> Expression
    ) throws(TemplateError) -> Expression {
        var left = try operand(&self)
        while case .symbol(let symbol) = current.kind, symbols.contains(symbol),
            let name = Expression.Operator(rawValue: symbol)
        {
            let line = current.line
            advance()
            let right = try operand(&self)
            left = try make(.binary(name, left, right), [left, right], line: line)
        }
        return left
    }

    private mutating func unary(filters: Bool) throws(TemplateError) -> Expression {
        let line = current.line
        var value: Expression
        if take(symbol: "-") {
            let operand = try nested { parser throws(TemplateError) in try parser.unary(filters: false) }
            value = try make(.negate(operand), [operand], line: line)
        } else if take(symbol: "+") {
            let operand = try nested { parser throws(TemplateError) in try parser.unary(filters: false) }
            value = try make(.plus(operand), [operand], line: line)
        } else {
            value = try primary()
        }
        value = try postfix(value)
        return filters ? try filtersAndTests(value) : value
    }

    private mutating func primary() throws(TemplateError) -> Expression {
        let token = current
        guard startsValue else { throw unexpected("an expression") }
        advance()
        switch token.kind {
        case .name("true"), .name("True"): return try make(.bool(true), line: token.line)
        case .name("false"), .name("False"): return try make(.bool(false), line: token.line)
        case .name("none"), .name("None"): return try make(.none, line: token.line)
        case .name(let name): return try make(.name(name), line: token.line)
        case .integer(let value): return try make(.int(value), line: token.line)
        case .float(let value): return try make(.double(value), line: token.line)
        case .string(var bytes):
            // Strings next to each other are one.
            while case .string(let more) = current.kind {
                bytes += more
                advance()
            }
            return try make(.string(bytes), line: token.line)
        case .symbol("("):
            if take(symbol: ")") { return try make(.list([], isTuple: true), line: token.line) }
            let value = try tuple()
            try expect(symbol: ")")
            return value
        case .symbol("["): return try list(token.line)
        default: return try dictionary(token.line)
        }
    }

    private var startsValue: Bool {
        switch current.kind {
        case .name, .integer, .float, .string, .symbol("("), .symbol("["), .symbol("{"): true
        default: false
        }
    }

    private mutating func list(_ line: Int) throws(TemplateError) -> Expression {
        var items: [Expression] = []
        while !take(symbol: "]") {
            if !items.isEmpty {
                try expect(symbol: ",")
                if take(symbol: "]") { break }
            }
            items.append(try expression())
        }
        return try make(.list(items, isTuple: false), items, line: line)
    }

    private mutating func dictionary(_ line: Int) throws(TemplateError) -> Expression {
        var entries: [(key: Expression, value: Expression)] = []
        while !take(symbol: "}") {
            if !entries.isEmpty {
                try expect(symbol: ",")
                if take(symbol: "}") { break }
            }
            let key = try expression()
            try expect(symbol: ":")
            entries.append((key, try expression()))
        }
        return try make(.dictionary(entries), entries.flatMap { [$0.key, $0.value] }, line: line)
    }

    // MARK: What follows a value

    /// Attributes, items and calls.
    private mutating func postfix(_ start: Expression) throws(TemplateError) -> Expression {
        var value = start
        while true {
            let line = current.line
            if take(symbol: ".") {
                if case .integer(let position) = current.kind {
                    advance()
                    let item = try make(.int(position), line: line)
                    value = try make(.item(value, item), [value], line: line)
                } else {
                    value = try make(.attribute(value, try expectName()), [value], line: line)
                }
            } else if take(symbol: "[") {
                value = try item(of: value, line)
            } else if take(symbol: "(") {
                value = try call(value, line)
            } else {
                return value
            }
        }
    }

    private mutating func call(_ callee: Expression, _ line: Int) throws(TemplateError) -> Expression {
        let arguments = try arguments()
        return try make(.call(callee, arguments), [callee] + arguments.all, line: line)
    }

    /// An index or a slice; the bracket is taken already.
    private mutating func item(of value: Expression, _ line: Int) throws(TemplateError) -> Expression {
        var parts: [Expression?] = [nil]
        while !take(symbol: "]") {
            if take(symbol: ":") {
                parts.append(nil)
            } else {
                guard parts[parts.count - 1] == nil else { throw unexpected("\"]\"") }
                parts[parts.count - 1] = try expression()
            }
        }
        if parts.count == 1, let position = parts[0] {
            return try make(.item(value, position), [value, position], line: line)
        }
        guard (2...3).contains(parts.count) else { throw .syntax(line: line, why: "an index or a slice is expected") }
        let step = parts.count == 3 ? parts[2] : nil
        return try make(
            .slice(value, from: parts[0], to: parts[1], step: step), [value] + parts.compactMap { $0 }, line: line)
    }

    /// Arguments up to the closing parenthesis, which is taken.
    mutating func arguments() throws(TemplateError) -> Expression.Arguments {
        var arguments = Expression.Arguments()
        var isFirst = true
        while !take(symbol: ")") {
            if !isFirst {
                try expect(symbol: ",")
                if take(symbol: ")") { break }
            }
            isFirst = false
            if case .name(let name) = current.kind, following == .symbol("=") {
                guard !arguments.named.contains(where: { $0.name == name }) else {
                    throw .syntax(line: current.line, why: "the argument \"\(name)\" comes twice")
                }
                advance()
                advance()
                arguments.named.append((name, try expression()))
            } else {
                guard arguments.named.isEmpty else { throw unexpected("a named argument") }
                arguments.positional.append(try expression())
            }
        }
        return arguments
    }

    /// Filters, tests, and calls behind them.
    private mutating func filtersAndTests(_ start: Expression) throws(TemplateError) -> Expression {
        var value = start
        while true {
            let line = current.line
            if take(symbol: "|") {
                let name = try filterName()
                let arguments = take(symbol: "(") ? try arguments() : Expression.Arguments()
                value = try make(.filter(value, name, arguments), [value] + arguments.all, line: line)
            } else if take(word: "is") {
                value = try test(value, line)
            } else if take(symbol: "(") {
                value = try call(value, line)
            } else {
                return value
            }
        }
    }

    /// The name of a filter; outside of branches, of one that there is.
    mutating func filterName() throws(TemplateError) -> String {
        let line = current.line
        let name = try expectName()
        guard branchDepth > 0 || TemplateRenderer.filters.contains(name) else {
            throw .syntax(line: line, why: "there is no filter \"\(name)\"")
        }
        return name
    }

    private mutating func test(_ value: Expression, _ line: Int) throws(TemplateError) -> Expression {
        let negated = take(word: "not")
        let name = try expectName()
        guard branchDepth > 0 || TemplateRenderer.tests.contains(name) else {
            throw .syntax(line: line, why: "there is no test \"\(name)\"")
        }
        var arguments = Expression.Arguments()
        if take(symbol: "(") {
            arguments = try self.arguments()
        } else if startsTestArgument {
            guard current.kind != .name("is") else {
                throw .syntax(line: line, why: "tests can't be chained with \"is\"")
            }
            arguments.positional = [
                try nested { parser throws(TemplateError) in try parser.postfix(try parser.primary()) }
            ]
        }
        return try make(.test(value, name, arguments, negated: negated), [value] + arguments.all, line: line)
    }

    /// Whether what comes next is the one argument of a test without parentheses.
    private var startsTestArgument: Bool {
        switch current.kind {
        case .name(let name): !["else", "or", "and"].contains(name)
        case .string, .integer, .float, .symbol("["), .symbol("{"): true
        default: false
        }
    }
}

extension Expression.Arguments {
    /// Every argument's expression.
    var all: [Expression] { positional + named.map(\.value) }
}
