// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import Logging

extension Call {
    /// A response that sends events while they come; when the client goes away, `write` is cancelled.
    ///
    /// The connection's input is used up by watching for that, so it is closed afterwards.
    func events(
        _ write: @escaping @concurrent @Sendable (inout any ResponseBodyWriter) async throws -> Void
    ) -> Response {
        let request = request
        let body = ResponseBody { writer in
            try await request.body.consumeWithCancellationOnInboundClose { _ in try await write(&writer) }
            try await writer.finish(nil)
        }
        return Response(
            status: .ok,
            headers: [
                .contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-cache", .connection: "close",
            ], body: body)
    }

    /// Waits for `answer`, and cancels it when the client goes away before.
    func watched(_ answer: @escaping @Sendable () async throws -> JSONValue) async throws -> Response {
        do {
            var response = try await request.body.consumeWithCancellationOnInboundClose { _ in
                Response(json: try await answer())
            }
            response.headers[.connection] = "close"
            return response
        } catch let error as CancellationError {
            throw error
        } catch {
            var shaped = APIError(error)
            if shaped.status == .internalServerError {
                asker.logger.error("request failed", metadata: ["error": "\(error)"])
            }
            shaped.headers[.connection] = "close"
            throw shaped
        }
    }
}
