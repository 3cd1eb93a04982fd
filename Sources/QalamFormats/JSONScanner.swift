// SPDX-License-Identifier: Apache-2.0

/// Where and why a JSON text is bad.
package struct JSONFault: Error, Equatable {
    /// Byte offset in the scanned bytes.
    package let at: Int
    /// What is wrong there.
    package let why: String
}

/// A strict pull scanner over JSON (RFC 8259), in bytes.
///
/// Foundation's decoders keep one of two equal keys in silence, can't say where a fault is, and build every value of a
/// line of which one field is wanted; headers of weights and corpora of documents need better. Bytes of strings that
/// are not UTF-8 pass unchanged here; who wants a `String` checks. `NaN` and `Infinity`, which Python writes, are
/// numbers.
package struct JSONScanner {
    /// Objects and arrays may nest this deep.
    static let depthLimit = 200

    private let bytes: [UInt8]
    private let end: Int
    /// Offset of the next byte.
    package private(set) var position: Int

    /// A scanner over all of `bytes`, or over `range` of them.
    package init(_ bytes: [UInt8], range: Range<Int>? = nil) {
        self.bytes = bytes
        position = range?.lowerBound ?? 0
        end = range?.upperBound ?? bytes.count
    }

    /// The next byte that is not white space, nil at the end.
    package mutating func peek() -> UInt8? {
        while position < end {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return bytes[position]
            }
        }
        return nil
    }

    /// Fails unless nothing but white space is left.
    package mutating func finish() throws(JSONFault) {
        if peek() != nil { throw fault("there is more after the end of the JSON value") }
    }

    /// A fault at the present position.
    package func fault(_ why: String) -> JSONFault { JSONFault(at: position, why: why) }

    /// Takes `byte` if it comes next.
    package mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        position += 1
        return true
    }

    /// Takes `byte` or fails.
    package mutating func expect(_ byte: UInt8) throws(JSONFault) {
        guard take(byte) else { throw fault("expected \"\(Character(UnicodeScalar(byte)))\"") }
    }

    /// Walks an object: `body` gets each key with the scanner before its value, and must consume the value.
    package mutating func object(
        _ body: (inout JSONScanner, _ key: [UInt8]) throws(JSONFault) -> Void
    ) throws(JSONFault) {
        try expect(UInt8(ascii: "{"))
        if take(UInt8(ascii: "}")) { return }
        repeat {
            let key = try string()
            try expect(UInt8(ascii: ":"))
            try body(&self, key)
        } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "}"))
    }

    /// Walks an array: `body` gets the scanner before each element, and must consume the element.
    package mutating func array(_ body: (inout JSONScanner) throws(JSONFault) -> Void) throws(JSONFault) {
        try expect(UInt8(ascii: "["))
        if take(UInt8(ascii: "]")) { return }
        repeat { try body(&self) } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "]"))
    }

    /// A string's bytes, escapes resolved.
    package mutating func string() throws(JSONFault) -> [UInt8] {
        try expect(UInt8(ascii: "\""))
        var text: [UInt8] = []
        while true {
            let start = position
            while position < end, bytes[position] >= 0x20, bytes[position] != 0x22, bytes[position] != 0x5C {
                position += 1
            }
            text += bytes[start..<position]
            guard position < end else { throw fault("the string has no closing quote") }
            switch bytes[position] {
            case 0x22:
                position += 1
                return text
            case 0x5C: try escape(into: &text)
            default: throw fault("a control character in a string must be escaped")
            }
        }
    }

    /// A string that is valid UTF-8.
    package mutating func text() throws(JSONFault) -> String {
        _ = peek()
        let start = position
        guard let text = String(validating: try string(), as: UTF8.self) else {
            throw JSONFault(at: start, why: "the string is not valid UTF-8")
        }
        return text
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONFault) {
        guard position + 1 < end else { throw fault("the string has no closing quote") }
        let kind = bytes[position + 1]
        switch kind {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(kind)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            text += try unicodeEscape()
            return
        default: throw fault("unknown escape in a string")
        }
        position += 2
    }

    /// `\uXXXX`, or two of them that form one scalar beyond U+FFFF (RFC 8259, section 7), as UTF-8.
    private mutating func unicodeEscape() throws(JSONFault) -> [UInt8] {
        let start = position
        var value = try codeUnit()
        if (0xD800..<0xDC00).contains(value), position + 1 < end, bytes[position] == 0x5C,
            bytes[position + 1] == UInt8(ascii: "u")
        {
            let low = try codeUnit()
            guard (0xDC00..<0xE000).contains(low) else { throw JSONFault(at: start, why: "unpaired surrogate") }
            value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = UnicodeScalar(value) else { throw JSONFault(at: start, why: "unpaired surrogate") }
        return Array(String(Character(scalar)).utf8)
    }

    private mutating func codeUnit() throws(JSONFault) -> UInt32 {
        guard position + 6 <= end else { throw fault("\\u needs four hexadecimal digits") }
        var value: UInt32 = 0
        for byte in bytes[position + 2..<position + 6] {
            guard let digit = Character(UnicodeScalar(byte)).hexDigitValue else {
                throw fault("\\u needs four hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
        }
        position += 6
        return value
    }

    /// A number: `.int` where it is written as one and fits, `.double` otherwise.
    package mutating func number() throws(JSONFault) -> JSONValue {
        _ = peek()
        let start = position
        if takeWord("NaN") { return .double(.nan) }
        if takeWord("Infinity") { return .double(.infinity) }
        if takeWord("-Infinity") { return .double(-.infinity) }
        _ = takeRaw(UInt8(ascii: "-"))
        let leadingZero = takeRaw(UInt8(ascii: "0"))
        if !leadingZero, !takeDigits() { throw JSONFault(at: start, why: "expected a value") }
        var whole = true
        if takeRaw(UInt8(ascii: ".")) {
            whole = false
            if !takeDigits() { throw fault("expected a digit") }
        }
        if takeRaw(UInt8(ascii: "e")) || takeRaw(UInt8(ascii: "E")) {
            whole = false
            if !takeRaw(UInt8(ascii: "-")) { _ = takeRaw(UInt8(ascii: "+")) }
            if !takeDigits() { throw fault("expected a digit") }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if whole, let value = Int(text) { return .int(value) }
        guard let value = Double(text) else { throw JSONFault(at: start, why: "bad number") }
        return .double(value)
    }

    private mutating func takeRaw(_ byte: UInt8) -> Bool {
        guard position < end, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func takeDigits() -> Bool {
        let start = position
        while position < end, (0x30...0x39).contains(bytes[position]) { position += 1 }
        return position > start
    }

    private mutating func takeWord(_ word: String) -> Bool {
        let length = word.utf8.count
        guard end - position >= length, bytes[position..<position + length].elementsEqual(word.utf8) else {
            return false
        }
        position += length
        return true
    }

    /// Any value; equal keys in one object are a fault.
    package mutating func value(depth: Int = 0) throws(JSONFault) -> JSONValue {
        guard depth < Self.depthLimit else { throw fault("nested deeper than \(Self.depthLimit)") }
        switch peek() {
        case UInt8(ascii: "{"):
            var members: [String: JSONValue] = [:]
            try object { scanner, key throws(JSONFault) in
                let at = scanner.position
                guard let name = String(validating: key, as: UTF8.self) else {
                    throw JSONFault(at: at, why: "the key is not valid UTF-8")
                }
                guard members[name] == nil else { throw JSONFault(at: at, why: "the key \"\(name)\" comes twice") }
                members[name] = try scanner.value(depth: depth + 1)
            }
            return .object(members)
        case UInt8(ascii: "["):
            var elements: [JSONValue] = []
            try array { scanner throws(JSONFault) in elements.append(try scanner.value(depth: depth + 1)) }
            return .array(elements)
        case UInt8(ascii: "\""): return .string(try text())
        case UInt8(ascii: "t") where takeWord("true"): return .bool(true)
        case UInt8(ascii: "f") where takeWord("false"): return .bool(false)
        case UInt8(ascii: "n") where takeWord("null"): return .null
        case nil: throw fault("expected a value, but the text ends")
        default: return try number()
        }
    }

    /// Passes over any value without building it.
    package mutating func skipValue(depth: Int = 0) throws(JSONFault) {
        guard depth < Self.depthLimit else { throw fault("nested deeper than \(Self.depthLimit)") }
        switch peek() {
        case UInt8(ascii: "{"):
            try object { scanner, _ throws(JSONFault) in try scanner.skipValue(depth: depth + 1) }
        case UInt8(ascii: "["):
            try array { scanner throws(JSONFault) in try scanner.skipValue(depth: depth + 1) }
        case UInt8(ascii: "\""): _ = try string()
        default: _ = try value(depth: depth)
        }
    }
}

/// A JSON value, numbers split by how they are written.
package enum JSONValue: Sendable, Equatable, CustomStringConvertible {
    case null
    case bool(Bool)
    case int(Int)
    case double(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    /// A short rendering for messages: never more than a few words.
    package var description: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .int(let value): "\(value)"
        case .double(let value): "\(value)"
        case .string(let value): "\"\(value.prefix(40))\(value.count > 40 ? "..." : "")\""
        case .array(let elements): "a list of \(elements.count)"
        case .object(let members): "an object of \(members.count)"
        }
    }
}
