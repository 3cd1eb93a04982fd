// SPDX-License-Identifier: Apache-2.0

import QalamServer
import Testing

@Suite("JSON")
struct JSONValueTests {
    private func parse(_ text: String) throws -> JSONValue {
        try JSONValue(parsing: Array(text.utf8))
    }

    static let readable: [(text: String, value: JSONValue)] = [
        ("null", JSONValue.null), ("true", true), ("false", false), ("0", 0), ("-0", 0), ("42", 42), ("-7", -7),
        ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
        ("9223372036854775808", 9_223_372_036_854_775_808.0), ("1.5", 1.5), ("-1e3", -1000.0), ("1E+2", 100.0),
        ("1e-2", 0.01), (#""""#, ""), (#""a\"\\\/\b\f\n\r\t""#, "a\"\\/\u{8}\u{C}\n\r\t"), (#""\u0041\u00e9""#, "Aé"),
        (#""\ud83d\ude00""#, "😀"), ("\"قلم\"", "قلم"), ("[]", []), (" [ 1 , [ ] ] ", [1, []]), ("{}", .object([])),
        (#"{"b": 1, "a": {"c": null}}"#, ["b": 1, "a": ["c": nil]]), (#""\u0000""#, "\u{0}"),
    ]

    @Test("values read as what they are", arguments: readable)
    func values(text: String, value: JSONValue) throws {
        #expect(try parse(text) == value)
    }

    @Test(
        "anything else is refused",
        arguments: [
            "", " ", "nul", "True", "01", "-", "1.", ".5", "1e", "+1", "0x1", "NaN", "Infinity", "1e999", "'a'", "\"",
            "\"\n\"",
            #""\x""#, #""\u12""#, #""\u12G4""#, #""\ud800""#, #""\udc00""#, #""\ud800\u0041""#, #""\ud800x""#, "[",
            "[1",
            "[1,",
            "[1,]", "[1 2]", "]", "{", #"{"a""#, #"{"a":"#, #"{"a":1"#, #"{"a":1,}"#, "{a:1}", "{1:2}",
            #"{"a":1,"a":2}"#,
            "1 2",
            "null null", "// c\n1", "\u{FEFF}1", "\u{0}", "1\u{0}",
        ])
    func refusals(text: String) {
        #expect(throws: JSONError.self) { try parse(text) }
    }

    @Test(
        "invalid UTF-8 is refused",
        arguments: [
            [0x22, 0xFF, 0x22], [0x22, 0xC3, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xC0, 0xAF, 0x22],
            [0xC3, 0xA9],
        ] as [[UInt8]])
    func invalidUTF8(bytes: [UInt8]) {
        #expect(throws: JSONError.self) { try JSONValue(parsing: bytes) }
    }

    @Test("errors say where")
    func offsets() {
        let missing = #expect(throws: JSONError.self) { try parse(#"{"a": 1 "b"}"#) }
        #expect(missing?.description == "Expected ',' or '}' at byte 8.")
        let half = #expect(throws: JSONError.self) { try parse(#"["\ud800"]"#) }
        #expect(half?.description == "Half a surrogate pair in a string at byte 2.")
    }

    @Test("nesting and numbers have limits", arguments: ["[", "{\"a\":"])
    func limits(open: String) throws {
        #expect(throws: JSONError.self) { try parse(String(repeating: open, count: 100_000)) }
        let deepest = String(repeating: "[", count: 127) + "1" + String(repeating: "]", count: 127)
        #expect(throws: Never.self) { try parse(deepest) }
        #expect(throws: JSONError.self) { try parse("[" + deepest + "]") }
        #expect(throws: JSONError.self) { try parse(String(repeating: "9", count: 1_000_000)) }
    }

    @Test("a text cut anywhere is refused, and a changed byte never crashes")
    func fuzz() throws {
        let text = #"{"m":"x","messages":[{"role":"user","content":"h\u00e9\ud83d\ude00é"}],"t":-1.5e-3,"n":null}"#
        let bytes = Array(text.utf8)
        for end in 0..<bytes.count {
            #expect(throws: JSONError.self) { try JSONValue(parsing: Array(bytes[..<end])) }
        }
        for place in 0..<bytes.count {
            for byte in [0, 0x22, 0x2C, 0x30, 0x5B, 0x5C, 0x5D, 0x7B, 0x7D, 0x80, 0xC3, 0xFF] as [UInt8] {
                var changed = bytes
                changed[place] = byte
                _ = try? JSONValue(parsing: changed)
            }
        }
    }

    @Test("what is written reads back the same")
    func roundTrip() throws {
        var all = ""
        for scalar in (0...0x2FFF).compactMap(Unicode.Scalar.init) { all.unicodeScalars.append(scalar) }
        let value: JSONValue = [
            "text": .string(all + "\u{10FFFF}👩‍👩‍👧"), "list": [1, -2, 0.5, 1e300, nil, true, false],
            "empty": .object([]), "": [],
        ]
        #expect(try parse(value.encoded) == value)
    }

    @Test("strings never break a line of an event stream")
    func lineBreaks() {
        let encoded = JSONValue.string("a\nb\rc\u{85}d\u{2028}e\u{2029}f\u{B}g\u{C}h").encoded
        #expect(encoded == #""a\nb\rc\u0085d\u2028e\u2029f\u000bg\u000ch""#)
    }
}
