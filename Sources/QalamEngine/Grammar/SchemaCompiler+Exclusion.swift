// SPDX-License-Identifier: Apache-2.0
internal import QalamTokenizers

extension SchemaCompiler {
    /// How deep into properties a proof goes.
    private static let deepestProof = 4

    /// Whether no value satisfies two of the lists of alternatives, as far as that can be shown.
    func areExclusive(_ lists: [[SchemaFacets]], depth: Int) throws(GrammarError) -> Bool {
        for i in lists.indices {
            for j in lists.indices where j > i {
                for a in lists[i] { for b in lists[j] where !(try exclude(a, b, depth: depth)) { return false } }
            }
        }
        return true
    }

    private func exclude(_ a: SchemaFacets, _ b: SchemaFacets, depth: Int) throws(GrammarError) -> Bool {
        let both = a.meeting(b)
        if both.types.isEmpty { return true }
        if let values = both.values {
            for value in values {
                guard let admits = try both.admits(value) else { return false }
                if admits { return false }
            }
            return true
        }
        if !both.types.isDisjoint(with: [.null, .boolean]) { return false }
        if both.types.contains(.string), !(try both.strings().isEmpty) { return false }
        if !both.types.isDisjoint(with: .number), !(try both.numbers().isEmpty) { return false }
        if both.types.contains(.array), both.minItems <= both.maxItems ?? .max { return false }
        if both.types.contains(.object), !(try excludeObjects(a, b, both, depth: depth)) { return false }
        return true
    }

    /// Objects exclude each other by the number of properties, or by a property that must be there and whose schemas
    /// exclude each other.
    private func excludeObjects(
        _ a: SchemaFacets, _ b: SchemaFacets, _ both: SchemaFacets, depth: Int
    ) throws(GrammarError) -> Bool {
        if let most = both.maxProperties, most < max(both.minProperties, both.required.count) { return true }
        guard depth < Self.deepestProof else { return false }
        for name in both.required {
            let left = try alternatives(try a.schemas(ofProperty: name))
            let right = try alternatives(try b.schemas(ofProperty: name))
            if try areExclusive([left, right], depth: depth + 1) { return true }
        }
        return false
    }
}
