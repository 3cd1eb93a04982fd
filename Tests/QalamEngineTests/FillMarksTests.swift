// SPDX-License-Identifier: Apache-2.0

import QalamEngine
import QalamTokenizers
import TestSupport
import Testing

@Suite("Filling gaps")
struct FillMarksTests {
    @Test("the texts around a gap go between the model's own marks, which then end the answer")
    func prompt() throws {
        for names in [
            ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"], ["<fim_prefix>", "<fim_suffix>", "<fim_middle>"],
        ] {
            var trainer = BPETrainer(
                vocabularySize: 300, pattern: .gpt2, specialTokens: ["<|endoftext|>"] + names.reversed())
            try trainer.add(Array(sampleText.utf8))
            let tokenizer = try trainer.finish()
            let marks = try #require(FillMarks(tokenizer))
            let (before, after) = (tokenizer.encode("The fox "), tokenizer.encode(" river"))
            let text = tokenizer.decode(marks.prompt(before, after))
            #expect(text == "\(names[0])The fox \(names[1]) river\(names[2])")
            #expect(marks.stops.contains(try #require(tokenizer.encode("<|endoftext|>").first)))
            #expect(Set(names.flatMap { tokenizer.encode($0) }).isSubset(of: marks.stops))
        }
    }

    @Test("a model without such marks has none")
    func none() throws {
        #expect(FillMarks(try tinyTokenizer()) == nil)
    }
}
