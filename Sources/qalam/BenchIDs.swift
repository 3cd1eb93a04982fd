// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamFormats
internal import QalamModels
internal import QalamTokenizers

/// `qalam bench tokenizer ids`: encodes and decodes, for `Benchmarks/tokenizers_check.py`.
struct BenchIDs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ids", abstract: "Encode and decode lines of standard input.",
        discussion: """
            Each line is {"text": text} or {"ids": ids}. The answer is {"ids": ids, "text": what they decode to, \
            "seconds": number} or {"text": text}; with "quiet": true only the seconds.
            """)

    private struct Request: Decodable {
        let text: String?
        let ids: [TokenID]?
        let quiet: Bool?
    }

    @Option(help: "A folder with tokenizer.json, that file, or a GGUF file.")
    var tokenizer: String

    func run() throws {
        let url = URL(filePath: tokenizer)
        let tokenizer =
            url.pathExtension == "gguf"
            ? try Tokenizer(gguf: GGUF(url).metadata) : try Tokenizer(contentsOf: url)
        while let line = readLine() {
            let request = try JSONDecoder().decode(Request.self, from: Data(line.utf8))
            if let text = request.text {
                var ids: [TokenID] = []
                let seconds = ContinuousClock().measure { ids = tokenizer.encode(text) } / .seconds(1)
                if request.quiet == true {
                    try printJSON(["seconds": seconds])
                } else {
                    try printJSON(["ids": ids.map { Int($0) }, "text": tokenizer.decode(ids), "seconds": seconds])
                }
            } else {
                try printJSON(["text": tokenizer.decode(request.ids ?? [])])
            }
        }
    }
}
