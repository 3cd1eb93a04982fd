// SPDX-License-Identifier: Apache-2.0

package import Hummingbird

/// The framing of server-sent events, as OpenAI's clients read it.
package enum ServerSentEvent: Sendable, Equatable {
    /// `data:` and JSON on one line.
    case json(JSONValue)
    /// The same, below a line `event:` with its name.
    case named(String, JSONValue)
    /// The end of a stream: `data: [DONE]`.
    case done
    /// A comment: no event, but it keeps proxies from cutting a silent stream.
    case keepAlive

    /// The bytes of the event, its blank line included.
    package var buffer: ByteBuffer {
        switch self {
        case .json(let value): return Self.buffer("data: ", value)
        case .named(let name, let value): return Self.buffer("event: \(name)\ndata: ", value)
        case .done: return ByteBuffer(string: "data: [DONE]\n\n")
        case .keepAlive: return ByteBuffer(string: ": keep-alive\n\n")
        }
    }

    private static func buffer(_ start: String, _ value: JSONValue) -> ByteBuffer {
        var bytes = Array(start.utf8)
        value.write(to: &bytes)
        bytes += "\n\n".utf8
        return ByteBuffer(bytes: bytes)
    }
}

/// The bytes of events that differ in one text only, as those of a stream's tokens do.
struct EventTemplate: Sendable {
    private let start: [UInt8]
    private let end: [UInt8]

    /// The events that `event` makes of a text, which must stand in them once, as a JSON string.
    init(_ event: (String) -> ServerSentEvent) {
        let (without, with) = (Array(event("").buffer.readableBytesView), event("x").buffer.readableBytesView)
        // Where the text begins one has a quotation mark, the other has not.
        let length = zip(without, with).prefix { $0 == $1 }.count
        start = Array(without[..<length])
        end = Array(without[length...])
    }

    /// The event of `text`.
    func buffer(_ text: String) -> ByteBuffer {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(start.count + text.utf8.count + end.count)
        bytes += start
        JSONValue.writeContent(text, to: &bytes)
        bytes += end
        return ByteBuffer(bytes: bytes)
    }
}

extension ByteBuffer {
    /// Several events, one behind the other.
    static func joining(_ events: [ServerSentEvent]) -> ByteBuffer {
        var joined = ByteBuffer()
        for event in events { joined.writeImmutableBuffer(event.buffer) }
        return joined
    }
}

/// Notices when a stream has been silent for a whole interval.
struct Silence {
    private var isSilent = true

    /// Notes an event; true: nothing was sent since the last tick, so a sign of life is due.
    mutating func isDue<Event>(_ event: Happening<Event>) -> Bool {
        guard case .tick = event else {
            isSilent = false
            return false
        }
        defer { isSilent = true }
        return isSilent
    }
}
