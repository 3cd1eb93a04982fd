// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import Logging
internal import QalamEngine
internal import QalamHub
internal import QalamServer
internal import QalamStore

/// `qalam serve`: the page and the API.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve models behind the OpenAI API, with a chat page.",
        discussion: """
            Each setting is a flag, a variable (QALAM_PORT) or a line of a file (--config); flags come first. \
            Keys are made with `qalam keys create`; as soon as there is one, every request needs one.
            """)

    @OptionGroup var flags: ServeFlags

    func run() async throws {
        let settings = try flags.settings()
        if flags.printConfig {
            write(try settings.yaml())
            return
        }
        guard let level = Logger.Level(rawValue: settings.logLevel) else {
            throw ValidationError("log-level \(settings.logLevel) is not known; see --help.")
        }
        try setThreads(settings.threads)
        let (library, models) = try library(settings)
        // The first one is ready when the server is; the others are opened when they are asked for.
        if let first = models.first { _ = try await library.lease(first.id) }
        var logger =
            settings.logFormat == "json"
            ? Logger(label: "qalam") { _ in JSONLog() }
            : Logger(label: "qalam") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = level
        let store = try Store(URL(filePath: settings.data))
        try await store.sweep()
        let server = QalamServer(
            models: models, store: store, configuration: settings.server,
            shelf: LocalShelf(configuration: settings.engine), logger: logger)
        try await server.run { address in
            write("Qalam is ready: \(address)\n")
        }
    }

    /// The models, none of them open; adapters and the draft model are the first one's.
    private func library(_ settings: ServeSettings) throws -> (ServedLibrary, [any ServedModel]) {
        let store = ModelStore()
        var sources = try settings.model.map { try ModelSource(store.resolve($0), configuration: settings.engine) }
        if !sources.isEmpty {
            sources[0].adapters = AdapterFlags.urls(settings.lora)
            sources[0].draft = try settings.draft.map { try store.resolve($0) }
        }
        // The small ones of this repository may stay.
        let isUsual = sources.count < 2 || settings.model == ServeSettings.standardModels
        let seconds = settings.keepAlive ?? (isUsual ? 0 : 300)
        return try ServedLibrary.serving(
            sources, memoryLimit: settings.modelMemory.map { $0 << 20 },
            keepAlive: seconds > 0 ? .seconds(seconds) : nil)
    }
}
