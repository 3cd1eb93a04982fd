// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import Logging

extension Call {
    /// A response that sends events while they come; when the client goes away, the answers in it end.
    ///
    /// The connection's input is used up by watching for that, so it is closed afterwards.
    func events(
        _ write: @escaping @concurrent @Sendable (inout any ResponseBodyWriter) async throws -> Void
    ) -> Response {
        let (request, departure) = (request, asker.departure)
        let body = ResponseBody { writer in
            try await request.body.consumeWithInboundCloseHandler { _ in
                try await write(&writer)
            } onInboundClosed: {
                departure?.leave()
            }
            try await writer.finish(nil)
        }
        return Response(
            status: .ok,
            headers: [
                .contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-cache", .connection: "close",
            ], body: body)
    }

    /// Waits for `answer`, which ends early when the client goes away before.
    func watched(_ answer: @escaping @Sendable () async throws -> JSONValue) async throws -> Response {
        let departure = asker.departure
        do {
            var response = try await request.body.consumeWithInboundCloseHandler { _ in
                Response(json: try await answer())
            } onInboundClosed: {
                departure?.leave()
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
