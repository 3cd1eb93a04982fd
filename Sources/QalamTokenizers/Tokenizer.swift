// SPDX-License-Identifier: Apache-2.0

public import Foundation

/// Number of a token in a vocabulary.
public typealias TokenID = Int32

/// Text to token ids and back, the same ids as Hugging Face `tokenizers`, tiktoken or llama.cpp give.
///
/// Added tokens are found first; the text between them is normalized (`Normalizer`), cut into pieces (`PreTokenizer`
/// for byte-level models, else `TextSplitter`), and a model makes ids of the pieces: byte-level BPE, BPE on characters,
/// unigram or WordPiece. A byte-level model encodes any input and gives the same bytes back; only a tokenizer whose
/// file asks for it normalizes text first.
///
///     let tokenizer = try Tokenizer(contentsOf: URL(filePath: "model"))
///     let ids = tokenizer.encode("Hello")
///     let text = tokenizer.decode(ids)
public final class Tokenizer: Sendable {
    let definition: TokenizerDefinition
    private let model: TokenModel
    private let pool = EncoderPool()
    /// Tokens looked for in the text as given.
    private let rawMatcher: AddedTokenMatcher
    /// Tokens looked for after normalizing.
    private let normalizedMatcher: AddedTokenMatcher
    private let addedByID: [TokenID: AddedToken]
    let decoder: TokenDecoder

    /// Reads `tokenizer.json`, or a folder that holds one.
    ///
    /// Throws `TokenizerError` for a file that is damaged or that asks for something that is not done here.
    public convenience init(contentsOf url: URL) throws {
        var file = url
        if (try? url.resourceValues(forKeys: [.isDirectoryKey]).isDirectory) == true {
            file = url.appending(path: "tokenizer.json")
        }
        try self.init(json: try readFile(file), file: file.path(percentEncoded: false))
    }

    /// Reads the bytes of a `tokenizer.json`; errors call them `file`.
    package convenience init(json: [UInt8], file: String) throws(TokenizerError) {
        self.init(try TokenizerDefinition(json: json, file: file))
    }

    /// Reads a tiktoken rank file: lines of a token in Base64 and its rank, which is its id and its order of merging.
    public convenience init(tiktoken url: URL, pattern: PreTokenizer, specialTokens: [String: TokenID]) throws {
        try self.init(
            ranks: try readFile(url), file: url.path(percentEncoded: false), pattern: pattern,
            specialTokens: specialTokens)
    }

    /// Reads the bytes of a tiktoken rank file; errors call them `file`.
    package convenience init(
        ranks: [UInt8], file: String, pattern: PreTokenizer, specialTokens: [String: TokenID]
    ) throws(TokenizerError) {
        self.init(
            try TokenizerDefinition(ranks: ranks, file: file, pattern: pattern, specialTokens: specialTokens))
    }

    /// The tokenizer that `definition` describes; it must be valid.
    init(_ definition: TokenizerDefinition) {
        self.definition = definition
        model = definition.makeModel()
        rawMatcher = AddedTokenMatcher(definition.addedTokens.filter { !$0.normalized })
        let normalized = definition.addedTokens.filter(\.normalized).map { token in
            var token = token
            token.content = definition.normalizer.apply(token.content)
            return token
        }
        normalizedMatcher = AddedTokenMatcher(normalized)
        // Such tokens decode to what they are looked for as.
        let texts = definition.vocabulary.replacing(normalized.map { ($0.id, Array($0.content.utf8)) })
        decoder = TokenDecoder(texts, definition.decoderStyle)
        addedByID = Dictionary(definition.addedTokens.map { ($0.id, $0) }) { first, _ in first }
    }

    /// Largest id + 1.
    public var vocabularySize: Int { definition.vocabulary.size }

    /// Control tokens such as `<|endoftext|>`, by their text.
    public var specialTokens: [String: TokenID] {
        Dictionary(definition.addedTokens.filter(\.special).map { ($0.content, $0.id) }) { first, _ in first }
    }

    /// Ids that the tokenizer's own file puts before a text, such as Llama 3's `<|begin_of_text|>`; `encode` leaves
    /// them out.
    public var sequencePrefix: [TokenID] { definition.sequencePrefix }

    /// Ids that the tokenizer's own file puts behind a text; `encode` leaves them out.
    public var sequenceSuffix: [TokenID] { definition.sequenceSuffix }

    /// The pattern that cuts text into pieces where the tokenizer is byte-level, nil where it is not.
    public var pattern: PreTokenizer? { definition.model == .byteLevel ? definition.pattern : nil }

    // MARK: Text to ids

    /// The ids of `text`.
    ///
    /// Where `allowSpecial`, the text of a special token becomes its id, else it is plain text.
    public func encode(_ text: String, allowSpecial: Bool = true) -> [TokenID] {
        ByteView.with(text) { encode($0, allowSpecial: allowSpecial) }
    }

    /// The ids of bytes that need not be UTF-8: what is not becomes the tokens of its bytes.
    public func encode(bytes: [UInt8], allowSpecial: Bool) -> [TokenID] {
        ByteView.with(bytes) { encode($0, allowSpecial: allowSpecial) }
    }

    /// The ids of `text` between those that the tokenizer's own file puts around a text (`sequencePrefix`,
    /// `sequenceSuffix`), where `addSpecial`.
    public func encode(_ text: String, addSpecial: Bool, allowSpecial: Bool = true) -> [TokenID] {
        let ids = encode(text, allowSpecial: allowSpecial)
        return addSpecial ? sequencePrefix + ids + sequenceSuffix : ids
    }

    private func encode(_ text: ByteView, allowSpecial: Bool) -> [TokenID] {
        pool.withEncoder { encoder, output in
            split(text, rawMatcher, allowSpecial, into: &output) { segment, start, output in
                encodeNormalized(segment, isFirst: start == 0, allowSpecial, &encoder, into: &output)
            }
            return output.take()
        }
    }

    /// Emits added tokens and hands the text between them, and where it starts, to `body`.
    private func split(
        _ text: ByteView, _ matcher: AddedTokenMatcher, _ allowSpecial: Bool, into output: inout TokenBuffer,
        _ body: (ByteView, Int, inout TokenBuffer) -> Void
    ) {
        var start = 0
        while matcher.finds(allowSpecial: allowSpecial),
            let match = matcher.next(in: text, from: start, allowSpecial: allowSpecial, classes: .shared)
        {
            if match.start > start { body(text.slice(start, match.start), start, &output) }
            output.append(match.token.id)
            start = match.end
        }
        if start < text.count { body(text.slice(start, text.count), start, &output) }
    }

    private func encodeNormalized(
        _ segment: ByteView, isFirst: Bool, _ allowSpecial: Bool, _ encoder: inout PieceEncoder,
        into output: inout TokenBuffer
    ) {
        func encodeText(_ text: ByteView) {
            split(text, normalizedMatcher, allowSpecial, into: &output) { text, start, output in
                encodePlain(text, isFirst: isFirst && start == 0, &encoder, into: &output)
            }
        }
        guard let normalized = definition.normalizer.apply(segment) else { return encodeText(segment) }
        ByteView.with(normalized) { encodeText($0) }
    }

    /// Appends the ids of normalized text without added tokens.
    private func encodePlain(
        _ text: ByteView, isFirst: Bool, _ encoder: inout PieceEncoder, into output: inout TokenBuffer
    ) {
        switch model {
        case .bytes(let model):
            guard definition.addsPrefixSpace, text[0] != 0x20 else {
                return encoder.encode(text, model, into: &output)
            }
            ByteView.with([0x20] + text.array(0, text.count)) { encoder.encode($0, model, into: &output) }
        case .merges(let model):
            guard !definition.splitter.steps.isEmpty else { return model.encode(text, &encoder, into: &output) }
            definition.splitter.split(text, isFirst: isFirst) { model.encode($0, &encoder, into: &output) }
        case .unigram(let model):
            definition.splitter.split(text, isFirst: isFirst) { encoder.encodePiece($0, model, into: &output) }
        case .words(let model):
            definition.splitter.split(text, isFirst: isFirst) { encoder.encodePiece($0, model, into: &output) }
        }
    }

    // MARK: Ids to text

    /// The text of `ids`, with U+FFFD where their bytes are not UTF-8.
    ///
    /// Ids that do not exist have no text.
    public func decode(_ ids: [TokenID], skipSpecial: Bool = false) -> String {
        decoder.decode(skipSpecial ? ids.filter { addedByID[$0]?.special != true } : ids)
    }

    /// The bytes that `id` stands for inside a text; nil where there is no such id.
    public func bytes(of id: TokenID) -> [UInt8]? { decoder.bytes(of: id) }

    /// Whether `id` is a control token.
    func isSpecial(_ id: TokenID) -> Bool { addedByID[id]?.special == true }

    // MARK: Files

    /// The tokenizer as the bytes of a `tokenizer.json` that Hugging Face `tokenizers` reads.
    public func tokenJSON() throws -> Data { definition.json() }

    /// Writes `tokenizer.json` into `folder`, which is made if it does not exist.
    public func write(to folder: URL) throws {
        let file = folder.appending(path: "tokenizer.json")
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try tokenJSON().write(to: file, options: .atomic)
        } catch {
            throw TokenizerError.unwritable(
                file: file.path(percentEncoded: false), reason: error.localizedDescription)
        }
    }
}

/// The bytes of a file, or the error that names it.
func readFile(_ url: URL) throws(TokenizerError) -> [UInt8] {
    do {
        return [UInt8](try Data(contentsOf: url))
    } catch {
        throw .unreadable(file: url.path(percentEncoded: false), reason: "it cannot be read")
    }
}
