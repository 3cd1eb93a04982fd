// SPDX-License-Identifier: Apache-2.0
public import QalamImages
public import QalamTokenizers

/// Trains a byte-level BPE tokenizer on all captions and keywords of pictures.
///
/// - Throws: what the trainer throws if it runs out of memory.
public func captionTokenizer(_ pictures: PictureData, vocabularySize: Int) throws -> Tokenizer {
    var trainer = BPETrainer(vocabularySize: vocabularySize, pattern: .gpt2, specialTokens: ["<|endoftext|>"])
    for record in pictures.train.records {
        for texts in [record.captions.values, record.keywords.values] {
            for text in texts.joined() { try trainer.add(Array(" \(CaptionSampler.normalized(text))".utf8)) }
        }
    }
    return try trainer.finish { _, _ in }
}
