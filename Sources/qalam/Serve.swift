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
        let folder = ModelStore()
        var models: [any ServedModel] = []
        for name in settings.model {
            models.append(try await QalamEngine.Qalam.open(folder.resolve(name), configuration: settings.engine))
        }
        var logger =
            settings.logFormat == "json"
            ? Logger(label: "qalam") { _ in JSONLog() }
            : Logger(label: "qalam") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = level
        let store = try Store(URL(filePath: settings.data))
        try await store.sweep()
        let server = QalamServer(models: models, store: store, configuration: settings.server, logger: logger)
        try await server.run { address in
            write("Qalam is ready: \(address)\n")
        }
    }
}
