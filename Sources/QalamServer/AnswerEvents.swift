// SPDX-License-Identifier: Apache-2.0

import QalamEngine
import ServiceLifecycle

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
/// The streams are dropped, and with that the models' work ends, as soon as `body` throws or the task is cancelled. When
/// the server is told to stop, the answers get `grace` to end; then they fail with `APIError.stopping`.
func withAnswerEvents(
    of streams: [AsyncThrowingStream<TextEvent, any Error>], tick: Duration, grace: Duration,
    _ body: @concurrent (AnswerEvent) async throws -> Void
) async throws {
    let (events, continuation) = AsyncStream<AnswerEvent>.makeStream()
    try await withThrowingTaskGroup(of: Void.self) { group in
        for (choice, stream) in streams.enumerated() {
            group.addTask {
                do {
                    for try await event in stream { continuation.yield(.event(choice: choice, event)) }
                    // Without effect after `finished`: nobody waits for this answer any more.
                    continuation.yield(.failed(UnfinishedAnswer(choice: choice)))
                } catch {
                    continuation.yield(.failed(error))
                }
            }
        }
        group.addTask {
            while true {
                try await Task.sleep(for: tick)
                continuation.yield(.tick)
            }
        }
        group.addTask {
            try await gracefulShutdown()
            try await Task.sleep(for: grace)
            continuation.yield(.failed(APIError.stopping))
        }
        defer { group.cancelAll() }

        var running = Set(streams.indices)
        for await event in events {
            if case .failed(let error) = event {
                if let unfinished = error as? UnfinishedAnswer, !running.contains(unfinished.choice) { continue }
            }
            try await body(event)
            if case .failed = event { return }
            if case .event(let choice, .finished) = event { running.remove(choice) }
            if running.isEmpty { return }
        }
        try Task.checkCancellation()
    }
}

/// A model's stream ended without saying why.
struct UnfinishedAnswer: Error {
    /// Which answer of the request.
    let choice: Int
}
