// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamModels
internal import QalamTokenizers
internal import QalamTraining

/// `qalam data`.
struct DataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data", abstract: "Prepare data for training.", subcommands: [Pack.self, DataImages.self])
}

/// `qalam data pack`: text or conversations to memory-mapped ids.
struct Pack: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Turn text or conversations into ids for training.",
        discussion: """
            Text: .txt, .jsonl (a named field) and .tar, each also with .gz, .xz or .zst behind it, and folders of \
            these.
            Conversations (--chat): JSON lines {"messages": [{"role": "user", "content": "…"}, \
            {"role": "assistant", …}]}.
            """)

    @Option(help: "A folder with tokenizer.json: a model's or a trained tokenizer's.")
    var tokenizer: String

    @Option(name: .shortAndLong, help: "The folder to write.")
    var output: String

    @Flag(help: "The files hold conversations; the loss counts on the assistant's turns only.")
    var chat = false

    @Option(help: "With --chat: tokens of a row, which holds whole conversations.")
    var context = 512

    @Option(help: "The share of documents held out for evaluation.")
    var heldout = 0.01

    @Option(help: "Which documents are held out follows from it.")
    var seed: UInt64 = 1

    @Option(help: "The field of JSON lines that holds the text.")
    var field = "text"

    @Option(help: "The line that separates documents in plain text.")
    var separator: String?

    @Option(help: "The text of the token between documents.")
    var endOfText = "<|endoftext|>"

    @Argument(help: "Files or folders.")
    var files: [String]

    func validate() throws {
        guard (0..<1).contains(heldout) else { throw ValidationError("--heldout must be from 0 to below 1.") }
        guard context >= 2 else { throw ValidationError("--context must be at least 2.") }
    }

    func run() throws {
        var options = PackOptions()
        options.heldout = heldout
        options.seed = seed
        options.field = field
        options.separator = separator
        options.endOfText = endOfText
        let tokenizer = try Tokenizer(contentsOf: URL(filePath: tokenizer))
        let manifest = try pack(files.map { URL(filePath: $0) }, tokenizer, to: URL(filePath: output), options)
        write(
            "\(output): \(manifest.train.tokens) tokens to train on in \(manifest.train.documents) documents, "
                + "\(manifest.heldout.tokens) held out in \(manifest.heldout.documents)\n")
    }

    private func pack(
        _ files: [URL], _ tokenizer: Tokenizer, to folder: URL, _ options: PackOptions
    ) throws -> PackedManifest {
        var progress = ProgressLine("packing")
        let show: (PackProgress) -> Void = { progress.show("\($0.documents) documents, \($0.tokens) tokens") }
        defer { progress.finish(nil) }
        guard chat else { return try packTexts(files, tokenizer: tokenizer, to: folder, options, progress: show) }
        var options = options
        options.rowLength = context + 1
        let template = try ChatTemplate(chatMLTemplate)
        let (manifest, tooLong) = try packConversations(
            files, tokenizer: tokenizer, template: template, to: folder, options, progress: show)
        if tooLong > 0 {
            standardError("\(tooLong) conversations are longer than \(context) tokens and were left out.")
        }
        return manifest
    }
}
