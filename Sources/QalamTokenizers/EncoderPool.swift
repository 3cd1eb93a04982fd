private import Synchronization

/// Encoders that wait for the next text, so that their caches stay warm; at most one for each text encoded at a time.
final class EncoderPool: Sendable {
    private struct Idle: ~Copyable {
        var encoders: [(PieceEncoder, TokenBuffer)] = []
    }

    /// Encoders kept when no text is being encoded.
    private static let kept = 8
    private let idle = Mutex<[(PieceEncoder, TokenBuffer)]>([])

    /// Calls `body` with an encoder and an empty buffer that no one else holds.
    func withEncoder<R>(_ body: (inout PieceEncoder, inout TokenBuffer) -> R) -> R {
        var (encoder, output) = idle.withLock { $0.popLast() } ?? (PieceEncoder(), TokenBuffer())
        defer {
            idle.withLock { if $0.count < Self.kept { $0.append((encoder, output)) } }
        }
        return body(&encoder, &output)
    }
}
