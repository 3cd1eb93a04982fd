// SPDX-License-Identifier: Apache-2.0

extension Tokenizer {
    /// The vocabulary as the metadata of a GGUF file, from which llama.cpp gives the same ids.
    ///
    /// Throws `TokenizerError.unsupported` where the format has no name for how this tokenizer works.
    public func ggufVocabulary() throws(TokenizerError) -> VocabularyData {
        try definition.ggufVocabulary()
    }
}

extension TokenizerDefinition {
    /// The vocabulary as the metadata of a GGUF file.
    fileprivate func ggufVocabulary() throws(TokenizerError) -> VocabularyData {
        var data = VocabularyData(model: "", tokens: ByteStrings())
        switch model {
        case .byteLevel:
            data.model = "gpt2"
            data.pre = try bytePairName()
        case .textMerges:
            guard fallsBackToBytes, splitter.steps.allSatisfy(\.isWithoutSpaces) else {
                throw Self.notInGGUF("model", "BPE on characters without byte fallback")
            }
            data.model = "llama"
            data.pre = "default"
            data.scores = scores.isEmpty ? scoresOfMerges() : scores.map { Float($0) }
            data.addsSpacePrefix = prependsSpace
        case .unigram:
            data.model = "t5"
            data.pre = "default"
            data.scores = scores.map { Float($0) }
            data.addsSpacePrefix = prependsSpace
            data.removesExtraWhitespace = normalizer.steps.contains {
                if case .replaceRuns(.spaces, _) = $0 { true } else { false }
            }
            for case .precompiled(let map) in normalizer.steps { data.characterMap = map.bytes }
        case .wordPiece:
            data.model = "bert"
            data.pre = "default"
            data.separatorID = sequenceSuffix.first
            data.addsSeparator = !sequenceSuffix.isEmpty
            for case .bert(let rules) in normalizer.steps {
                data.lowercases = rules.lowercases
                data.stripsAccents = rules.stripsAccents ?? rules.lowercases
            }
        }
        addTokens(to: &data)
        data.unknownID = unknownID
        data.bosID = sequencePrefix.first
        data.eosID = sequenceSuffix.last
        data.addsBOS = !sequencePrefix.isEmpty
        data.addsEOS = !sequenceSuffix.isEmpty && data.addsSeparator != true
        return data
    }

    private static func notInGGUF(_ field: String, _ value: String) -> TokenizerError {
        .unsupported(file: "GGUF vocabulary", field: field, value: value)
    }

    /// Whether a space goes before a text.
    private var prependsSpace: Bool {
        normalizer.steps.contains { if case .prepend = $0 { true } else { false } }
            || splitter.steps.contains { step in
                if case .metaspace(let prepends, _) = step { prepends != .never } else { false }
            }
    }

    /// The name that llama.cpp has for the pattern.
    private func bytePairName() throws(TokenizerError) -> String {
        guard normalizer.steps.allSatisfy({ $0 == .composed(compatible: false) }) else {
            throw Self.notInGGUF("normalizer", "one that changes more than composed characters")
        }
        guard !addsPrefixSpace else { throw Self.notInGGUF("pre_tokenizer", "one that adds a space") }
        switch (pattern, separatesDigits) {
        case (.gpt2, true): return "smollm"
        case (.gpt2, false): return "gpt-2"
        case (.llama3, false): return takesWholePieces ? "llama-bpe" : "dbrx"
        case (.qwen2, false): return "qwen2"
        case (.o200k, false): return "gpt-4o"
        case (.tekken, false): return "tekken"
        default: throw Self.notInGGUF("pre_tokenizer", "the pattern \(pattern.rawValue)")
        }
    }

    /// Scores that sort tokens as their merges do: each token's is minus the rank of the first merge that makes it.
    private func scoresOfMerges() -> [Float] {
        var scores = [Float](repeating: 0, count: vocabulary.size)
        var isMade = [Bool](repeating: false, count: vocabulary.size)
        for (rank, merge) in merges.enumerated() where !isMade[Int(merge.result)] {
            isMade[Int(merge.result)] = true
            scores[Int(merge.result)] = -Float(rank)
        }
        return scores
    }

    private func addTokens(to data: inout VocabularyData) {
        let added = Dictionary(addedTokens.map { ($0.id, $0) }) { first, _ in first }
        data.tokens.reserve(count: vocabulary.size, bytes: vocabulary.arena.count * 2)
        for id in 0..<TokenID(vocabulary.size) {
            guard let bytes = vocabulary[id] else {
                data.tokens.append("[PAD\(id)]".utf8)
                data.types.append(VocabularyData.Kind.unused.rawValue)
                continue
            }
            let kind = kind(id, bytes, added[id])
            data.types.append(kind.rawValue)
            data.tokens.append(tokenText(id, bytes, kind))
        }
        let count = vocabulary.size
        if !data.scores.isEmpty && data.scores.count < count {
            data.scores += [Float](repeating: 0, count: count - data.scores.count)
        }
        guard model == .byteLevel else { return }
        for merge in merges {
            let left = ByteAlphabet.text(vocabulary[merge.left] ?? [])
            data.merges.append("\(left) \(ByteAlphabet.text(vocabulary[merge.right] ?? []))".utf8)
        }
    }

    private func kind(_ id: TokenID, _ bytes: ArraySlice<UInt8>, _ added: AddedToken?) -> VocabularyData.Kind {
        if id == unknownID, model != .byteLevel { return model == .textMerges ? .unknown : .control }
        if let added { return added.special ? .control : .userDefined }
        return fallsBackToBytes && TokenDecoder.byteValue(bytes) != nil ? .byte : .normal
    }

    private func tokenText(_ id: TokenID, _ bytes: ArraySlice<UInt8>, _ kind: VocabularyData.Kind) -> [UInt8] {
        switch model {
        case .byteLevel where kind == .normal:
            return [UInt8]((plainTokens[id] ?? ByteAlphabet.text(bytes)).utf8)
        case .wordPiece(let settings) where kind == .normal:
            return bytes.starts(with: settings.prefix)
                ? [UInt8](bytes.dropFirst(settings.prefix.count)) : Self.spaceMark + bytes
        default: return [UInt8](bytes)
        }
    }
}

extension TextSplitter.Step {
    /// Whether the step leaves text alone in which spaces are written "▁", or only writes them so.
    fileprivate var isWithoutSpaces: Bool {
        switch self {
        case .metaspace(_, let splits): !splits
        case .literal(let text, _): text == [0x20]
        default: false
        }
    }
}
