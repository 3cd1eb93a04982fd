// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamTokenizers

/// A validator of JSON Schema as plain as can be, written from the specification: what the grammars are held against.
struct SchemaOracle {
    let root: JSONValue

    /// Whether `value` satisfies `schema` (the root where none is given).
    func validates(_ value: JSONValue, _ schema: JSONValue? = nil) throws -> Bool {
        let schema = schema ?? root
        if case .bool(let admits) = schema { return admits }
        for (key, argument) in schema.members where try !holds(key, argument, value, schema) { return false }
        return true
    }

    private func holds(_ key: String, _ argument: JSONValue, _ value: JSONValue, _ schema: JSONValue) throws -> Bool {
        switch key {
        case "$ref": return try validates(value, resolve(argument.text))
        case "type":
            return argument.elements.isEmpty ? isA(argument, value) : argument.elements.contains { isA($0, value) }
        case "enum": return argument.elements.contains { same($0, value) }
        case "const": return same(argument, value)
        case "allOf": return try argument.elements.allSatisfy { try validates(value, $0) }
        case "anyOf": return try argument.elements.contains { try validates(value, $0) }
        case "oneOf": return try argument.elements.filter { try validates(value, $0) }.count == 1
        case "not": return try !validates(value, argument)
        default: break
        }
        switch value {
        case .string(let text): return try holds(key, argument, text)
        case .int, .double: return holds(key, (argument.number ?? .nan), value.number ?? .nan)
        case .array(let elements):
            switch key {
            case "minItems": return Double(elements.count) >= (argument.number ?? .nan)
            case "maxItems": return Double(elements.count) <= (argument.number ?? .nan)
            case "prefixItems": return try zip(elements, argument.elements).allSatisfy { try validates($0, $1) }
            case "items":
                let skipped = schema["prefixItems"]?.elements.count ?? 0
                return try elements.dropFirst(skipped).allSatisfy { try validates($0, argument) }
            default: return true
            }
        case .object(let members): return try holds(key, argument, members, schema)
        default: return true
        }
    }

    private func holds(_ key: String, _ argument: JSONValue, _ text: String) throws -> Bool {
        switch key {
        case "minLength": return Double(text.unicodeScalars.count) >= (argument.number ?? .nan)
        case "maxLength": return Double(text.unicodeScalars.count) <= (argument.number ?? .nan)
        case "pattern":
            let regex = try NSRegularExpression(pattern: argument.text)
            return regex.firstMatch(in: text, range: NSRange(location: 0, length: (text as NSString).length)) != nil
        default: return true
        }
    }

    private func holds(_ key: String, _ limit: Double, _ number: Double) -> Bool {
        switch key {
        case "minimum": number >= limit
        case "maximum": number <= limit
        case "exclusiveMinimum": number > limit
        case "exclusiveMaximum": number < limit
        // Past 2^53 the number is not the one that was written.
        case "multipleOf": abs(number) > 0x1p53 || number.truncatingRemainder(dividingBy: limit) == 0
        default: true
        }
    }

    private func holds(
        _ key: String, _ argument: JSONValue, _ members: [(key: String, value: JSONValue)], _ schema: JSONValue
    ) throws -> Bool {
        switch key {
        case "minProperties": return Double(members.count) >= (argument.number ?? .nan)
        case "maxProperties": return Double(members.count) <= (argument.number ?? .nan)
        case "required": return argument.elements.allSatisfy { name in members.contains { $0.key == name.text } }
        case "properties":
            return try members.allSatisfy { name, value in try argument[name].map { try validates(value, $0) } ?? true }
        case "patternProperties":
            return try argument.members.allSatisfy { pattern, schema in
                try members.filter { try matches($0.key, pattern) }.allSatisfy { try validates($0.value, schema) }
            }
        case "additionalProperties":
            let patterns = schema["patternProperties"]?.members.map(\.key) ?? []
            return try members.allSatisfy { name, value in
                if schema["properties"]?[name] != nil { return true }
                return try patterns.contains { try matches(name, $0) } || validates(value, argument)
            }
        default: return true
        }
    }

    private func matches(_ text: String, _ pattern: String) throws -> Bool {
        try holds("pattern", .string(pattern), text)
    }

    private func isA(_ type: JSONValue, _ value: JSONValue) -> Bool {
        switch (type.text, value) {
        case ("null", .null), ("boolean", .bool), ("number", .int), ("number", .double), ("integer", .int),
            ("string", .string), ("array", .array), ("object", .object):
            true
        case ("integer", .double(let number)): number == number.rounded()
        default: false
        }
    }

    private func same(_ a: JSONValue, _ b: JSONValue) -> Bool {
        guard let x = try? JSONSerialization.jsonObject(with: Data(a.json.utf8), options: .fragmentsAllowed),
            let y = try? JSONSerialization.jsonObject(with: Data(b.json.utf8), options: .fragmentsAllowed)
        else { return false }
        // Foundation's numbers are equal to its booleans.
        return (x as? NSObject) == (y as? NSObject) && a.shape == b.shape
    }

    private func resolve(_ reference: String) throws -> JSONValue {
        var target = root
        let path = (reference.removingPercentEncoding ?? "").dropFirst()
        for step in path.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            let name = String(step).replacing("~1", with: "/").replacing("~0", with: "~")
            if let index = Int(name), !target.elements.isEmpty {
                target = target.elements[index]
            } else {
                target = target[name] ?? .bool(false)
            }
        }
        return target
    }
}

extension JSONValue {
    var members: [(key: String, value: JSONValue)] { if case .object(let members) = self { members } else { [] } }
    var elements: [JSONValue] { if case .array(let elements) = self { elements } else { [] } }
    var text: String { if case .string(let text) = self { text } else { "" } }
    subscript(_ name: String) -> JSONValue? { members.last { $0.key == name }?.value }

    /// Where there are booleans.
    var shape: String {
        switch self {
        case .bool: "b"
        case .array(let values): "[" + values.map(\.shape).joined() + "]"
        case .object(let members): "{" + members.sorted { $0.key < $1.key }.map(\.value.shape).joined() + "}"
        default: "-"
        }
    }

    /// The value as JSON in its shortest form.
    var json: String { spellings(limit: 1).first ?? "" }

    /// The value as JSON with the members of objects in every order, as far as `limit` goes.
    func spellings(limit: Int) -> [String] {
        switch self {
        case .null: return ["null"]
        case .bool(let value): return ["\(value)"]
        case .int(let value): return ["\(value)"]
        case .double(let value): return [Int64(exactly: value).map(String.init) ?? "\(value)"]
        case .string(let text): return [Self.quoted(text)]
        case .array(let values):
            return Self.joined(values.map { $0.spellings(limit: limit) }, limit).map { "[\($0)]" }
        case .object(let members):
            return Self.orders(members, limit).flatMap { order in
                Self.joined(
                    order.map { member in
                        member.value.spellings(limit: limit).map { "\(Self.quoted(member.key)):\($0)" }
                    }, limit)
            }.prefix(limit).map { "{\($0)}" }
        }
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{8}": result += "\\b"
            case "\u{C}": result += "\\f"
            case "\0"..<" ": result += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    private static func joined(_ parts: [[String]], _ limit: Int) -> [String] {
        var texts: [String]?
        for part in parts {
            texts =
                texts.map { texts in Array(texts.flatMap { text in part.map { text + "," + $0 } }.prefix(limit)) }
                ?? part
        }
        return texts ?? [""]
    }

    private static func orders<T>(_ list: [T], _ limit: Int) -> [[T]] {
        guard list.count > 1 else { return [list] }
        var all: [[T]] = []
        for index in list.indices where all.count < limit {
            var rest = list
            let first = rest.remove(at: index)
            all += orders(rest, limit).map { [first] + $0 }
        }
        return Array(all.prefix(limit))
    }
}
