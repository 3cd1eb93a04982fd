// SPDX-License-Identifier: Apache-2.0

extension TokenizerDefinition {
    /// Reads a `tokenizer.json`.
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
        let kind = try modelKind(root.member("model"))
        let preTokenizer = try root.member("pre_tokenizer")
        if kind == "BPE", try isByteLevel(preTokenizer) {
            try readBytePreTokenizer(preTokenizer)
        } else {
            try readTextPreTokenizer(preTokenizer)
            model = kind == "BPE" ? .textMerges : kind == "Unigram" ? .unigram : .wordPiece(WordPieceSettings())
        }
        try readDecoder(root.member("decoder"))
        try readModel(root.member("model"))
        try readPostProcessor(root.member("post_processor"))
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

    // MARK: Post-processor

    private mutating func readPostProcessor(_ field: JSONField) throws(TokenizerError) {
        for step in try steps(field, list: "processors") {
            let type = try step.member("type")
            switch try type.string() {
            case "ByteLevel": continue  // concerns offsets only
            case "TemplateProcessing": try readTemplate(step)
            case "BertProcessing", "RobertaProcessing": try readPair(step)
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

    /// The token before and the token behind, each as text and id.
    private mutating func readPair(_ step: JSONField) throws(TokenizerError) {
        try step.allowOnly(["type", "sep", "cls", "trim_offsets", "add_prefix_space"])
        for name in ["cls", "sep"] {
            let pair = try step.member(name)
            let parts = try pair.elements()
            guard parts.count == 2 else { throw pair.invalid("a token's text and id belong here") }
            let id = try idInUse(parts[1])
            if name == "cls" { sequencePrefix.append(id) } else { sequenceSuffix.append(id) }
        }
    }

    private func idInUse(_ field: JSONField) throws(TokenizerError) -> TokenID {
        let id = try field.tokenID()
        guard vocabulary[id] != nil else { throw field.invalid("there is no token \(id)") }
        return id
    }
}
