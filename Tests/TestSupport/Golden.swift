// SPDX-License-Identifier: Apache-2.0
public import Foundation

/// `golden.json` of a model under Tests/Fixtures/models: what `transformers` computes from it (see the README there).
public struct Golden: Decodable {
    /// Two sequences.
    public var ids: [[Int32]]
    /// The last rows for the first sequence.
    public var logits: [[Double]]
    /// The mean over next tokens.
    public var loss: Double
    /// First eight values, sum and L2 norm by parameter.
    public var gradients: [String: [Double]]
    /// The loss before each AdamW step.
    public var steps: [Double]
    /// The loss after the last.
    public var lossAfterSteps: Double

    private enum CodingKeys: String, CodingKey {
        case ids, logits, loss, gradients, steps
        case lossAfterSteps = "loss_after_steps"
    }

    /// Reads the values beside a model.
    public init(in folder: URL) throws {
        self = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: folder.appending(path: "golden.json")))
    }

    /// The golden models.
    public static let models = ["tiny-llama", "tiny-llama-tied", "tiny-gpt2"]
}
