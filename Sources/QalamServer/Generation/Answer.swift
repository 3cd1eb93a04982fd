// SPDX-License-Identifier: Apache-2.0

import QalamEngine

/// An answer as far as it has been written.
struct Answer: Sendable {
    /// What the model said.
    var text = ""
    /// What it thought before.
    var reasoning = ""
    /// The tools it called.
    var calls: [ToolCall] = []
    /// The tokens of the text, if they were asked for.
    var tokens: [ScoredToken] = []
    /// Why it ended.
    var finish = FinishReason.stop
    /// What it cost.
    var usage = Usage(promptTokens: 0, completionTokens: 0)

    /// Adds what has been written since.
    mutating func take(_ event: TextEvent) {
        switch event {
        case .text(let text, let tokens):
            self.text += text
            self.tokens += tokens
        case .reasoning(let text, _): reasoning += text
        case .toolCallStarted(_, let id, let name): calls.append(ToolCall(id: id, name: name, arguments: ""))
        case .toolCallArguments(let index, let text):
            if calls.indices.contains(index) { calls[index].arguments += text }
        case .finished(let reason, let usage):
            finish = reason
            self.usage = usage
        }
    }
}

extension Usage {
    /// Nothing.
    static let none = Usage(promptTokens: 0, completionTokens: 0)

    /// Adds an answer to the same prompt, which is counted once.
    mutating func add(choice other: Usage) {
        // The first answer's prompt is cached for the others.
        cachedTokens = completionTokens == 0 ? other.cachedTokens : min(cachedTokens, other.cachedTokens)
        promptTokens = max(promptTokens, other.promptTokens)
        completionTokens += other.completionTokens
        reasoningTokens += other.reasoningTokens
    }

    /// Adds an answer to another prompt.
    mutating func add(_ other: Usage) {
        promptTokens += other.promptTokens
        cachedTokens += other.cachedTokens
        completionTokens += other.completionTokens
        reasoningTokens += other.reasoningTokens
    }
}
