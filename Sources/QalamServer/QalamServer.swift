// SPDX-License-Identifier: Apache-2.0

import Foundation
package import Hummingbird
public import Logging
import NIOCore
public import QalamEngine
import ServiceLifecycle
import UnixSignals

/// Serves models to people, on a chat page, and to programs, behind OpenAI's API.
///
/// ```swift
/// let server = QalamServer(models: [model], configuration: ServerConfiguration(), logger: logger)
/// try await server.run { address in print("Chat at \(address)") }
/// ```
public struct QalamServer: Sendable {
    /// The models served; the first is the page's first choice.
    public let models: [any ChatModel]
    /// Where to listen, and limits.
    public let configuration: ServerConfiguration
    private let logger: Logger

    /// A server of `models` that doesn't run yet.
    public init(models: [any ChatModel], configuration: ServerConfiguration, logger: Logger) {
        self.models = models
        self.configuration = configuration
        self.logger = logger
    }

    /// Serves until SIGINT or SIGTERM; running answers then get `configuration.grace` to end.
    ///
    /// - Parameter onReady: called once with the address of the page, such as `http://127.0.0.1:8080`.
    /// - Throws: `ServerError` if the server can't start.
    public func run(onReady: @escaping @Sendable (String) -> Void) async throws {
        guard (0...65535).contains(configuration.port) else { throw ServerError.badPort(configuration.port) }
        var names: Set<String> = []
        for model in models where !names.insert(model.id).inserted { throw ServerError.duplicateModel(model.id) }
        var group = ServiceGroupConfiguration(
            services: [makeApplication(onReady: onReady)], gracefulShutdownSignals: [.sigint, .sigterm], logger: logger)
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
    package func makeApplication(onReady: @escaping @Sendable (String) -> Void = { _ in }) -> some ApplicationProtocol {
        let configuration = configuration
        let host = configuration.host.contains(":") ? "[\(configuration.host)]" : configuration.host
        return Application(
            router: makeRouter(),
            configuration: .init(address: .hostname(configuration.host, port: configuration.port)),
            onServerRunning: { channel in
                onReady("http://\(host):\(channel.localAddress?.port ?? configuration.port)")
            },
            logger: logger)
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
