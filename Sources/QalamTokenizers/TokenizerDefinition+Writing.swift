// SPDX-License-Identifier: Apache-2.0

internal import Foundation

extension TokenizerDefinition {
    /// The definition as a `tokenizer.json` that Hugging Face `tokenizers` reads and that gives the same ids there.
    func json() -> Data {
        let contents = Dictionary(addedTokens.map { ($0.id, $0.content) }) { first, _ in first }
        /// How the file writes a token outside of the vocabulary's list.
        func tokenText(_ id: TokenID) -> String {
            let bytes = vocabulary[id] ?? []
            return contents[id] ?? plainTokens[id]
                ?? (model == .byteLevel ? ByteAlphabet.text(bytes) : String(decoding: bytes, as: UTF8.self))
        }
        var out = JSONWriter()
        out.raw("{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [")
        for (index, token) in addedTokens.sorted(by: { $0.id < $1.id }).enumerated() {
            out.raw(index == 0 ? "\n    " : ",\n    ")
            writeAddedToken(token, &out)
        }
        out.raw("\n  ],\n  \"normalizer\": ")
        writeNormalizer(&out)
        out.raw(",\n  \"pre_tokenizer\": ")
        writePreTokenizer(&out)
        out.raw(",\n  \"post_processor\": ")
        writePostProcessor(&out, tokenText)
        out.raw(",\n  \"decoder\": ")
        writeDecoder(&out)
        out.raw(",\n  \"model\": {\n    \"type\": ")
        switch model {
        case .byteLevel, .textMerges: writeMergeModel(&out, tokenText)
        case .unigram: writeUnigram(&out)
        case .wordPiece(let settings): writeWordPiece(settings, &out)
        }
        out.raw("\n  }\n}\n")
        return Data(out.bytes)
    }

    private func writeMergeModel(_ out: inout JSONWriter, _ tokenText: (TokenID) -> String) {
        out.raw("\"BPE\",\n    \"dropout\": null,\n    \"unk_token\": ")
        writeUnknown(&out)
        out.raw(",\n    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,")
        out.raw("\n    \"fuse_unk\": \(fusesUnknown),\n    \"byte_fallback\": \(fallsBackToBytes),")
        out.raw("\n    \"ignore_merges\": \(takesWholePieces),")
        out.raw("\n    \"vocab\": {")
        writeVocabulary(&out)
        out.raw("\n    },\n    \"merges\": [")
        for (index, merge) in (scores.isEmpty ? merges : mergesOfScores()).enumerated() {
            out.raw(index == 0 ? "\n      [" : ",\n      [")
            out.string(tokenText(merge.left))
            out.raw(", ")
            out.string(tokenText(merge.right))
            out.raw("]")
        }
        out.raw("\n    ]")
    }

    /// The merges that give the same ids as merging by score: all pairs whose text together is a token, highest score
    /// first.
    func mergesOfScores() -> [MergeTable.Merge] {
        let index = TokenIndex(vocabulary, ids: modelIDs)
        let order = modelIDs.map { (key: Float(scores[Int($0)]).descendingKey, id: $0) }.sorted { $0 < $1 }
        var merges: [MergeTable.Merge] = []
        for (_, id) in order {
            ByteView.with([UInt8](vocabulary[id] ?? [])) { text in
                for cut in 1..<max(text.count, 1) where text[cut] & 0xC0 != 0x80 {
                    guard let left = index[text.slice(0, cut)], let right = index[text.slice(cut, text.count)] else {
                        continue
                    }
                    merges.append(MergeTable.Merge(left: left, right: right, result: id))
                }
            }
        }
        return merges
    }

    private func writeUnknown(_ out: inout JSONWriter) {
        guard let unknownID else { return out.raw("null") }
        out.string(String(decoding: vocabulary[unknownID] ?? [], as: UTF8.self))
    }

    private func writeUnigram(_ out: inout JSONWriter) {
        out.raw("\"Unigram\",\n    \"unk_id\": \(unknownID.map { "\($0)" } ?? "null"),\n    \"vocab\": [")
        for id in 0..<scores.count {
            out.raw(id == 0 ? "\n      [" : ",\n      [")
            out.string(String(decoding: vocabulary[TokenID(id)] ?? [], as: UTF8.self))
            out.raw(", \(scores[id])]")
        }
        out.raw("\n    ],\n    \"byte_fallback\": \(fallsBackToBytes)")
    }

    private func writeWordPiece(_ settings: WordPieceSettings, _ out: inout JSONWriter) {
        out.raw("\"WordPiece\",\n    \"unk_token\": ")
        writeUnknown(&out)
        out.raw(",\n    \"continuing_subword_prefix\": ")
        out.string(String(decoding: settings.prefix, as: UTF8.self))
        out.raw(",\n    \"max_input_chars_per_word\": \(settings.longestWord ?? 1 << 30),\n    \"vocab\": {")
        writeVocabulary(&out)
        out.raw("\n    }")
    }

    private func writeAddedToken(_ token: AddedToken, _ out: inout JSONWriter) {
        out.raw("{\"id\": \(token.id), \"content\": ")
        out.string(token.content)
        out.raw(", \"single_word\": \(token.singleWord), \"lstrip\": \(token.lstrip), \"rstrip\": \(token.rstrip)")
        out.raw(", \"normalized\": \(token.normalized), \"special\": \(token.special)}")
    }

    private func writePostProcessor(_ out: inout JSONWriter, _ tokenText: (TokenID) -> String) {
        guard !sequencePrefix.isEmpty || !sequenceSuffix.isEmpty else { return out.raw("null") }
        func part(_ id: TokenID, _ type: Int) {
            out.raw("{\"SpecialToken\": {\"id\": ")
            out.string(tokenText(id))
            out.raw(", \"type_id\": \(type)}}")
        }
        func sequence(_ name: String, _ type: Int) {
            for id in sequencePrefix {
                part(id, type)
                out.raw(", ")
            }
            out.raw("{\"Sequence\": {\"id\": \"\(name)\", \"type_id\": \(type)}}")
            for id in sequenceSuffix {
                out.raw(", ")
                part(id, type)
            }
        }
        out.raw("{\"type\": \"TemplateProcessing\", \"single\": [")
        sequence("A", 0)
        out.raw("], \"pair\": [")
        sequence("A", 0)
        out.raw(", ")
        sequence("B", 1)
        out.raw("], \"special_tokens\": {")
        for (index, id) in Set(sequencePrefix + sequenceSuffix).sorted().enumerated() {
            if index > 0 { out.raw(", ") }
            out.string(tokenText(id))
            out.raw(": {\"id\": ")
            out.string(tokenText(id))
            out.raw(", \"ids\": [\(id)], \"tokens\": [")
            out.string(tokenText(id))
            out.raw("]}")
        }
        out.raw("}}")
    }

    private func writeVocabulary(_ out: inout JSONWriter) {
        for (index, id) in (modelIDs + plainTokens.keys).sorted().enumerated() {
            out.raw(index == 0 ? "\n      " : ",\n      ")
            let bytes = vocabulary[id] ?? []
            out.string(
                plainTokens[id]
                    ?? (model == .byteLevel ? ByteAlphabet.text(bytes) : String(decoding: bytes, as: UTF8.self)))
            out.raw(": \(id)")
        }
    }
}
