// SPDX-License-Identifier: Apache-2.0
internal import Crypto
public import Foundation
internal import QalamFormats
internal import QalamTensors
public import QalamTokenizers

/// How texts or conversations are turned into packed data.
public struct PackOptions: Sendable {
    /// The share of documents that is held out.
    public var heldout = 0.01
    /// Which documents those are follows from it.
    public var seed: UInt64 = 1
    /// The field of JSON lines that holds the text.
    public var field = "text"
    /// The line that separates documents in plain text; nil for one document a file.
    public var separator: String?
    /// The text of the token between documents.
    public var endOfText = "<|endoftext|>"
    /// For conversations: ids of a row, the last target included.
    public var rowLength = 0

    /// The defaults.
    public init() {}
}

/// Progress of packing.
public struct PackProgress: Sendable {
    /// Documents read.
    public var documents: Int
    /// Tokens written.
    public var tokens: Int
}

/// Packs texts: one stream of ids, an end-of-text token after each document.
///
/// - Throws: `FormatError` for files that can't be read, `TrainingError` if the tokenizer lacks the end-of-text token
///   or the texts are empty.
public func packTexts(
    _ paths: [URL], tokenizer: Tokenizer, to folder: URL, _ options: PackOptions,
    progress: (PackProgress) -> Void = { _ in }
) throws -> PackedManifest {
    guard let end = tokenizer.specialTokens[options.endOfText] else {
        throw TrainingError.data("The tokenizer has no token \(options.endOfText); name its own with --end-of-text.")
    }
    var corpusOptions = TextCorpus.Options()
    corpusOptions.field = options.field
    if let separator = options.separator { corpusOptions.boundary = .line(separator) }
    let corpus = try TextCorpus(paths, options: corpusOptions)
    var packer = try DataPacker(folder, tokenizer: tokenizer, options)
    var reader = corpus.makeReader()
    while let piece = try reader.next() {
        var ids = tokenizer.encode(bytes: piece.bytes, allowSpecial: false)
        if piece.endsDocument { ids.append(end) }
        try packer.append(ids, counts: [])
        if piece.endsDocument { packer.endDocument() }
        progress(packer.progress)
    }
    return try packer.finish(sources: corpus.files)
}

/// The state of packing, whatever is packed.
struct DataPacker {
    private let folder: URL
    private let tokenizer: Tokenizer
    private let options: PackOptions
    private var train: ShardWriter
    private var heldout: ShardWriter
    private var random: CounterRandom
    private var isHeldout = false

    init(_ folder: URL, tokenizer: Tokenizer, _ options: PackOptions) throws {
        self.folder = folder
        self.tokenizer = tokenizer
        self.options = options
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let idBytes = tokenizer.vocabularySize <= 1 << 16 ? 2 : 4
        train = ShardWriter(folder, "train", idBytes: idBytes, isMasked: options.rowLength > 0)
        heldout = ShardWriter(folder, "heldout", idBytes: idBytes, isMasked: options.rowLength > 0)
        random = CounterRandom(seed: options.seed)
        isHeldout = random.uniform() < options.heldout
    }

    var progress: PackProgress {
        PackProgress(
            documents: train.split.documents + heldout.split.documents, tokens: train.count + heldout.count)
    }

    /// Appends to the half that the current document belongs to.
    mutating func append(_ ids: [Int32], counts: [Bool]) throws {
        if isHeldout { try heldout.append(ids, counts: counts) } else { try train.append(ids, counts: counts) }
    }

    /// Notes the end of a document and decides which half the next one belongs to.
    mutating func endDocument() {
        if isHeldout { heldout.endDocument() } else { train.endDocument() }
        isHeldout = random.uniform() < options.heldout
    }

    /// Writes the last shards, the tokenizer and the description.
    mutating func finish(sources: [URL]) throws -> PackedManifest {
        try train.finish()
        try heldout.finish()
        guard train.split.tokens > 0 else { throw TrainingError.data("The input holds no text to train on.") }
        try tokenizer.write(to: folder)
        let tokenizerFile = try MappedFile(folder.appending(path: "tokenizer.json"))
        var manifest = PackedManifest(
            idBytes: tokenizer.vocabularySize <= 1 << 16 ? 2 : 4, rowLength: options.rowLength,
            vocabularySize: tokenizer.vocabularySize, tokenizerHash: hash(tokenizerFile))
        manifest.train = train.split
        manifest.heldout = heldout.split
        manifest.sources = try sources.map { url in
            let file = try MappedFile(url)
            return PackedManifest.Source(name: url.lastPathComponent, bytes: file.count, sha256: hash(file))
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try writeAtomically(Array(try encoder.encode(manifest)) + [0x0A], to: folder.appending(path: "data.json"))
        return manifest
    }

    private func hash(_ file: MappedFile) -> String {
        hexadecimal(file.withBytes { $0.withUnsafeBytes { SHA256.hash(data: $0) } })
    }
}
