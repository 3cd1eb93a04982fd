// SPDX-License-Identifier: Apache-2.0

extension TokenizerDefinition {
    /// The steps of a field that is null, one step, or a `Sequence` of steps.
    func steps(_ field: JSONField, list: String) throws(TokenizerError) -> [JSONField] {
        guard !field.isNull else { return [] }
        guard try field.member("type").string() == "Sequence" else { return [field] }
        try field.allowOnly(["type", list])
        var all: [JSONField] = []
        for element in try field.member(list).elements() { all += try steps(element, list: list) }
        return all
    }

    // MARK: Normalizer

    /// Reads what is done to text first.
    mutating func readNormalizer(_ field: JSONField) throws(TokenizerError) {
        for step in try steps(field, list: "normalizers") {
            let type = try step.member("type")
            switch try type.string() {
            case "NFC": normalizer.steps.append(.composed(compatible: false))
            case "NFKC": normalizer.steps.append(.composed(compatible: true))
            case "NFD": normalizer.steps.append(.decomposed(compatible: false))
            case "NFKD": normalizer.steps.append(.decomposed(compatible: true))
            case "Lowercase": normalizer.steps.append(.lowercase)
            case "StripAccents": normalizer.steps.append(.stripAccents)
            case "Nmt": normalizer.steps.append(.nmt)
            case "Strip":
                try step.allowOnly(["type", "strip_left", "strip_right"])
                normalizer.steps.append(
                    .strip(
                        left: try step.member("strip_left").bool(default: true),
                        right: try step.member("strip_right").bool(default: true)))
            case "Prepend":
                try step.allowOnly(["type", "prepend"])
                normalizer.steps.append(.prepend([UInt8](try step.member("prepend").string().utf8)))
            case "Replace": normalizer.steps.append(try replacement(step))
            case "BertNormalizer": normalizer.steps.append(try bertNormalization(step))
            case "Precompiled": normalizer.steps.append(try characterMap(step))
            default: throw type.unsupported()
            }
        }
    }

    private func replacement(_ step: JSONField) throws(TokenizerError) -> Normalizer.Step {
        try step.allowOnly(["type", "pattern", "content"])
        let content = [UInt8](try step.member("content").string().utf8)
        let pattern = try step.member("pattern")
        let text = try pattern.member("String")
        if !text.isNull {
            guard try !text.string().isEmpty else { throw text.unsupported() }
            return .replace([UInt8](try text.string().utf8), with: content)
        }
        let expression = try pattern.member("Regex")
        switch try expression.string() {
        case "\n", "\\n": return .replace([0x0A], with: content)
        case " ": return .replace([0x20], with: content)
        case let other:
            guard let runs = Normalizer.Runs(rawValue: other) else { throw expression.unsupported() }
            return .replaceRuns(runs, with: content)
        }
    }

    private func bertNormalization(_ step: JSONField) throws(TokenizerError) -> Normalizer.Step {
        try step.allowOnly(["type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase"])
        let strips = try step.member("strip_accents")
        return .bert(
            BertNormalization(
                cleansText: try step.member("clean_text").bool(default: true),
                isolatesChinese: try step.member("handle_chinese_chars").bool(default: true),
                stripsAccents: strips.isNull ? nil : try strips.bool(default: true),
                lowercases: try step.member("lowercase").bool(default: true)))
    }

    private func characterMap(_ step: JSONField) throws(TokenizerError) -> Normalizer.Step {
        try step.allowOnly(["type", "precompiled_charsmap"])
        let field = try step.member("precompiled_charsmap")
        let text = [UInt8](try field.string().utf8)
        guard let bytes = Base64.decode(text[...]), let map = CharacterMap(bytes) else {
            throw field.invalid("it is not a character map of SentencePiece in Base64")
        }
        return .precompiled(map)
    }

    // MARK: Pre-tokenizer

    /// Whether a step cuts text into bytes.
    func isByteLevel(_ field: JSONField) throws(TokenizerError) -> Bool {
        for step in try steps(field, list: "pretokenizers") {
            if try step.member("type").string() == "ByteLevel" { return true }
        }
        return false
    }

    /// Reads how a byte-level model cuts text.
    mutating func readBytePreTokenizer(_ field: JSONField) throws(TokenizerError) {
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
                split = try readPattern(step)
            case "ByteLevel":
                try readByteLevel(step, split)
                isDone = true
            default:
                throw type.unsupported()
            }
        }
    }

    private func readPattern(_ step: JSONField) throws(TokenizerError) -> PreTokenizer {
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

    /// Reads how a model that is not byte-level cuts text.
    mutating func readTextPreTokenizer(_ field: JSONField) throws(TokenizerError) {
        for step in try steps(field, list: "pretokenizers") {
            let type = try step.member("type")
            switch try type.string() {
            case "Metaspace": splitter.steps.append(try metaspace(step))
            case "Split": splitter.steps.append(try split(step))
            case "CharDelimiterSplit":
                splitter.steps.append(.literal([UInt8](try step.member("delimiter").string().utf8), .removed))
            case "Whitespace": splitter.steps.append(.words)
            case "WhitespaceSplit": splitter.steps.append(.whitespace)
            case "BertPreTokenizer": splitter.steps.append(.bert)
            case "Punctuation": splitter.steps.append(.punctuation(try behavior(step.member("behavior"))))
            case "Digits":
                let single = try step.member("individual_digits").bool(default: false)
                splitter.steps.append(.digits(single ? .isolated : .contiguous))
            default: throw type.unsupported()
            }
        }
    }

    private func behavior(_ field: JSONField) throws(TokenizerError) -> SplitBehavior {
        guard !field.isNull else { return .isolated }
        guard let behavior = SplitBehavior(rawValue: try field.string()) else { throw field.unsupported() }
        return behavior
    }

    private func split(_ step: JSONField) throws(TokenizerError) -> TextSplitter.Step {
        let text = try step.member("pattern").member("String")
        guard !text.isNull else { return .pattern(try readPattern(step)) }
        try step.allowOnly(["type", "pattern", "behavior", "invert"])
        let invert = try step.member("invert")
        if try invert.bool(default: false) { throw invert.unsupported() }
        return .literal([UInt8](try text.string().utf8), try behavior(step.member("behavior")))
    }

    private func metaspace(_ step: JSONField) throws(TokenizerError) -> TextSplitter.Step {
        try step.allowOnly(["type", "replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"])
        let mark = try step.member("replacement")
        guard try mark.string() == "\u{2581}" else { throw mark.unsupported() }
        return .metaspace(
            prepends: try prepending(step), splits: try step.member("split").bool(default: true))
    }

    /// Where "▁" is put in front, in the words of new files or of old ones.
    private func prepending(_ step: JSONField) throws(TokenizerError) -> TextSplitter.Prepending {
        let scheme = try step.member("prepend_scheme")
        guard !scheme.isNull else {
            return try step.member("add_prefix_space").bool(default: true) ? .always : .never
        }
        guard let prepending = TextSplitter.Prepending(rawValue: try scheme.string()) else {
            throw scheme.unsupported()
        }
        return prepending
    }

    // MARK: Decoder

    /// Reads how tokens become text.
    mutating func readDecoder(_ field: JSONField) throws(TokenizerError) {
        let all = try steps(field, list: "decoders")
        guard model != .byteLevel else {
            guard all.count == 1, let step = all.first else { throw field.unsupported() }
            let type = try step.member("type")
            guard try type.string() == "ByteLevel" else { throw type.unsupported() }
            return
        }
        // Without a decoder, Hugging Face puts a space between tokens.
        decoderStyle = .words(prefix: [], cleansUp: false)
        guard let first = all.first else { return }
        if all.count == 1, try first.member("type").string() == "WordPiece" {
            try first.allowOnly(["type", "prefix", "cleanup"])
            let prefix = try first.member("prefix")
            decoderStyle = .words(
                prefix: prefix.isNull ? [0x23, 0x23] : [UInt8](try prefix.string().utf8),
                cleansUp: try first.member("cleanup").bool(default: true))
        } else if all.count == 1, try first.member("type").string() == "Metaspace" {
            decoderStyle = .pieces(
                leading: try prepending(first) == .never ? .kept : .noneInFirst, takesBytes: false)
        } else {
            try readPieceDecoder(all, field)
        }
    }

    /// `Replace` "▁" by a space, `ByteFallback`, `Fuse` and `Strip`, as Llama and Gemma have them.
    private mutating func readPieceDecoder(_ all: [JSONField], _ field: JSONField) throws(TokenizerError) {
        var replaces = false
        var takesBytes = false
        var isFused = false
        var leading = TokenDecoder.Leading.kept
        for step in all {
            let type = try step.member("type")
            switch try type.string() {
            case "Replace":
                let content = try step.member("content")
                let pattern = try step.member("pattern").member("String")
                guard try content.string() == " " else { throw content.unsupported() }
                guard !pattern.isNull, try pattern.string() == "\u{2581}" else { throw pattern.unsupported() }
                replaces = true
            case "ByteFallback": takesBytes = true
            case "Fuse": isFused = true
            case "Strip" where isFused:
                try step.allowOnly(["type", "content", "start", "stop"])
                let start = try step.member("start")
                guard try step.member("content").string() == " ", try step.member("stop").value.whole == 0,
                    let count = start.value.whole, count >= 0
                else { throw step.unsupported() }
                if count > 0 { leading = .stripped(count) }
            default: throw type.unsupported()
            }
        }
        guard replaces else { throw field.unsupported() }
        decoderStyle = .pieces(leading: leading, takesBytes: takesBytes)
    }
}
