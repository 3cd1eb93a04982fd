// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamEngine
import QalamTokenizers
import TestSupport
import Testing

/// The JSON Schema Test Suite (Tests/Fixtures/schemas): every schema is refused by name or means what the suite says.
@Suite struct GrammarSuiteTests {
    struct Group {
        let file: String
        let title: String
        let schema: JSONValue
        let cases: [(title: String, value: JSONValue, valid: Bool)]
    }

    private func groups() throws -> [Group] {
        let data = try Data(contentsOf: fixture("schemas/suite.json"))
        return try JSONParser.parse(Array(data), file: "suite.json").elements.map { group in
            let fields = group.elements
            return Group(
                file: fields[0].text, title: fields[1].text, schema: fields[2],
                cases: fields[3].elements.map { ($0.elements[0].text, $0.elements[1], $0.elements[2].json == "true") })
        }
    }

    /// Valid but never written: spellings that the grammars leave out.
    static let unwritten: Set<String> = [
        "date-time: validation of date-time strings: a valid date-time with a leap second, UTC",
        "date-time: validation of date-time strings: a valid date-time with a leap second, with minus offset",
        "email: validation of e-mail addresses: a quoted string with a @ in the local part is valid",
        "email: validation of e-mail addresses: a quoted string with a double dot in the local part is valid",
        "email: validation of e-mail addresses: a quoted string with a space in the local part is valid",
        "email: validation of e-mail addresses: an IPv4-address-literal after the @ is valid",
        "email: validation of e-mail addresses: an IPv6-address-literal after the @ is valid",
        "hostname: validation of host names: a valid punycoded IDN hostname",
        "hostname: validation of host names: maximum label length",
        "time: validation of time strings: a valid time string with leap second, Zulu",
        "time: validation of time strings: valid leap second, large negative time-offset",
        "time: validation of time strings: valid leap second, large positive time-offset",
        "time: validation of time strings: valid leap second, negative time-offset",
        "time: validation of time strings: valid leap second, positive time-offset",
        "time: validation of time strings: valid leap second, zero time-offset",
    ]

    @Test func verdictsAreTheSuites() throws {
        var (taken, refused, verdicts) = (0, 0, 0)
        var unwritten: Set<String> = []
        for group in try groups() {
            let grammar: Grammar?
            do {
                grammar = try Grammar(jsonSchema: Array(group.schema.json.utf8))
            } catch GrammarError.empty {
                grammar = nil
            } catch {
                refused += 1
                guard case .unsupported = error else {
                    Issue.record("\(group.file): \(group.title): \(error)")
                    continue
                }
                continue
            }
            taken += 1
            for (title, value, valid) in group.cases {
                verdicts += 1
                let accepted = value.spellings(limit: 200).contains { grammar?.accepts($0) ?? false }
                if accepted == valid { continue }
                let name = "\(group.file): \(group.title): \(title)"
                if accepted { Issue.record("accepts what is not valid: \(name)") } else { unwritten.insert(name) }
            }
        }
        #expect(unwritten == Self.unwritten, "\(unwritten.sorted().joined(separator: "\n"))")
        #expect((taken, refused, verdicts) == (161, 153, 836))
    }

    /// The tests' own oracle is held against the suite, and random answers against the oracle.
    @Test func randomAnswersAreValid() throws {
        var random = SplitMix(state: 11)
        var checked = 0
        for group in try groups() {
            guard let grammar = try? Grammar(jsonSchema: Array(group.schema.json.utf8)) else { continue }
            let oracle = SchemaOracle(root: group.schema)
            if group.schema.json.contains("\"format\"") { continue }
            for (title, value, valid) in group.cases {
                #expect(try oracle.validates(value) == valid, "\(group.file): \(group.title): \(title)")
            }
            for _ in 0..<4 {
                guard let text = grammar.randomText(&random, steps: 40, checked: false) else { continue }
                checked += 1
                guard let value = try parsed(text) else { continue }
                #expect(try oracle.validates(value), "\(group.schema.json) \(String(decoding: text, as: UTF8.self))")
            }
        }
        #expect(checked > 300)
    }
}
