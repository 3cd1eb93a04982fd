// SPDX-License-Identifier: Apache-2.0

/// How text is cut into pieces before merges: each names a published pattern and runs as a hand-written scanner that
/// gives exactly the pieces of the regular expression.
public enum PreTokenizer: String, Sendable, CaseIterable {
    /// GPT-2's pattern (also r50k, p50k and many open models).
    case gpt2
    /// OpenAI's cl100k_base (GPT-4), as tiktoken has it: whitespace that ends the text is one piece.
    case cl100k
    /// OpenAI's o200k_base (GPT-4o).
    case o200k
    /// Llama 3: as cl100k, but whitespace that ends the text is still cut after its last line break.
    case llama3
    /// Qwen 2 and later: as Llama 3, with one digit a piece.
    case qwen2
    /// Mistral's Tekken: as o200k, without contractions and with one digit a piece.
    case tekken

    /// The pattern in the regular-expression dialect of `tokenizer.json`; GPT-2's is built into its ByteLevel step.
    var expression: String {
        let contraction = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
        let words = contraction + "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
        let symbols = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
        let upper = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
        let lower = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
        let paths = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
        let prefix = "[^\\r\\n\\p{L}\\p{N}]?"
        switch self {
        case .gpt2:
            return "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
        case .cl100k:
            return words + "|\\p{N}{1,3}" + symbols + "|\\s+\\z|\\s*[\\r\\n]|\\s+(?!\\S)|\\s"
        case .llama3:
            return words + "|\\p{N}{1,3}" + symbols + "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
        case .qwen2:
            return words + "|\\p{N}" + symbols + "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
        case .o200k:
            return prefix + upper + "*" + lower + "+" + contraction + "?|" + prefix + upper + "+" + lower + "*"
                + contraction + "?|\\p{N}{1,3}" + paths
        case .tekken:
            return prefix + upper + "*" + lower + "+|" + prefix + upper + "+" + lower + "*|\\p{N}" + paths
        }
    }

    /// The pre-tokenizer whose pieces `expression` gives, where it is one we know.
    init?(expression: String) {
        // As tiktoken once wrote it: possessive, and with the rules for line breaks that Llama 3 took over.
        let possessive =
            "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*"
            + "|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"
        if expression == possessive {
            self = .llama3
            return
        }
        guard let match = Self.allCases.first(where: { $0.expression == expression }) else { return nil }
        self = match
    }
}
