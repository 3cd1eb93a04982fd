// SPDX-License-Identifier: Apache-2.0
internal import QalamTokenizers

/// Reads the keywords of one schema object, without those that combine schemas.
struct SchemaReader {
    /// Keywords that only describe.
    static let annotations: Set<String> = [
        "title", "description", "default", "examples", "$comment", "deprecated", "readOnly", "writeOnly", "$defs",
        "definitions",
    ]
    /// Keywords that combine schemas: ``SchemaCompiler`` reads them.
    static let combining: Set<String> = ["$ref", "allOf", "anyOf", "oneOf"]
    private static let dialects: Set<String> = [
        "https://json-schema.org/draft/2020-12/schema", "https://json-schema.org/draft/2019-09/schema",
        "http://json-schema.org/draft-07/schema",
    ]

    private let location: SchemaLocation
    private let members: [(key: String, value: JSONValue)]
    private var facets: SchemaFacets
    private var array = SchemaFacets.ArrayScope()
    private var object = SchemaFacets.ObjectScope()

    /// What the schema object of these members asks by itself.
    static func facets(
        _ location: SchemaLocation, _ members: [(key: String, value: JSONValue)]
    ) throws(GrammarError) -> SchemaFacets {
        var reader = SchemaReader(location: location, members: members)
        for (key, value) in members where !annotations.contains(key) && !combining.contains(key) {
            guard try reader.reads(key, value) else { throw .unsupported(pointer: location.pointer, keyword: key) }
        }
        if !reader.array.prefix.isEmpty || reader.array.items != nil { reader.facets.arrays = [reader.array] }
        let object = reader.object
        if !object.properties.isEmpty || !object.patterns.isEmpty || object.additional != nil {
            reader.facets.objects = [object]
        }
        return reader.facets
    }

    private init(location: SchemaLocation, members: [(key: String, value: JSONValue)]) {
        self.location = location
        self.members = members
        facets = SchemaFacets(pointer: location.pointer)
    }

    private func invalid(_ reason: String) -> GrammarError { .invalid(pointer: location.pointer, reason: reason) }

    private func unsupported(_ keyword: String) -> GrammarError {
        .unsupported(pointer: location.pointer, keyword: keyword)
    }

    private mutating func reads(_ key: String, _ value: JSONValue) throws(GrammarError) -> Bool {
        switch key {
        case "$schema", "$id": try checkIdentity(key, value)
        case "type": facets.types.formIntersection(try types(value))
        case "enum":
            let values = try array(key, value)
            if !value.isExact { throw unsupported("enum beyond 2^53") }
            facets.values = facets.values?.filter { old in values.contains { $0.equals(old) } } ?? values
        case "const":
            if !value.isExact { throw unsupported("const beyond 2^53") }
            facets.values = facets.values?.filter { $0.equals(value) } ?? [value]
        case "not": facets.types = try isNothing(value) ? facets.types : []
        default:
            if try readsString(key, value) { return true }
            if try readsNumber(key, value) { return true }
            return try readsList(key, value)
        }
        return true
    }

    private func checkIdentity(_ key: String, _ value: JSONValue) throws(GrammarError) {
        guard case .string(var text) = value else { throw invalid("\"\(key)\" must be text") }
        if text.hasSuffix("#") { text.removeLast() }
        let known = key == "$schema" ? Self.dialects.contains(text) : location.pointer.isEmpty
        if !known { throw unsupported(key) }
    }

    private func types(_ value: JSONValue) throws(GrammarError) -> SchemaTypes {
        let names: [JSONValue]
        if case .array(let list) = value { names = list } else { names = [value] }
        var types: SchemaTypes = []
        for name in names {
            guard case .string(let text) = name, let type = SchemaTypes.named[text] else {
                throw invalid("\"type\" must name types of JSON, not \(name.summary)")
            }
            types.formUnion(type)
        }
        return types
    }

    /// `not` is read of schemas that admit everything or nothing only: true for nothing.
    private func isNothing(_ value: JSONValue) throws(GrammarError) -> Bool {
        switch value {
        case .bool(let admits): return !admits
        case .object(let members) where members.isEmpty: return false
        default: throw unsupported("not")
        }
    }

    private mutating func readsString(_ key: String, _ value: JSONValue) throws(GrammarError) -> Bool {
        switch key {
        case "minLength": facets.minLength = try count(key, value)
        case "maxLength": facets.maxLength = try count(key, value)
        case "pattern": facets.patterns.append(try pattern(key, value).anywhere)
        case "format":
            guard case .string(let name) = value else { throw invalid("\"format\" must be text") }
            guard let format = SchemaFormats.patterns[name] else { throw unsupported("format \(name)") }
            facets.patterns.append(try RegexParser.parse(format).whole)
        default: return false
        }
        return true
    }

    private mutating func readsNumber(_ key: String, _ value: JSONValue) throws(GrammarError) -> Bool {
        var asked = SchemaFacets()
        switch key {
        case "minimum": asked.lower = .init(value: try number(key, value), exclusive: false)
        case "exclusiveMinimum": asked.lower = .init(value: try number(key, value), exclusive: true)
        case "maximum": asked.upper = .init(value: try number(key, value), exclusive: false)
        case "exclusiveMaximum": asked.upper = .init(value: try number(key, value), exclusive: true)
        case "multipleOf":
            guard let step = value.number, step > 0 else { throw invalid("\"multipleOf\" must be above 0") }
            var power = 1
            while Double(power) < step, power < 1_000_000_000_000_000 { power *= 10 }
            guard Double(power) == step else { throw unsupported(key) }
            asked.multiple = power
            // Other types are free; numbers must be whole.
            asked.types = SchemaTypes.all.subtracting(.fraction)
        default: return false
        }
        facets = facets.meeting(asked)
        return true
    }

    private mutating func readsList(_ key: String, _ value: JSONValue) throws(GrammarError) -> Bool {
        switch key {
        case "items": array.items = try schema(key, value)
        case "prefixItems":
            for (index, item) in try array(key, value).enumerated() {
                array.prefix.append(location.below(key, value).below(String(index), item))
            }
        case "minItems": facets.minItems = try count(key, value)
        case "maxItems": facets.maxItems = try count(key, value)
        case "uniqueItems":
            guard case .bool(let unique) = value else { throw invalid("\"uniqueItems\" must be true or false") }
            return !unique
        case "properties":
            for (name, schema) in try object(key, value) {
                object.properties.append((name, location.below(key, value).below(name, schema)))
            }
        case "patternProperties":
            for (name, schema) in try object(key, value) {
                let names = try pattern(key, .string(name)).anywhere
                object.patterns.append((names, location.below(key, value).below(name, schema)))
            }
        case "additionalProperties": object.additional = try schema(key, value)
        case "required":
            for name in try array(key, value) {
                guard case .string(let text) = name else { throw invalid("\"required\" must list names") }
                if !facets.required.contains(text) { facets.required.append(text) }
            }
        case "minProperties": facets.minProperties = try count(key, value)
        case "maxProperties": facets.maxProperties = try count(key, value)
        default: return false
        }
        return true
    }

    // MARK: Values

    private func schema(_ key: String, _ value: JSONValue) throws(GrammarError) -> SchemaLocation {
        switch value {
        case .bool, .object: return location.below(key, value)
        default: throw invalid("\"\(key)\" must be a schema, not \(value.summary)")
        }
    }

    private func array(_ key: String, _ value: JSONValue) throws(GrammarError) -> [JSONValue] {
        guard case .array(let values) = value else { throw invalid("\"\(key)\" must be a list") }
        return values
    }

    private func object(
        _ key: String, _ value: JSONValue
    ) throws(GrammarError) -> [(key: String, value: JSONValue)] {
        guard case .object(let members) = value else { throw invalid("\"\(key)\" must be an object") }
        return members
    }

    private func count(_ key: String, _ value: JSONValue) throws(GrammarError) -> Int {
        guard let count = value.whole, count >= 0 else {
            throw invalid("\"\(key)\" must be a whole number from 0")
        }
        guard count <= 1_000_000_000 else { throw .tooLarge("\"\(key)\" of \(count)") }
        return count
    }

    /// A bound; past 2^53 it may not be what was written.
    private func number(_ key: String, _ value: JSONValue) throws(GrammarError) -> Double {
        guard let number = value.number else { throw invalid("\"\(key)\" must be a number") }
        guard abs(number) < 0x1p53 else { throw unsupported("\(key) beyond 2^53") }
        return number
    }

    private func pattern(_ key: String, _ value: JSONValue) throws(GrammarError) -> RegexPattern {
        guard case .string(let text) = value else { throw invalid("\"\(key)\" must be text") }
        do {
            return try RegexParser.parse(text)
        } catch .syntax(let place, let reason) {
            throw invalid("\"\(key)\" at \(place): \(reason)")
        } catch .unsupportedRegex(let what, _) {
            throw unsupported("\(key) with \(what)")
        }
    }
}
