import Foundation
import QalamTokenizers
import Testing

/// OpenAI's own rank files with recorded ids, where the folder of shared data is beside the repository.
struct RankFileTests {
    private static let shared = Fixtures.root.deletingLastPathComponent().appending(path: "shared/data/tokenizers")

    /// Opens a rank file through `xz`; nil, with the reason printed, where it or `xz` is not there.
    private func tokenizer(_ name: String, _ pattern: PreTokenizer) throws -> Tokenizer? {
        let packed = Self.shared.appending(path: "\(name).tiktoken.xz")
        guard FileManager.default.fileExists(atPath: packed.path(percentEncoded: false)) else {
            print("skipped: no \(name).tiktoken.xz in the folder of shared data")
            return nil
        }
        return try Fixtures.withFolder { folder in
            let file = folder.appending(path: "\(name).tiktoken")
            try Data().write(to: file)
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = ["xz", "-dc", packed.path(percentEncoded: false)]
            process.standardOutput = try FileHandle(forWritingTo: file)
            try process.run()
            process.waitUntilExit()
            guard process.terminationStatus == 0 else {
                print("skipped: xz cannot unpack \(name).tiktoken.xz")
                return nil
            }
            return try Tokenizer(tiktoken: file, pattern: pattern, specialTokens: [:])
        }
    }

    @Test(arguments: [("r50k_base", PreTokenizer.gpt2), ("cl100k_base", .cl100k), ("o200k_base", .o200k)])
    func encodesTheRecordedSamples(name: String, pattern: PreTokenizer) throws {
        guard let tokenizer = try tokenizer(name, pattern) else { return }
        let plans = try String(
            contentsOf: Self.shared.appending(path: "gpt-tokenizer_TestPlans.txt"), encoding: .utf8)
        var checked = 0
        for block in plans.components(separatedBy: "EncodingName: ").dropFirst() where block.hasPrefix(name + "\n") {
            let sample = try #require(block.range(of: "\nSample: "))
            let encoded = try #require(block.range(of: "\nEncoded: [", options: .backwards))
            let ids = block[encoded.upperBound...].prefix { $0 != "]" }.split(separator: ",")
                .compactMap { TokenID($0.trimmingCharacters(in: .whitespaces)) }
            let text = String(block[sample.upperBound..<encoded.lowerBound])
            #expect(tokenizer.encode(text) == ids, "\(text.debugDescription)")
            #expect(tokenizer.decode(ids) == text)
            checked += 1
        }
        #expect(checked > 50)
    }

    @Test
    func encodesTheSamplesOfAnotherReader() throws {
        guard let tokenizer = try tokenizer("r50k_base", .gpt2) else { return }
        let input = Self.shared.appending(path: "ggml-vocab-gpt-2.gguf.inp")
        let output = Self.shared.appending(path: "ggml-vocab-gpt-2.gguf.out")
        let texts = try String(contentsOf: input, encoding: .utf8).components(separatedBy: "\n__ggml_vocab_test__\n")
        let lines = try String(contentsOf: output, encoding: .utf8).components(separatedBy: "\n")
        for (text, line) in zip(texts, lines) {
            #expect(tokenizer.encode(text) == line.split(separator: " ").compactMap { TokenID($0) }, "\(text)")
        }
    }
}
