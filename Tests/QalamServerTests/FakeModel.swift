// SPDX-License-Identifier: Apache-2.0

import QalamEngine
import Synchronization

/// A model that does what a test says.
struct FakeModel: ChatModel {
    /// How a fake answers: it gets the conversation, the options, and where to put the events.
    typealias Answer =
        @Sendable (
            [ChatMessage], ChatOptions, AsyncThrowingStream<TextEvent, any Error>.Continuation
        ) async throws -> Void

    let id: String
    let created = 1_700_000_000
    let contextLength = 128
    let answer: Answer

    init(id: String = "fake", answer: @escaping Answer) {
        self.id = id
        self.answer = answer
    }

    func chat(
        _ messages: [ChatMessage], _ options: ChatOptions
    ) async throws -> AsyncThrowingStream<TextEvent, any Error> {
        let (stream, continuation) = AsyncThrowingStream<TextEvent, any Error>.makeStream()
        try await answer(messages, options, continuation)
        return stream
    }

    /// A model that says these pieces and ends; 7 tokens of prompt, one token a piece.
    static func saying(_ pieces: String..., id: String = "fake", reason: FinishReason = .stop) -> FakeModel {
        FakeModel(id: id) { _, _, continuation in
            for piece in pieces { continuation.yield(.text(piece)) }
            continuation.yield(.finished(reason, Usage(promptTokens: 7, completionTokens: pieces.count)))
            continuation.finish()
        }
    }

    /// A model that tells what it was asked.
    static let echo = FakeModel { messages, options, continuation in
        continuation.yield(.text("\(messages.map { "\($0.role): \($0.content)" }) \(options.sampling)"))
        continuation.yield(.finished(.stop, Usage(promptTokens: 1, completionTokens: 1)))
        continuation.finish()
    }

    /// A model that refuses the request.
    static func refusing(_ error: any Error) -> FakeModel {
        FakeModel { _, _, _ in throw error }
    }

    /// A model that says one word every `interval` until it is dropped, which `watch` sees.
    static func endless(every interval: Duration, watch: Watch, id: String = "fake") -> FakeModel {
        FakeModel(id: id) { _, _, continuation in
            let task = Task {
                while !Task.isCancelled {
                    continuation.yield(.text("word "))
                    try? await Task.sleep(for: interval)
                }
            }
            watch.started()
            continuation.onTermination = { _ in
                task.cancel()
                watch.dropped()
            }
        }
    }
}

/// Counts the streams that were begun and dropped.
final class Watch: Sendable {
    private let counts = Mutex((started: 0, dropped: 0))

    func started() { counts.withLock { $0.started += 1 } }
    func dropped() { counts.withLock { $0.dropped += 1 } }
    var startedCount: Int { counts.withLock { $0.started } }
    var droppedCount: Int { counts.withLock { $0.dropped } }

    /// Whether `condition` holds within `limit`.
    func soon(within limit: Duration = .seconds(5), _ condition: (Watch) -> Bool) async throws -> Bool {
        let end = ContinuousClock.now + limit
        while !condition(self) {
            guard ContinuousClock.now < end else { return false }
            try await Task.sleep(for: .milliseconds(5))
        }
        return true
    }
}
