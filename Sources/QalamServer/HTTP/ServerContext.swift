// SPDX-License-Identifier: Apache-2.0

package import Hummingbird
import Logging
import NIOCore

/// Answers each request that has a body in a task of its own, away from the event loop: it may take its time.
///
/// The memory that a task's calls have needed stays with it as long as it lives. A connection lives long, a stream on
/// it waits most of the time, and what led to the stream goes deep: so that is not done in the connection's task.
struct TaskResponder<Inner: HTTPResponder>: HTTPResponder where Inner.Context == ServerContext {
    let inner: Inner

    func respond(to request: Request, context: ServerContext) async throws -> Response {
        if request.method == .get || request.method == .head {
            return try await inner.respond(to: request, context: context)
        }
        return try await withThrowingTaskGroup(of: Response.self) { group in
            group.addTask(executorPreference: globalConcurrentExecutor) {
                try await inner.respond(to: request, context: context)
            }
            guard let response = try await group.next() else { throw CancellationError() }
            return response
        }
    }
}

/// What belongs to one request while it is answered.
package struct ServerContext: RequestContext {
    /// Hummingbird's own part.
    package var coreContext: CoreRequestContextStorage
    /// The connection that the request came on.
    let channel: any Channel
    /// The request's id, as its sender gets it.
    package var requestID = ""
    /// The trace that the request belongs to, if its sender said so.
    var trace: String?

    /// What log lines say of the request; held here, it takes less memory than in the logger.
    var metadata: Logger.Metadata {
        var metadata: Logger.Metadata = ["request": .string(requestID)]
        if let trace { metadata["trace"] = .string(trace) }
        return metadata
    }

    /// The context of a request from `source`.
    package init(source: Source) {
        channel = source.channel
        coreContext = CoreRequestContextStorage(source: source)
    }
}
