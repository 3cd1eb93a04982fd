// SPDX-License-Identifier: Apache-2.0
package import QalamFormats
package import QalamTokenizers

// The vocabulary in the metadata of a GGUF file: the keys under `tokenizer.ggml.`.

extension Tokenizer {
    /// The tokenizer that a GGUF file carries.
    ///
    /// - Throws: `FormatError` for a value of another type than the key has, `TokenizerError` for lists that don't fit
    ///   together.
    package convenience init(gguf metadata: GGUFMetadata) throws {
        try self.init(vocabulary: VocabularyData(metadata), file: "\(metadata.path): tokenizer.ggml")
    }
}

/// The key of the chat template.
package let chatTemplateKey = "tokenizer.chat_template"

private func key(_ name: String) -> String { "tokenizer.ggml.\(name)" }

extension VocabularyData {
    /// Reads the vocabulary in `metadata`.
    package init(_ metadata: GGUFMetadata) throws(FormatError) {
        self.init(
            model: try metadata.string(key("model")), pre: try metadata.optionalString(key("pre")),
            tokens: try ByteStrings(metadata, key("tokens")))
        name = try metadata.optionalString("general.name")
        scores = try metadata.doubles(key("scores")).map { Float($0) }
        types = try metadata.ints(key("token_type")).map { Int32(clamping: $0) }
        merges = try ByteStrings(metadata, key("merges"))
        func id(_ name: String) throws(FormatError) -> TokenID? {
            guard let value = try metadata.optionalInt(key(name)) else { return nil }
            guard let id = TokenID(exactly: value) else {
                throw metadata.error(key(name), "expected the id of a token, found \(value)")
            }
            return id
        }
        bosID = try id("bos_token_id")
        eosID = try id("eos_token_id")
        unknownID = try id("unknown_token_id")
        separatorID = try id("seperator_token_id")
        paddingID = try id("padding_token_id")
        func truth(_ name: String) throws(FormatError) -> Bool? {
            metadata.has(key(name)) ? try metadata.bool(key(name)) : nil
        }
        addsBOS = try truth("add_bos_token")
        addsEOS = try truth("add_eos_token")
        addsSeparator = try truth("add_sep_token")
        addsSpacePrefix = try truth("add_space_prefix")
        removesExtraWhitespace = try truth("remove_extra_whitespaces")
        characterMap = try metadata.ints(key("precompiled_charsmap")).map { UInt8(truncatingIfNeeded: $0) }
    }

    /// Its keys, in the order in which llama.cpp's converter writes them.
    package var fields: [GGUFField] {
        var fields = [GGUFField(key("model"), .string(model))]
        func add(_ name: String, _ value: GGUFValue?) {
            if let value { fields.append(GGUFField(key(name), value)) }
        }
        add("pre", pre.map { .string($0) })
        fields.append(tokens.field(key("tokens")))
        add("scores", scores.isEmpty ? nil : .float32s(scores))
        add("token_type", types.isEmpty ? nil : .int32s(types))
        if !merges.isEmpty { fields.append(merges.field(key("merges"))) }
        let ids = [
            ("bos_token_id", bosID), ("eos_token_id", eosID), ("unknown_token_id", unknownID),
            ("seperator_token_id", separatorID), ("padding_token_id", paddingID),
        ]
        for (name, id) in ids { add(name, id.flatMap { UInt32(exactly: $0) }.map { .uint32($0) }) }
        let truths = [
            ("add_bos_token", addsBOS), ("add_eos_token", addsEOS), ("add_sep_token", addsSeparator),
            ("add_space_prefix", addsSpacePrefix), ("remove_extra_whitespaces", removesExtraWhitespace),
        ]
        for (name, truth) in truths { add(name, truth.map { .bool($0) }) }
        add(
            "precompiled_charsmap",
            characterMap.isEmpty ? nil : .array(.uint8, characterMap.map { .uint8($0) }))
        return fields
    }
}

extension ByteStrings {
    /// The list of strings under `key`, as bytes; empty if absent.
    fileprivate init(_ metadata: GGUFMetadata, _ key: String) throws(FormatError) {
        self.init()
        var strings = ByteStrings()
        if let (type, count) = metadata.array(key), type == .string { strings.reserve(count: count, bytes: 8 * count) }
        try metadata.forEachString(key) { strings.append($0) }
        self = strings
    }

    /// These strings as a value under `key`.
    fileprivate func field(_ key: String) -> GGUFField {
        GGUFField(key, strings: (0..<count).lazy.map { self[$0] })
    }
}
