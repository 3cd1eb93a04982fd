// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import Logging

extension Call {
    /// A response that sends events while they come; when the client goes away, the answers in it end.
    func events(
        _ write: @escaping @concurrent @Sendable (inout any ResponseBodyWriter) async throws -> Void
    ) -> Response {
        let (channel, interruption, grace) = (context.channel, asker.interruption, platform.configuration.grace)
        let body = ResponseBody { writer in
            await interruption.watch(channel)
            try await interruption.whileServing(grace: grace) { try await write(&writer) }
            try await writer.finish(nil)
        }
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-cache"],
            body: body)
    }

    /// Waits for `answer`, which ends early when the client goes away before.
    func watched(_ answer: () async throws -> JSONValue) async throws -> Response {
        await asker.interruption.watch(context.channel)
        return Response(json: try await answer())
    }
}
