// SPDX-License-Identifier: Apache-2.0

extension TokenizerDefinition {
    /// The kind of the model: "BPE", "Unigram" or "WordPiece".
    func modelKind(_ field: JSONField) throws(TokenizerError) -> String {
        let type = try field.member("type")
        // Old files leave the kind of BPE models out.
        guard !type.isNull else { return "BPE" }
        let kind = try type.string()
        guard ["BPE", "Unigram", "WordPiece"].contains(kind) else { throw type.unsupported() }
        return kind
    }

    /// Reads the model that `model` says it is.
    mutating func readModel(_ field: JSONField) throws(TokenizerError) {
        switch model {
        case .byteLevel, .textMerges: try readMergeModel(field)
        case .unigram: try readUnigram(field)
        case .wordPiece: try readWordPiece(field)
        }
        modelIDs.sort()
    }

    // MARK: BPE

    private mutating func readMergeModel(_ field: JSONField) throws(TokenizerError) {
        try field.allowOnly([
            "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
            "byte_fallback", "ignore_merges", "vocab", "merges",
        ])
        let dropout = try field.member("dropout")
        guard dropout.isNull || dropout.value.number == 0 else { throw dropout.unsupported() }
        for name in ["continuing_subword_prefix", "end_of_word_suffix"] {
            let affix = try field.member(name)
            if !affix.isNull, try !affix.string().isEmpty { throw affix.unsupported() }
        }
        takesWholePieces = try field.member("ignore_merges").bool(default: false)
        try readVocabulary(field.member("vocab"))
        try readMerges(field.member("merges"))
        let fallback = try field.member("byte_fallback")
        fallsBackToBytes = try fallback.bool(default: false)
        guard model == .textMerges else {
            if fallsBackToBytes { throw fallback.unsupported() }
            return try checkBytes(field.member("vocab"))
        }
        fusesUnknown = try field.member("fuse_unk").bool(default: false)
        try readUnknown(field.member("unk_token"))
    }

    private func checkBytes(_ field: JSONField) throws(TokenizerError) {
        guard case .failure(let missing) = byteTokens() else { return }
        let text = ByteAlphabet.text([missing.byte])
        throw field.invalid(
            "byte \(missing.byte) (written \"\(text)\") has no token, so not every text can be encoded")
    }

    private mutating func readUnknown(_ field: JSONField) throws(TokenizerError) {
        guard !field.isNull else { return }
        let text = try field.string()
        unknownID = modelIDs.first { vocabulary[$0]?.elementsEqual(text.utf8) == true }
        if unknownID == nil { throw field.invalid("\"\(text)\" is not in the vocabulary") }
    }

    private mutating func readVocabulary(_ field: JSONField) throws(TokenizerError) {
        let added = Dictionary(addedTokens.map { ($0.id, $0.content) }) { first, _ in first }
        // By bytes: Swift takes strings for equal that differ in how they compose characters.
        let addedIDs = Dictionary(addedTokens.map { ([UInt8]($0.content.utf8), $0.id) }) { first, _ in first }
        let isInAlphabet = model == .byteLevel
        var bytes: [UInt8] = []
        for (text, value) in try field.members() {
            guard text.utf8.count <= Self.tokenLimit else {
                throw field.invalid("\"\(text.prefix(100))…\" is longer than \(Self.tokenLimit) bytes")
            }
            guard let id = TokenID(json: value) else {
                throw JSONField(value: value, path: "\(field.path).\(text)", file: field.file).notAnID()
            }
            if let other = addedIDs[[UInt8](text.utf8)], other != id {
                throw field.invalid("\"\(text)\" has id \(id) here and \(other) in added_tokens")
            }
            bytes.removeAll(keepingCapacity: true)
            let isByteLevel = isInAlphabet && ByteAlphabet.append(text, to: &bytes)
            if let content = added[id] {
                guard content.utf8.elementsEqual(text.utf8) || bytes.elementsEqual(content.utf8) else {
                    throw field.invalid("id \(id) is \"\(text)\" here and \"\(content)\" in added_tokens")
                }
                // An added token stands for its own text, whatever the byte alphabet makes of it.
                if !isInAlphabet || isByteLevel && bytes.elementsEqual(content.utf8) {
                    modelIDs.append(id)
                } else {
                    plainTokens[id] = text
                }
                continue
            }
            if isInAlphabet && !isByteLevel { plainTokens[id] = text }
            guard isByteLevel ? vocabulary.insert(bytes, at: id) : vocabulary.insert(text.utf8, at: id) else {
                throw field.invalid("id \(id) is given to two tokens, one of them \"\(text)\"")
            }
            if isByteLevel || !isInAlphabet { modelIDs.append(id) }
        }
    }

    private mutating func readMerges(_ field: JSONField) throws(TokenizerError) {
        let index = TokenIndex(vocabulary, ids: modelIDs)
        guard case .array(let entries) = field.value else { throw field.invalid("a list of merges belongs here") }
        merges.reserveCapacity(entries.count)
        var left: [UInt8] = []
        var both: [UInt8] = []
        for (rank, value) in entries.enumerated() {
            // The path is made only where something is wrong with the entry: there may be hundreds of thousands.
            var entry: JSONField { JSONField(value: value, path: "\(field.path)[\(rank)]", file: field.file) }
            let (first, second) = try mergePair(value, entry)
            left.removeAll(keepingCapacity: true)
            guard append(first, to: &left), !left.isEmpty else {
                throw entry.invalid("\"\(first)\" is not in the byte alphabet")
            }
            both.removeAll(keepingCapacity: true)
            both.append(contentsOf: left)
            guard append(second, to: &both), both.count > left.count else {
                throw entry.invalid("\"\(second)\" is not in the byte alphabet")
            }
            let found = ByteView.with(both) { view in
                (index[view.slice(0, left.count)], index[view.slice(left.count, view.count)], index[view])
            }
            guard let first = found.0, let second = found.1, let result = found.2 else {
                throw entry.invalid("one of \"\(first)\", \"\(second)\" and both together is not in model.vocab")
            }
            merges.append(MergeTable.Merge(left: first, right: second, result: result))
        }
    }

    /// Appends the bytes of a token; false if it is not written as tokens of this model are.
    private func append(_ text: String, to bytes: inout [UInt8]) -> Bool {
        guard model != .byteLevel else { return ByteAlphabet.append(text, to: &bytes) }
        bytes.append(contentsOf: text.utf8)
        return true
    }

    /// The two halves of a merge, written as "a b" or as ["a", "b"].
    private func mergePair(
        _ value: JSONValue, _ entry: @autoclosure () -> JSONField
    ) throws(TokenizerError) -> (String, String) {
        switch value {
        case .string(let text):
            let halves = text.split(separator: " ", omittingEmptySubsequences: false)
            if halves.count == 2 { return (String(halves[0]), String(halves[1])) }
        case .array(let halves):
            if halves.count == 2, case .string(let left) = halves[0], case .string(let right) = halves[1] {
                return (left, right)
            }
        default: break
        }
        throw entry().invalid("a merge is two tokens, not \(value.summary)")
    }

    // MARK: Unigram and WordPiece

    private mutating func readUnigram(_ field: JSONField) throws(TokenizerError) {
        try field.allowOnly(["type", "unk_id", "vocab", "byte_fallback"])
        fallsBackToBytes = try field.member("byte_fallback").bool(default: false)
        let list = try field.member("vocab")
        guard case .array(let entries) = list.value, entries.count < Int(Self.idLimit) else {
            throw list.invalid("a list of tokens with their scores belongs here")
        }
        let added = Dictionary(addedTokens.map { ($0.id, $0.content) }) { first, _ in first }
        for (index, entry) in entries.enumerated() {
            let id = TokenID(index)
            guard case .array(let pair) = entry, pair.count == 2, case .string(let text) = pair[0],
                let score = pair[1].number, text.utf8.count <= Self.tokenLimit
            else {
                throw JSONField(value: entry, path: "\(list.path)[\(index)]", file: list.file)
                    .invalid("a token and its score belong here")
            }
            guard vocabulary.insert(text.utf8, at: id) else {
                throw list.invalid("id \(id) is \"\(text)\" here and \"\(added[id] ?? "")\" in added_tokens")
            }
            modelIDs.append(id)
            scores.append(score)
        }
        let unknown = try field.member("unk_id")
        guard !unknown.isNull else { return }
        let id = try unknown.tokenID()
        guard Int(id) < entries.count else { throw unknown.invalid("there is no token \(id)") }
        unknownID = id
    }

    private mutating func readWordPiece(_ field: JSONField) throws(TokenizerError) {
        try field.allowOnly(["type", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"])
        var settings = WordPieceSettings(longestWord: 100)
        let prefix = try field.member("continuing_subword_prefix")
        if !prefix.isNull { settings.prefix = [UInt8](try prefix.string().utf8) }
        let longest = try field.member("max_input_chars_per_word")
        if !longest.isNull {
            guard let count = longest.value.whole, count >= 0 else {
                throw longest.invalid("a number of characters belongs here")
            }
            settings.longestWord = count
        }
        model = .wordPiece(settings)
        try readVocabulary(field.member("vocab"))
        try readUnknown(field.member("unk_token"))
    }
}
