// SPDX-License-Identifier: Apache-2.0
internal import QalamFormats
public import QalamModels
internal import QalamTensors
public import QalamTokenizers

/// A seeded model of three small layers over a vocabulary of `vocabularySize`.
public func tinyDecoder(
    _ family: DecoderFamily = .llama, vocabularySize: Int = 300, contextLength: Int = 64, seed: UInt64 = 1,
    trainable: Bool = false
) throws -> Decoder {
    var config = DecoderConfig(
        family, vocabularySize: vocabularySize, hiddenSize: 32, layers: 3,
        attention: AttentionShape(heads: 4, kvHeads: family == .llama ? 2 : 4, headDim: 8),
        contextLength: contextLength)
    config.eosTokens = [1]
    return try Decoder(config, Weights(FreshWeights(seed: seed), trainable: trainable))
}

/// A tokenizer trained on a few sentences, with the special tokens that Qalam's models have.
public func tinyTokenizer(vocabularySize: Int = 300) throws -> Tokenizer {
    var trainer = BPETrainer(
        vocabularySize: vocabularySize, pattern: .gpt2, specialTokens: ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    for _ in 0..<20 { try trainer.add(Array(sampleText.utf8)) }
    return try trainer.finish()
}

/// A few sentences, some of them Arabic.
public let sampleText = """
    The small fox sat by the river. The river was cold, and the fox was warm in the sun.
    "Who are you?" said the bird. "I am a fox," said the fox, "and this is my river."
    كان الثعلب الصغير يجلس بجانب النهر. قال الطائر: من أنت؟
    The bird sang a song for the fox, and the fox slept.

    """

/// The relative distance of two lists of numbers, by their norms.
public func distance(_ a: [Double], _ b: [Double]) -> Double {
    precondition(a.count == b.count, "distance: \(a.count) and \(b.count)")
    let difference = zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
    let size = b.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return difference / max(size, 1e-30)
}
