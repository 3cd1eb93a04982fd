// SPDX-License-Identifier: Apache-2.0

import Logging
import QalamEngine
import Synchronization

/// What happens while one or more answers are written.
enum AnswerEvent: Sendable {
    /// Answer number `choice` goes on.
    case event(choice: Int, TextEvent)
    /// A model failed, or broke its contract; nothing more comes.
    case failed(any Error)
    /// Some time has passed.
    case tick
}

/// Answers while they are written: what happens to any of them, one after the other.
///
/// The models' work ends with this object, when whoever asked has left, or some time after the server was told to stop.
/// A stream waits most of its life, so that there is one task for each answer and none for the rest.
final class RunningAnswers: Sendable {
    private let generation: Generation
    private let events: AsyncStream<AnswerEvent>
    private let readers: [Task<Void, Never>]
    private let beat: Int
    private let ledger: Ledger

    /// Begins to read the answers.
    init(_ generation: Generation) {
        let (events, continuation) = AsyncStream<AnswerEvent>.makeStream()
        self.generation = generation
        self.events = events
        ledger = Ledger(count: generation.count, start: generation.start)
        beat = generation.platform.pulse.join { continuation.yield(.tick) }
        readers = generation.streams.enumerated().map { choice, stream in
            Task.detached { await Self.read(stream, choice, into: continuation) }
        }
        generation.asker.interruption.listen { reason in
            switch reason {
            case .left: continuation.finish()
            case .stopping: continuation.yield(.failed(APIError.stopping))
            }
        }
    }

    deinit {
        for reader in readers { reader.cancel() }
        generation.platform.pulse.leave(beat)
        // What a client that went away has had is counted too.
        settle()
    }

    /// What happens next; nil: all answers have ended, or one has failed.
    /// - Throws: `CancellationError` if nobody waits for them any more
    func next() async throws -> AnswerEvent? {
        if ledger.isOver {
            settle()
            return nil
        }
        var iterator = events.makeAsyncIterator()
        guard let event = await iterator.next() else { throw CancellationError() }
        note(event)
        return event
    }

    /// Counts what has happened; inline, it would make the memory larger that waiting for it takes.
    @inline(never)
    private func note(_ event: AnswerEvent) {
        switch event {
        case .event(let choice, let event):
            if let (isFirst, time) = ledger.note(event, choice: choice) {
                generation.platform.metrics.piece(isFirst: isFirst, after: time, model: generation.model)
            }
        case .failed(let error):
            ledger.fail()
            if !(error is APIError), !(error is EngineError) {
                generation.asker.logger.error("answer failed", metadata: ["error": "\(error)"])
            }
        case .tick: break
        }
    }

    /// Counts what the answers have cost, once.
    private func settle() {
        guard let usages = ledger.settle() else { return }
        generation.platform.meter.count(
            generation.usage(usages), model: generation.model, asker: generation.asker)
    }

    private static func read(
        _ stream: Generation.Stream, _ choice: Int, into continuation: AsyncStream<AnswerEvent>.Continuation
    ) async {
        do {
            for try await event in stream {
                continuation.yield(.event(choice: choice, event))
                if case .finished = event { return }
            }
            // A stream ends early, too, when whoever reads it has gone.
            try Task.checkCancellation()
            throw UnfinishedAnswer()
        } catch {
            continuation.yield(.failed(error))
        }
    }
}

/// A model's stream ended without saying why.
struct UnfinishedAnswer: Error {}

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
