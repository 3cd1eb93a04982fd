// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// What happens while a model's streams are read.
enum Happening<Event: Sendable>: Sendable {
    /// Stream number `choice` goes on.
    case event(choice: Int, Event)
    /// Stream number `choice` has ended.
    case ended(choice: Int)
    /// A model failed, or the server stops; nothing more comes.
    case failed(any Error)
    /// Some time has passed.
    case tick
}

/// Reads several streams at once: what happens in any of them, one after the other.
///
/// The models' work ends with this object, when whoever asked has left, or some time after the server was told to stop.
/// Who reads waits most of the time, so that there is one task for each stream and none for the rest.
final class EventReader<Event: Sendable>: Sendable {
    private let events: AsyncStream<Happening<Event>>
    private let readers: [Task<Void, Never>]
    private let pulse: Pulse
    private let beat: Int

    /// Begins to read, on `executor`: what a connection writes is best read on its own thread, since each change of
    /// threads takes longer than all else that is done for a token.
    init(
        _ streams: [AsyncThrowingStream<Event, any Error>], _ pulse: Pulse, _ interruption: Interruption,
        on executor: (any TaskExecutor)? = nil
    ) {
        let (events, continuation) = AsyncStream<Happening<Event>>.makeStream()
        self.events = events
        self.pulse = pulse
        beat = pulse.join { continuation.yield(.tick) }
        readers = streams.enumerated().map { choice, stream in
            Task.detached(executorPreference: executor) { await Self.read(stream, choice, into: continuation) }
        }
        interruption.listen { reason in
            switch reason {
            case .left: continuation.finish()
            case .stopping: continuation.yield(.failed(APIError.stopping))
            }
        }
    }

    deinit {
        for reader in readers { reader.cancel() }
        pulse.leave(beat)
    }

    /// What happens next.
    /// - Throws: `CancellationError` if nobody waits for it any more
    func next() async throws -> Happening<Event> {
        var iterator = events.makeAsyncIterator()
        guard let event = await iterator.next() else { throw CancellationError() }
        return event
    }

    private static func read(
        _ stream: AsyncThrowingStream<Event, any Error>, _ choice: Int,
        into continuation: AsyncStream<Happening<Event>>.Continuation
    ) async {
        do {
            for try await event in stream { continuation.yield(.event(choice: choice, event)) }
            // A stream ends early, too, when whoever reads it has gone.
            if !Task.isCancelled { continuation.yield(.ended(choice: choice)) }
        } catch {
            continuation.yield(.failed(error))
        }
    }
}

/// A model's stream ended without saying why.
struct UnfinishedAnswer: Error {}
