// SPDX-License-Identifier: Apache-2.0

// Tests: `value is name(arguments)`.
extension TemplateRenderer {
    /// The tests that templates can use.
    static let tests: Set = [
        "defined", "undefined", "none", "boolean", "true", "false", "integer", "float", "number", "string", "mapping",
        "iterable", "sequence", "callable", "odd", "even", "divisibleby", "equalto", "eq", "ne", "lt", "le", "gt", "ge",
        "lessthan", "greaterthan", "in", "lower", "upper", "sameas",
    ]

    /// Whether `value` passes the test `name`.
    func test(_ name: String, _ value: RuntimeValue, _ arguments: CallArguments) throws(TemplateError) -> Bool {
        if let comparison = Self.comparison(name) {
            guard let other = try bind(arguments, to: ["other"], of: name)[0] else {
                throw fail("\(name) needs a value")
            }
            return try compare(comparison, value, other)
        }
        if name == "divisibleby" {
            guard let divisor = try bind(arguments, to: ["num"], of: name)[0]?.integer, divisor != 0,
                let number = value.integer
            else { throw fail("divisibleby works between integers, and not with 0") }
            return divisor == -1 || number % divisor == 0
        }
        if name == "sameas" {
            guard let other = try bind(arguments, to: ["other"], of: name)[0] else {
                throw fail("sameas needs a value")
            }
            try charge(value.weight)
            return value.kindName == other.kindName && RuntimeValue.equal(value, other)
        }
        _ = try bind(arguments, to: [], of: name)
        if let result = Self.kindTest(name, value) { return result }
        return try contentTest(name, value)
    }

    private static func comparison(_ name: String) -> Expression.Comparison? {
        switch name {
        case "equalto", "eq": .equal
        case "ne": .notEqual
        case "lt", "lessthan": .less
        case "le": .lessOrEqual
        case "gt", "greaterthan": .greater
        case "ge": .greaterOrEqual
        case "in": .isIn
        default: nil
        }
    }

    /// Tests of what kind a value is; nil for other tests.
    private static func kindTest(_ name: String, _ value: RuntimeValue) -> Bool? {
        let kind = value.kindName
        switch name {
        case "defined": return kind != "undefined"
        case "undefined", "none", "boolean", "integer", "float", "string": return kind == name
        case "number": return value.number != nil
        case "mapping": return kind == "object"
        case "callable": return kind == "function" || kind == "undefined"
        // What Python can ask for its length and items: strings, lists, objects, and Jinja's undefined.
        case "sequence": return ["string", "list", "tuple", "object", "undefined"].contains(kind)
        case "iterable": return ["string", "list", "tuple", "generator", "object", "undefined"].contains(kind)
        default: return nil
        }
    }

    private func contentTest(_ name: String, _ value: RuntimeValue) throws(TemplateError) -> Bool {
        switch name {
        case "true", "false":
            if case .bool(let truth) = value { return truth == (name == "true") }
            return false
        case "odd", "even":
            guard let number = value.integer else { throw fail("\(name) works on integers, not on \(value.kindName)") }
            return (number % 2 == 0) == (name == "even")
        case "lower", "upper":
            let text = String(decoding: try text(of: value), as: UTF8.self)
            let cased = text.unicodeScalars.filter(\.properties.isCased)
            return !cased.isEmpty
                && cased.allSatisfy { name == "lower" ? $0.properties.isLowercase : $0.properties.isUppercase }
        default: throw fail("there is no test '\(name)'")
        }
    }
}
