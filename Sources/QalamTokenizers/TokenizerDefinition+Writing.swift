internal import Foundation

extension TokenizerDefinition {
    /// The definition as a `tokenizer.json` that Hugging Face `tokenizers` reads and that gives the same ids there.
    func json() -> Data {
        let contents = Dictionary(addedTokens.map { ($0.id, $0.content) }) { first, _ in first }
        /// How the file writes a token outside of the vocabulary's list.
        func tokenText(_ id: TokenID) -> String {
            contents[id] ?? plainTokens[id] ?? ByteAlphabet.text(vocabulary[id] ?? [])
        }
        var out = JSONWriter()
        out.raw("{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [")
        for (index, token) in addedTokens.sorted(by: { $0.id < $1.id }).enumerated() {
            out.raw(index == 0 ? "\n    " : ",\n    ")
            writeAddedToken(token, &out)
        }
        out.raw("\n  ],\n  \"normalizer\": " + (!normalizer.steps.isEmpty ? "{\"type\": \"NFC\"}" : "null"))
        out.raw(",\n  \"pre_tokenizer\": ")
        writePreTokenizer(&out)
        out.raw(",\n  \"post_processor\": ")
        writePostProcessor(&out, tokenText)
        out.raw(",\n  \"decoder\": " + byteLevel(prefixSpace: addsPrefixSpace, regex: true))
        out.raw(",\n  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": null,")
        out.raw("\n    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,")
        out.raw("\n    \"fuse_unk\": false,\n    \"byte_fallback\": false,")
        out.raw("\n    \"ignore_merges\": \(takesWholePieces),")
        out.raw("\n    \"vocab\": {")
        writeVocabulary(&out)
        out.raw("\n    },\n    \"merges\": [")
        for (index, merge) in merges.enumerated() {
            out.raw(index == 0 ? "\n      [" : ",\n      [")
            out.string(tokenText(merge.left))
            out.raw(", ")
            out.string(tokenText(merge.right))
            out.raw("]")
        }
        out.raw("\n    ]\n  }\n}\n")
        return Data(out.bytes)
    }

    private func writeAddedToken(_ token: AddedToken, _ out: inout JSONWriter) {
        out.raw("{\"id\": \(token.id), \"content\": ")
        out.string(token.content)
        out.raw(", \"single_word\": \(token.singleWord), \"lstrip\": \(token.lstrip), \"rstrip\": \(token.rstrip)")
        out.raw(", \"normalized\": \(token.normalized), \"special\": \(token.special)}")
    }

    private func byteLevel(prefixSpace: Bool, regex: Bool) -> String {
        """
        {"type": "ByteLevel", "add_prefix_space": \(prefixSpace), "trim_offsets": true, "use_regex": \(regex)}
        """
    }

    private func writePreTokenizer(_ out: inout JSONWriter) {
        guard pattern != .gpt2 || separatesDigits else {
            return out.raw(byteLevel(prefixSpace: addsPrefixSpace, regex: true))
        }
        out.raw("{\"type\": \"Sequence\", \"pretokenizers\": [")
        if separatesDigits { out.raw("{\"type\": \"Digits\", \"individual_digits\": true}, ") }
        if pattern != .gpt2 {
            out.raw("{\"type\": \"Split\", \"pattern\": {\"Regex\": ")
            out.string(pattern.expression)
            out.raw("}, \"behavior\": \"Isolated\", \"invert\": false}, ")
        }
        out.raw(byteLevel(prefixSpace: false, regex: pattern == .gpt2) + "]}")
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
            out.string(plainTokens[id] ?? ByteAlphabet.text(vocabulary[id] ?? []))
            out.raw(": \(id)")
        }
    }
}

/// Collects JSON text.
struct JSONWriter {
    /// The text so far.
    private(set) var bytes: [UInt8] = []

    /// Appends text as it is.
    mutating func raw(_ text: String) { bytes.append(contentsOf: text.utf8) }

    /// Appends a string in quotes, with what JSON forbids in one escaped.
    mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20:
                let digits = String(byte, radix: 16)
                raw("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
            default:
                bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
