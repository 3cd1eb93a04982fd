// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamEngine

/// `qalam embed`: texts to vectors.
struct Embed: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Turn texts into vectors.",
        discussion: "Prints one JSON array a text: those given, or the lines of standard input.")

    @OptionGroup var model: ModelOptions

    @Option(help: "Keep so many numbers of each vector.")
    var dimensions: Int?

    @Argument(help: "The texts.")
    var texts: [String] = []

    func run() async throws {
        try model.apply()
        let opened = try await QalamEngine.Qalam.open(model.url())
        guard let embedder = opened as? any EmbeddingModel else {
            throw EngineError.unsupported(model: opened.id, what: "embed texts")
        }
        let lines = texts.isEmpty ? try inputLines() : texts
        let result = try await embedder.embed(lines.map { .text($0) }, dimensions: dimensions)
        for vector in result.vectors {
            write("[" + vector.map { "\($0)" }.joined(separator: ",") + "]\n")
        }
    }
}

/// `qalam rerank`: documents by how well they answer a query.
struct Rerank: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Order documents by how well they answer a query.",
        discussion: "Prints score and document, best first: those given, or the lines of standard input.")

    @OptionGroup var model: ModelOptions

    @Argument(help: "The query.")
    var query: String

    @Argument(help: "The documents.")
    var documents: [String] = []

    func run() async throws {
        try model.apply()
        let opened = try await QalamEngine.Qalam.open(model.url())
        guard let ranker = opened as? any RerankModel else {
            throw EngineError.unsupported(model: opened.id, what: "rank documents")
        }
        let lines = documents.isEmpty ? try inputLines() : documents
        let scores = try await ranker.rerank(query, lines).scores
        let order = lines.indices.sorted { (-scores[$0], $0) < (-scores[$1], $1) }
        for index in order { write("\(scores[index])\t\(lines[index])\n") }
    }
}

/// The lines of standard input that are not empty, at least one.
private func inputLines() throws -> [String] {
    let lines = String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
        .split(whereSeparator: \.isNewline).map(String.init)
    guard !lines.isEmpty else { throw ValidationError("There is no text: give some, or lines on standard input.") }
    return lines
}
