// SPDX-License-Identifier: Apache-2.0

import Foundation
import QalamFormats
import Testing

/// The cursor over configuration files.
struct JSONReaderTests {
    private func reader(_ text: String) throws -> JSONReader { try JSONReader(Array(text.utf8), file: "config.json") }

    @Test func `Fields are read by type, with defaults where they are absent or null`() throws {
        let json = try reader(
            #"""
            {"i": 7, "neg": -3, "d": 1e-5, "whole": 10000.0, "t": true, "s": "قلم\u0041\ud83d\ude00\n", "null": null,
             "list": [1, 2], "names": ["a", "b"], "one": 5, "numbers": [1, 2.5], "o": {"p": {"q": 1}},
             "rows": [{"x": 1}, {"x": 2}], "inf": Infinity}
            """#)
        #expect(try json.int("i") == 7 && json.int("neg") == -3 && json.int("whole") == 10000)
        #expect(try json.int("none", default: 3) == 3 && json.int("null", default: 4) == 4)
        #expect(try json.optionalInt("null") == nil && json.has("i") && !json.has("null"))
        #expect(try json.double("d") == 1e-5 && json.double("i") == 7 && json.double("inf") == .infinity)
        #expect(try json.bool("t") && !json.bool("none", default: false))
        #expect(try json.string("s") == "قلمA😀\n" && json.string("none", default: "x") == "x")
        #expect(try json.ints("list") == [1, 2] && json.ints("one") == [5] && json.ints("none") == [])
        #expect(try json.strings("names") == ["a", "b"] && json.doubles("numbers") == [1, 2.5])
        #expect(try json.object("o").object("p").int("q") == 1 && json.optionalObject("none") == nil)
        #expect(try json.objects("rows").map { try $0.int("x") } == [1, 2])
        #expect(try json.positive("i") == 7 && json.int("i", in: 0...7) == 7)
    }

    @Test func `Errors name the file, the path of keys, and what was found`() throws {
        let json = try reader(
            #"{"n": "x", "o": {"p": {"q": true}}, "list": [1, "two"], "zero": 0, "rows": [{}, 3], "f": 1.5}"#)
        func fault(_ body: () throws -> Void) -> String { message(of: body) ?? "no error" }
        #expect(fault { _ = try json.int("n") } == "config.json: n: expected an integer, found \"x\"")
        #expect(fault { _ = try json.int("f") } == "config.json: f: expected an integer, found 1.5")
        #expect(fault { _ = try json.int("m") } == "config.json: m: expected an integer, but the key is missing")
        #expect(
            fault { _ = try json.object("o").object("p").int("q") }
                == "config.json: o.p.q: expected an integer, found true")
        #expect(fault { _ = try json.ints("list") } == "config.json: list[1]: expected an integer, found \"two\"")
        #expect(fault { _ = try json.positive("zero") } == "config.json: zero: expected an integer above 0, found 0")
        #expect(fault { _ = try json.int("zero", in: 1...9) } == "config.json: zero: expected 1 to 9, found 0")
        #expect(fault { _ = try json.objects("rows") } == "config.json: rows[1]: expected an object, found 3")
        #expect(fault { _ = try json.bool("zero") } == "config.json: zero: expected true or false, found 0")
        #expect(fault { _ = try json.string("o") } == "config.json: o: expected a string, found an object of 1")
    }

    @Test(arguments: [
        ("", "byte 0: expected a value, but the text ends"),
        ("[]", "byte 0: expected an object, found a list of 0"),
        ("{\"a\": 1,}", "byte 8: expected \"\"\""),
        ("{\"a\": 01}", "byte 7: expected \"}\""),
        ("{\"a\": 1, \"a\": 2}", "the key \"a\" comes twice"),
        ("{\"a\": +1}", "byte 6: expected a value"),
        ("{\"a\": 1.}", "byte 8: expected a digit"),
        ("{\"a\": tru}", "byte 6: expected a value"),
        ("{\"a\": \"\\x\"}", "unknown escape"),
        ("{\"a\": \"\\ud800\"}", "unpaired surrogate"),
        ("{\"a\": \"\\ud800\\u0041\"}", "unpaired surrogate"),
        ("{\"a\": \"\\u12\"}", "four hexadecimal digits"),
        ("{\"a\": \"\n\"}", "control character"),
        ("{} {}", "byte 3: there is more"),
    ])
    func `Bad JSON is refused at its byte`(text: String, why: String) {
        #expect(
            message { _ = try reader(text) }?.contains(why) == true, "\(message { _ = try reader(text) } ?? "read")")
    }

    @Test func `Text that is not UTF-8, and deep nesting, are refused`() {
        #expect(
            message { _ = try JSONReader([0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D], file: "f") }?
                .contains("not valid UTF-8") == true)
        let deep = "{\"a\":" + String(repeating: "[", count: 100_000)
        #expect(message { _ = try reader(deep) }?.contains("nested deeper than 200") == true)
    }
}
