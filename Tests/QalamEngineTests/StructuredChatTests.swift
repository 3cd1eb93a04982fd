// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamEngine
import QalamModels
import QalamTokenizers
import TestSupport
import Testing

/// Chats that must follow a form, through a model folder: even a model that knows nothing keeps to it.
@Suite struct StructuredChatTests {
    private static let tools = [
        Tool(
            name: "look", description: "Looks.",
            parameters: #"{"type": "object", "properties": {"at": {"enum": ["fox", "river"]}}, "required": ["at"], "#
                + #""additionalProperties": false}"#),
        Tool(name: "wait", strict: true),
    ]

    /// ChatML with a place for tools, in four formats of calls.
    private static let templates = [
        "tagged": chatMLTemplate + "{% if tools %}<tool_call>{% endif %}",
        "bare": chatMLTemplate + "{% if tools %}{# \"parameters\": dictionary #}{% endif %}",
        "listed": chatMLTemplate + "{% if tools %}{# [TOOL_CALLS] #}{% endif %}",
        "named": chatMLTemplate + "{% if tools %}{# [TOOL_CALLS][ARGS] #}{% endif %}",
        "unaware": chatMLTemplate,
    ]

    private func options(_ seed: UInt64, _ change: (inout ChatOptions) -> Void) -> ChatOptions {
        var options = ChatOptions()
        options.sampling.temperature = 1
        options.sampling.seed = seed
        options.maxTokens = 120
        change(&options)
        return options
    }

    struct Answer: Equatable {
        var text = ""
        var reasoning = ""
        var calls: [ToolCall] = []
        var tokens: [ScoredToken] = []
        var reason: FinishReason?
        var usage = Usage(promptTokens: 0, completionTokens: 0)
    }

    private func answer(_ stream: AsyncThrowingStream<TextEvent, any Error>) async throws -> Answer {
        var answer = Answer()
        for try await event in stream {
            switch event {
            case .text(let piece, let tokens):
                answer.text += piece
                answer.tokens += tokens
            case .reasoning(let piece, _): answer.reasoning += piece
            case .toolCallStarted(let index, let id, let name):
                #expect(index == answer.calls.count)
                answer.calls.append(ToolCall(id: id, name: name, arguments: ""))
            case .toolCallArguments(let index, let piece): answer.calls[index].arguments += piece
            case .finished(let reason, let usage): (answer.reason, answer.usage) = (reason, usage)
            }
        }
        return answer
    }

    @Test(arguments: ["tagged", "bare", "listed", "named", "unaware"])
    func callsThatAreRequired(format: String) async throws {
        try await withTemporaryFolder { url in
            let template = try #require(Self.templates[format])
            let model = try await ReadingTests.model(in: url, contextLength: 1024, template: template)
            for seed in 0..<4 as Range<UInt64> {
                let wanted = options(seed) {
                    $0.tools = Self.tools
                    $0.toolChoice = seed == 0 ? .named("look") : .required
                    $0.parallelToolCalls = seed > 1
                }
                let found = try await answer(model.chat([.user("Go")], wanted))
                guard found.reason != .length else { continue }
                #expect(found.reason == .toolCalls && found.text.isEmpty, "\(found)")
                #expect(!found.calls.isEmpty && (found.calls.count == 1 || seed > 1))
                for call in found.calls {
                    if call.name == "look" {
                        let arguments = try JSONDecoder().decode([String: String].self, from: Data(call.arguments.utf8))
                        #expect(["fox", "river"].contains(arguments["at"]))
                    } else {
                        #expect(call.name == "wait" && seed > 0)
                        #expect(try JSONDecoder().decode([String: Int].self, from: Data(call.arguments.utf8)) == [:])
                    }
                }
                #expect(Set(found.calls.map(\.id)).count == found.calls.count)
                let again = try await answer(model.chat([.user("Go")], wanted))
                #expect(again.calls == found.calls && again.text == found.text)
            }
        }
    }

    @Test func outputFormats() async throws {
        try await withTemporaryFolder { url in
            let model = try await ReadingTests.model(in: url)
            let schema =
                #"{"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"], "#
                + #""additionalProperties": false}"#
            let formats: [(OutputFormat, Regex<Substring>)] = [
                (.jsonSchema(schema), /\{\s*"a":\s?\s*(?:true|false)\s*\}/), (.regex("(ab|cd){2}"), /(?:ab|cd){2}/),
                (.grammar("root ::= \"x\" [0-9]+ \"y\""), /x[0-9]+y?/), (.json, /\{[\s\S]*/),
            ]
            for (format, pattern) in formats {
                let wanted = options(3) {
                    $0.output = format
                    $0.maxTokens = 60
                }
                for stream in [
                    try await model.chat([.user("Go")], wanted), try await model.complete("Go", wanted),
                ] {
                    let found = try await answer(stream)
                    #expect(try pattern.wholeMatch(in: found.text) != nil, "\(format): \(found.text)")
                }
            }
        }
    }

    @Test func logprobsFollowTheText() async throws {
        try await withTemporaryFolder { url in
            let model = try await ReadingTests.model(in: url)
            for stop in [[], ["e"], ["xyz"]] {
                let wanted = options(5) {
                    $0.logprobs = 3
                    $0.stop = stop
                    $0.maxTokens = 40
                    $0.sampling.temperature = 0.5
                }
                let found = try await answer(model.complete("The", wanted))
                #expect(found.tokens.allSatisfy { $0.top.count == 3 && ($0.logprob ?? 1) <= 0 })
                let spelled = String(decoding: found.tokens.flatMap(\.bytes), as: UTF8.self)
                #expect(stop.isEmpty ? spelled == found.text : spelled.hasPrefix(found.text), "\(stop)")
                if stop.isEmpty { #expect(found.tokens.count >= found.usage.completionTokens - 1) }
            }
        }
    }

    /// What the template opened is reasoning, and free though the answer is not.
    @Test func reasoningComesFirst() async throws {
        try await withTemporaryFolder { url in
            let template = chatMLTemplate + "{% if add_generation_prompt %}<think>\n{% endif %}"
            let model = try await ReadingTests.model(in: url, template: template)
            let found = try await answer(model.chat([.user("Go")], options(1) { $0.maxTokens = 30 }))
            #expect(found.text.isEmpty && !found.reasoning.isEmpty)
            #expect(found.usage.reasoningTokens == found.usage.completionTokens || found.reason == .stop)
        }
    }

    @Test func faultsAreNamed() async throws {
        try await withTemporaryFolder { url in
            let model = try await ReadingTests.model(in: url)
            let faults: [(String, (inout ChatOptions) -> Void)] = [
                ("tools", { $0.tools = [Self.tools[0], Self.tools[0]] }),
                ("tool_choice", { $0.toolChoice = .required }),
                ("tool_choice", { ($0.tools, $0.toolChoice) = (Self.tools, .named("run")) }),
                ("response_format", { $0.output = .jsonSchema("{\"type\": 3}") }),
                (
                    "response_format",
                    {
                        ($0.tools, $0.toolChoice, $0.output) = (Self.tools, .required, .json)
                    }
                ),
                ("regex", { $0.output = .regex("(") }),
                ("grammar", { $0.output = .grammar("root ::= other") }),
                ("top_logprobs", { $0.logprobs = -1 }),
                ("speculation", { $0.speculation = .draft(length: 3) }),
                ("chat_template_kwargs.x", { $0.templateVariables = ["x": "{"] }),
            ]
            for (name, change) in faults {
                let error = await #expect(throws: EngineError.self) {
                    try await model.chat([.user("Go")], options(0, change))
                }
                if case .badOption(let found, _)? = error { #expect(found == name) } else { Issue.record("\(name)") }
            }
            await #expect(throws: EngineError.self) {
                try await model.complete("Go", options(0) { $0.tools = Self.tools })
            }
            #expect(await model.load.usedPages == 0)
        }
    }

    /// Conversations with calls and their results are rendered by every kind of template.
    @Test func conversationsWithCalls() async throws {
        try await withTemporaryFolder { url in
            let template =
                chatMLTemplate
                + "{% for m in messages %}{% for c in m.tool_calls or [] %}{{ c.function.name }}"
                + "({{ c.function.arguments.at }}){% endfor %}{% endfor %}{% if tools %}<tool_call>{% endif %}"
            let aware = try await ReadingTests.model(in: url, contextLength: 1024, template: template)
            let messages = [
                ChatMessage.user("Go"),
                ChatMessage(
                    role: "assistant", content: "",
                    toolCalls: [ToolCall(id: "call_1", name: "look", arguments: #"{"at": "fox"}"#)]),
                ChatMessage(role: "tool", content: "It sleeps.", toolCallID: "call_1"),
            ]
            let plain = [messages[0]]
            let (all, one) = (
                try await aware.countTokens(messages, ChatOptions()), try await aware.countTokens(plain, ChatOptions())
            )
            let difference = all - one
            #expect(difference > 8)
            var bad = messages
            bad[1].toolCalls[0].arguments = "{"
            await #expect(throws: EngineError.self) { try await aware.countTokens(bad, ChatOptions()) }
            let unaware = try await ReadingTests.model(in: url, contextLength: 1024)
            var options = ChatOptions()
            let without = try await unaware.countTokens(messages, options)
            options.tools = Self.tools
            #expect(try await unaware.countTokens(messages, options) > without + 20)
            options.toolChoice = .none
            #expect(try await unaware.countTokens(messages, options) == without)
        }
    }
}
