// SPDX-License-Identifier: Apache-2.0
internal import QalamTokenizers

extension SchemaCompiler {
    /// Most pairs of a property and a count of properties before it.
    private static let mostPlaces = 20_000
    /// Most name patterns whose combinations are told apart.
    private static let mostPatterns = 4

    /// Objects: declared properties in order, then others.
    mutating func object(_ facets: SchemaFacets) throws(GrammarError) -> GrammarNode {
        if facets.hasOpenObjects { return open.object }
        if let most = facets.maxProperties, most < max(facets.minProperties, facets.required.count) { return .never }
        let names = facets.names
        let other = try others(facets, besides: names)
        // Only as many counts of earlier properties as make a difference.
        var (least, most) = (facets.minProperties, facets.maxProperties)
        if least <= facets.required.count { least = 0 }
        if let limit = most, limit >= names.count, other == .never { most = nil }
        let counts = max(1, least, most ?? 0)
        guard (names.count + 1).multipliedReportingOverflow(by: counts + 1).partialValue <= Self.mostPlaces,
            names.count <= Self.mostPlaces, counts <= Self.mostPlaces || names.isEmpty
        else { throw .tooLarge("The number of properties") }

        if names.isEmpty { return JSONText.enclosed("{", JSONText.list(other, least, most, before: 0), "}") }
        // tails[c]: what may follow when `c` properties were written (the last: that many or more).
        var tails = (0...counts).map { count in
            other == .never
                ? (count >= least ? GrammarNode.empty : .never)
                : JSONText.list(other, least, most, before: count)
        }
        for name in names.reversed() {
            let value = try rule(try facets.schemas(ofProperty: name))
            let member = GrammarNode.all([.text(JSONText.quoted(name) + ":"), JSONText.space, value])
            let isRequired = facets.required.contains(name)
            let after = tails
            for count in 0...counts {
                var parts = isRequired ? [] : [after[count]]
                if count < most ?? .max {
                    let separator = count > 0 ? JSONText.comma : .empty
                    parts.insert(.all([separator, member, after[min(count + 1, counts)]]), at: 0)
                }
                tails[count] = .any(parts)
                if tails[count].usesRules { tails[count] = rules.add("properties", tails[count]) }
            }
        }
        return JSONText.enclosed("{", tails[0], "}")
    }

    /// Members of names that are not declared; never where there may be none.
    private mutating func others(
        _ facets: SchemaFacets, besides names: [String]
    ) throws(GrammarError) -> GrammarNode {
        let patterns = facets.objects.flatMap(\.patterns).map(\.name)
        guard patterns.count <= Self.mostPatterns else { throw .tooLarge("patternProperties of many patterns") }
        let declared = names.map { name in
            GrammarNode.all(name.unicodeScalars.map { .scalars(ScalarSet([$0.value...$0.value])) })
        }
        var parts: [GrammarNode] = []
        for chosen in 0..<(1 << patterns.count) {
            let matched = patterns.indices.map { chosen >> $0 & 1 == 1 }
            let schemas = schemas(facets, matched)
            if schemas.contains(where: { if case .bool(false) = $0.value { true } else { false } }) { continue }
            let value = try rule(schemas)
            var name = open.string
            if !patterns.isEmpty || !declared.isEmpty {
                var all = [GrammarNode.scalars(.all).repeated(0, nil)]
                all += patterns.indices.filter { matched[$0] }.map { patterns[$0] }
                let none = declared + patterns.indices.filter { !matched[$0] }.map { patterns[$0] }
                let texts = try ScalarAutomaton(all: all, none: none)
                if texts.isEmpty { continue }
                name = shared("name", .all([.text("\""), .automaton(texts, inJSON: true), .text("\"")]))
            }
            parts.append(.all([name, .text(":"), JSONText.space, value]))
        }
        if parts.isEmpty { return .never }
        return shared("other", .any(parts))
    }

    /// The schemas of a name that matches these of all patterns, counted through the scopes.
    private func schemas(_ facets: SchemaFacets, _ matched: [Bool]) -> [SchemaLocation] {
        var schemas: [SchemaLocation] = []
        var index = 0
        for scope in facets.objects {
            var found: [SchemaLocation] = []
            for (_, schema) in scope.patterns {
                if matched[index] { found.append(schema) }
                index += 1
            }
            if found.isEmpty, let additional = scope.additional { found.append(additional) }
            schemas += found
        }
        return schemas
    }
}
