// SPDX-License-Identifier: Apache-2.0

/// Everything a tokenizer file says: what reading, training and rank files produce, and what writing takes.
struct TokenizerDefinition: Sendable {
    /// How pieces become ids.
    enum Model: Sendable, Equatable {
        /// Bytes merge by rank; `pattern`, `separatesDigits` and `addsPrefixSpace` say how text is cut before.
        case byteLevel
        /// Characters merge by rank, or by score where there are `scores`.
        case textMerges
        /// The most probable way to cut a piece into tokens, by `scores`.
        case unigram
        /// The longest token goes first, again and again.
        case wordPiece(WordPieceSettings)
    }

    /// What WordPiece needs to know.
    struct WordPieceSettings: Sendable, Equatable {
        /// What tokens inside a word begin with.
        var prefix: [UInt8] = [0x23, 0x23]
        /// Longer words become the unknown token.
        var longestWord: Int?
    }

    /// Ids must be below this, so that a damaged file cannot ask for all memory.
    static let idLimit: TokenID = 1 << 24

    /// Longest token in bytes.
    static let tokenLimit = 1 << 16

    var model = Model.byteLevel
    /// The bytes of all tokens, added ones included; where the model is not byte-level, as the file writes them.
    var vocabulary = Vocabulary()
    /// Ids of the model's own vocabulary, ascending; where it is byte-level, only of those that are written in the
    /// byte alphabet.
    var modelIDs: [TokenID] = []
    /// Tokens of a byte-level model's own vocabulary that are not in the byte alphabet, as the file writes them.
    var plainTokens: [TokenID: String] = [:]
    /// Merges in the order of their ranks.
    var merges: [MergeTable.Merge] = []
    /// Scores by id, where the model has them.
    var scores: [Double] = []
    /// Whether a piece that is itself a token is taken whole before any merge.
    var takesWholePieces = false
    /// The token of what has no token.
    var unknownID: TokenID?
    /// Whether characters without a token become the tokens of their bytes.
    var fallsBackToBytes = false
    /// Whether neighbouring unknown characters become one token.
    var fusesUnknown = false
    var pattern: PreTokenizer = .gpt2
    var separatesDigits = false
    var addsPrefixSpace = false
    var normalizer = Normalizer()
    var splitter = TextSplitter()
    var decoderStyle = TokenDecoder.Style.bytes
    var addedTokens: [AddedToken] = []
    var sequencePrefix: [TokenID] = []
    var sequenceSuffix: [TokenID] = []

    /// The tokens of the 256 bytes of a byte-level model; the first byte that has none where one is missing.
    ///
    /// Some vocabularies leave out the bytes that no UTF-8 has; these become the token of "?".
    func byteTokens() -> Result<[TokenID], MissingByte> {
        var tokens = [TokenID](repeating: -1, count: 256)
        for id in modelIDs {
            guard let bytes = vocabulary[id], bytes.count == 1, let byte = bytes.first else { continue }
            tokens[Int(byte)] = id
        }
        for byte in [0xC0, 0xC1] + Array(0xF5...0xFF) where tokens[byte] < 0 { tokens[byte] = tokens[0x3F] }
        if let byte = tokens.firstIndex(of: -1) { return .failure(MissingByte(byte: UInt8(byte))) }
        return .success(tokens)
    }

    /// A byte without a token.
    struct MissingByte: Error {
        let byte: UInt8
    }

    /// Gives a new token of the model's own vocabulary its bytes; its id must be larger than all before.
    mutating func addToken(_ bytes: [UInt8], at id: TokenID) {
        precondition(vocabulary.size <= Int(id), "id \(id) against \(vocabulary.size) tokens")
        _ = vocabulary.insert(bytes, at: id)
        modelIDs.append(id)
    }
}

/// The tables that encoding runs on.
enum TokenModel: Sendable {
    case bytes(MergeModel)
    case merges(TextMergeModel)
    case unigram(UnigramModel)
    case words(WordPieceModel)
}

extension TokenizerDefinition {
    /// The tables that encoding runs on.
    func makeModel() -> TokenModel {
        switch model {
        case .byteLevel: .bytes(makeByteModel())
        case .textMerges: .merges(makeTextModel())
        case .unigram: .unigram(makeUnigramModel())
        case .wordPiece(let settings):
            .words(
                WordPieceModel(
                    index: TokenIndex(vocabulary, ids: modelIDs), settings: settings, unknown: unknownID))
        }
    }

    private func makeByteModel() -> MergeModel {
        guard case .success(let byteTokens) = byteTokens() else {
            preconditionFailure("a definition must have all 256 byte tokens; it has \(vocabulary.tokenCount) tokens")
        }
        return MergeModel(
            merges: mergeTable(), byteTokens: Block(byteTokens),
            wholePieces: takesWholePieces ? TokenIndex(vocabulary, ids: modelIDs) : nil, pattern: pattern,
            separatesDigits: separatesDigits)
    }

    private func mergeTable() -> MergeTable {
        var table = MergeTable(capacity: merges.count)
        for (rank, merge) in merges.enumerated() { table.insert(merge, rank: rank) }
        return table
    }

    private func makeTextModel() -> TextMergeModel {
        let index = TokenIndex(vocabulary, ids: modelIDs)
        let hasMark = ByteView.with([0xE2, 0x96, 0x81]) { index[$0] } != nil
        return TextMergeModel(
            index: index,
            order: scores.isEmpty ? .ranks(mergeTable()) : .scores(Block(scores.map { Float($0).descendingKey })),
            byteTokens: fallbackTokens(index).map { Block($0) }, unknown: unknownID, fusesUnknown: fusesUnknown,
            takesWholePieces: takesWholePieces,
            cuts: SpaceCuts(vocabulary, isAllowed: hasMark && !takesWholePieces))
    }

    private func makeUnigramModel() -> UnigramModel {
        let index = TokenIndex(vocabulary, ids: modelIDs)
        return UnigramModel(
            trie: TokenTrie(vocabulary, ids: modelIDs), scores: Block(scores),
            unknown: unknownID, unknownScore: (modelIDs.map { scores[Int($0)] }.min() ?? 0) - 10,
            byteTokens: fallbackTokens(index).map { Block($0) })
    }

    /// The tokens `<0x00>` to `<0xFF>`; nil where they are not all there or not asked for.
    private func fallbackTokens(_ index: TokenIndex) -> [TokenID]? {
        guard fallsBackToBytes else { return nil }
        var tokens: [TokenID] = []
        for byte in UInt8.min...UInt8.max {
            let digits = String(byte, radix: 16, uppercase: true)
            let text = "<0x" + (digits.count < 2 ? "0" : "") + digits + ">"
            guard let id = ByteView.with(text, { index[$0] }) else { return nil }
            tokens.append(id)
        }
        return tokens
    }
}
