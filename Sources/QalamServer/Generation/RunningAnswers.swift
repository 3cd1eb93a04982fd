// SPDX-License-Identifier: Apache-2.0

import Logging
import QalamEngine
import Synchronization

/// What happens while one or more answers are written.
typealias AnswerEvent = Happening<TextEvent>

/// Answers while they are written: what happens to any of them, one after the other.
final class RunningAnswers: Sendable {
    private let generation: Generation
    private let reader: EventReader<TextEvent>
    private let ledger: Ledger

    /// Begins to read the answers, on `executor`.
    init(_ generation: Generation, on executor: (any TaskExecutor)?) {
        self.generation = generation
        reader = EventReader(
            generation.streams, generation.platform.pulse, generation.asker.interruption, on: executor)
        ledger = Ledger(count: generation.count, start: generation.start)
    }

    // What a client that went away has had is counted too.
    deinit { settle() }

    /// What happens next; nil: all answers have ended, or one has failed.
    /// - Throws: `CancellationError` if nobody waits for them any more
    func next() async throws -> AnswerEvent? {
        while true {
            if ledger.isOver {
                settle()
                return nil
            }
            if let event = note(try await reader.next()) { return event }
        }
    }

    /// Counts what has happened; inline, it would make the memory larger that waiting for it takes.
    @inline(never)
    private func note(_ event: AnswerEvent) -> AnswerEvent? {
        switch event {
        case .event(let choice, let text):
            if let (isFirst, time) = ledger.note(text, choice: choice) {
                generation.platform.metrics.piece(isFirst: isFirst, after: time, model: generation.model)
            }
        case .ended(let choice): return ledger.isFinished(choice) ? nil : note(.failed(UnfinishedAnswer()))
        case .failed(let error):
            ledger.fail()
            if !(error is APIError), !(error is EngineError) {
                let asker = generation.asker
                asker.logger.error("answer failed", metadata: asker.metadata.merging(["error": "\(error)"]) { $1 })
            }
        case .tick: break
        }
        return event
    }

    /// Counts what the answers have cost, once.
    private func settle() {
        guard let usages = ledger.settle() else { return }
        generation.platform.meter.count(
            generation.usage(usages), model: generation.model, asker: generation.asker)
    }
}

/// Keeps count of what the answers of one request have cost so far.
private final class Ledger: Sendable {
    private struct State {
        var finished: [Usage?]
        var pieces: [Int]
        var last: [ContinuousClock.Instant]
        var hasFailed = false
        var isSettled = false
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

    /// Whether answer number `choice` has said why it ended.
    func isFinished(_ choice: Int) -> Bool { state.withLock { $0.finished[choice] != nil } }

    /// Notes that nothing more comes.
    func fail() { state.withLock { $0.hasFailed = true } }

    /// Whether nothing more comes.
    var isOver: Bool { state.withLock { $0.hasFailed || !$0.finished.contains { $0 == nil } } }

    /// The usage of each answer, the first time it is asked for: as the model says, or of those cut off as many tokens
    /// as there were pieces.
    func settle() -> [Usage]? {
        state.withLock { state in
            guard !state.isSettled else { return nil }
            state.isSettled = true
            return zip(state.finished, state.pieces).map { $0 ?? Usage(promptTokens: 0, completionTokens: $1) }
        }
    }
}
