// SPDX-License-Identifier: Apache-2.0

/// Where the server listens, whom it answers, and its limits.
public struct ServerConfiguration: Sendable, Equatable {
    /// The address to listen on; only this machine can reach the default.
    public var host = "127.0.0.1"
    /// The port to listen on; 0 takes any free one.
    public var port = 8080
    /// The file with the certificate chain (PEM), if connections are to be encrypted.
    public var certificate: String?
    /// The file with the certificate's private key (PEM).
    public var privateKey: String?
    /// Whether other machines may be served without any key.
    public var insecure = false
    /// Names by which browsers may call the server, beside `host`, `localhost` and the loopback addresses.
    ///
    /// They are those that a reverse proxy passes on. Without them, a server on a loopback address refuses all other
    /// names, as they would be DNS rebinding.
    public var allowedHosts: [String] = []
    /// The origins of web pages elsewhere that may use the API, such as `https://app.example`; `*` is any.
    public var corsOrigins: [String] = []
    /// Further names of models: the name asked for, and the model's; `*` stands for every name that is none.
    public var aliases: [String: String] = [:]
    /// Whether the records that OpenAI's own test suite asks for exist, made anew before each request.
    public var contractMode = false
    /// The largest request body, in bytes.
    public var bodyLimit = 8 << 20
    /// The largest file, in bytes.
    public var fileLimit = 512 << 20
    /// The most answers written at the same time; more requests are told to come back.
    public var answerLimit = 64
    /// The most tokens of a prompt; nil: as many as the model's context has.
    public var promptLimit: Int?
    /// How deep a schema of tools or answers may nest.
    public var schemaDepthLimit = 32
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
    /// An alias is the name of a model, or of none that is served.
    case badAlias(String, model: String)
    /// Other machines would be served without a key.
    case open(host: String)
    /// A certificate or key can't be used.
    case badCertificate(String)

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
        case .badAlias(let name, let model):
            "The alias \(name)=\(model) must give another name to a model that is served."
        case .open(let host):
            """
            On \(host) other machines could use Qalam without a key: make one (qalam keys create), or allow that \
            (--insecure).
            """
        case .badCertificate(let why):
            "Connections can't be encrypted: \(why)"
        }
    }
}
