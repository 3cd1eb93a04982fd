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
/// The streams are dropped, and with that the models' work ends, as soon as `body` throws or the task is cancelled.
/// When the server is told to stop, the answers get `grace` to end; then they fail with `APIError.stopping`.
func withAnswerEvents(
    of streams: [AsyncThrowingStream<TextEvent, any Error>], tick: Duration, grace: Duration,
    _ body: @concurrent (AnswerEvent) async throws -> Void
) async throws {
    let (events, continuation) = AsyncStream<AnswerEvent>.makeStream()
    try await withThrowingTaskGroup(of: Void.self) { group in
        for (choice, stream) in streams.enumerated() {
            group.addTask {
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

        var running = streams.count
        for await event in events {
            try await body(event)
            if case .failed = event { return }
            if case .event(_, .finished) = event { running -= 1 }
            if running == 0 { return }
        }
        try Task.checkCancellation()  // why the loop has ended: `events` never does by itself
    }
}

/// A model's stream ended without saying why.
struct UnfinishedAnswer: Error {}
