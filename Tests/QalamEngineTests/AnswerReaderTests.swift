// SPDX-License-Identifier: Apache-2.0
import QalamEngine
import Testing

/// What a model writes, told apart into reasoning, text and tool calls; the same however it is cut into pieces.
@Suite struct AnswerReaderTests {
    /// What was read, joined.
    struct Read: Equatable, CustomStringConvertible {
        var text = ""
        var reasoning = ""
        var calls: [String] = []

        var description: String { "text: \(text), reasoning: \(reasoning), calls: \(calls)" }

        mutating func add(_ pieces: [AnswerReader.Piece]) {
            for piece in pieces {
                switch piece {
                case .text(let more, _): text += more
                case .reasoning(let more, _): reasoning += more
                case .callStarted(let name): calls.append(name + " ")
                case .callArguments(let more): calls[calls.count - 1] += more
                }
            }
        }
    }

    static let qwen = AnswerFormat(template: "{% if tools %}<tool_call>{% endif %}<think>")
    static let llama = AnswerFormat(template: #"{% if tools %}"parameters": dictionary of {% endif %}"#)
    static let mistral = AnswerFormat(template: "{% if tools %}[TOOL_CALLS]{% endif %}")
    static let named = AnswerFormat(template: "{% if tools %}[TOOL_CALLS][ARGS]{% endif %}")
    static let channels = AnswerFormat(template: "{% if tools %}<|channel|>{% endif %}<|message|>")
    static let plain = AnswerFormat(template: "{{ messages }}")

    static let cases: [(AnswerFormat, String, Read)] = [
        (plain, "Hello <b>world</b>", Read(text: "Hello <b>world</b>")),
        (qwen, "<think>\nHm, سلام.\n</think>\n\nYes.\n", Read(text: "Yes.\n", reasoning: "Hm, سلام.")),
        (qwen, " \n<think></think>No", Read(text: "No")),
        (qwen, "<think>cut off", Read(reasoning: "cut off")),
        (qwen, "A <think> in the middle", Read(text: "A <think> in the middle")),
        (qwen, "a < b <tool", Read(text: "a < b <tool")),
        (
            qwen,
            "Let me see.\n<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": \"a}\\\"b\", \"n\": [1, {}]}}\n"
                + "</tool_call>\n<tool_call>{\"arguments\": {}, \"name\": \"wait\"}</tool_call>",
            Read(text: "Let me see.", calls: [#"look {"at": "a}\"b", "n": [1, {}]}"#, "wait {}"])
        ),
        (qwen, "<tool_call>{\"name\": \"wait\"}</tool_call>", Read(calls: ["wait {}"])),
        (
            qwen, "<tool_call>{\"name\": \"wait\", \"arguments\": \"{\\\"a\\\": 1}\"}</tool_call>",
            Read(calls: [#"wait {"a": 1}"#])
        ),
        (
            qwen, "<tool_call>{\"name\": \"other\", \"arguments\": {}}</tool_call> end",
            Read(text: "<tool_call>{\"name\": \"other\", \"arguments\": {}}</tool_call> end")
        ),
        (qwen, "<tool_call>nonsense", Read(text: "<tool_call>nonsense")),
        (qwen, "<tool_call>{\"na", Read(text: "<tool_call>{\"na")),
        (qwen, "<tool_call>{\"name\": \"look\", \"arguments\": {\"at\": \"x", Read(calls: [#"look {"at": "x"#])),
        (
            qwen, "<think>t</think><tool_call>{\"name\": \"look\", \"arguments\": {\"é\": \"日本\"}}</tool_call>",
            Read(reasoning: "t", calls: [#"look {"é": "日本"}"#])
        ),
        (llama, "{\"name\": \"look\", \"parameters\": {\"at\": 1}}", Read(calls: [#"look {"at": 1}"#])),
        (
            llama, "<|python_tag|>{\"type\": \"function\", \"name\": \"look\", \"parameters\": {\"at\": 1}}",
            Read(calls: [#"look {"at": 1}"#])
        ),
        (llama, "{\"answer\": {\"name\": 3}}", Read(text: "{\"answer\": {\"name\": 3}}")),
        (llama, "{\"name\": \"Fox\"}", Read(text: "{\"name\": \"Fox\"}")),
        (
            mistral,
            "[TOOL_CALLS] [{\"name\": \"look\", \"arguments\": {\"at\": 1}, \"id\": \"x\"}, {\"name\": \"wait\"}]",
            Read(calls: [#"look {"at": 1}"#, "wait {}"])
        ),
        (
            named, "[TOOL_CALLS]look[ARGS]{\"at\": 1}[TOOL_CALLS]wait[CALL_ID]abc[ARGS]{}",
            Read(calls: [#"look {"at": 1}"#, "wait {}"])
        ),
        (
            channels,
            "<|channel|>analysis<|message|>Hm, سلام <b.<|end|>"
                + "<|start|>assistant<|channel|>final<|message|>Yes.<|return|>x",
            Read(text: "Yes.", reasoning: "Hm, سلام <b.")
        ),
        (
            channels,
            "<|channel|>commentary<|message|>Let me see.<|end|>"
                + "<|start|>assistant<|channel|>commentary to=functions.look <|constrain|>json<|message|>"
                + "{\"at\": \"日本\"}<|call|>never",
            Read(text: "Let me see.", calls: [#"look {"at": "日本"}"#])
        ),
        (
            channels, " to=functions.wait<|channel|>commentary json<|message|>{}<|call|>", Read(calls: ["wait {}"])
        ),
        (
            channels, "<|channel|>commentary to=functions.other<|message|>{}<|call|><|channel|>final<|message|>A",
            Read(text: "{}A")
        ),
        (channels, "No header < at all", Read(text: "No header < at all")),
        (channels, "<|channel|>analysis<|message|>cut <|e", Read(reasoning: "cut <|e")),
        (channels, "<|channel|>fin", Read()),
    ]

    @Test(arguments: cases.indices)
    func readsWholeAndInPieces(index: Int) {
        let (format, answer, expected) = Self.cases[index]
        for length in [answer.count, 1, 2, 3, 7] {
            var reader = AnswerReader(format, tools: ["look", "wait"])
            var read = Read()
            var rest = answer[...]
            while !rest.isEmpty {
                read.add(reader.pass(String(rest.prefix(length))))
                rest = rest.dropFirst(length)
            }
            read.add(reader.finish())
            #expect(read == expected, "in pieces of \(length)")
        }
    }

    /// Where each piece lies in the answer, which log-probabilities go by.
    @Test func rangesAreThoseOfTheAnswer() {
        let answer = "<think>ab</think>\n\ncd <tool_call>{\"name\": \"wait\"}</tool_call>"
        var reader = AnswerReader(Self.qwen, tools: ["wait"])
        for piece in reader.pass(answer) + reader.finish() {
            switch piece {
            case .text(let text, let range), .reasoning(let text, let range):
                #expect(Array(answer.utf8)[range].elementsEqual(text.utf8))
            default: break
            }
        }
    }

    @Test("in channels, the prompt may have begun the message")
    func openedMessages() {
        var call = AnswerReader(Self.channels, tools: ["wait"], opening: "<|channel|>commentary to=functions.")
        #expect(call.pass("wait <|constrain|>json<|message|>{") == [.callStarted("wait"), .callArguments("{")])
        var text = AnswerReader(Self.channels, opening: "<|channel|>final<|message|>")
        #expect(text.pass("{}") == [.text("{}", 0..<2)])
    }

    @Test func oneCallOnlyIfAsked() {
        let answer = "<tool_call>{\"name\": \"wait\"}</tool_call>\n<tool_call>{\"name\": \"look\"}</tool_call>"
        var reader = AnswerReader(Self.qwen, tools: ["look", "wait"], parallel: false)
        var read = Read()
        for character in answer { read.add(reader.pass(String(character))) }
        read.add(reader.finish())
        #expect(read == Read(calls: ["wait {}"]))
        #expect(reader.isOver)
    }

    @Test func thoughtsThatTheTemplateOpened() {
        #expect(Self.qwen.isThinking(after: "assistant\n<think>\n"))
        #expect(!Self.qwen.isThinking(after: "<think>\n\n</think>\n\n"))
        var reader = AnswerReader(Self.qwen, isThinking: true)
        var read = Read()
        read.add(reader.pass("so it is</think>\nyes"))
        #expect(read == Read(text: "yes", reasoning: "so it is"))
    }
}
