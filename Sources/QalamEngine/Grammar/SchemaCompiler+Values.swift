// SPDX-License-Identifier: Apache-2.0
internal import QalamTokenizers

extension SchemaCompiler {
    /// The values that satisfy one of `alternatives`.
    mutating func node(_ alternatives: [SchemaFacets]) throws(GrammarError) -> GrammarNode {
        var parts: [GrammarNode] = []
        for facets in alternatives { parts.append(try node(facets)) }
        return .any(parts)
    }

    private mutating func node(_ facets: SchemaFacets) throws(GrammarError) -> GrammarNode {
        if facets.isOpen { return open.value }
        if let values = facets.values {
            var parts: [GrammarNode] = []
            for value in values {
                guard let admits = try facets.admits(value) else {
                    throw .unsupported(pointer: facets.pointer, keyword: "enum beside keywords of lists or objects")
                }
                if admits { parts.append(value.literal) }
            }
            return .any(parts)
        }
        var parts: [GrammarNode] = []
        if facets.types.contains(.object) { parts.append(try object(facets)) }
        if facets.types.contains(.array) { parts.append(try array(facets)) }
        if facets.types.contains(.string) { parts.append(try string(facets)) }
        if !facets.types.isDisjoint(with: .number) { parts.append(try number(facets)) }
        if facets.types.contains(.boolean) { parts.append(.any([.text("true"), .text("false")])) }
        if facets.types.contains(.null) { parts.append(.text("null")) }
        return .any(parts)
    }

    private mutating func string(_ facets: SchemaFacets) throws(GrammarError) -> GrammarNode {
        let hasLength = facets.minLength > 0 || facets.maxLength != nil
        guard !facets.patterns.isEmpty else {
            guard hasLength else { return open.string }
            if let most = facets.maxLength, most < facets.minLength { return .never }
            return shared("string", JSONText.string(facets.minLength, facets.maxLength))
        }
        let content: GrammarNode
        if facets.patterns.count == 1, !hasLength {
            content = facets.patterns[0].mapped(scalars: JSONText.escaped, rule: { .rule($0) })
        } else {
            content = .automaton(try facets.strings(), inJSON: true)
        }
        return shared("string", .all([.text("\""), content, .text("\"")]))
    }

    private mutating func number(_ facets: SchemaFacets) throws(GrammarError) -> GrammarNode {
        let isWhole = !facets.types.contains(.fraction)
        if facets.lower == nil, facets.upper == nil, facets.multiple == 1 {
            return isWhole ? shared("integer", JSONText.integer) : shared("number", JSONText.number)
        }
        return shared("number", .automaton(try facets.numbers(), inJSON: false))
    }

    // MARK: Lists

    private mutating func array(_ facets: SchemaFacets) throws(GrammarError) -> GrammarNode {
        let fixed = facets.arrays.map(\.prefix.count).max() ?? 0
        let rest = try rule(facets.schemas(ofElement: fixed))
        // From the back: what may follow `index` elements.
        var tail = JSONText.list(rest, facets.minItems, facets.maxItems, before: fixed)
        if let most = facets.maxItems, most < fixed { tail = .never }
        for index in (0..<fixed).reversed() {
            let item = try rule(facets.schemas(ofElement: index))
            var parts: [GrammarNode] = index >= facets.minItems ? [.empty] : []
            if index < facets.maxItems ?? .max {
                parts.append(.all([index > 0 ? JSONText.comma : .empty, item, tail]))
            } else if index > facets.maxItems ?? .max {
                parts = []
            }
            tail = index > 0 ? rules.add("elements", .any(parts)) : .any(parts)
        }
        return JSONText.enclosed("[", tail, "]")
    }
}

extension SchemaFacets {
    /// Strings that satisfy the patterns and the lengths.
    func strings() throws(GrammarError) -> ScalarAutomaton {
        var all = patterns
        if minLength > 0 || maxLength != nil {
            if let most = maxLength, most < minLength { return try ScalarAutomaton(all: [.never]) }
            all.append(GrammarNode.scalars(.all).repeated(minLength, maxLength))
        }
        if all.isEmpty { all.append(GrammarNode.scalars(.all).repeated(0, nil)) }
        return try ScalarAutomaton(all: all)
    }

    /// Texts of numbers that satisfy the bounds, without exponents.
    func numbers() throws(GrammarError) -> ScalarAutomaton {
        var all = [types.contains(.fraction) ? DecimalBound.decimal : JSONText.integer]
        if let lower { all.append(DecimalBound(lower).orMore) }
        if let upper { all.append(DecimalBound(upper).orLess) }
        if multiple > 1 {
            let zeros = GrammarNode.text("0").repeated(String(multiple).count - 1, String(multiple).count - 1)
            all.append(.all([GrammarNode.text("-").optional(), .any([.text("0"), .all([JSONText.natural, zeros])])]))
        }
        return try ScalarAutomaton(all: all)
    }

    /// Whether a value of `enum` satisfies the other keywords; nil where that would need subschemas.
    func admits(_ value: JSONValue) throws(GrammarError) -> Bool? {
        guard types.contains(value.schemaType) else { return false }
        switch value {
        case .null, .bool: return true
        case .int, .double:
            let number = value.number ?? .nan
            if let lower, number < lower.value || lower.exclusive && number == lower.value { return false }
            if let upper, number > upper.value || upper.exclusive && number == upper.value { return false }
            return multiple == 1 || number.truncatingRemainder(dividingBy: Double(multiple)) == 0
        case .string(let text):
            let length = text.unicodeScalars.count
            guard length >= minLength, length <= maxLength ?? .max else { return false }
            for pattern in patterns where !(try ScalarAutomaton(all: [pattern]).matches(text)) { return false }
            return true
        case .array: return hasOpenArrays ? true : nil
        case .object: return hasOpenObjects ? true : nil
        }
    }
}
