// SPDX-License-Identifier: Apache-2.0

import Logging
import QalamEngine
import Synchronization

/// Answers that a model is about to write, for one request: all APIs run theirs through here, so that limits, accounts
/// and times are kept in one place.
struct Generation: Sendable {
    /// A model's events.
    typealias Stream = AsyncThrowingStream<TextEvent, any Error>

    /// The model's name.
    let model: String
    private let streams: [Stream]
    private let pass: AnswerGate.Pass
    private let platform: Platform
    private let asker: Asker
    private let perPrompt: Int
    private let start = ContinuousClock.now

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

    /// Calls `body` for what happens, in order, until all answers have ended or one has failed.
    func run(_ body: @concurrent (AnswerEvent) async throws -> Void) async throws {
        defer { withExtendedLifetime(pass) {} }
        let ledger = Ledger(count: streams.count, start: start)
        defer {
            // What a client that went away has had is counted too.
            platform.meter.count(usage(ledger.usages), model: model, asker: asker)
        }
        try await withAnswerEvents(
            of: streams, pulse: platform.pulse, departure: asker.departure, grace: platform.configuration.grace
        ) { event in
            if case .event(let choice, let event) = event {
                if let (isFirst, time) = ledger.note(event, choice: choice) {
                    platform.metrics.piece(isFirst: isFirst, after: time, model: model)
                }
            }
            if case .failed(let error) = event, !(error is APIError), !(error is EngineError) {
                asker.logger.error("answer failed", metadata: ["error": "\(error)"])
            }
            try await body(event)
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
            case .tick: break
            }
        }
        return answers
    }
}

/// Keeps count of what the answers of one request have cost so far.
private final class Ledger: Sendable {
    private struct State {
        var finished: [Usage?]
        var pieces: [Int]
        var last: [ContinuousClock.Instant]
    }

    private let state: Mutex<State>

    init(count: Int, start: ContinuousClock.Instant) {
        state = Mutex(
            State(
                finished: Array(repeating: nil, count: count), pieces: Array(repeating: 0, count: count),
                last: Array(repeating: start, count: count)))
    }

    /// Notes an event; of a piece, whether it is the first and how long it took to come.
    func note(_ event: TextEvent, choice: Int) -> (isFirst: Bool, time: Duration)? {
        state.withLock { state in
            if case .finished(_, let usage) = event {
                state.finished[choice] = usage
                return nil
            }
            let now = ContinuousClock.now
            defer {
                state.pieces[choice] += 1
                state.last[choice] = now
            }
            return (state.pieces[choice] == 0, state.last[choice].duration(to: now))
        }
    }

    /// The usage of each answer: as the model says, or of those cut off as many tokens as there were pieces.
    var usages: [Usage] {
        state.withLock { state in
            zip(state.finished, state.pieces).map { $0 ?? Usage(promptTokens: 0, completionTokens: $1) }
        }
    }
}
