/// A parsed JSON value.
///
/// Objects keep the order of their members.
package enum JSONValue: Sendable {
    case null
    case bool(Bool)
    /// A number without fraction and exponent that is no larger than `Int` can be.
    case int(Int)
    case double(Double)
    case string(String)
    case array([JSONValue])
    case object([(key: String, value: JSONValue)])

    /// A number of either kind; nil for anything else.
    package var number: Double? {
        switch self {
        case .int(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    /// A number that is whole; nil for anything else.
    package var whole: Int? {
        switch self {
        case .int(let value): value
        case .double(let value): Int(exactly: value)
        default: nil
        }
    }

    /// The value in a few words, for errors.
    package var summary: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .int(let value): "\(value)"
        case .double(let value): "\(value)"
        case .string(let value): value.count <= 200 ? "\"\(value)\"" : "\"\(value.prefix(200))…\""
        case .array(let values): "a list of \(values.count)"
        case .object(let members): "an object of \(members.count) fields"
        }
    }
}

/// Reads JSON (RFC 8259) from bytes; every error says at which byte.
package struct JSONParser {
    /// Deepest nesting taken: a hostile file must not exhaust the stack.
    private static let deepest = 64

    private let bytes: [UInt8]
    private let file: String
    private var position = 0

    /// Parses the whole of `bytes`, which come from `file`.
    package static func parse(_ bytes: [UInt8], file: String) throws(TokenizerError) -> JSONValue {
        var parser = JSONParser(bytes: bytes, file: file)
        parser.skipSpace()
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.position == bytes.count else { throw parser.failure("more text after the JSON value") }
        return value
    }

    private init(bytes: [UInt8], file: String) {
        self.bytes = bytes
        self.file = file
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    }

    private func failure(_ reason: String) -> TokenizerError {
        .malformed(file: file, offset: position, reason: reason)
    }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func value(depth: Int) throws(TokenizerError) -> JSONValue {
        guard depth < Self.deepest else { throw failure("nested deeper than \(Self.deepest) levels") }
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case nil: throw failure("the JSON ends too early")
        default: return try number()
        }
    }

    private mutating func word(_ text: StaticString, _ value: JSONValue) throws(TokenizerError) -> JSONValue {
        let expected = text.withUTF8Buffer { [UInt8]($0) }
        guard bytes[position...].starts(with: expected) else { throw failure("not a JSON value") }
        position += expected.count
        return value
    }

    private mutating func number() throws(TokenizerError) -> JSONValue {
        let start = position
        var whole = 0
        while let byte = next, byte >= 0x30 && byte <= 0x39 && position - start < 15 {
            whole = whole * 10 + Int(byte - 0x30)
            position += 1
        }
        if position > start, let byte = next, byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}") {
            return .int(whole)
        }
        while let byte = next, (0x30...0x39).contains(byte) || [0x2B, 0x2D, 0x2E, 0x45, 0x65].contains(byte) {
            position += 1
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if let whole = Int(text), text != "-0" { return .int(whole) }
        guard let value = Double(text), value.isFinite else {
            position = start
            throw failure("not a JSON value")
        }
        return .double(value)
    }

    private mutating func array(depth: Int) throws(TokenizerError) -> JSONValue {
        var values: [JSONValue] = []
        position += 1
        skipSpace()
        if next == UInt8(ascii: "]") {
            position += 1
            return .array(values)
        }
        while true {
            skipSpace()
            values.append(try value(depth: depth + 1))
            if try endsList(UInt8(ascii: "]")) { return .array(values) }
        }
    }

    private mutating func object(depth: Int) throws(TokenizerError) -> JSONValue {
        var members: [(key: String, value: JSONValue)] = []
        position += 1
        skipSpace()
        if next == UInt8(ascii: "}") {
            position += 1
            return .object(members)
        }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw failure("a name in quotes belongs here") }
            let key = try string()
            skipSpace()
            guard next == UInt8(ascii: ":") else { throw failure("\":\" belongs here") }
            position += 1
            skipSpace()
            members.append((key, try value(depth: depth + 1)))
            if try endsList(UInt8(ascii: "}")) { return .object(members) }
        }
    }

    /// Takes a comma (false) or `closing` (true).
    private mutating func endsList(_ closing: UInt8) throws(TokenizerError) -> Bool {
        skipSpace()
        guard next == closing || next == UInt8(ascii: ",") else {
            throw failure("\",\" or \"\(Unicode.Scalar(closing))\" belongs here")
        }
        position += 1
        return bytes[position - 1] == closing
    }

    // MARK: Strings

    private mutating func string() throws(TokenizerError) -> String {
        position += 1
        let start = position
        while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { position += 1 }
        if next == UInt8(ascii: "\"") {
            defer { position += 1 }
            return try text(bytes[start..<position])
        }
        var content = [UInt8](bytes[start..<position])
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                defer { position += 1 }
                return try text(content[...])
            case UInt8(ascii: "\\"):
                try escape(into: &content)
            case 0..<0x20:
                throw failure("a control character in a string")
            default:
                content.append(byte)
                position += 1
            }
        }
        throw failure("a string does not end")
    }

    private func text(_ content: ArraySlice<UInt8>) throws(TokenizerError) -> String {
        guard let text = String(validating: content, as: UTF8.self) else { throw failure("a string is not UTF-8") }
        return text
    }

    private mutating func escape(into content: inout [UInt8]) throws(TokenizerError) {
        position += 1
        guard let kind = next else { throw failure("a string does not end") }
        let plain: UInt8? =
            switch kind {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): kind
            case UInt8(ascii: "b"): 0x08
            case UInt8(ascii: "f"): 0x0C
            case UInt8(ascii: "n"): 0x0A
            case UInt8(ascii: "r"): 0x0D
            case UInt8(ascii: "t"): 0x09
            default: nil
            }
        if let plain {
            content.append(plain)
            position += 1
            return
        }
        guard kind == UInt8(ascii: "u") else { throw failure("no such escape") }
        position += 1
        var value = try hexadecimal()
        if (0xD800..<0xDC00).contains(value) {
            guard bytes[position...].starts(with: [0x5C, 0x75]) else { throw failure("half of a surrogate pair") }
            position += 2
            let low = try hexadecimal()
            guard (0xDC00..<0xE000).contains(low) else { throw failure("half of a surrogate pair") }
            value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(value) else { throw failure("half of a surrogate pair") }
        content.append(contentsOf: String(scalar).utf8)
    }

    private mutating func hexadecimal() throws(TokenizerError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw failure("four hexadecimal digits belong here")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}

/// A value together with where it is, so that what is wrong with it can be said.
struct JSONField {
    let value: JSONValue
    let path: String
    let file: String

    /// The error that this field's value is not as it must be.
    func invalid(_ reason: String) -> TokenizerError { .invalid(file: file, field: path, reason: reason) }

    /// The error that this field asks for what is not supported.
    func unsupported() -> TokenizerError { .unsupported(file: file, field: path, value: value.summary) }

    /// Whether the value is null or not there.
    var isNull: Bool { if case .null = value { true } else { false } }

    /// The member `name`, null where there is none.
    func member(_ name: String) throws(TokenizerError) -> JSONField {
        let value = try members().last { $0.key == name }?.value ?? .null
        return JSONField(value: value, path: path.isEmpty ? name : "\(path).\(name)", file: file)
    }

    /// All members of an object.
    func members() throws(TokenizerError) -> [(key: String, value: JSONValue)] {
        guard case .object(let members) = value else { throw invalid("an object belongs here, not \(value.summary)") }
        return members
    }

    /// Fails at the first member whose name is not one of `names`.
    func allowOnly(_ names: Set<String>) throws(TokenizerError) {
        for (key, _) in try members() where !names.contains(key) { throw try member(key).unsupported() }
    }

    /// The elements of a list.
    func elements() throws(TokenizerError) -> [JSONField] {
        guard case .array(let values) = value else { throw invalid("a list belongs here, not \(value.summary)") }
        return values.enumerated().map { JSONField(value: $1, path: "\(path)[\($0)]", file: file) }
    }

    /// The text of a string.
    func string() throws(TokenizerError) -> String {
        guard case .string(let text) = value else { throw invalid("text belongs here, not \(value.summary)") }
        return text
    }

    /// True or false; `missing` where there is no value.
    func bool(default missing: Bool) throws(TokenizerError) -> Bool {
        switch value {
        case .bool(let value): return value
        case .null: return missing
        default: throw invalid("true or false belongs here, not \(value.summary)")
        }
    }

    /// A token id: a whole number that is not negative and not absurdly large.
    func tokenID() throws(TokenizerError) -> TokenID {
        guard let id = TokenID(json: value) else { throw notAnID() }
        return id
    }

    /// The error that a token id belongs here.
    func notAnID() -> TokenizerError {
        invalid("an id from 0 to \(TokenizerDefinition.idLimit - 1) belongs here, not \(value.summary)")
    }
}

extension TokenID {
    /// The id that `value` is, nil where it is none that a vocabulary may have.
    init?(json value: JSONValue) {
        guard let id = value.whole.flatMap({ TokenID(exactly: $0) }), (0..<TokenizerDefinition.idLimit).contains(id)
        else { return nil }
        self = id
    }
}
