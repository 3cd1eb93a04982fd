// SPDX-License-Identifier: Apache-2.0

import Foundation
package import Hummingbird
import HummingbirdCore
import HummingbirdTLS
public import Logging
import NIOCore
import NIOSSL
public import QalamEngine
public import QalamStore
import ServiceLifecycle
import UnixSignals

/// Serves models to people, on a chat page, and to programs, behind OpenAI's API.
///
/// ```swift
/// let server = QalamServer(models: [model], store: try Store(folder), configuration: .init(), logger: logger)
/// try await server.run { address in print("Chat at \(address)") }
/// ```
public struct QalamServer: Sendable {
    /// The models served; the first is the page's first choice.
    public let models: [any ServedModel]
    /// What is kept.
    public let store: any PlatformStore
    /// Where to listen, whom to answer, and limits.
    public let configuration: ServerConfiguration
    /// Where the page gets further models from; nil: it can't.
    public let shelf: (any ModelShelf)?
    private let logger: Logger

    /// A server of `models` that doesn't run yet.
    public init(
        models: [any ServedModel], store: any PlatformStore, configuration: ServerConfiguration,
        shelf: (any ModelShelf)? = nil, logger: Logger
    ) {
        self.models = models
        self.store = store
        self.configuration = configuration
        self.shelf = shelf
        self.logger = logger
    }

    /// Serves until SIGINT or SIGTERM; running answers then get `configuration.grace` to end.
    ///
    /// - Parameter onReady: called once with the address of the page, such as `http://127.0.0.1:8080`.
    /// - Throws: `ServerError` if the server can't start.
    public func run(onReady: @escaping @Sendable (String) -> Void) async throws {
        try await check()
        var group = ServiceGroupConfiguration(
            services: [try makeApplication(onReady: onReady)], gracefulShutdownSignals: [.sigint, .sigterm],
            logger: logger)
        // Streams end by themselves after the grace; this is for clients that don't read what they are sent.
        group.maximumGracefulShutdownDuration = configuration.grace + .seconds(2)
        do {
            try await ServiceGroup(configuration: group).run()
        } catch let error as IOError {
            throw startError(error)
        } catch is SocketAddressError, is SocketAddressError.UnknownHost {
            throw ServerError.badHost(configuration.host)
        }
    }

    /// The server as a service of Hummingbird, for tests and for programs with services of their own.
    package func makeApplication(
        onReady: @escaping @Sendable (String) -> Void = { _ in }
    ) throws -> some ApplicationProtocol {
        let configuration = configuration
        let host = configuration.host.contains(":") ? "[\(configuration.host)]" : configuration.host
        let platform = Platform(
            models: ModelList(models, aliases: configuration.aliases), store: store, configuration: configuration,
            shelf: shelf, logger: logger)
        let tls = try tlsConfiguration()
        let answers = FastAnswers(platform)
        return Application(
            responder: TaskResponder(inner: makeRouter(platform).buildResponder()),
            server: HTTPServerBuilder { responder in
                let http = HTTP1Channel(responder: responder, configuration: .watched)
                let channel = LoopChannel(base: http, answers: answers)
                return try tls.map { try TLSChannel(channel, tlsConfiguration: $0) } ?? channel
            },
            configuration: .init(address: .hostname(configuration.host, port: configuration.port)),
            services: [
                platform.meter, platform.pulse,
                BatchRunner(platform) { try await BatchAnswers.answer($0, $1, platform, $2) },
                BackgroundRunner(platform), Sweeper(platform: platform),
            ],
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? configuration.port
                onReady("\(tls == nil ? "http" : "https")://\(host):\(port)")
            },
            logger: logger)
    }

    /// What must be right before the server may start.
    private func check() async throws {
        guard (0...65535).contains(configuration.port) else { throw ServerError.badPort(configuration.port) }
        var names: Set<String> = []
        for model in models where !names.insert(model.id).inserted { throw ServerError.duplicateModel(model.id) }
        for (name, model) in configuration.aliases where names.contains(name) || !names.contains(model) {
            throw ServerError.badAlias(name, model: model)
        }
        if !configuration.isLoopback, !configuration.insecure, try await !store.identify(secret: nil).anyKeys {
            throw ServerError.open(host: configuration.host)
        }
    }

    private func tlsConfiguration() throws -> TLSConfiguration? {
        guard let certificate = configuration.certificate, let key = configuration.privateKey else {
            if configuration.certificate == nil, configuration.privateKey == nil { return nil }
            throw ServerError.badCertificate("a certificate and its private key are needed, both.")
        }
        do {
            let chain = try NIOSSLCertificate.fromPEMFile(certificate).map { NIOSSLCertificateSource.certificate($0) }
            let key = try NIOSSLPrivateKey(file: key, format: .pem)
            return .makeServerConfiguration(certificateChain: chain, privateKey: .privateKey(key))
        } catch {
            throw ServerError.badCertificate("\(certificate) or \(key) is not what it should be (\(error)).")
        }
    }

    private func startError(_ error: IOError) -> any Error {
        switch error.errnoCode {
        case EADDRINUSE: ServerError.portInUse(host: configuration.host, port: configuration.port)
        case EACCES: ServerError.portNotPermitted(port: configuration.port)
        case EADDRNOTAVAIL: ServerError.badHost(configuration.host)
        default: error
        }
    }
}
