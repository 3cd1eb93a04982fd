// SPDX-License-Identifier: Apache-2.0

package import Hummingbird
import NIOCore

/// Answers each request in a task of its own.
///
/// The memory that a task's calls have needed stays with it as long as it lives. A connection lives long, a stream on it
/// waits most of the time, and what led to the stream goes deep: so that is not done in the connection's task.
struct TaskResponder<Inner: HTTPResponder>: HTTPResponder where Inner.Context == ServerContext {
    let inner: Inner

    func respond(to request: Request, context: ServerContext) async throws -> Response {
        try await withThrowingTaskGroup(of: Response.self) { group in
            group.addTask { try await inner.respond(to: request, context: context) }
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

    /// The context of a request from `source`.
    package init(source: Source) {
        channel = source.channel
        coreContext = CoreRequestContextStorage(source: source)
    }
}
