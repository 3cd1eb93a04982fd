// SPDX-License-Identifier: Apache-2.0

import Logging
import QalamEngine

/// Answers that a model is about to write, for one request: all APIs run theirs through here, so that limits, accounts
/// and times are kept in one place.
struct Generation: Sendable {
    /// A model's events.
    typealias Stream = AsyncThrowingStream<TextEvent, any Error>

    /// The model's name.
    let model: String
    /// The answers.
    let streams: [Stream]
    private let pass: AnswerGate.Pass
    /// What all handlers share.
    let platform: Platform
    /// Who asks.
    let asker: Asker
    private let perPrompt: Int
    /// When the answers were asked for.
    let start = ContinuousClock.now

    /// How many answers there are.
    var count: Int { streams.count }

    /// Asks `model` for `count` answers, each begun by `begin`, which gets the answer's number; `perPrompt` of them, by
    /// default all, answer the same prompt.
    ///
    /// A fault in the request shows here, before anything is sent.
    /// - Throws: what `begin` throws, or `APIError.busy`
    init(
        _ model: any ServedModel, count: Int, perPrompt: Int? = nil, _ platform: Platform, _ asker: Asker,
        _ begin: (Int) async throws -> Stream
    ) async throws {
        self.model = model.id
        self.platform = platform
        self.asker = asker
        self.perPrompt = max(perPrompt ?? count, 1)
        pass = try platform.gate.enter(count)
        var streams: [Stream] = []
        for number in 0..<count { streams.append(try await begin(number)) }
        self.streams = streams
    }

    /// Begins to read the answers, on the thread of the connection that they go to.
    func begin() -> RunningAnswers { RunningAnswers(self, on: LoopExecutor.current) }

    /// Calls `body` for what happens, in order, until all answers have ended or one has failed.
    @concurrent
    func run(_ body: @concurrent (AnswerEvent) async throws -> Void) async throws {
        try await asker.interruption.whileServing(grace: platform.configuration.grace) {
            let answers = RunningAnswers(self, on: nil)
            while let event = try await answers.next() { try await body(event) }
        }
    }

    /// What answers with these usages cost together: each prompt is counted once.
    func usage(_ usages: [Usage]) -> Usage {
        var total = Usage.none
        for start in stride(from: 0, to: usages.count, by: perPrompt) {
            var sum = Usage.none
            for usage in usages[start..<min(start + perPrompt, usages.count)] { sum.add(choice: usage) }
            total.add(sum)
        }
        return total
    }

    /// Waits for all answers.
    func collect() async throws -> [Answer] {
        var answers = Array(repeating: Answer(), count: streams.count)
        try await run { event in
            switch event {
            case .event(let choice, let event): answers[choice].take(event)
            case .failed(let error): throw error
            case .tick, .ended: break
            }
        }
        return answers
    }
}
