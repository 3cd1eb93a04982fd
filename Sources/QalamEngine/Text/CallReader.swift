// SPDX-License-Identifier: Apache-2.0
internal import QalamTokenizers

/// Reads one tool call, a JSON object with a name and arguments, byte by byte.
///
/// The arguments are passed on as they come once the name is known. What is no such call is found out before anything
/// was passed on, so that it can be shown as text.
struct CallReader {
    /// What a byte led to.
    enum Event: Equatable {
        case started(name: String)
        case arguments([UInt8])
    }

    enum Outcome: Equatable { case open, ended, failed }

    private enum Place { case start, key, colon, value, string, nested, scalar, comma }

    /// Whether the call ends with its arguments: its name was read before.
    var endsWithArguments = false
    private let names: Set<String>
    private static let keys: Set<String> = ["arguments", "parameters"]
    private(set) var outcome = Outcome.open
    /// Whether the call was passed on.
    private(set) var hasStarted = false
    private var place = Place.start
    private var isInKey = false
    private var key = ""
    private var text: [UInt8] = []
    private var depth = 0
    private var isQuoted = false
    private var isEscaped = false
    private var name: String?
    private var waiting: [UInt8] = []

    /// A reader of calls of these tools.
    init(names: Set<String>) { self.names = names }

    /// Takes the next byte.
    mutating func take(_ byte: UInt8, into events: inout [Event]) {
        switch place {
        case .start: expect(byte, "{", then: .key)
        case .key:
            if byte == UInt8(ascii: "\"") {
                isInKey = true
                begin(.string)
            } else if byte == UInt8(ascii: "}") {
                end(into: &events)
            } else {
                skip(byte)
            }
        case .colon: expect(byte, ":", then: .value)
        case .value: startValue(byte, into: &events)
        case .string: readString(byte, into: &events)
        case .nested: readNested(byte, into: &events)
        case .scalar:
            if byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}") {
                place = .comma
                take(byte, into: &events)
            }
        case .comma:
            if byte == UInt8(ascii: "}") { end(into: &events) } else { expect(byte, ",", then: .key) }
        }
    }

    private mutating func expect(_ byte: UInt8, _ wanted: Unicode.Scalar, then next: Place) {
        if byte == UInt8(ascii: wanted) { place = next } else { skip(byte) }
    }

    /// White space goes by; anything else is no call.
    private mutating func skip(_ byte: UInt8) {
        if ![0x20, 0x09, 0x0A, 0x0D].contains(byte) { outcome = .failed }
    }

    private mutating func begin(_ next: Place) {
        place = next
        text = []
        (depth, isQuoted, isEscaped) = (0, false, false)
    }

    private mutating func startValue(_ byte: UInt8, into events: inout [Event]) {
        switch byte {
        case UInt8(ascii: "\""): begin(.string)
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            guard !Self.keys.contains(key) || byte == UInt8(ascii: "{") else { return outcome = .failed }
            begin(.nested)
            readNested(byte, into: &events)
        case 0x20, 0x09, 0x0A, 0x0D: break
        default: begin(.scalar)
        }
    }

    private mutating func readString(_ byte: UInt8, into events: inout [Event]) {
        if byte == UInt8(ascii: "\""), !isEscaped {
            guard let value = Self.decoded(text) else { return outcome = .failed }
            if isInKey {
                (isInKey, key, place) = (false, value, .colon)
                return
            }
            place = .comma
            if key == "name" {
                guard names.contains(value) else { return outcome = .failed }
                name = value
                start(into: &events)
            } else if Self.keys.contains(key) {
                // Some models write the arguments as JSON inside a string.
                pass(Array(value.utf8), into: &events)
            }
            return
        }
        isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
        text.append(byte)
    }

    private mutating func readNested(_ byte: UInt8, into events: inout [Event]) {
        if isQuoted {
            if byte == UInt8(ascii: "\""), !isEscaped { isQuoted = false }
            isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
        } else {
            switch byte {
            case UInt8(ascii: "\""): isQuoted = true
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
        }
        if Self.keys.contains(key) { pass([byte], into: &events) }
        guard depth == 0 else { return }
        place = .comma
        if endsWithArguments { end(into: &events) }
    }

    private mutating func start(into events: inout [Event]) {
        guard let name, !hasStarted else { return }
        hasStarted = true
        events.append(.started(name: name))
        if !waiting.isEmpty { events.append(.arguments(waiting)) }
    }

    private var hasArguments = false

    private mutating func pass(_ bytes: [UInt8], into events: inout [Event]) {
        hasArguments = true
        guard hasStarted else { return waiting += bytes }
        if case .arguments(let before)? = events.last {
            events[events.count - 1] = .arguments(before + bytes)
        } else {
            events.append(.arguments(bytes))
        }
    }

    private mutating func end(into events: inout [Event]) {
        guard hasStarted else { return outcome = .failed }
        if !hasArguments { pass(Array("{}".utf8), into: &events) }
        outcome = .ended
    }

    /// The text of a JSON string's content.
    private static func decoded(_ content: [UInt8]) -> String? {
        guard case .string(let text)? = try? JSONParser.parse([0x22] + content + [0x22], file: "call") else {
            return nil
        }
        return text
    }
}
