// SPDX-License-Identifier: Apache-2.0
package import QalamTokenizers

/// The tokens by which a model is asked for what stands between two texts.
///
/// The order is prefix, suffix, middle (Bavarian and others, 2022).
package struct FillMarks {
    private let prefix: TokenID
    private let suffix: TokenID
    private let middle: TokenID
    /// Tokens that end the text between.
    package let stops: Set<TokenID>

    private static let families = [
        ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"],  // Qwen, CodeGemma
        ["<fim_prefix>", "<fim_suffix>", "<fim_middle>"],  // StarCoder, Granite
        ["<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"],  // DeepSeek
    ]
    private static let ends = ["<|endoftext|>", "<|fim_pad|>", "<|file_sep|>", "<file_sep>"]

    /// Nil: the vocabulary has no such tokens.
    package init?(_ tokenizer: Tokenizer) {
        func id(_ mark: String) -> TokenID? {
            let ids = tokenizer.encode(mark)
            return ids.count == 1 ? ids[0] : nil
        }
        let found = Self.families.lazy.map { $0.compactMap(id) }.first { $0.count == 3 }
        guard let found else { return nil }
        (prefix, suffix, middle) = (found[0], found[1], found[2])
        stops = Set(found + Self.ends.compactMap(id))
    }

    /// The prompt that asks for what stands between `before` and `after`.
    package func prompt(_ before: [TokenID], _ after: [TokenID]) -> [TokenID] {
        [prefix] + before + [suffix] + after + [middle]
    }
}
