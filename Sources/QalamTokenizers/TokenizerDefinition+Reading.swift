extension TokenizerDefinition {
    /// Reads a `tokenizer.json` of the byte-level BPE kind.
    ///
    /// `truncation` and `padding` are settings of Hugging Face's batching, not of text and ids, and are passed over.
    init(json bytes: [UInt8], file: String) throws(TokenizerError) {
        let root = JSONField(value: try JSONParser.parse(bytes, file: file), path: "", file: file)
        try root.allowOnly([
            "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor",
            "decoder", "model",
        ])
        try readAddedTokens(root.member("added_tokens"))
        try readNormalizer(root.member("normalizer"))
        try readPreTokenizer(root.member("pre_tokenizer"))
        try readDecoder(root.member("decoder"))
        try readModel(root.member("model"))
        try readPostProcessor(root.member("post_processor"))
        if case .failure(let missing) = byteTokens() {
            let text = ByteAlphabet.text([missing.byte])
            throw try root.member("model").member("vocab").invalid(
                "byte \(missing.byte) (written \"\(text)\") has no token, so not every text can be encoded")
        }
    }

    private mutating func readAddedTokens(_ field: JSONField) throws(TokenizerError) {
        guard !field.isNull else { return }
        for entry in try field.elements() {
            try entry.allowOnly(["id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"])
            let id = try entry.member("id")
            let special = try entry.member("special").bool(default: false)
            let token = AddedToken(
                content: try entry.member("content").string(), id: try id.tokenID(), special: special,
                lstrip: try entry.member("lstrip").bool(default: false),
                rstrip: try entry.member("rstrip").bool(default: false),
                singleWord: try entry.member("single_word").bool(default: false),
                normalized: try entry.member("normalized").bool(default: !special))
            guard token.content.utf8.count <= Self.tokenLimit else {
                throw try entry.member("content").invalid("a token has at most \(Self.tokenLimit) bytes")
            }
            guard vocabulary.insert(token.content.utf8, at: token.id) else {
                throw id.invalid("id \(token.id) is given to two added tokens")
            }
            addedTokens.append(token)
        }
    }

    private mutating func readNormalizer(_ field: JSONField) throws(TokenizerError) {
        for step in try steps(field, list: "normalizers") {
            let type = try step.member("type")
            guard try type.string() == "NFC" else { throw type.unsupported() }
            normalizer.steps.append(.composed(compatible: false))
        }
    }

    /// The steps of a field that is null, one step, or a `Sequence` of steps.
    private func steps(_ field: JSONField, list: String) throws(TokenizerError) -> [JSONField] {
        guard !field.isNull else { return [] }
        guard try field.member("type").string() == "Sequence" else { return [field] }
        try field.allowOnly(["type", list])
        var all: [JSONField] = []
        for element in try field.member(list).elements() { all += try steps(element, list: list) }
        return all
    }

    // MARK: Pre-tokenizer

    private mutating func readPreTokenizer(_ field: JSONField) throws(TokenizerError) {
        var split: PreTokenizer?
        var isDone = false
        for step in try steps(field, list: "pretokenizers") {
            let type = try step.member("type")
            guard !isDone else { throw type.unsupported() }
            switch try type.string() {
            case "Digits" where split == nil:
                try step.allowOnly(["type", "individual_digits"])
                let single = try step.member("individual_digits")
                guard try single.bool(default: false) else { throw single.unsupported() }
                separatesDigits = true
            case "Split" where split == nil:
                split = try readSplit(step)
            case "ByteLevel":
                try readByteLevel(step, split)
                isDone = true
            default:
                throw type.unsupported()
            }
        }
        guard isDone else { throw field.invalid("a byte-level tokenizer has a step of type ByteLevel here") }
    }

    private func readSplit(_ step: JSONField) throws(TokenizerError) -> PreTokenizer {
        try step.allowOnly(["type", "pattern", "behavior", "invert"])
        let behavior = try step.member("behavior")
        let invert = try step.member("invert")
        // The patterns match all of a text, so keeping the matches is the same as isolating them.
        switch (try behavior.string(), try invert.bool(default: false)) {
        case ("Isolated", false), ("Removed", true): break
        case (_, true): throw invert.unsupported()
        default: throw behavior.unsupported()
        }
        let expression = try step.member("pattern").member("Regex")
        guard let pattern = PreTokenizer(expression: try expression.string()) else { throw expression.unsupported() }
        return pattern
    }

    private mutating func readByteLevel(_ step: JSONField, _ split: PreTokenizer?) throws(TokenizerError) {
        try step.allowOnly(["type", "add_prefix_space", "trim_offsets", "use_regex"])
        let usesRegex = try step.member("use_regex")
        guard try usesRegex.bool(default: true) == (split == nil) else { throw usesRegex.unsupported() }
        pattern = split ?? .gpt2
        let prefix = try step.member("add_prefix_space")
        addsPrefixSpace = try prefix.bool(default: true)
        if addsPrefixSpace && (split != nil || separatesDigits) { throw prefix.unsupported() }
    }

    // MARK: Decoder and post-processor

    private func readDecoder(_ field: JSONField) throws(TokenizerError) {
        let all = try steps(field, list: "decoders")
        guard all.count == 1, let step = all.first else { throw field.unsupported() }
        let type = try step.member("type")
        guard try type.string() == "ByteLevel" else { throw type.unsupported() }
    }

    private mutating func readPostProcessor(_ field: JSONField) throws(TokenizerError) {
        for step in try steps(field, list: "processors") {
            let type = try step.member("type")
            switch try type.string() {
            case "ByteLevel": continue  // concerns offsets only
            case "TemplateProcessing": try readTemplate(step)
            default: throw type.unsupported()
            }
        }
    }

    private mutating func readTemplate(_ step: JSONField) throws(TokenizerError) {
        try step.allowOnly(["type", "single", "pair", "special_tokens"])
        var isBehind = false
        for part in try step.member("single").elements() {
            if try !part.member("Sequence").isNull {
                guard !isBehind else { throw part.unsupported() }
                isBehind = true
                continue
            }
            let name = try part.member("SpecialToken").member("id").string()
            for id in try step.member("special_tokens").member(name).member("ids").elements() {
                let id = try idInUse(id)
                if isBehind { sequenceSuffix.append(id) } else { sequencePrefix.append(id) }
            }
        }
    }

    private func idInUse(_ field: JSONField) throws(TokenizerError) -> TokenID {
        let id = try field.tokenID()
        guard vocabulary[id] != nil else { throw field.invalid("there is no token \(id)") }
        return id
    }

    // MARK: Model

    private mutating func readModel(_ field: JSONField) throws(TokenizerError) {
        try field.allowOnly([
            "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
            "byte_fallback", "ignore_merges", "vocab", "merges",
        ])
        let type = try field.member("type")
        if !type.isNull, try type.string() != "BPE" { throw type.unsupported() }
        let dropout = try field.member("dropout")
        switch dropout.value {
        case .null, .number(0): break
        default: throw dropout.unsupported()
        }
        for name in ["continuing_subword_prefix", "end_of_word_suffix"] {
            let affix = try field.member(name)
            if !affix.isNull, try !affix.string().isEmpty { throw affix.unsupported() }
        }
        let fallback = try field.member("byte_fallback")
        if try fallback.bool(default: false) { throw fallback.unsupported() }
        takesWholePieces = try field.member("ignore_merges").bool(default: false)
        try readVocabulary(field.member("vocab"))
        try readMerges(field.member("merges"))
    }

    private mutating func readVocabulary(_ field: JSONField) throws(TokenizerError) {
        let added = Dictionary(addedTokens.map { ($0.id, $0.content) }) { first, _ in first }
        // By bytes: Swift takes strings for equal that differ in how they compose characters.
        let addedIDs = Dictionary(addedTokens.map { ([UInt8]($0.content.utf8), $0.id) }) { first, _ in first }
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
            let isByteLevel = ByteAlphabet.append(text, to: &bytes)
            if let content = added[id] {
                guard content.utf8.elementsEqual(text.utf8) || bytes.elementsEqual(content.utf8) else {
                    throw field.invalid("id \(id) is \"\(text)\" here and \"\(content)\" in added_tokens")
                }
                // An added token stands for its own text, whatever the byte alphabet makes of it.
                if isByteLevel && bytes.elementsEqual(content.utf8) {
                    modelIDs.append(id)
                } else {
                    plainTokens[id] = text
                }
                continue
            }
            if !isByteLevel { plainTokens[id] = text }
            guard isByteLevel ? vocabulary.insert(bytes, at: id) : vocabulary.insert(text.utf8, at: id) else {
                throw field.invalid("id \(id) is given to two tokens, one of them \"\(text)\"")
            }
            if isByteLevel { modelIDs.append(id) }
        }
        modelIDs.sort()
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
            guard ByteAlphabet.append(first, to: &left), !left.isEmpty else {
                throw entry.invalid("\"\(first)\" is not in the byte alphabet")
            }
            both.removeAll(keepingCapacity: true)
            both.append(contentsOf: left)
            guard ByteAlphabet.append(second, to: &both), both.count > left.count else {
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
}
