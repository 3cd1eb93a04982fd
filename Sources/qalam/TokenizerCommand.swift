// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamFormats
internal import QalamTokenizers

/// `qalam tokenizer`.
struct TokenizerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenizer", abstract: "Train and try tokenizers.",
        subcommands: [TrainTokenizer.self, Encode.self])
}

/// `qalam tokenizer train`: byte-level BPE from text.
struct TrainTokenizer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Train a byte-level BPE tokenizer.",
        discussion:
            "Reads .txt, .jsonl and .tar, and each of them with .gz, .xz or .zst behind it, and folders of these.")

    @Option(help: "Entries, the special ones included.")
    var vocabSize = 8192

    @Option(name: .shortAndLong, help: "The folder for tokenizer.json.")
    var output: String

    @Option(help: "How text is cut into pieces: \(PreTokenizer.allCases.map(\.rawValue).joined(separator: ", ")).")
    var pattern = PreTokenizer.gpt2.rawValue

    @Option(help: "The field of JSON lines that holds the text.")
    var field = "text"

    @Option(help: "A special token; may be given several times.")
    var special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

    @Option(help: "The most memory for counts, in MB.")
    var memory = 1024

    @Argument(help: "Files or folders of text.")
    var files: [String]

    func validate() throws {
        guard PreTokenizer(rawValue: pattern) != nil else {
            throw ValidationError("--pattern \(pattern) is not known; see --help.")
        }
        guard vocabSize >= 256 + special.count else {
            throw ValidationError(
                "--vocab-size must be at least \(256 + special.count): every byte and special token is an entry.")
        }
        guard memory >= 1 else { throw ValidationError("--memory must be at least 1 MB.") }
    }

    func run() throws {
        let tokenizer = try trainTokenizer(
            files.map { URL(filePath: $0) }, vocabularySize: vocabSize,
            pattern: PreTokenizer(rawValue: pattern) ?? .gpt2,
            special: special, field: field, memory: memory << 20)
        let folder = URL(filePath: output)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try tokenizer.write(to: folder)
        write("\(output)/tokenizer.json: \(tokenizer.vocabularySize) entries\n")
    }
}

/// Trains a tokenizer on files, showing progress.
func trainTokenizer(
    _ files: [URL], vocabularySize: Int, pattern: PreTokenizer, special: [String], field: String, memory: Int
) throws -> Tokenizer {
    var options = TextCorpus.Options()
    options.field = field
    let corpus = try TextCorpus(files, options: options)
    var trainer = BPETrainer(
        vocabularySize: vocabularySize, pattern: pattern, specialTokens: special, memoryLimit: memory)
    var reader = corpus.makeReader()
    var progress = ProgressLine("reading")
    var bytes = 0
    while let piece = try reader.next() {
        try trainer.add(piece.bytes)
        bytes += piece.bytes.count
        progress.show("\(bytes >> 20) MB")
    }
    progress.finish("\(bytes >> 20) MB")
    guard bytes > 0 else { throw ValidationError("The files hold no text.") }
    var merging = ProgressLine("merging")
    let tokenizer = try trainer.finish { done, total in merging.show(done: done, total: total) }
    merging.finish("\(tokenizer.vocabularySize) entries")
    return tokenizer
}

/// `qalam tokenizer encode`: shows how a text is cut.
struct Encode: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show the tokens of a text.")

    @Option(help: "A folder with tokenizer.json, or that file.")
    var tokenizer = "models/qalam-mini"

    @Flag(help: "Print one JSON object.")
    var json = false

    @Argument(help: "The text; read from standard input if absent.")
    var text: String?

    func run() throws {
        let tokenizer = try Tokenizer(contentsOf: URL(filePath: tokenizer))
        let bytes = text.map { Array($0.utf8) } ?? Array(FileHandle.standardInput.readDataToEndOfFile())
        let ids = tokenizer.encode(bytes: bytes, allowSpecial: true)
        if json {
            try printJSON(["ids": ids.map { Int($0) }, "tokens": ids.map { tokenizer.decode([$0]) }])
        } else {
            for id in ids { write("\(id)\t\(tokenizer.decode([id]).debugDescription)\n") }
        }
    }
}
