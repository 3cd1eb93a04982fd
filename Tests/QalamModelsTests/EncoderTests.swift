// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamModels
import TestSupport
import Testing

/// Vectors of texts against those that `transformers` computes in double precision from the same files.
@Suite struct EncoderTests {
    private struct Golden: Decodable {
        var texts: [[Int32]]
        var vectors: [[Double]]

        init(_ name: String) throws {
            let url = fixture("encoders/\(name)/golden.json")
            self = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url))
        }
    }

    @Test(arguments: ["bert", "bert-cls", "nomic"])
    func vectors(name: String) throws {
        let golden = try Golden(name)
        let encoder = try Encoder(at: fixture("encoders/\(name)"))
        let together = encoder.embed(golden.texts)
        for (text, (found, expected)) in zip(golden.texts, zip(together, golden.vectors)) {
            #expect(distance(found.map { Double($0) }, expected) < bfloat16Tolerance)
            #expect(encoder.embed([text]) == [found], "alone or beside others")
        }
        #expect(together.count == golden.vectors.count)
    }

    /// A head for pairs, against scores computed by its formulas in float64.
    @Test func scoresOfPairs() throws {
        struct Pairs: Decodable {
            var pairs: [[Int32]]
            var second: [Int]
            var scores: [Double]
        }
        let folder = fixture("encoders/bert-ranker")
        let golden = try JSONDecoder().decode(Pairs.self, from: Data(contentsOf: folder.appending(path: "golden.json")))
        let encoder = try Encoder(at: folder)
        let scores = try #require(encoder.scores(golden.pairs, second: golden.second))
        #expect(distance(scores.map { Double($0) }, golden.scores) < 1e-5)
        for (index, pair) in golden.pairs.enumerated() {
            #expect(encoder.scores([pair], second: [golden.second[index]]) == [scores[index]])
        }
        #expect(try Encoder(at: fixture("encoders/bert")).scores(golden.pairs, second: golden.second) == nil)
    }

    @Test func unknownArchitecture() throws {
        let error = #expect(throws: ModelError.self) { try EncoderConfig(folder: fixture("families/qwen3")) }
        #expect(error.map { String(describing: $0).contains("nomic_bert") } == true)
    }
}
