// SPDX-License-Identifier: Apache-2.0
public import Foundation

/// `golden.json` of a model under Tests/Fixtures/families: what `transformers` computes from it.
public struct GoldenFamily: Decodable {
    /// One sequence.
    public var ids: [Int32]
    /// Numbers in the model.
    public var parameters: Int
    /// The last four rows.
    public var logits: [[Double]]

    /// Reads the values beside a model.
    public init(in folder: URL) throws {
        self = try JSONDecoder().decode(
            GoldenFamily.self, from: Data(contentsOf: folder.appending(path: "golden.json")))
    }

    /// The golden models, one or more of each family.
    public static let names = [
        "llama3", "llama-linear", "llama-yarn", "mistral", "mixtral", "qwen2", "qwen3", "qwen3-moe", "gemma2", "gemma3",
        "phi3", "phi3-long", "smollm3", "olmo2", "gpt-oss", "gpt-oss-mxfp4",
    ]
}
