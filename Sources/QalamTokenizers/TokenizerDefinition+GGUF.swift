// SPDX-License-Identifier: Apache-2.0

extension Tokenizer {
    /// Opens a vocabulary from the metadata of a GGUF file; errors call it `file`.
    ///
    /// Gives the ids of llama.cpp for the models "gpt2", "llama", "bert" and "t5". Throws `TokenizerError` for lists
    /// that do not fit together and for a `pre` that is not known.
    public convenience init(vocabulary: VocabularyData, file: String = "tokenizer.ggml") throws(TokenizerError) {
        self.init(try TokenizerDefinition(vocabulary, file: file))
    }
}

extension TokenizerDefinition {
    /// Reads a vocabulary from the metadata of a GGUF file.
    init(_ data: VocabularyData, file: String) throws(TokenizerError) {
        try data.checkCounts(file)
        switch data.model {
        case "gpt2": try readByteLevel(data, file)
        case "llama": try readSentencePiece(data, file)
        case "bert": try readWordPiece(data, file)
        case "t5": try readUnigram(data, file)
        default: throw .unsupported(file: file, field: "model", value: "\"\(data.model.prefix(200))\"")
        }
        markStrippingTokens(data)
    }

    /// The token `id`, or `usual` where the file names none and there is such a token.
    private func token(
        _ id: TokenID?, _ field: String, usual: TokenID?, _ file: String
    ) throws(TokenizerError) -> TokenID? {
        guard let id else { return usual.flatMap { vocabulary[$0] == nil ? nil : $0 } }
        guard vocabulary[id] != nil else {
            throw .invalid(file: file, field: field, reason: "there is no token \(id)")
        }
        return id
    }

    /// Adds all tokens with their text as the file has it, those of kinds that are found in text as added tokens.
    private mutating func addTokens(
        _ data: VocabularyData, _ file: String, asBytes: Bool = false
    ) throws(TokenizerError) {
        vocabulary.reserve(count: data.tokens.count, bytes: data.tokens.bytes.count)
        modelIDs.reserveCapacity(data.tokens.count)
        var scratch: [UInt8] = []
        let alphabet = ByteAlphabet.Reader()
        for index in 0..<data.tokens.count {
            let id = TokenID(index)
            let text = data.tokens[index]
            guard text.count <= Self.tokenLimit else {
                throw .invalid(
                    file: file, field: "tokens[\(index)]", reason: "a token has at most \(Self.tokenLimit) bytes")
            }
            let kind = data.kind(index)
            switch kind {
            case .control, .unknown, .userDefined:
                let content = String(decoding: text, as: UTF8.self)
                addedTokens.append(AddedToken(content: content, id: id, special: kind != .userDefined))
            case .normal, .unused, .byte: break
            }
            scratch.removeAll(keepingCapacity: true)
            if asBytes, kind == .normal, alphabet.append(text, to: &scratch) {
                _ = vocabulary.insert(scratch, at: id)
                modelIDs.append(id)
            } else {
                _ = vocabulary.insert(text, at: id)
                if asBytes {
                    plainTokens[id] = String(decoding: text, as: UTF8.self)
                } else {
                    modelIDs.append(id)
                }
            }
        }
    }

    // MARK: Byte-level

    private mutating func readByteLevel(_ data: VocabularyData, _ file: String) throws(TokenizerError) {
        guard let name = data.pre, let style = BytePairStyle(name) else {
            throw .unsupported(file: file, field: "pre", value: data.pre.map { "\"\($0.prefix(200))\"" } ?? "missing")
        }
        pattern = style.pattern
        separatesDigits = style.separatesDigits
        takesWholePieces = style.takesWholePieces
        addsPrefixSpace = data.addsSpacePrefix ?? false
        try addTokens(data, file, asBytes: true)
        if case .failure(let missing) = byteTokens() {
            throw .invalid(
                file: file, field: "tokens",
                reason: "byte \(missing.byte) has no token, so not every text can be encoded")
        }
        try readMerges(data.merges, file)
        try addEnds(data, bos: style.addsBOS, separator: style.addsSeparator, usual: (11, 11), file)
    }

    private mutating func readMerges(_ list: ByteStrings, _ file: String) throws(TokenizerError) {
        let index = TokenIndex(vocabulary, ids: modelIDs)
        merges.reserveCapacity(list.count)
        let tokens = vocabulary.arena
        let failure = ByteView.with(list.bytes) { text in
            ByteView.with(tokens) { addMerges(list, text, $0, index) }
        }
        if let failure { throw Self.badMerge(failure, file) }
    }

    /// Adds the merges of `list`, whose bytes are `text`; the first that is none where there is one.
    private mutating func addMerges(
        _ list: ByteStrings, _ text: ByteView, _ arena: ByteView, _ index: TokenIndex
    ) -> Int? {
        // Vocabularies mostly list the results of merges in their order, so the next id is worth a look.
        var guess = 256
        let alphabet = ByteAlphabet.Reader()
        let both = Block<UInt8>(unwritten: 2 * Self.tokenLimit)
        for rank in 0..<list.count {
            let range = list.range(rank)
            guard range.count < both.count,
                let length = alphabet.readPair(text, range.lowerBound, range.upperBound, into: both)
            else { return rank }
            let view = both.view(0, length.both)
            guard let left = index[view.slice(0, length.left)], let right = index[view.slice(length.left, length.both)]
            else { return rank }
            let place = guess < vocabulary.size ? vocabulary.place(guess) : (start: 0, length: -1)
            let isGuessed = place.length == length.both && arena.equals(at: place.start, view)
            guard let result = isGuessed ? TokenID(guess) : index[view] else { return rank }
            merges.append(MergeTable.Merge(left: left, right: right, result: result))
            guess = Int(result) + 1
        }
        return nil
    }

    private static func badMerge(_ rank: Int, _ file: String) -> TokenizerError {
        .invalid(
            file: file, field: "merges[\(rank)]", reason: "it must be two tokens whose text together is a third one")
    }

    /// Notes the ids that go around a text.
    private mutating func addEnds(
        _ data: VocabularyData, bos: Bool, eos: Bool = false, separator: Bool = false,
        usual: (bos: TokenID?, eos: TokenID?), _ file: String
    ) throws(TokenizerError) {
        if data.addsBOS ?? bos, let id = try token(data.bosID, "bos_token_id", usual: usual.bos, file) {
            sequencePrefix = [id]
        }
        if data.addsSeparator ?? separator,
            let id = try token(data.separatorID ?? data.eosID, "seperator_token_id", usual: usual.eos, file)
        {
            sequenceSuffix = [id]
        } else if data.addsEOS ?? eos, let id = try token(data.eosID, "eos_token_id", usual: usual.eos, file) {
            sequenceSuffix = [id]
        }
    }

    // MARK: Text

    private mutating func readSentencePiece(_ data: VocabularyData, _ file: String) throws(TokenizerError) {
        guard !data.scores.isEmpty else {
            throw .invalid(file: file, field: "scores", reason: "a \"llama\" vocabulary has a score for each token")
        }
        model = .textMerges
        scores = data.scores.map { $0.isNaN ? -.infinity : Double($0) }
        fallsBackToBytes = true
        try addTokens(data, file)
        unknownID = try token(data.unknownID, "unknown_token_id", usual: 0, file)
        let addsSpace = data.addsSpacePrefix ?? true
        if addsSpace { normalizer.steps.append(.prepend(Self.spaceMark)) }
        normalizer.steps.append(.replace([0x20], with: Self.spaceMark))
        decoderStyle = .pieces(leading: addsSpace ? .stripped(1) : .kept, takesBytes: true)
        try addEnds(data, bos: true, usual: (1, 2), file)
    }

    /// Where the file has "▁" before the beginnings of words, the definition has "##" before other parts, as BERT's own
    /// files do.
    private mutating func readWordPiece(_ data: VocabularyData, _ file: String) throws(TokenizerError) {
        var settings = WordPieceSettings()
        var data = data
        var tokens = ByteStrings()
        tokens.reserve(count: data.tokens.count, bytes: data.tokens.bytes.count)
        for index in 0..<data.tokens.count {
            let token = data.tokens[index]
            if token.starts(with: Self.spaceMark) {
                tokens.append(token.dropFirst(Self.spaceMark.count))
            } else {
                tokens.append(data.kind(index) == .normal ? settings.prefix + token : [UInt8](token))
            }
        }
        data.tokens = tokens
        settings.longestWord = nil
        model = .wordPiece(settings)
        try addTokens(data, file)
        unknownID = try token(data.unknownID, "unknown_token_id", usual: 100, file)
        normalizer.steps = [
            .bert(
                BertNormalization(
                    stripsAccents: data.stripsAccents ?? true, lowercases: data.lowercases ?? true))
        ]
        splitter.steps = [.bert]
        decoderStyle = .words(prefix: settings.prefix, cleansUp: true)
        try addEnds(data, bos: true, separator: true, usual: (101, 102), file)
    }

    private mutating func readUnigram(_ data: VocabularyData, _ file: String) throws(TokenizerError) {
        guard !data.scores.isEmpty else {
            throw .invalid(file: file, field: "scores", reason: "a \"t5\" vocabulary has a score for each token")
        }
        model = .unigram
        try addTokens(data, file)
        let kinds = (0..<data.tokens.count).map { data.kind($0) }
        // Control tokens are never parts of text; tokens that the user defined win over all others.
        modelIDs.removeAll { [.control, .unknown, .byte].contains(kinds[Int($0)]) }
        scores = zip(data.scores, kinds).map { $1 == .userDefined || $0.isNaN ? 0 : Double($0) }
        unknownID = try token(data.unknownID, "unknown_token_id", usual: 2, file)
        if !data.characterMap.isEmpty {
            guard let map = CharacterMap(data.characterMap, takesLongest: true) else {
                throw .invalid(
                    file: file, field: "precompiled_charsmap", reason: "its length does not fit what it says")
            }
            normalizer.steps.append(.precompiled(map))
        }
        let addsSpace = data.addsSpacePrefix ?? true
        if data.removesExtraWhitespace ?? false {
            normalizer.steps += [.strip(left: true, right: true), .replaceRuns(.spaces, with: [0x20])]
        }
        if addsSpace { normalizer.steps.append(.prepend([0x20])) }
        normalizer.steps.append(.replace([0x20], with: Self.spaceMark))
        decoderStyle = .pieces(leading: addsSpace ? .stripped(1) : .kept, takesBytes: false)
        try addEnds(data, bos: false, eos: true, usual: (nil, 1), file)
    }

    /// "▁" (U+2581), by which SentencePiece writes a space.
    static let spaceMark: [UInt8] = [0xE2, 0x96, 0x81]

    /// Marks the special tokens that take whitespace along, which llama.cpp knows by the name of the model.
    private mutating func markStrippingTokens(_ data: VocabularyData) {
        let name = data.name?.lowercased() ?? ""
        let pre = data.pre ?? ""
        for index in addedTokens.indices {
            let content = addedTokens[index].content
            if name.contains("phi-3") || name.contains("phi3") {
                addedTokens[index].rstrip = !["<unk>", "<s>", "<|endoftext|>"].contains(content)
            }
            if name.contains("modern-bert") && content == "[MASK]"
                || ["jina-v2-de", "jina-v2-es", "jina-v2-code"].contains(pre) && content == "<mask>"
            {
                addedTokens[index].lstrip = true
            }
        }
    }
}

extension VocabularyData {
    /// The kind of the token at `index`; normal where the file does not say.
    func kind(_ index: Int) -> Kind { index < types.count ? Kind(rawValue: types[index]) ?? .normal : .normal }

    /// Fails where lists do not have one entry for each token.
    func checkCounts(_ file: String) throws(TokenizerError) {
        guard tokens.count > 0, tokens.count < Int(TokenizerDefinition.idLimit) else {
            throw .invalid(file: file, field: "tokens", reason: "\(tokens.count) tokens is none or too many")
        }
        for (name, count) in [("scores", scores.count), ("token_type", types.count)]
        where count != 0 && count != tokens.count {
            throw .invalid(file: file, field: name, reason: "\(count) entries for \(tokens.count) tokens")
        }
    }
}

/// How a "gpt2" vocabulary of a GGUF file cuts text, by the name in `tokenizer.ggml.pre`.
struct BytePairStyle {
    let pattern: PreTokenizer
    var separatesDigits = false
    var takesWholePieces = false
    var addsBOS = false
    var addsSeparator = false

    /// The style that llama.cpp has under `name`; nil where there is none here.
    init?(_ name: String) {
        switch name {
        case "gpt-2", "phi-2", "olmo", "mpt", "jais", "trillion", "granite-docling", "gigachat", "a.x-4.0", "mellum",
            "modern-bert", "exaone4", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de":
            pattern = .gpt2
        case "roberta-bpe", "jina-v1-en", "jina-v2-code":
            pattern = .gpt2
            addsSeparator = true
        case "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2":
            pattern = .gpt2
            separatesDigits = true
        case "llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano":
            pattern = .llama3
            takesWholePieces = true
            addsBOS = true
        case "glm4", "glm5":
            pattern = .llama3
            takesWholePieces = true
        case "dbrx", "smaug-bpe", "chatglm-bpe": pattern = .llama3
        case "qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "megrez", "stablelm2", "hunyuan", "solar-open":
            pattern = .qwen2
        case "gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2": pattern = .o200k
        case "tekken":
            pattern = .tekken
            takesWholePieces = true
            addsBOS = true
        default: return nil
        }
    }
}
