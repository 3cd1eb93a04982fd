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

    @OptionGroup var adapters: AdapterFlags

    @Option(help: "A small model of the same vocabulary that proposes tokens to the first one.")
    var draft: String?

    @Option(help: "Seconds that a model stays open unused; 0 for ever. With several models 300, else 0.")
    var keepAlive: Int?

    @Option(help: "The most MB of models that are open at once; those used longest ago are closed.")
    var modelMemory: Int?

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
        for (flag, value, least) in [("--keep-alive", keepAlive, 0), ("--model-memory", modelMemory, 1)] {
            if let value, !(least...1 << 30).contains(value) {
                throw ValidationError("\(flag) must be from \(least) to \(1 << 30), not \(value).")
            }
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

    /// The models, none of them open; adapters and the draft model are the first one's.
    private func library() throws -> (ServedLibrary, [any ServedModel]) {
        let store = ModelStore()
        var sources = try model.map { try ModelSource(store.resolve($0), configuration: engine) }
        if !sources.isEmpty {
            sources[0].adapters = adapters.urls
            sources[0].draft = try draft.map { try store.resolve($0) }
        }
        let seconds = keepAlive ?? (sources.count > 1 ? 300 : 0)
        return try ServedLibrary.serving(
            sources, memoryLimit: modelMemory.map { $0 << 20 }, keepAlive: seconds > 0 ? .seconds(seconds) : nil)
    }

    func run() async throws {
        try setThreads(threads)
        let (library, models) = try library()
        // The first one is ready when the server is; the others are opened when they are asked for.
        if let first = models.first { _ = try await library.lease(first.id) }
        var configuration = ServerConfiguration()
        configuration.host = host
        configuration.port = port
        var logger = Logger(label: "qalam")
        logger.logLevel = Logger.Level(rawValue: logLevel) ?? .notice
        let chats = models.compactMap { $0 as? any ChatModel }
        let server = QalamServer(models: chats, configuration: configuration, logger: logger)
        try await server.run { address in
            write("Qalam is ready: \(address)\n")
        }
    }
}
