extension TokenizerDefinition {
    /// Reads a tiktoken rank file.
    ///
    /// The order of ranks defines the merges, and a piece that is a token is taken whole.
    init(
        ranks bytes: [UInt8], file: String, pattern: PreTokenizer, specialTokens: [String: TokenID]
    ) throws(TokenizerError) {
        var start = 0
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: 0x0A) ?? bytes.count
            let line = bytes[start..<end].last == 0x0D ? bytes[start..<end - 1] : bytes[start..<end]
            if !line.isEmpty { try readRank(line, file) }
            start = end + 1
        }
        modelIDs.sort()
        guard case .success(let byteTokens) = byteTokens() else {
            throw .malformed(file: file, offset: bytes.count, reason: "not every one of the 256 bytes has a rank")
        }
        self.pattern = pattern
        takesWholePieces = true
        addRankMerges(byteTokens)
        try addSpecialTokens(specialTokens.sorted { $0.value < $1.value }.map { ($0.key, $0.value) }, file: file)
    }

    /// Adds control tokens with their ids, in the model's own vocabulary, so that other readers give them the same ids.
    mutating func addSpecialTokens(_ tokens: [(String, TokenID)], file: String) throws(TokenizerError) {
        for (content, id) in tokens {
            let field = "special token \"\(content)\""
            guard (0..<Self.idLimit).contains(id) else {
                throw .invalid(file: file, field: field, reason: "its id \(id) is not in 0..<\(Self.idLimit)")
            }
            guard !content.isEmpty, content.utf8.count <= Self.tokenLimit, vocabulary[id] == nil,
                vocabulary.insert(content.utf8, at: id)
            else {
                throw .invalid(file: file, field: field, reason: "its id \(id) is taken, or its text empty or huge")
            }
            addedTokens.append(AddedToken(content: content, id: id))
            plainTokens[id] = content
        }
    }

    private mutating func readRank(_ line: ArraySlice<UInt8>, _ file: String) throws(TokenizerError) {
        func failure(_ reason: String) -> TokenizerError {
            .malformed(file: file, offset: line.startIndex, reason: reason)
        }
        guard let space = line.firstIndex(of: 0x20) else {
            throw failure("a line is a token in Base64, a space, a rank")
        }
        guard let token = Base64.decode(line[..<space]), !token.isEmpty else {
            throw failure("the token is not Base64")
        }
        guard token.count <= Self.tokenLimit else { throw failure("a token has at most \(Self.tokenLimit) bytes") }
        let digits = line[(space + 1)...]
        guard !digits.isEmpty, digits.count <= 8, digits.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw failure("the rank is not a whole number")
        }
        let rank = digits.reduce(TokenID(0)) { $0 * 10 + TokenID($1 - 0x30) }
        guard rank < Self.idLimit else { throw failure("rank \(rank) is not in 0..<\(Self.idLimit)") }
        guard vocabulary[rank] == nil, vocabulary.insert(token, at: rank) else {
            throw failure("rank \(rank) is given to two tokens")
        }
        modelIDs.append(rank)
    }

    /// Finds for each token the two tokens whose merge makes it.
    ///
    /// tiktoken merges any neighbours whose bytes together are a token, lowest rank first. No merge crosses the bounds
    /// of a token that is about to be made, so its parts went through the very states they go through alone; alone
    /// there is one state with two parts. So one pair for each token, found from the shorter tokens' merges, gives the
    /// same ids.
    private mutating func addRankMerges(_ byteTokens: [TokenID]) {
        let lengths = modelIDs.map { (id: $0, length: vocabulary[$0]?.count ?? 0) }
        var table = MergeTable(capacity: lengths.count)
        for (id, _) in lengths.filter({ $0.length > 1 }).sorted(by: { ($0.length, $0.id) < ($1.length, $1.id) }) {
            var parts = (vocabulary[id] ?? []).map { byteTokens[Int($0)] }
            while parts.count > 2 {
                let values = zip(parts, parts.dropFirst()).map { table.lookup($0, $1) }
                guard let best = values.min(), best != MergeTable.none, let at = values.firstIndex(of: best) else {
                    break
                }
                parts[at] = TokenID(truncatingIfNeeded: best)
                parts.remove(at: at + 1)
            }
            // A token that merges do not reach is only ever a whole piece.
            guard parts.count == 2 else { continue }
            let merge = MergeTable.Merge(left: parts[0], right: parts[1], result: id)
            table.insert(merge, rank: Int(id))
            merges.append(merge)
        }
        merges.sort { $0.result < $1.result }
    }
}

/// Base64 (RFC 4648) with padding.
enum Base64 {
    /// The bytes that `text` stands for; nil if it is not Base64.
    static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        var bytes: [UInt8] = []
        var word: UInt32 = 0
        var padding = 0
        for (index, byte) in text.enumerated() {
            guard let digit = digit(byte) ?? (byte == UInt8(ascii: "=") ? 0 : nil) else { return nil }
            if byte == UInt8(ascii: "=") {
                padding += 1
            } else if padding > 0 {
                return nil
            }
            word = word << 6 | digit
            guard index % 4 == 3 else { continue }
            bytes += [UInt8(word >> 16 & 0xFF), UInt8(word >> 8 & 0xFF), UInt8(word & 0xFF)]
            word = 0
        }
        guard padding <= 2 else { return nil }
        return bytes.dropLast(padding)
    }

    private static func digit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(byte) - 65
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(byte) - 71
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte) + 4
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
