// SPDX-License-Identifier: Apache-2.0
internal import QalamImages
package import QalamTokenizers

/// The ids of a caption or prompt as models that draw read it: normalized, each word with the space before it.
package func captionTokens(_ text: String, _ tokenizer: Tokenizer) -> [TokenID] {
    let normalized = CaptionSampler.normalized(text)
    return normalized.isEmpty ? [] : tokenizer.encode(" " + normalized)
}
