// SPDX-License-Identifier: Apache-2.0

/// What is wrong with a text that should be JSON, and where.
package struct JSONError: Error, Equatable, CustomStringConvertible {
    /// What is wrong.
    package let what: String
    /// The byte it was noticed at, from 0.
    package let offset: Int

    /// One sentence.
    package var description: String { "\(what) at byte \(offset)." }
}

extension JSONValue {
    /// Reads JSON from UTF-8, strictly: no comments, no repeated names, no half surrogate pairs, nothing after the end.
    ///
    /// Arrays and objects may nest 128 deep, so that hostile input can't exhaust the stack.
    /// - Complexity: O(bytes).
    package init(parsing bytes: [UInt8]) throws(JSONError) {
        var parser = JSONParser(bytes: bytes)
        self = try parser.document()
    }
}

/// A recursive-descent reader of RFC 8259 over bytes.
private struct JSONParser {
    static let maximumDepth = 128
    static let maximumNumberLength = 256

    let bytes: [UInt8]
    var at = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The byte at the cursor; 0 at the end (outside strings a NUL is as wrong as the end).
    var next: UInt8 { at < bytes.count ? bytes[at] : 0 }

    func error(_ what: String) -> JSONError { JSONError(what: what, offset: at) }

    mutating func skipSpace() {
        while next == UInt8(ascii: " ") || next == UInt8(ascii: "\n") || next == UInt8(ascii: "\r")
            || next == UInt8(ascii: "\t")
        { at += 1 }
    }

    mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        at += 1
        return true
    }

    mutating func document() throws(JSONError) -> JSONValue {
        skipSpace()
        if at == bytes.count { throw error("The text is empty: expected a JSON value") }
        let value = try value(depth: 0)
        skipSpace()
        guard at == bytes.count else { throw error("Unexpected text after the JSON value") }
        return value
    }

    mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        guard depth < Self.maximumDepth else { throw error("More than \(Self.maximumDepth) levels of nesting") }
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw error(at == bytes.count ? "The text ends too early" : "Expected a JSON value")
        }
    }

    mutating func word(_ word: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
        guard bytes[at...].starts(with: word.utf8) else { throw error("Expected a JSON value") }
        at += word.utf8.count
        return value
    }

    mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        at += 1
        var elements: [JSONValue] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array([]) }
        while true {
            skipSpace()
            elements.append(try value(depth: depth + 1))
            skipSpace()
            if take(UInt8(ascii: "]")) { return .array(elements) }
            guard take(UInt8(ascii: ",")) else { throw error("Expected ',' or ']'") }
        }
    }

    mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        at += 1
        var members: [JSONValue.Member] = []
        var names: Set<String> = []
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object([]) }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw error("Expected a name in double quotes") }
            let start = at
            let name = try string()
            guard names.insert(name).inserted else {
                throw JSONError(what: "The name \"\(name)\" appears twice in an object", offset: start)
            }
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw error("Expected ':'") }
            skipSpace()
            members.append(.init(name, try value(depth: depth + 1)))
            skipSpace()
            if take(UInt8(ascii: "}")) { return .object(members) }
            guard take(UInt8(ascii: ",")) else { throw error("Expected ',' or '}'") }
        }
    }

    mutating func number() throws(JSONError) -> JSONValue {
        let start = at
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        var integral = true
        if take(UInt8(ascii: ".")) {
            integral = false
            try digits()
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            integral = false
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        guard at - start <= Self.maximumNumberLength else {
            throw JSONError(what: "A number of more than \(Self.maximumNumberLength) digits", offset: start)
        }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        if integral, let value = Int(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else {
            throw JSONError(what: "A number too large to represent", offset: start)
        }
        return .number(value)
    }

    mutating func digits() throws(JSONError) {
        let start = at
        while (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(next) { at += 1 }
        if at == start { throw error("Expected a digit") }
    }

    mutating func string() throws(JSONError) -> String {
        at += 1
        let start = at
        var unescaped: [UInt8] = []
        var copied = start  // bytes before this are in `unescaped` already
        while true {
            guard at < bytes.count else { throw error("A string is not closed") }
            switch bytes[at] {
            case UInt8(ascii: "\""):
                unescaped += bytes[copied..<at]
                at += 1
                guard let text = String(validating: unescaped, as: UTF8.self) else {
                    throw JSONError(what: "A string is not valid UTF-8", offset: start)
                }
                return text
            case UInt8(ascii: "\\"):
                unescaped += bytes[copied..<at]
                at += 1
                try unescape(into: &unescaped)
                copied = at
            case 0..<0x20: throw error("A control character in a string must be escaped")
            default: at += 1
            }
        }
    }

    /// Reads what follows a backslash.
    mutating func unescape(into text: inout [UInt8]) throws(JSONError) {
        let escape = next
        at += 1
        switch escape {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(escape)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text += String(try escapedScalar()).utf8
        default:
            at -= 1
            throw error("Unknown escape in a string")
        }
    }

    /// Reads the scalar after `\u`: four hexadecimal digits, or twelve with `\u` between for a surrogate pair.
    mutating func escapedScalar() throws(JSONError) -> Character {
        let start = at - 2
        let loneSurrogate = JSONError(what: "Half a surrogate pair in a string", offset: start)
        let high = try hexadecimal()
        if let scalar = Unicode.Scalar(high) { return Character(scalar) }
        guard (0xD800..<0xDC00).contains(high), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
            throw loneSurrogate
        }
        let low = try hexadecimal()
        guard (0xDC00..<0xE000).contains(low),
            let scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
        else { throw loneSurrogate }
        return Character(scalar)
    }

    mutating func hexadecimal() throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            switch next {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 + UInt32(next - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 + UInt32(next - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 + UInt32(next - UInt8(ascii: "A") + 10)
            default: throw error("Expected four hexadecimal digits after \\u")
            }
            at += 1
        }
        return value
    }
}
