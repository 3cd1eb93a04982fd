// SPDX-License-Identifier: Apache-2.0

import QalamEngine
import ServiceLifecycle
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

/// Reads several answers at once, and calls `body` for what happens, in order, until all have ended.
///
/// The streams are dropped, and with that the models' work ends, as soon as `body` throws, the task is cancelled or
/// whoever asked has left. When the server is told to stop, the answers get `grace` to end; then they fail with
/// `APIError.stopping`. A stream waits most of its life, so nothing here has a task of its own but the reading.
func withAnswerEvents(
    of streams: [AsyncThrowingStream<TextEvent, any Error>], pulse: Pulse, departure: Departure?, grace: Duration,
    _ body: @concurrent (AnswerEvent) async throws -> Void
) async throws {
    let (events, continuation) = AsyncStream<AnswerEvent>.makeStream()
    let beat = pulse.join { continuation.yield(.tick) }
    defer { pulse.leave(beat) }
    departure?.whenLeft { continuation.finish() }
    try await withThrowingTaskGroup(of: Void.self) { group in
        for (choice, stream) in streams.enumerated() {
            group.addTask { await read(stream, choice, into: continuation) }
        }
        defer { group.cancelAll() }
        try await withGracefulShutdownHandler {
            var running = streams.count
            for await event in events {
                try await body(event)
                if case .failed = event { return }
                if case .event(_, .finished) = event { running -= 1 }
                if running == 0 { return }
            }
            throw CancellationError()  // why the loop has ended: `events` never does by itself
        } onGracefulShutdown: {
            Task {
                try await Task.sleep(for: grace)
                continuation.yield(.failed(APIError.stopping))
            }
        }
    }
}

private func read(
    _ stream: AsyncThrowingStream<TextEvent, any Error>, _ choice: Int,
    into continuation: AsyncStream<AnswerEvent>.Continuation
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

/// A model's stream ended without saying why.
struct UnfinishedAnswer: Error {}

/// Tells all answers being written that time passes: one task for as many as there are.
final class Pulse: Service {
    private struct State {
        var listeners: [Int: @Sendable () -> Void] = [:]
        var last = 0
    }

    private let interval: Duration
    private let state = Mutex(State())

    /// A pulse that beats every `interval` while it runs.
    init(every interval: Duration) {
        self.interval = interval
    }

    /// Calls `listener` at each beat from now on; `leave` with the number returned ends that.
    func join(_ listener: @escaping @Sendable () -> Void) -> Int {
        state.withLock { state in
            state.last += 1
            state.listeners[state.last] = listener
            return state.last
        }
    }

    /// Ends what `join` began.
    func leave(_ number: Int) { _ = state.withLock { $0.listeners.removeValue(forKey: number) } }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: self.interval)
                for listener in self.state.withLock({ Array($0.listeners.values) }) { listener() }
            }
        }
    }
}

/// Knows whether whoever asked has left, and tells who wants to know.
final class Departure: Sendable {
    private struct State {
        var hasLeft = false
        var listeners: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())

    /// Whether the asker has left.
    var hasLeft: Bool { state.withLock { $0.hasLeft } }

    /// Calls `listener` once the asker has left.
    func whenLeft(_ listener: @escaping @Sendable () -> Void) {
        let isNow = state.withLock { state in
            if !state.hasLeft { state.listeners.append(listener) }
            return state.hasLeft
        }
        if isNow { listener() }
    }

    /// Notes that the asker has left.
    func leave() {
        let listeners = state.withLock { state in
            state.hasLeft = true
            defer { state.listeners = [] }
            return state.listeners
        }
        for listener in listeners { listener() }
    }
}
