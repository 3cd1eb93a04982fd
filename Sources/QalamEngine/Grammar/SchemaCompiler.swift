// SPDX-License-Identifier: Apache-2.0
internal import QalamTokenizers

/// Turns a JSON Schema (draft 2020-12) into rules of a grammar.
///
/// Honoured: boolean schemas; `type`, `enum`, `const`; `minLength`, `maxLength`, `pattern`, `format` (those of
/// ``SchemaFormats``); `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum`; `multipleOf` of powers of ten from
/// 1; `properties`, `patternProperties`, `additionalProperties`, `required`, `minProperties`, `maxProperties`;
/// `prefixItems`, `items`, `minItems`, `maxItems`; `allOf` (merged), `anyOf`, `oneOf` (if its branches provably exclude
/// each other), `not` of a schema that admits everything or nothing; `$ref` within the schema, recursive too; `$defs`,
/// `definitions`. Annotations are read over. Everything else is refused by name: nothing is ignored.
///
/// What is written is valid; not everything valid is written. Properties come in the order of their declaration, other
/// names after them; integers have no fraction and no exponent, bounded numbers no exponent; strings with a pattern or
/// a format and names beside declared ones have escapes only where JSON needs them; values of `enum` are spelled as
/// Qalam spells them; white space is that of ``JSONText/space``. A name that is not declared may come twice.
struct SchemaCompiler {
    /// Most alternatives that a schema is multiplied out to.
    private static let mostAlternatives = 512
    private static let mostRules = 50_000

    var rules: GrammarRules
    private let root: SchemaLocation
    /// Rules of conjunctions of schemas by their pointers.
    private var known: [String: GrammarNode] = [:]
    private(set) var open: (value: GrammarNode, string: GrammarNode, object: GrammarNode)
    private var sharedNodes: [GrammarNode: GrammarNode] = [:]

    /// Reads a schema, whose rules are added to others.
    init(_ text: [UInt8], adding rules: GrammarRules = GrammarRules()) throws(GrammarError) {
        self.rules = rules
        do {
            root = SchemaLocation(pointer: "", value: try JSONParser.parse(text, file: "schema"))
        } catch .malformed(_, let offset, let reason) {
            throw .syntax(at: offset, reason: reason)
        } catch {
            throw .syntax(at: 0, reason: error.description)
        }
        open = JSONText.addValue(to: &self.rules)
    }

    /// The rule of the whole schema.
    mutating func compile() throws(GrammarError) -> GrammarNode {
        let node = try rule([root])
        if case .rule = node { return node }
        return rules.add("schema", node)
    }

    /// The rule of values that satisfy all of `schemas`.
    mutating func rule(_ schemas: [SchemaLocation]) throws(GrammarError) -> GrammarNode {
        var seen: Set<String> = []
        let schemas = schemas.filter { !$0.value.admitsAll && seen.insert($0.pointer).inserted }
        if schemas.isEmpty { return open.value }
        let key = seen.sorted().joined(separator: "\n")
        if let node = known[key] { return node }
        guard rules.nodes.count < Self.mostRules else { throw .tooLarge("This schema") }
        let index = rules.reserve(schemas[0].pointer)
        known[key] = .rule(index)
        let node = try node(try alternatives(schemas))
        rules.define(index, node)
        return .rule(index)
    }

    /// One rule for equal expressions, so that what is learnt of one serves all.
    mutating func shared(_ name: String, _ node: GrammarNode) -> GrammarNode {
        if let rule = sharedNodes[node] { return rule }
        let rule = rules.add(name, node)
        sharedNodes[node] = rule
        return rule
    }

    // MARK: Alternatives

    /// The alternatives of what satisfies all of `schemas`.
    func alternatives(_ schemas: [SchemaLocation]) throws(GrammarError) -> [SchemaFacets] {
        var result = [SchemaFacets()]
        for schema in schemas { result = try meet(result, try alternatives(schema, [])) }
        return result
    }

    private func alternatives(
        _ schema: SchemaLocation, _ path: [String]
    ) throws(GrammarError) -> [SchemaFacets] {
        guard !path.contains(schema.pointer), path.count < 64 else {
            throw .invalid(pointer: schema.pointer, reason: "it refers to itself without end")
        }
        let path = path + [schema.pointer]
        switch schema.value {
        case .bool(let admits): return admits ? [SchemaFacets()] : []
        case .object(let members): return try alternatives(schema, members, path)
        default:
            throw .invalid(
                pointer: schema.pointer, reason: "a schema is an object, true or false, not \(schema.value.summary)")
        }
    }

    private func alternatives(
        _ schema: SchemaLocation, _ members: [(key: String, value: JSONValue)], _ path: [String]
    ) throws(GrammarError) -> [SchemaFacets] {
        let fields = Dictionary(members.map { ($0.key, $0.value) }) { $1 }
        guard fields.count == members.count else {
            throw .invalid(pointer: schema.pointer, reason: "a keyword is given twice")
        }
        var result = [SchemaFacets()]
        if let reference = fields["$ref"] {
            let target = try resolve(reference, at: schema)
            result = try meet(result, try alternatives(target, path))
        }
        for branch in try branches("allOf", fields, schema) {
            result = try meet(result, try alternatives(branch, path))
        }
        result = try meet(result, [try SchemaReader.facets(schema, members)])
        if fields["anyOf"] != nil {
            var union: [SchemaFacets] = []
            for branch in try branches("anyOf", fields, schema) { union += try alternatives(branch, path) }
            result = try meet(result, union)
        }
        if fields["oneOf"] != nil {
            var lists: [[SchemaFacets]] = []
            for branch in try branches("oneOf", fields, schema) {
                lists.append(try meet(result, try alternatives(branch, path)))
            }
            guard try areExclusive(lists, depth: 0) else {
                throw .unsupported(
                    pointer: schema.pointer, keyword: "oneOf with branches that may be satisfied together")
            }
            result = Array(lists.joined())
        }
        return result
    }

    private func meet(_ a: [SchemaFacets], _ b: [SchemaFacets]) throws(GrammarError) -> [SchemaFacets] {
        guard a.count * b.count <= Self.mostAlternatives else { throw .tooLarge("Multiplying out allOf and anyOf") }
        var both: [SchemaFacets] = []
        for x in a { for y in b { both.append(x.meeting(y)) } }
        return both.filter { !$0.types.isEmpty && $0.values?.isEmpty != true }
    }

    private func branches(
        _ key: String, _ fields: [String: JSONValue], _ schema: SchemaLocation
    ) throws(GrammarError) -> [SchemaLocation] {
        guard let value = fields[key] else { return [] }
        guard case .array(let list) = value, !list.isEmpty else {
            throw .invalid(pointer: schema.pointer, reason: "\"\(key)\" must be a list of schemas")
        }
        return list.enumerated().map { schema.below(key, value).below(String($0), $1) }
    }

    // MARK: References

    private func resolve(_ reference: JSONValue, at schema: SchemaLocation) throws(GrammarError) -> SchemaLocation {
        guard case .string(let text) = reference else {
            throw .invalid(pointer: schema.pointer, reason: "\"$ref\" must be text")
        }
        guard text == "#" || text.hasPrefix("#/"), let path = Self.percentDecoded(text.dropFirst()) else {
            throw .unsupported(pointer: schema.pointer, keyword: "$ref to \(text)")
        }
        var target = root
        for step in path.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            let name = Self.unescaped(step)
            var next: JSONValue?
            switch target.value {
            case .object(let members): next = members.last { $0.key == name }?.value
            case .array(let values): next = Int(name).flatMap { values.indices.contains($0) ? values[$0] : nil }
            default: break
            }
            guard let next else {
                throw .invalid(pointer: schema.pointer, reason: "\"$ref\" leads to \(text), which is not there")
            }
            target = target.below(name, next)
        }
        return target
    }

    private static func unescaped(_ step: Substring) -> String {
        var result = ""
        var rest = step[...]
        while let character = rest.popFirst() {
            if character == "~", let code = rest.first, code == "0" || code == "1" {
                rest.removeFirst()
                result.append(code == "0" ? "~" : "/")
            } else {
                result.append(character)
            }
        }
        return result
    }

    private static func percentDecoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                return nil
            }
            rest.removeFirst(2)
            bytes.append(value)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

extension JSONValue {
    /// Whether it is the schema that admits everything.
    var admitsAll: Bool {
        switch self {
        case .bool(let admits): admits
        case .object(let members): members.isEmpty
        default: false
        }
    }
}
