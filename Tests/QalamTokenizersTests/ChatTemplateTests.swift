// SPDX-License-Identifier: Apache-2.0

import Foundation
import QalamTokenizers
import Testing

/// Chat templates against Jinja itself, and against templates that mean harm.
struct ChatTemplateTests {
    /// What `make.py` in the fixture's folder recorded.
    private struct Goldens: Decodable {
        struct Case: Decodable {
            let name: String
            let template: String?
            let file: String?
            let variables: String
            let text: String?
        }

        let variables: [String: Tagged]
        let cases: [Case]
    }

    /// A value in the fixture's form, which keeps kinds and orders.
    private struct Tagged: Decodable {
        let value: TemplateValue

        private enum Keys: String, CodingKey { case dict, list, float }

        init(from decoder: any Decoder) throws {
            if let parts = try? decoder.container(keyedBy: Keys.self) {
                if let items = try parts.decodeIfPresent([Tagged].self, forKey: .list) {
                    value = .array(items.map(\.value))
                } else if let number = try parts.decodeIfPresent(Double.self, forKey: .float) {
                    value = .double(number)
                } else {
                    let entries = try parts.decode([[Tagged]].self, forKey: .dict)
                    value = .object(
                        entries.compactMap { entry in
                            guard case .string(let key) = entry[0].value else { return nil }
                            return (key, entry[1].value)
                        })
                }
                return
            }
            let single = try decoder.singleValueContainer()
            if single.decodeNil() {
                value = .none
            } else if let truth = try? single.decode(Bool.self) {
                value = .bool(truth)
            } else if let number = try? single.decode(Int.self) {
                value = .int(number)
            } else {
                value = .string(try single.decode(String.self))
            }
        }

        var members: [String: TemplateValue] {
            guard case .object(let members) = value else { return [:] }
            return Dictionary(uniqueKeysWithValues: members.map { ($0.key, $0.value) })
        }
    }

    private let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/templates")

    @Test func `Templates render as Jinja renders them, or are refused as there`() throws {
        let goldens = try JSONDecoder().decode(
            Goldens.self, from: Data(contentsOf: folder.appendingPathComponent("goldens.json")))
        #expect(goldens.cases.count > 200)
        for golden in goldens.cases {
            let source =
                try golden.template
                ?? String(contentsOf: folder.appendingPathComponent(golden.file ?? ""), encoding: .utf8)
            let variables = try #require(goldens.variables[golden.variables]).members
            do {
                let text = try ChatTemplate(source).render(variables)
                #expect(
                    text.utf8.elementsEqual((golden.text ?? "").utf8) && golden.text != nil,
                    "\(golden.name): \(golden.template ?? "")\nwanted \(golden.text ?? "an error")\ngot    \(text)")
            } catch {
                #expect(
                    golden.text == nil,
                    "\(golden.name): \(golden.template ?? "")\n\(error)\nwanted \(golden.text ?? "")")
                #expect(error is TemplateError)
            }
        }
    }

    private func fault(_ source: String, _ variables: [String: TemplateValue] = [:]) -> String {
        do {
            return "rendered: \(try ChatTemplate(source).render(variables).prefix(200))"
        } catch {
            return "\(error)"
        }
    }

    @Test func `Numbers of JSON stay as they are written`() throws {
        let value = try TemplateValue(json: Array(#"{"a":[1.0,-1,9007199254740993,1e2]}"#.utf8))
        let text = try ChatTemplate("{{ x }} {{ x|tojson }}").render(["x": value])
        #expect(text == #"{'a': [1.0, -1, 9007199254740993, 100.0]} {"a": [1.0, -1, 9007199254740993, 100.0]}"#)
    }

    @Test(arguments: [
        ("a\n{% if x %}", "chat template, line 2: the block that begins here has no \"endif\""),
        ("a\n\n{{ 1 +\n }}", "line 4: expected an expression, found \"}}\""),
        ("\n{# x\n", "line 2: the comment has no end"),
        ("\n{{ x.y }}", "line 2: 'x' is undefined, so it has no 'y'; check the messages"),
        ("{% for i in [1] %}\n{{ i +\n 'a' }}{% endfor %}", "line 2: \"+\" does not work between integer and string"),
        ("{% macro m() %}\n{{ 1 / 0 }}{% endmacro %}\n\n{{ m() }}", "line 2: division by zero"),
        ("{{ raise_exception('Only two roles.') }}", "The chat template refuses this conversation: Only two roles."),
        ("{{ 'a'|nope }}", "line 1: there is no filter \"nope\""),
        ("{% include 'x' %}", "unknown or misplaced tag \"include\""),
        ("{{ '\n\n' }}{{ 99999999999999999999 }}", "line 3: the number 99999999999999999999 is too large"),
        ("{{ 9223372036854775807 + 1 }}", "a number is too large"),
    ])
    func `Faults name their line`(source: String, why: String) {
        #expect(fault(source).contains(why), "\(fault(source))")
    }

    private static let hostile: [(name: String, source: String)] = [
        ("parentheses", "{{ " + String(repeating: "(", count: 100_000) + "1"),
        ("lists", "{{ " + String(repeating: "[", count: 100_000)),
        ("objects", "{{ " + String(repeating: "{1:", count: 100_000)),
        ("signs", "{{ " + String(repeating: "-", count: 100_000) + "1 }}"),
        ("signs apart", "{{ " + String(repeating: "- ", count: 100_000) + "1 }}"),
        ("negations", "{{ " + String(repeating: "not ", count: 100_000) + "1 }}"),
        ("sums", "{{ 1" + String(repeating: " + 1", count: 100_000) + " }}"),
        ("powers", "{{ 1" + String(repeating: " ** 1", count: 100_000) + " }}"),
        ("attributes", "{{ x" + String(repeating: ".x", count: 100_000) + " }}"),
        ("items", "{{ x" + String(repeating: "[0]", count: 100_000) + " }}"),
        ("calls", "{{ x" + String(repeating: "()", count: 100_000) + " }}"),
        ("filters", "{{ x" + String(repeating: "|trim", count: 100_000) + " }}"),
        ("tests", "{{ x" + String(repeating: " is none", count: 100_000) + " }}"),
        ("conditions", "{{ 1" + String(repeating: " if 1 else 1", count: 100_000) + " }}"),
        ("ifs", String(repeating: "{% if 1 %}", count: 100_000)),
        ("loops", String(repeating: "{% for x in [1, 2] %}", count: 100_000)),
        ("targets", "{% set " + String(repeating: "(", count: 100_000)),
        ("a long loop", "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"),
        ("endless recursion", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"),
        ("two macros", "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}"),
        ("a caller", "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}"),
        ("doubling", "{% set n = namespace(x='ab') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}"),
        (
            "doubling lists",
            "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}"
        ),
        (
            "sharing",
            "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}"
        ),
        (
            "sharing, compared",
            "{% set n = namespace(x=[1], y=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}"
                + "{% set n.y = [n.y, n.y] %}{% endfor %}{{ n.x == n.y }}"
        ),
        (
            "sharing, as JSON",
            "{% set n = namespace(x=1) %}{% for i in range(60) %}{% set n.x = {1: n.x, 2: n.x} %}{% endfor %}"
                + "{{ n.x|tojson }}"
        ),
        (
            "nesting",
            "{% set n = namespace(x=[]) %}{% for i in range(9999) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x }}"
        ),
        ("repeating", "{{ 'a' * 9223372036854775807 }}"),
        ("repeating a list", "{{ [1, 2] * 9223372036854775807 }}"),
        ("replacing", "{% set x = 'a' * 1000000 %}{{ x.replace('', x) }}"),
        ("joining", "{% set x = 'a' * 1000000 %}{{ x.join(x) }}"),
        ("indenting", "{{ ('\n' * 1000000)|indent('a' * 1000000, blank=true) }}"),
        ("searching", "{% set x = 'a' * 1000000 %}{% for i in range(99999) %}{% if 'b' in x %}{% endif %}{% endfor %}"),
        ("padding", "{{ '1'.zfill(9223372036854775807) }}"),
        ("output", "{% set x = 'a' * 1000000 %}{% for i in range(99999) %}{{ x }}{% endfor %}"),
        ("a large power", "{{ 10 ** 9223372036854775807 }}"),
        ("the smallest number", "{{ (-9223372036854775807 - 1) // -1 }}"),
        ("its magnitude", "{{ -(-9223372036854775807 - 1) }}"),
        ("a far range", "{{ range(-9223372036854775807, 9223372036854775807) }}"),
    ]

    @Test(.serialized, arguments: hostile.indices)
    func `Hostile templates end in an error, soon`(index: Int) {
        let (name, source) = Self.hostile[index]
        // A small stack, as threads other than the first have on some systems; its own time, whatever else is running.
        let (text, seconds) = onSmallStack {
            let start = Self.threadSeconds()
            let text = fault(source)
            return (text, Self.threadSeconds() - start)
        }
        #expect(text.hasPrefix("chat template, line "), "\(name): \(text.prefix(300))")
        #expect(seconds < 5, "\(name)")
    }

    /// Seconds that this thread has been at work.
    private static func threadSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    @Test func `Odd but harmless templates render`() {
        #expect(
            fault("{{ 5[1:2] }}|{{ 'abc'[9223372036854775807:] }}{{ 'abc'[-9223372036854775807:] }}")
                == "rendered: |abc")
        #expect(fault("{{ 'abc'[::9223372036854775807] }}{{ 'abc'[::-9223372036854775807] }}") == "rendered: ac")
        #expect(fault("{{ (-9223372036854775807 - 1) % -1 }}").contains("too large"))
        #expect(fault("{{ 9223372036854775807|float|int(7) }} {{ 1e400|int(7) }}") == "rendered: 7 7")
        let chain = "{% set n = namespace() %}{% for i in range(90000) %}{% set n = namespace(p=n) %}{% endfor %}"
        #expect(fault(chain) == "rendered: ")
        let linked =
            "{% set n = namespace() %}{% for i in range(50000) %}{% set n.p = namespace(p=n.p) %}{% endfor %}ok"
        #expect(onSmallStack { fault(linked) } == "rendered: ok")
        let loops =
            "{% set n = namespace(l=0) %}{% for i in range(50000) %}{% for x in [n.l] %}{% set n.l = loop %}"
            + "{% endfor %}{% endfor %}ok"
        #expect(onSmallStack { fault(loops) } == "rendered: ok")
    }

    @Test func `Deep nesting that is allowed fits a small stack`() {
        let ifs = String(repeating: "{% if 1 %}", count: 30) + "x" + String(repeating: "{% endif %}", count: 30)
        #expect(onSmallStack { fault(ifs) } == "rendered: x")
        let sum = "{{ 1" + String(repeating: " + 1", count: 140) + " }}"
        #expect(onSmallStack { fault(sum) } == "rendered: 141")
        let nested = "{{ " + String(repeating: "[", count: 40) + String(repeating: "]", count: 40) + "|length }}"
        #expect(onSmallStack { fault(nested) } == "rendered: 1")
        let macro =
            "{% macro m(k) %}{% if k > 0 %}{% for x in [1] %}{{ m(k - 1) }}{% endfor %}{% endif %}.{% endmacro %}"
            + "{{ m(25) }}"
        #expect(onSmallStack { fault(macro) } == "rendered: " + String(repeating: ".", count: 26))
    }

    @Test func `A template cut at any byte renders or is refused`() throws {
        let variables: [String: TemplateValue] = [
            "messages": .array([
                .object([(key: "role", value: .string("user")), (key: "content", value: .string("x"))])
            ])
        ]
        for name in ["header", "thinking", "brackets", "macros"] {
            let source = try String(contentsOf: folder.appendingPathComponent("\(name).jinja"), encoding: .utf8)
            for length in stride(from: 0, to: source.utf8.count, by: 3) {
                let text = fault(String(decoding: source.utf8.prefix(length), as: UTF8.self), variables)
                #expect(!text.isEmpty)
            }
        }
    }

    @Test func `The time is told in the asked format`() throws {
        let year = try ChatTemplate("{{ strftime_now('%Y') }}{{ strftime_now('') }}").render([:])
        #expect(year.count == 4 && year.hasPrefix("2"))
        #expect(try ChatTemplate("{{ strftime_now('%d %b %Y')|length }}").render([:]) == "11")
    }

    /// Runs `body` on a thread with 512 KiB of stack.
    private func onSmallStack<Value: Sendable>(_ body: @escaping @Sendable () -> Value) -> Value {
        let result = Handover<Value>()
        let thread = Thread { result.finish(body()) }
        thread.stackSize = 512 * 1024
        thread.start()
        return result.wait()
    }

    /// A value handed from one thread to another.
    ///
    /// `@unchecked Sendable`: the condition's lock guards the value.
    private final class Handover<Value: Sendable>: @unchecked Sendable {
        private let condition = NSCondition()
        private var value: Value?

        func finish(_ value: Value) {
            condition.withLock {
                self.value = value
                condition.signal()
            }
        }

        func wait() -> Value {
            condition.lock()
            defer { condition.unlock() }
            while true {
                if let value { return value }
                condition.wait()
            }
        }
    }
}
