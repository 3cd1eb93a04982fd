// SPDX-License-Identifier: Apache-2.0
internal import QalamTokenizers

/// A part of a JSON Schema and where it is: a JSON Pointer (RFC 6901).
struct SchemaLocation: Sendable {
    let pointer: String
    let value: JSONValue

    /// The location of a member or an element.
    func below(_ name: String, _ value: JSONValue) -> SchemaLocation {
        SchemaLocation(pointer: pointer + "/" + Self.escaped(name), value: value)
    }

    private static func escaped(_ name: String) -> String {
        String(name.flatMap { $0 == "~" ? "~0" : $0 == "/" ? "~1" : String($0) })
    }
}

/// Types of JSON values; `number` is integers and fractions.
struct SchemaTypes: OptionSet, Sendable {
    let rawValue: UInt8

    static let null = SchemaTypes(rawValue: 1)
    static let boolean = SchemaTypes(rawValue: 2)
    static let integer = SchemaTypes(rawValue: 4)
    static let fraction = SchemaTypes(rawValue: 8)
    static let string = SchemaTypes(rawValue: 16)
    static let array = SchemaTypes(rawValue: 32)
    static let object = SchemaTypes(rawValue: 64)
    static let number: SchemaTypes = [.integer, .fraction]
    static let all = SchemaTypes(rawValue: 127)

    static let named: [String: SchemaTypes] = [
        "null": .null, "boolean": .boolean, "integer": .integer, "number": .number, "string": .string,
        "array": .array, "object": .object,
    ]
}

/// What one conjunction of schemas asks: every keyword applies to values of its own type only.
///
/// A schema is a list of alternatives of these (a disjunctive normal form); subschemas stay as they are until needed,
/// so recursion is no trouble.
struct SchemaFacets: Sendable {
    struct Bound: Sendable {
        var value: Double
        var exclusive: Bool
    }

    /// The object keywords of one schema: `additional` speaks of names that are in neither list of the same schema.
    struct ObjectScope: Sendable {
        var properties: [(name: String, schema: SchemaLocation)] = []
        var patterns: [(name: GrammarNode, schema: SchemaLocation)] = []
        var additional: SchemaLocation?
    }

    struct ArrayScope: Sendable {
        var prefix: [SchemaLocation] = []
        var items: SchemaLocation?
    }

    /// Where it was read, for errors.
    var pointer = ""
    var types = SchemaTypes.all
    /// The values of `enum` and `const`.
    var values: [JSONValue]?
    var minLength = 0
    var maxLength: Int?
    /// Expressions that the whole of a string matches.
    var patterns: [GrammarNode] = []
    var lower: Bound?
    var upper: Bound?
    /// A power of ten that integers are multiples of.
    var multiple = 1
    var arrays: [ArrayScope] = []
    var minItems = 0
    var maxItems: Int?
    var objects: [ObjectScope] = []
    var required: [String] = []
    var minProperties = 0
    var maxProperties: Int?

    /// What satisfies both.
    func meeting(_ other: SchemaFacets) -> SchemaFacets {
        var both = self
        if both.pointer.isEmpty { both.pointer = other.pointer }
        both.types.formIntersection(other.types)
        if let values = other.values {
            both.values = both.values?.filter { value in values.contains { $0.equals(value) } } ?? values
        }
        both.minLength = max(minLength, other.minLength)
        both.maxLength = Self.least(maxLength, other.maxLength)
        both.patterns += other.patterns
        both.lower = Self.tighter(lower, other.lower) { $0 > $1 }
        both.upper = Self.tighter(upper, other.upper) { $0 < $1 }
        both.multiple = max(multiple, other.multiple)
        both.arrays += other.arrays
        both.minItems = max(minItems, other.minItems)
        both.maxItems = Self.least(maxItems, other.maxItems)
        both.objects += other.objects
        both.required += other.required.filter { !required.contains($0) }
        both.minProperties = max(minProperties, other.minProperties)
        both.maxProperties = Self.least(maxProperties, other.maxProperties)
        return both
    }

    private static func least(_ a: Int?, _ b: Int?) -> Int? {
        guard let a, let b else { return a ?? b }
        return min(a, b)
    }

    private static func tighter(_ a: Bound?, _ b: Bound?, _ before: (Double, Double) -> Bool) -> Bound? {
        guard let a, let b else { return a ?? b }
        if a.value == b.value { return Bound(value: a.value, exclusive: a.exclusive || b.exclusive) }
        return before(a.value, b.value) ? a : b
    }

    /// Whether nothing is asked.
    var isOpen: Bool {
        types == .all && values == nil && minLength == 0 && maxLength == nil && patterns.isEmpty && lower == nil
            && upper == nil && multiple == 1 && hasOpenArrays && hasOpenObjects
    }

    var hasOpenArrays: Bool { arrays.isEmpty && minItems == 0 && maxItems == nil }

    var hasOpenObjects: Bool {
        objects.isEmpty && required.isEmpty && minProperties == 0 && maxProperties == nil
    }

    /// The names of properties in the order of their declaration, required ones that are not declared last.
    var names: [String] {
        var seen: Set<String> = []
        return (objects.flatMap { $0.properties.map(\.name) } + required).filter { seen.insert($0).inserted }
    }

    /// The schemas that the property `name` must satisfy.
    func schemas(ofProperty name: String) throws(GrammarError) -> [SchemaLocation] {
        var schemas: [SchemaLocation] = []
        for scope in objects {
            var found = scope.properties.filter { $0.name == name }.map(\.schema)
            for (pattern, schema) in scope.patterns where try ScalarAutomaton(all: [pattern]).matches(name) {
                found.append(schema)
            }
            if found.isEmpty, let additional = scope.additional { found.append(additional) }
            schemas += found
        }
        return schemas
    }

    /// The schemas that the element at `index` must satisfy.
    func schemas(ofElement index: Int) -> [SchemaLocation] {
        arrays.compactMap { index < $0.prefix.count ? $0.prefix[index] : $0.items }
    }
}

extension JSONValue {
    /// Whether two values are equal as JSON Schema means it: numbers by value, members in any order.
    ///
    /// Not inlined: inside `meeting`, that stops the optimizer of Swift 6.3.1 with an ownership error.
    @inline(never)
    func equals(_ other: JSONValue) -> Bool {
        switch (self, other) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.int(let a), .int(let b)): a == b
        case (.int, .double), (.double, .int), (.double, .double): number == other.number
        case (.string(let a), .string(let b)): a.unicodeScalars.elementsEqual(b.unicodeScalars)
        case (.array(let a), .array(let b)): a.count == b.count && zip(a, b).allSatisfy { $0.equals($1) }
        case (.object(let a), .object(let b)):
            a.count == b.count
                && a.allSatisfy { x in b.contains { x.key == $0.key && x.value.equals($0.value) } }
        default: false
        }
    }

    /// Whether all its numbers are surely those that were written: a double holds whole numbers below 2^53.
    var isExact: Bool {
        switch self {
        case .int(let value): value.magnitude < 1 << 53
        case .double(let value): abs(value) < 0x1p53
        case .array(let values): values.allSatisfy(\.isExact)
        case .object(let members): members.allSatisfy(\.value.isExact)
        default: true
        }
    }

    var schemaType: SchemaTypes {
        switch self {
        case .null: .null
        case .bool: .boolean
        case .int: .integer
        case .double(let value): value == value.rounded() ? .integer : .fraction
        case .string: .string
        case .array: .array
        case .object: .object
        }
    }

    /// The value in JSON, with white space where ``JSONText`` allows it.
    var literal: GrammarNode {
        switch self {
        case .null: return .text("null")
        case .bool(let value): return .text(value ? "true" : "false")
        case .int(let value): return .text("\(value)")
        case .double(let value): return .text(Self.text(of: value))
        case .string(let text): return .text(JSONText.quoted(text))
        case .array(let values):
            let items = values.enumerated().map { GrammarNode.all([$0 > 0 ? JSONText.comma : .empty, $1.literal]) }
            return JSONText.enclosed("[", .all(items), "]")
        case .object(let members):
            let items = members.enumerated().map { index, member in
                GrammarNode.all([
                    index > 0 ? JSONText.comma : .empty, .text(JSONText.quoted(member.key) + ":"), JSONText.space,
                    member.value.literal,
                ])
            }
            return JSONText.enclosed("{", .all(items), "}")
        }
    }

    private static func text(of value: Double) -> String {
        Int64(exactly: value).map(String.init) ?? "\(value)"
    }
}
