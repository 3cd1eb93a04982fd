// SPDX-License-Identifier: Apache-2.0

/// A chat model of a library: open only while it is needed.
public struct LibraryModel: ChatModel {
    /// The name clients ask for.
    public let id: String
    /// When the model was made, in Unix seconds.
    public let created: Int
    /// The most tokens that prompt and answer may take together.
    public let contextLength: Int
    private let library: ModelLibrary<any ChatModel>

    /// The model called `id` in `library`, with what is known of it before it is opened.
    public init(id: String, created: Int, contextLength: Int, library: ModelLibrary<any ChatModel>) {
        self.id = id
        self.created = created
        self.contextLength = contextLength
        self.library = library
    }

    /// Answers a conversation; the model stays open at least until the stream has ended or is dropped.
    public func chat(
        _ messages: [ChatMessage], _ options: ChatOptions
    ) async throws -> AsyncThrowingStream<TextEvent, any Error> {
        let lease = try await library.lease(id)
        let events = try await lease.model.chat(messages, options)
        return AsyncThrowingStream { continuation in
            let task = Task {
                defer { withExtendedLifetime(lease) {} }
                do {
                    for try await event in events { continuation.yield(event) }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }
}
