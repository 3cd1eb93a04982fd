import Foundation
import QalamTokenizers

/// Files that the tests read; `Tests/Fixtures/tokenizers/make.py` says how each came to be.
enum Fixtures {
    /// The root of the repository.
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    static let folder = root.appending(path: "Tests/Fixtures/tokenizers")

    /// Recorded texts and ids.
    struct Cases: Decodable {
        struct Decoding: Decodable {
            let ids: [TokenID]
            let text: String
        }

        let texts: [String]
        /// Ids by file, with special tokens allowed.
        let json: [String: [[TokenID]]]
        /// Ids by pattern under `small.tiktoken`.
        let tiktoken: [String: [[TokenID]]]
        /// Ids by file, with special tokens not allowed.
        let plain: [String: [[TokenID]]]
        let decode: [Decoding]
    }

    static func cases() throws -> Cases {
        try JSONDecoder().decode(Cases.self, from: Data(contentsOf: folder.appending(path: "cases.json")))
    }

    static func data(_ name: String) throws -> Data { try Data(contentsOf: folder.appending(path: name)) }

    static func tokenizer(_ name: String) throws -> Tokenizer {
        try Tokenizer(contentsOf: folder.appending(path: "\(name).json"))
    }

    /// Calls `body` with a folder that is removed afterwards.
    static func withFolder<R>(_ body: (URL) throws -> R) throws -> R {
        let folder = FileManager.default.temporaryDirectory.appending(path: "qalam-tokenizers-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try body(folder)
    }

    /// A tokenizer read from `data` as if it were a file.
    static func tokenizer(json data: Data) throws -> Tokenizer { try Tokenizer(json: [UInt8](data), file: "test.json") }
}

/// Random numbers that are the same on every run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
