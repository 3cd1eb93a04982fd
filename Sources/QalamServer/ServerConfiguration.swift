// SPDX-License-Identifier: Apache-2.0

/// Where the server listens, and its limits.
public struct ServerConfiguration: Sendable, Equatable {
    /// The address to listen on; only this machine can reach the default.
    public var host = "127.0.0.1"
    /// The port to listen on; 0 takes any free one.
    public var port = 8080
    /// Names by which browsers may call the server, beside `host`, `localhost` and the loopback addresses.
    ///
    /// They are those that a reverse proxy passes on. Without them, a server on a loopback address refuses all other
    /// names, as they would be DNS rebinding.
    public var allowedHosts: [String] = []
    /// The largest request body, in bytes.
    public var bodyLimit = 8 << 20
    /// The most answers written at the same time; more requests are told to come back.
    public var answerLimit = 64
    /// The most answers that one request may ask for with `n`.
    public var choiceLimit = 8
    /// After this long without anything to send, a stream gets a comment, so that proxies don't cut it.
    public var keepAlive = Duration.seconds(10)
    /// How long running answers may go on once the server is told to stop.
    public var grace = Duration.seconds(5)

    /// The defaults.
    public init() {}

    /// Whether only this machine can reach the server.
    package var isLoopback: Bool {
        host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }
}

/// Why a server couldn't start.
public enum ServerError: Error, Equatable, CustomStringConvertible {
    /// Another program listens there.
    case portInUse(host: String, port: Int)
    /// This user may not listen there.
    case portNotPermitted(port: Int)
    /// There is no such port.
    case badPort(Int)
    /// The host isn't an address of this machine.
    case badHost(String)
    /// Two models have one name.
    case duplicateModel(String)

    /// One sentence that says what to do.
    public var description: String {
        switch self {
        case .portInUse(let host, let port):
            """
            Port \(port) on \(host) is already in use: stop the other program, or choose another port; \
            0 takes any free one.
            """
        case .portNotPermitted(let port):
            "Port \(port) is reserved by the system: choose one above 1023."
        case .badPort(let port):
            "\(port) is not a port: choose one from 0 (any free one) to 65535."
        case .badHost(let host):
            "\(host) is not an address of this machine: use 127.0.0.1, or 0.0.0.0 to listen on all."
        case .duplicateModel(let id):
            "Two models are called \(id): give one of them another name."
        }
    }
}
