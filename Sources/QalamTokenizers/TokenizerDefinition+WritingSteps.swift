// SPDX-License-Identifier: Apache-2.0

internal import Foundation

extension TokenizerDefinition {
    /// Writes what is done to text first.
    func writeNormalizer(_ out: inout JSONWriter) {
        out.sequence(normalizer.steps, list: "normalizers") { step, out in step.write(to: &out) }
    }

    /// Writes how text is cut into pieces.
    func writePreTokenizer(_ out: inout JSONWriter) {
        guard model == .byteLevel else {
            return out.sequence(splitter.steps, list: "pretokenizers") { step, out in step.write(to: &out) }
        }
        guard pattern != .gpt2 || separatesDigits else {
            return out.raw(byteLevel(prefixSpace: addsPrefixSpace, regex: true))
        }
        out.raw("{\"type\": \"Sequence\", \"pretokenizers\": [")
        if separatesDigits { out.raw("{\"type\": \"Digits\", \"individual_digits\": true}, ") }
        if pattern != .gpt2 {
            TextSplitter.Step.pattern(pattern).write(to: &out)
            out.raw(", ")
        }
        out.raw(byteLevel(prefixSpace: false, regex: pattern == .gpt2) + "]}")
    }

    /// Writes how tokens become text.
    func writeDecoder(_ out: inout JSONWriter) {
        switch decoderStyle {
        case .bytes: out.raw(byteLevel(prefixSpace: addsPrefixSpace, regex: true))
        case .words(let prefix, let cleansUp):
            guard !prefix.isEmpty else { return out.raw("null") }
            out.raw("{\"type\": \"WordPiece\", \"prefix\": ")
            out.string(String(decoding: prefix, as: UTF8.self))
            out.raw(", \"cleanup\": \(cleansUp)}")
        case .pieces(.noneInFirst, _):
            out.raw(#"{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}"#)
        case .pieces(let leading, let takesBytes):
            out.raw(#"{"type": "Sequence", "decoders": ["#)
            out.raw(#"{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}"#)
            if takesBytes { out.raw(#", {"type": "ByteFallback"}"#) }
            out.raw(#", {"type": "Fuse"}"#)
            if case .stripped(let count) = leading {
                out.raw(#", {"type": "Strip", "content": " ", "start": \#(count), "stop": 0}"#)
            }
            out.raw("]}")
        }
    }

    private func byteLevel(prefixSpace: Bool, regex: Bool) -> String {
        """
        {"type": "ByteLevel", "add_prefix_space": \(prefixSpace), "trim_offsets": true, "use_regex": \(regex)}
        """
    }
}

extension Normalizer.Step {
    /// Writes the step as Hugging Face's files have it.
    fileprivate func write(to out: inout JSONWriter) {
        switch self {
        case .prepend(let text):
            out.object([("type", "Prepend"), ("prepend", String(decoding: text, as: UTF8.self))])
        case .replace(let old, let new):
            writeReplacement("String", String(decoding: old, as: UTF8.self), new, &out)
        case .replaceRuns(let runs, let new): writeReplacement("Regex", runs.rawValue, new, &out)
        case .composed(let compatible): out.object([("type", compatible ? "NFKC" : "NFC")])
        case .decomposed(let compatible): out.object([("type", compatible ? "NFKD" : "NFD")])
        case .lowercase: out.object([("type", "Lowercase")])
        case .strip(let left, let right):
            out.raw(#"{"type": "Strip", "strip_left": \#(left), "strip_right": \#(right)}"#)
        case .stripAccents: out.object([("type", "StripAccents")])
        case .bert(let rules):
            out.raw(#"{"type": "BertNormalizer", "clean_text": \#(rules.cleansText), "#)
            out.raw(#""handle_chinese_chars": \#(rules.isolatesChinese), "#)
            out.raw(#""strip_accents": \#(rules.stripsAccents.map { "\($0)" } ?? "null"), "#)
            out.raw(#""lowercase": \#(rules.lowercases)}"#)
        case .nmt: out.object([("type", "Nmt")])
        case .precompiled(let map):
            out.object([
                ("type", "Precompiled"), ("precompiled_charsmap", Data(map.bytes).base64EncodedString()),
            ])
        }
    }

    private func writeReplacement(_ kind: String, _ pattern: String, _ content: [UInt8], _ out: inout JSONWriter) {
        out.raw("{\"type\": \"Replace\", \"pattern\": ")
        out.object([(kind, pattern)])
        out.raw(", \"content\": ")
        out.string(String(decoding: content, as: UTF8.self))
        out.raw("}")
    }
}

extension TextSplitter.Step {
    /// Writes the step as Hugging Face's files have it.
    fileprivate func write(to out: inout JSONWriter) {
        switch self {
        case .metaspace(let prepends, let splits):
            out.raw(#"{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "\#(prepends.rawValue)", "#)
            out.raw("\"split\": \(splits)}")
        case .literal(let text, let behavior):
            writeSplit("String", String(decoding: text, as: UTF8.self), behavior, &out)
        case .pattern(let pattern): writeSplit("Regex", pattern.expression, .isolated, &out)
        case .words: out.object([("type", "Whitespace")])
        case .whitespace: out.object([("type", "WhitespaceSplit")])
        case .punctuation(let behavior): out.object([("type", "Punctuation"), ("behavior", behavior.rawValue)])
        case .digits(let behavior):
            out.raw(#"{"type": "Digits", "individual_digits": \#(behavior == .isolated)}"#)
        case .bert: out.object([("type", "BertPreTokenizer")])
        }
    }

    private func writeSplit(_ kind: String, _ pattern: String, _ behavior: SplitBehavior, _ out: inout JSONWriter) {
        out.raw("{\"type\": \"Split\", \"pattern\": ")
        out.object([(kind, pattern)])
        out.raw(", \"behavior\": \"\(behavior.rawValue)\", \"invert\": false}")
    }
}
