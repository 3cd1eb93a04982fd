// SPDX-License-Identifier: Apache-2.0

// How Python shows, compares and serializes values.

extension RuntimeValue {
    /// `str(value)`, as a template prints it.
    var printed: [UInt8] {
        if case .string(let bytes) = self { return bytes }
        if case .undefined = self { return [] }
        var text: [UInt8] = []
        writeRepresentation(into: &text)
        return text
    }

    /// `repr(value)`.
    private func writeRepresentation(into text: inout [UInt8]) {
        switch self {
        case .undefined: text += "Undefined".utf8
        case .none: text += "None".utf8
        case .bool(let value): text += (value ? "True" : "False").utf8
        case .int(let value): text += "\(value)".utf8
        case .double(let value): text += "\(value)".utf8
        case .string(let bytes): Self.writeQuoted(bytes, into: &text)
        case .list(let list):
            text.append(UInt8(ascii: list.isTuple ? "(" : "["))
            for (index, item) in list.items.enumerated() {
                if index > 0 { text += ", ".utf8 }
                item.writeRepresentation(into: &text)
            }
            if list.isTuple && list.items.count == 1 { text.append(UInt8(ascii: ",")) }
            text.append(UInt8(ascii: list.isTuple ? ")" : "]"))
        case .dictionary(let dictionary):
            text.append(UInt8(ascii: "{"))
            for (index, entry) in dictionary.entries.enumerated() {
                if index > 0 { text += ", ".utf8 }
                entry.key.writeRepresentation(into: &text)
                text += ": ".utf8
                entry.value.writeRepresentation(into: &text)
            }
            text.append(UInt8(ascii: "}"))
        case .generator, .namespace, .loop, .macro, .function, .method: text += "<\(kindName)>".utf8
        }
    }

    /// A string as Python quotes it: single quotes unless only they occur in it.
    private static func writeQuoted(_ bytes: [UInt8], into text: inout [UInt8]) {
        let quote = UInt8(ascii: bytes.contains(0x27) && !bytes.contains(0x22) ? "\"" : "'")
        text.append(quote)
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            switch scalar.value {
            case UInt32(quote), 0x5C: text += [0x5C, UInt8(scalar.value)]
            case 0x0A: text += "\\n".utf8
            case 0x0D: text += "\\r".utf8
            case 0x09: text += "\\t".utf8
            case 0x20..<0x7F: text.append(UInt8(scalar.value))
            case _ where isPrintable(scalar): text += String(Character(scalar)).utf8
            case let value where value < 0x100: text += "\\x".utf8 + hexadecimal(value, 2)
            case let value where value < 0x10000: text += "\\u".utf8 + hexadecimal(value, 4)
            case let value: text += "\\U".utf8 + hexadecimal(value, 8)
            }
        }
        text.append(quote)
    }

    /// Python's `str.isprintable` for one scalar beyond ASCII.
    private static func isPrintable(_ scalar: UnicodeScalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
            .spaceSeparator:
            false
        default: scalar.value >= 0x80
        }
    }

    // MARK: Comparing

    /// Python's `==`.
    static func equal(_ a: RuntimeValue, _ b: RuntimeValue) -> Bool {
        switch (a, b) {
        case (.undefined, .undefined), (.none, .none): return true
        case (.string(let x), .string(let y)): return x == y
        case (.list(let x), .list(let y)):
            return x.isTuple == y.isTuple && x.items.count == y.items.count && zip(x.items, y.items).allSatisfy(equal)
        case (.dictionary(let x), .dictionary(let y)):
            return x.entries.count == y.entries.count
                && x.entries.allSatisfy { entry in y[entry.key].map { equal(entry.value, $0) } ?? false }
        case (.namespace(let x), .namespace(let y)): return x === y
        case (.generator(let x), .generator(let y)): return x === y
        case (.macro(let x), .macro(let y)): return x === y
        case (.loop(let x), .loop(let y)): return x === y
        default:
            if case .int(let x) = a, case .int(let y) = b { return x == y }
            guard let x = a.number, let y = b.number else { return false }
            return x == y
        }
    }

    /// Python's order: negative if `a` comes first, 0 if equal; nil if the kinds have no order or for NaN.
    static func order(_ a: RuntimeValue, _ b: RuntimeValue) -> Int? {
        switch (a, b) {
        case (.int(let x), .int(let y)): return x < y ? -1 : x > y ? 1 : 0
        case (.string(let x), .string(let y)):
            // UTF-8 sorts as its scalars do.
            return x.lexicographicallyPrecedes(y) ? -1 : x == y ? 0 : 1
        case (.list(let x), .list(let y)):
            guard x.isTuple == y.isTuple else { return nil }
            for (one, two) in zip(x.items, y.items) where !equal(one, two) { return order(one, two) }
            return x.items.count - y.items.count
        default:
            guard let x = a.number, let y = b.number, !x.isNaN, !y.isNaN else { return nil }
            return x < y ? -1 : x > y ? 1 : 0
        }
    }
}

/// `value` in hexadecimal, at least `digits` long.
private func hexadecimal(_ value: UInt32, _ digits: Int) -> [UInt8] {
    let text = String(value, radix: 16)
    return Array((String(repeating: "0", count: max(0, digits - text.count)) + text).utf8)
}

/// Python's `json.dumps`, as the filter `tojson` of chat templates calls it: no escaping for HTML.
struct TemplateJSON {
    /// What each level moves in by, nil for everything on one line.
    var indent: [UInt8]?
    var sortKeys = false
    var asciiOnly = false
    var itemSeparator: [UInt8]
    var keySeparator: [UInt8]

    /// `value` as JSON; nil if something in it has no form in JSON, such as a macro.
    func text(of value: RuntimeValue) -> [UInt8]? {
        var text: [UInt8] = []
        return write(value, level: 0, into: &text) ? text : nil
    }

    private func write(_ value: RuntimeValue, level: Int, into text: inout [UInt8]) -> Bool {
        switch value {
        case .none: text += "null".utf8
        case .bool(let value): text += (value ? "true" : "false").utf8
        case .int(let value): text += "\(value)".utf8
        case .double(let value):
            let special = value.isNaN ? "NaN" : value > 0 ? "Infinity" : "-Infinity"
            text += (value.isFinite ? "\(value)" : special).utf8
        case .string(let bytes): writeString(bytes, into: &text)
        case .list(let list):
            return writeAll(list.items, brackets: "[]", level, into: &text) { item, text in
                write(item, level: level + 1, into: &text)
            }
        case .dictionary(let dictionary):
            var entries = dictionary.entries
            if sortKeys { entries.sort { (RuntimeValue.order($0.key, $1.key) ?? 0) < 0 } }
            return writeAll(entries, brackets: "{}", level, into: &text) { entry, text in
                guard writeKey(entry.key, into: &text) else { return false }
                text += keySeparator
                return write(entry.value, level: level + 1, into: &text)
            }
        default: return false
        }
        return true
    }

    /// Keys become strings, as in Python.
    private func writeKey(_ key: RuntimeValue, into text: inout [UInt8]) -> Bool {
        if case .string(let bytes) = key {
            writeString(bytes, into: &text)
            return true
        }
        text.append(0x22)
        guard write(key, level: 0, into: &text) else { return false }
        text.append(0x22)
        return true
    }

    private func writeAll<Item>(
        _ items: [Item], brackets: String, _ level: Int, into text: inout [UInt8],
        _ write: (Item, inout [UInt8]) -> Bool
    ) -> Bool {
        let brackets = Array(brackets.utf8)
        text.append(brackets[0])
        for (index, item) in items.enumerated() {
            if index > 0 { text += itemSeparator }
            newLine(level + 1, into: &text)
            guard write(item, &text) else { return false }
        }
        if !items.isEmpty { newLine(level, into: &text) }
        text.append(brackets[1])
        return true
    }

    private func newLine(_ level: Int, into text: inout [UInt8]) {
        guard let indent else { return }
        text.append(0x0A)
        text += repeatElement(indent, count: level).joined()
    }

    private func writeString(_ bytes: [UInt8], into text: inout [UInt8]) {
        text.append(0x22)
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            switch scalar.value {
            case 0x22: text += "\\\"".utf8
            case 0x5C: text += "\\\\".utf8
            case 0x0A: text += "\\n".utf8
            case 0x0D: text += "\\r".utf8
            case 0x09: text += "\\t".utf8
            case 0x08: text += "\\b".utf8
            case 0x0C: text += "\\f".utf8
            case let value where value < 0x20 || (asciiOnly && value >= 0x7F):
                for unit in Character(scalar).utf16 { text += "\\u".utf8 + hexadecimal(UInt32(unit), 4) }
            default: text += String(Character(scalar)).utf8
            }
        }
        text.append(0x22)
    }
}
