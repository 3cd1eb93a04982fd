// SPDX-License-Identifier: Apache-2.0

package import Hummingbird

/// The framing of server-sent events, as OpenAI's clients read it.
package enum ServerSentEvent: Sendable, Equatable {
    /// `data:` and JSON on one line.
    case json(JSONValue)
    /// The end of a stream: `data: [DONE]`.
    case done
    /// A comment: no event, but it keeps proxies from cutting a silent stream.
    case keepAlive

    /// The bytes of the event, its blank line included.
    package var buffer: ByteBuffer {
        switch self {
        case .json(let value):
            var bytes = Array("data: ".utf8)
            value.write(to: &bytes)
            bytes += "\n\n".utf8
            return ByteBuffer(bytes: bytes)
        case .done: return ByteBuffer(string: "data: [DONE]\n\n")
        case .keepAlive: return ByteBuffer(string: ": keep-alive\n\n")
        }
    }
}
