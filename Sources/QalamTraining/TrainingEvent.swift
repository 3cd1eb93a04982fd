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
    /// A picture of what the model makes now.
    case picture(URL)
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
    /// Mean loss.
    public var loss: Double
    /// The learning rate used.
    public var learningRate: Double
    /// The norm of the gradient before clipping.
    public var gradientNorm: Double
    /// Wall time.
    public var seconds: Double
    /// Tokens or pictures in it.
    public var count: Int
    /// "tok" or "img".
    public var unit: String
    /// FLOPs in it, by the count of the model's shapes.
    public var flops: Double
}

/// How good the model is on what it was not trained on.
public struct Evaluation: Sendable, Codable, Equatable {
    /// Steps trained before it.
    public var step: Int
    /// Mean loss.
    public var loss: Double
    /// Figures of the task, such as "bits_per_byte" and "perplexity", or "psnr" and "ssim".
    public var measures: [String: Double]
    /// Tokens or pictures it was measured on.
    public var count: Int
}
