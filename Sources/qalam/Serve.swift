// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import Logging
internal import QalamEngine
internal import QalamHub
internal import QalamServer
internal import QalamTensors

/// `qalam serve`: the page and the API.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serve models behind the OpenAI API, with a chat page.")

    @Option(name: .shortAndLong, help: "A model: a folder, a .gguf file or a name; may be given several times.")
    var model = ["models/qalam-mini"]

    @Option(help: "The address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port; 0 takes a free one.")
    var port = 8080

    @Option(help: "Threads; all processors by default.")
    var threads: Int?

    @Option(name: .customLong("kv-memory"), help: "The most MB for the keys and values of each model.")
    var cacheMegabytes = 1024

    @Option(name: .customLong("kv-precision"), help: "How keys and values are kept: float32, float16 or int8.")
    var cachePrecision = CachePrecision.float16.rawValue

    @Option(help: "The most conversations that a model answers at once; others wait.")
    var maxSequences = 16

    @Option(help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel = "notice"

    func validate() throws {
        try checkThreads(threads)
        guard (0...65535).contains(port) else { throw ValidationError("--port must be from 0 to 65535, not \(port).") }
        guard CachePrecision(rawValue: cachePrecision) != nil else {
            throw ValidationError("--kv-precision must be float32, float16 or int8, not \(cachePrecision).")
        }
        guard (1...1 << 30).contains(cacheMegabytes) else {
            throw ValidationError("--kv-memory must be from 1 to \(1 << 30) MB, not \(cacheMegabytes).")
        }
        guard (1...1024).contains(maxSequences) else {
            throw ValidationError("--max-sequences must be from 1 to 1024, not \(maxSequences).")
        }
        guard Logger.Level(rawValue: logLevel) != nil else {
            throw ValidationError("--log-level \(logLevel) is not known; see --help.")
        }
    }

    private var engine: EngineConfiguration {
        var engine = EngineConfiguration()
        engine.kvMemory = cacheMegabytes << 20
        engine.cachePrecision = CachePrecision(rawValue: cachePrecision) ?? .float16
        engine.maxSequences = maxSequences
        return engine
    }

    func run() async throws {
        try setThreads(threads)
        let store = ModelStore()
        let models = try model.map { try LoadedModel(store.resolve($0), configuration: engine) }
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
