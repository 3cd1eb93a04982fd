// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamHub
internal import QalamTraining

/// The program: its table of contents.
@main
struct Qalam: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "qalam",
        abstract: """
            Own what a closed lab runs behind its doors: train language models from raw text, talk to them, serve \
            them.
            """,
        discussion: """
            Start with `qalam serve` and open the address it prints, or `qalam chat` in the terminal.
            Train a model of your own: `qalam train stories.txt --output out/mine`.
            """,
        version: qalamVersion,
        groupedSubcommands: [
            CommandGroup(name: "Talk", subcommands: [Serve.self, Chat.self, Generate.self, Draw.self]),
            CommandGroup(name: "Read", subcommands: [Embed.self, Rerank.self, Tokenize.self]),
            CommandGroup(
                name: "Train", subcommands: [Train.self, TokenizerCommand.self, DataCommand.self, Evaluate.self]),
            CommandGroup(
                name: "Models",
                subcommands: [
                    Pull.self, List.self, Show.self, Remove.self, Inspect.self, Convert.self, Quantize.self,
                ]),
            CommandGroup(name: "Run a server", subcommands: [Keys.self, UsageCommand.self, Backup.self]),
            CommandGroup(name: "Measure", subcommands: [Bench.self]),
        ])

    /// Errors are one sentence on standard error; the exit status is not 0.
    static func main() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let error as CocoaError {
            let file = error.filePath.map { "\($0): " } ?? ""
            standardError("qalam: \(file)\(error.localizedDescription)")
            Foundation.exit(1)
        } catch let error as any CustomStringConvertible & Error where !isParserError(error) {
            standardError("qalam: \(error.description)")
            Foundation.exit(1)
        } catch {
            exit(withError: error)
        }
    }

    /// The parser's own errors print usage; everything else is ours.
    private static func isParserError(_ error: any Error) -> Bool {
        error is ExitCode || error is ValidationError || error is CleanExit || exitCode(for: error) != .failure
    }
}

/// Writes a line to standard error.
func standardError(_ line: String, terminator: String = "\n") {
    FileHandle.standardError.write(Data((line + terminator).utf8))
}

/// The model that commands use, and how many threads.
struct ModelOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "A model: a folder, a .gguf file, or a name such as owner/name:Q4_K_M.")
    var model = "models/qalam-mini"

    @Option(help: "Threads; all processors by default.")
    var threads: Int?

    /// Where the model is.
    func url() throws -> URL { try ModelStore().resolve(model) }

    /// Applies `--threads`.
    func apply() throws { try setThreads(threads) }

    func validate() throws { try checkThreads(threads) }
}
