// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import Logging
internal import QalamEngine
internal import QalamServer

/// `qalam serve`: the page and the API.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serve models behind the OpenAI API, with a chat page.")

    @Option(name: .shortAndLong, help: "A model folder; may be given several times.")
    var model = ["models/qalam-mini"]

    @Option(help: "The address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port; 0 takes a free one.")
    var port = 8080

    @Option(help: "Threads; all processors by default.")
    var threads: Int?

    @Option(help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel = "notice"

    func validate() throws {
        try checkThreads(threads)
        guard (0...65535).contains(port) else { throw ValidationError("--port must be from 0 to 65535, not \(port).") }
        guard Logger.Level(rawValue: logLevel) != nil else {
            throw ValidationError("--log-level \(logLevel) is not known; see --help.")
        }
    }

    func run() async throws {
        try setThreads(threads)
        let models = try model.map { try LoadedModel(URL(filePath: $0)) }
        var configuration = ServerConfiguration()
        configuration.host = host
        configuration.port = port
        var logger = Logger(label: "qalam")
        logger.logLevel = Logger.Level(rawValue: logLevel) ?? .notice
        let server = QalamServer(models: models, configuration: configuration, logger: logger)
        try await server.run { address in
            write("Qalam is ready: \(address)\n")
        }
    }
}
