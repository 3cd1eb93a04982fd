/// Everything a tokenizer file says: what reading, training and rank files produce, and what writing takes.
struct TokenizerDefinition: Sendable {
    /// Ids must be below this, so that a damaged file cannot ask for all memory.
    static let idLimit: TokenID = 1 << 24

    /// Longest token in bytes.
    static let tokenLimit = 1 << 16

    /// The bytes of all tokens, added ones included.
    var vocabulary = Vocabulary()
    /// Ids of the model's own vocabulary whose text is written in the byte alphabet, ascending.
    var byteLevelIDs: [TokenID] = []
    /// Tokens of the model's own vocabulary that are not written in the byte alphabet, as the file writes them.
    var plainTokens: [TokenID: String] = [:]
    /// Merges in the order of their ranks.
    var merges: [MergeTable.Merge] = []
    /// Whether a piece that is itself a token is taken whole before any merge.
    var takesWholePieces = false
    var pattern: PreTokenizer = .gpt2
    var separatesDigits = false
    var addsPrefixSpace = false
    var normalizesNFC = false
    var addedTokens: [AddedToken] = []
    var sequencePrefix: [TokenID] = []
    var sequenceSuffix: [TokenID] = []

    /// The tokens of the 256 bytes; nil with the first byte that has none.
    func byteTokens() -> Result<[TokenID], MissingByte> {
        var tokens = [TokenID](repeating: -1, count: 256)
        for id in byteLevelIDs {
            guard let bytes = vocabulary[id], bytes.count == 1, let byte = bytes.first else { continue }
            tokens[Int(byte)] = id
        }
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
        byteLevelIDs.append(id)
    }

    /// The tables that encoding runs on.
    func makeModel() -> MergeModel {
        guard case .success(let byteTokens) = byteTokens() else {
            preconditionFailure("a definition must have all 256 byte tokens; it has \(vocabulary.tokenCount) tokens")
        }
        var table = MergeTable(capacity: merges.count)
        for (rank, merge) in merges.enumerated() { table.insert(merge, rank: rank) }
        let block = Block<TokenID>(count: 256, repeating: 0)
        for (byte, id) in byteTokens.enumerated() { block[byte] = id }
        return MergeModel(
            merges: table, byteTokens: block,
            wholePieces: takesWholePieces ? TokenIndex(vocabulary, ids: byteLevelIDs) : nil, pattern: pattern,
            separatesDigits: separatesDigits)
    }
}
