// SPDX-License-Identifier: Apache-2.0

import Foundation

// Filters on single values: `value | name(arguments)`. Those on lists are in `TemplateRenderer+ListFilters.swift`.
extension TemplateRenderer {
    /// The filters that templates can use.
    static let filters: Set = [
        "abs", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first", "float", "indent", "int",
        "items",
        "join", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "replace", "reverse",
        "round", "safe", "select", "selectattr", "sort", "string", "sum", "title", "tojson", "trim", "unique", "upper",
        "wordcount",
    ]

    /// `value | name(arguments)`.
    func filter(_ name: String, _ value: RuntimeValue, _ arguments: CallArguments) throws(TemplateError) -> RuntimeValue
    {
        switch name {
        case "default", "d":
            let values = try bind(arguments, to: ["default_value", "boolean"], of: name)
            var isMissing = false
            if case .undefined = value { isMissing = true }
            if values[1]?.isTrue == true, !value.isTrue { isMissing = true }
            return isMissing ? values[0] ?? .string([]) : value
        case "tojson": return try json(value, arguments)
        case "string": return .string(try bound(text(of: value), arguments, name))
        case "safe": return try bound(value, arguments, name)
        case "trim": return try trim(try text(of: value), arguments, name)
        case "replace": return try replace(try text(of: value), arguments)
        case "indent": return try indent(try text(of: value), arguments)
        case "upper", "lower", "title", "capitalize", "e", "escape", "wordcount":
            return try textFilter(name, try bound(text(of: value), arguments, name))
        case "int", "float", "abs", "round": return try numberFilter(name, value, arguments)
        default: return try listFilter(name, value, arguments)
        }
    }

    /// `result`, if there are no arguments.
    func bound<Result>(
        _ result: Result, _ arguments: CallArguments, _ name: String
    ) throws(TemplateError) -> Result {
        _ = try bind(arguments, to: [], of: "the filter \(name)")
        return result
    }

    private func textFilter(_ name: String, _ text: [UInt8]) throws(TemplateError) -> RuntimeValue {
        try charge(text.count)
        switch name {
        case "upper": return .string(PythonText.upper(text))
        case "lower": return .string(PythonText.lower(text))
        case "title": return .string(PythonText.filterTitled(text))
        case "capitalize": return .string(PythonText.capitalized(text))
        case "wordcount": return .int(PythonText.words(text, limit: .max).count)
        default:
            return try string(Self.escaped(text))
        }
    }

    // MARK: Text

    /// `text` with the five characters that mean something in HTML written as entities.
    static func escaped(_ text: [UInt8]) -> [UInt8] {
        let names: [UInt8: String] = [0x26: "&amp;", 0x3C: "&lt;", 0x3E: "&gt;", 0x27: "&#39;", 0x22: "&#34;"]
        return text.flatMap { byte in names[byte].map { Array($0.utf8) } ?? [byte] }
    }

    /// JSON as `json.dumps` writes it, without escapes for HTML, as chat templates expect.
    private func json(_ value: RuntimeValue, _ arguments: CallArguments) throws(TemplateError) -> RuntimeValue {
        let names = ["ensure_ascii", "indent", "separators", "sort_keys"]
        let values = try bind(arguments, to: names, of: "tojson")
        var format = TemplateJSON(itemSeparator: Array(", ".utf8), keySeparator: Array(": ".utf8))
        format.asciiOnly = values[0]?.isTrue ?? false
        format.sortKeys = values[3]?.isTrue ?? false
        switch values[1] {
        case nil, .some(.none): break
        case .string(let margin)?: format.indent = margin
        case let indent?:
            guard let width = indent.integer, (0...64).contains(width) else {
                throw fail("tojson takes an indent of 0 to 64, or a string")
            }
            format.indent = Array(repeating: 0x20, count: width)
        }
        if format.indent != nil { format.itemSeparator = Array(",".utf8) }
        switch values[2] {
        case nil, .some(.none): break
        case .list(let separators)?:
            guard separators.items.count == 2, case .string(let item) = separators.items[0],
                case .string(let key) = separators.items[1]
            else { throw fail("tojson takes two strings as separators") }
            (format.itemSeparator, format.keySeparator) = (item, key)
        case let other?: throw fail("tojson takes two strings as separators, not a value of kind \(other.kindName)")
        }
        // An item may be moved in by every level; its weight is 8 at least.
        let columns = (format.indent?.count ?? 0) * value.depth
        let perItem = (columns + format.itemSeparator.count + format.keySeparator.count) / 8 + 1
        let (total, overflow) = value.weight.multipliedReportingOverflow(by: perItem)
        try charge(overflow ? .max : total)
        guard let text = format.text(of: value) else {
            throw fail("tojson can't write a value of kind \(value.kindName)")
        }
        return try string(text)
    }

    /// Every line but the first, or also the first, moved in; empty lines stay empty unless `blank`.
    private func indent(_ text: [UInt8], _ arguments: CallArguments) throws(TemplateError) -> RuntimeValue {
        let values = try bind(arguments, to: ["width", "first", "blank"], of: "indent")
        var margin = [UInt8](repeating: 0x20, count: 4)
        switch values[0] {
        case .string(let bytes)?: margin = bytes
        case let value?:
            guard let width = value.integer, width <= 1000 else { throw fail("indent takes a width of at most 1000") }
            margin = Array(repeating: 0x20, count: max(width, 0))
        case nil: break
        }
        let (first, blank) = (values[1]?.isTrue ?? false, values[2]?.isTrue ?? false)
        let lines = PythonText.lines(text + [0x0A], keepEnds: false)
        try charge(lines.count.multipliedReportingOverflow(by: margin.count).partialValue)
        var result: [UInt8] = first ? margin : []
        for (index, line) in lines.enumerated() {
            if index > 0 {
                result.append(0x0A)
                if blank || !line.isEmpty { result += margin }
            }
            result += line
        }
        return try string(result)
    }

    // MARK: Numbers

    private func numberFilter(
        _ name: String, _ value: RuntimeValue, _ arguments: CallArguments
    ) throws(TemplateError) -> RuntimeValue {
        if case .undefined(let why) = value { throw fail(why) }
        switch name {
        case "int":
            let fallback = try bind(arguments, to: ["default"], of: "the filter int")[0] ?? .int(0)
            if let integer = value.integer { return .int(integer) }
            let text = try trimmedText(value)
            if let integer = Int(text) { return .int(integer) }
            guard let number = Self.double(value, text), number.magnitude < 0x1p63 else { return fallback }
            return .int(Int(number))
        case "float":
            let fallback = try bind(arguments, to: ["default"], of: "the filter float")[0] ?? .double(0)
            let text = try trimmedText(value)
            return (value.number ?? Double(text)).map { .double($0) } ?? fallback
        case "abs":
            _ = try bind(arguments, to: [], of: "the filter abs")
            if let integer = value.integer, integer != .min { return .int(abs(integer)) }
            guard let number = value.number else { throw fail("abs works on numbers, not on \(value.kindName)") }
            return .double(abs(number))
        default:
            let values = try bind(arguments, to: ["precision", "method"], of: "the filter round")
            let method = String(decoding: values[1]?.printed ?? Array("common".utf8), as: UTF8.self)
            let rules: [String: FloatingPointRoundingRule] = ["common": .toNearestOrEven, "ceil": .up, "floor": .down]
            guard let number = value.number, let rule = rules[method], let precision = (values[0] ?? .int(0)).integer,
                (0...15).contains(precision)
            else {
                throw fail("round works on numbers, with a precision of 0 to 15 and \"common\", \"ceil\" or \"floor\"")
            }
            if let integer = value.integer, method == "common" { return .int(integer) }
            let scale = pow(10, Double(precision))
            return .double((number * scale).rounded(rule) / scale)
        }
    }

    private func trimmedText(_ value: RuntimeValue) throws(TemplateError) -> String {
        guard case .string(let bytes) = value else { return "" }
        try charge(bytes.count)
        return String(decoding: PythonText.trimmedEnd(PythonText.trimmedStart(bytes[...])), as: UTF8.self)
    }

    private static func double(_ value: RuntimeValue, _ text: String) -> Double? {
        guard let number = value.number ?? Double(text), number.isFinite else { return nil }
        return number
    }
}
