// SPDX-License-Identifier: Apache-2.0
import QalamEngine
import Testing

/// Grammars in llama.cpp's notation.
@Suite struct GBNFTests {
    @Test func palindromes() throws {
        let grammar = try Grammar(gbnf: "root ::= \"a\" root \"a\" | \"b\" root \"b\" | [ab]?")
        for text in allTexts("ab", length: 9) {
            #expect(grammar.accepts(text) == (text == String(text.reversed())), "\(text)")
        }
    }

    @Test func nestedBrackets() throws {
        let grammar = try Grammar(gbnf: "root ::= item* # balanced\nitem ::= \"(\" root \")\" |\n  \"[\" root \"]\"")
        for text in allTexts("()[]", length: 6) {
            var stack: [Character] = []
            let balanced = text.allSatisfy { character in
                if "([".contains(character) {
                    stack.append(character)
                    return true
                }
                return stack.popLast() == (character == ")" ? "(" : "[")
            }
            #expect(grammar.accepts(text) == (balanced && stack.isEmpty), "\(text)")
        }
    }

    /// Alternatives with the same beginning: stacks must not double with each level.
    @Test func ambiguityDoesNotBlowUp() throws {
        let grammar = try Grammar(gbnf: "root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"d\"")
        let depth = 200
        #expect(grammar.accepts(String(repeating: "a", count: depth) + "d" + String(repeating: "bc", count: depth / 2)))
        let catalan = try Grammar(gbnf: "root ::= \"a\" root root | \"a\"")
        #expect(catalan.accepts(String(repeating: "a", count: 199)))
        #expect(!catalan.accepts(String(repeating: "a", count: 200)))
    }

    @Test func partsOfTheNotation() throws {
        let grammar = try Grammar(
            gbnf: """
                # a greeting
                root ::= greeting ws{0,2} name ("!" | "?")+
                greeting ::= "Hello" | "\\x48i" | "\\u0645\\u0631\\u062D\\u0628\\u0627"
                name ::= [A-Z] [a-z]{2,3} | [^\\x00-\\x7F\\]]+ | .
                ws ::= [ \\t]
                """)
        for text in ["Hello Ann!", "Hi  Mary?!", "مرحبا نور!", "HiX!", "Hi\tX?"] {
            #expect(grammar.accepts(text), "\(text)")
        }
        for text in ["Hello   Ann!", "Hello An!", "Hello Ann", "hi X!", "Hello Maryy!"] {
            #expect(!grammar.accepts(text), "\(text)")
        }
    }

    @Test(arguments: [
        ("root ::= root \"a\" | \"b\"", "root"), ("root ::= x\nx ::= \"a\"? y\ny ::= [b]* x | \"c\"", "x"),
        ("root ::= a", "a"), ("a ::= \"b\"", "root"), ("root ::= \"a\"\nroot ::= \"b\"", "root"),
        ("root ::= (root)* \"a\"", "root"),
    ])
    func refusesRules(text: String, rule: String) {
        do {
            _ = try Grammar(gbnf: text)
            Issue.record("\(text) was taken")
        } catch {
            guard case .rule(rule, _) = error else {
                Issue.record("\(error)")
                return
            }
        }
    }

    @Test(arguments: [
        "", "root", "root ::=", "root ::= \"a", "root ::= [a", "root ::= (\"a\"", "root ::= \"a\")", "root ::= <think>",
        "root ::= \"\\q\"", "root ::= \"a\"{2,1}", "root ::= \"a\"{", "root ::= [b-a]", "::= \"a\"", "root ::= $",
        "root ::= \"\\x4\"", "root ::= \"a\" root", "root ::= []", "root ::= \"a\"{9999999}", "root ::= [\\",
        "root ::= .{900000}", "root ::= \(String(repeating: "(", count: 1_000))", "root ::= * \"a\"",
    ])
    func refusesWhatIsDamaged(text: String) {
        if text == "root ::=" {
            #expect(throws: Never.self) { try Grammar(gbnf: text) }
        } else {
            #expect(throws: GrammarError.self) { try Grammar(gbnf: text) }
        }
    }

    /// Doubling rules: a small text that stands for a very large expression.
    @Test func joiningIsBounded() throws {
        for count in [20, 60] {
            var text = "root ::= r0 r0\n"
            for i in 0..<count { text += "r\(i) ::= r\(i + 1) r\(i + 1) | \"y\"\n" }
            let grammar = try Grammar(gbnf: text + "r\(count) ::= \"x\"\n")
            // The larger one can be read in too many ways after the second byte.
            #expect(grammar.accepts("yy") == (count == 20))
            #expect(!grammar.accepts("yxx"))
        }
    }

    @Test func masksAgree() throws {
        let grammar = try Grammar(
            gbnf: """
                root ::= value
                value ::= "[" (value ("," " "? value)*)? "]" | "\\"" char* "\\"" | [0-9]+ | "true" | "null"
                char ::= [^"\\\\\\x00-\\x1F] | "\\\\" ["nu\\\\]
                """)
        var random = SplitMix(state: 3)
        var ended = 0
        for _ in 0..<30 where grammar.randomText(&random, steps: 50) != nil { ended += 1 }
        #expect(ended > 10)
    }
}
