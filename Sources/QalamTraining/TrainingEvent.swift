// SPDX-License-Identifier: Apache-2.0
public import Foundation

/// What a training run reports, for whoever renders it.
public enum TrainingEvent: Sendable {
    /// The run starts, or goes on, at this step.
    case started(parameters: Int, settings: RunSettings, step: Int)
    /// A step is done.
    case step(StepReport)
    /// The held-out data was read.
    case evaluated(Evaluation)
    /// What the model makes of a prompt now.
    case sample(prompt: String, text: String)
    /// A checkpoint is on disk.
    case checkpoint(step: Int)
    /// The run ended, or was asked to stop.
    case finished(step: Int, isComplete: Bool, model: URL)
}

/// One step, in numbers.
public struct StepReport: Sendable, Codable, Equatable {
    /// From 1.
    public var step: Int
    /// Of how many.
    public var steps: Int
    /// Mean loss in nats a token.
    public var loss: Double
    /// The learning rate used.
    public var learningRate: Double
    /// The norm of the gradient before clipping.
    public var gradientNorm: Double
    /// Wall time.
    public var seconds: Double
    /// Tokens in it.
    public var tokens: Int
    /// FLOPs in it, by the count of the model's shapes.
    public var flops: Double
}

/// How well the model predicts text it was not trained on.
public struct Evaluation: Sendable, Codable, Equatable {
    /// Steps trained before it.
    public var step: Int
    /// Mean loss in nats a token.
    public var loss: Double
    /// Bits per byte of text: comparable between tokenizers.
    public var bitsPerByte: Double
    /// e to the loss.
    public var perplexity: Double
    /// Tokens it was measured on.
    public var tokens: Int
}
