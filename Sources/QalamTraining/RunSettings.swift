// SPDX-License-Identifier: Apache-2.0
internal import Foundation
public import QalamModels
internal import QalamTensors

/// What a user may set for a run, from a run file or flags; whatever is nil follows from `depth`.
public struct RunOptions: Codable, Sendable, Equatable {
    /// The one dial: blocks of the model, from which all other settings follow.
    public var depth: Int?
    /// "llama" or "gpt2".
    public var family: String?
    /// C.
    public var width: Int?
    /// H; the head size is width / heads.
    public var heads: Int?
    /// Hkv.
    public var kvHeads: Int?
    /// F.
    public var feedForward: Int?
    /// T.
    public var context: Int?
    /// Entries of a new tokenizer.
    public var vocabulary: Int?
    /// "adamw" or "muon".
    public var optimizer: String?
    /// The peak.
    public var learningRate: Double?
    /// Pulls matrices towards 0.
    public var weightDecay: Double?
    /// AdamW's decay of the mean.
    public var beta1: Double?
    /// AdamW's decay of the square.
    public var beta2: Double?
    /// The largest norm of the gradient; 0 for no limit.
    public var clip: Double?
    /// "cosine", "wsd" or "constant".
    public var schedule: String?
    /// Steps to the peak.
    public var warmup: Int?
    /// Steps in all; instead of tokens or epochs.
    public var steps: Int?
    /// Tokens to train on in all.
    public var tokens: Int?
    /// Passes over the data.
    public var epochs: Double?
    /// Rows of one step.
    public var batch: Int?
    /// Rows of one pass through the model; gradients add up over a step.
    public var microBatch: Int?
    /// Everything random follows from it.
    public var seed: UInt64?
    /// Steps between evaluations; 0 for none but the last.
    public var evaluateEvery: Int?
    /// Steps between checkpoints; 0 for none but the last.
    public var checkpointEvery: Int?
    /// Steps between samples; 0 for none.
    public var sampleEvery: Int?
    /// What samples continue.
    public var samplePrompts: [String]?

    /// Nothing set.
    public init() {}

    /// The keys of a run file.
    public static let keys = [
        "depth", "family", "width", "heads", "kvHeads", "feedForward", "context", "vocabulary", "optimizer",
        "learningRate", "weightDecay", "beta1", "beta2", "clip", "schedule", "warmup", "steps", "tokens", "epochs",
        "batch", "microBatch", "seed", "evaluateEvery", "checkpointEvery", "sampleEvery", "samplePrompts",
    ]

    /// These options where set, `other` where not.
    public func merged(over other: RunOptions) throws -> RunOptions {
        let encoder = JSONEncoder()
        var keys = try JSONSerialization.jsonObject(with: encoder.encode(other)) as? [String: Any] ?? [:]
        let own = try JSONSerialization.jsonObject(with: encoder.encode(self)) as? [String: Any] ?? [:]
        keys.merge(own) { $1 }
        return try JSONDecoder().decode(RunOptions.self, from: JSONSerialization.data(withJSONObject: keys))
    }
}

/// Every setting of a run, resolved: what `run.json` records.
public struct RunSettings: Codable, Sendable, Equatable {
    /// How parameters follow their gradients.
    public var optimizer: OptimizerKind
    /// The peak learning rate.
    public var learningRate: Double
    /// Pulls matrices towards 0.
    public var weightDecay: Double
    /// AdamW's decay of the mean.
    public var beta1: Double
    /// AdamW's decay of the square.
    public var beta2: Double
    /// The largest norm of the gradient; 0 for no limit.
    public var clip: Double
    /// The decay of the average of the weights that is evaluated and written; nil for the last weights themselves.
    public var averaging: Double?
    /// The shape of the learning rate.
    public var schedule: LearningRateSchedule.Shape
    /// Steps to the peak.
    public var warmup: Int
    /// Steps in all.
    public var steps: Int
    /// Rows of one step.
    public var batch: Int
    /// Rows of one pass through the model.
    public var microBatch: Int
    /// T.
    public var context: Int
    /// Everything random follows from it.
    public var seed: UInt64
    /// Steps between evaluations; 0 for none but the last.
    public var evaluateEvery: Int
    /// Steps between checkpoints; 0 for none but the last.
    public var checkpointEvery: Int
    /// Steps between samples; 0 for none.
    public var sampleEvery: Int
    /// What samples continue.
    public var samplePrompts: [String]

    /// Tokens of one step.
    public var tokensPerStep: Int { batch * context }

    /// Resolves options for a model and a data set.
    ///
    /// - Throws: `TrainingError.setting` that names the option that can't be.
    public init(_ o: RunOptions, config: DecoderConfig, data: PackedData, finetuning: Bool) throws {
        context = try Self.context(o, config, data)
        microBatch = try positive(o.microBatch ?? max(1, min(4096 / context, o.batch ?? .max)), "microBatch")
        batch = try positive(o.batch ?? max(microBatch, 8192 / context / microBatch * microBatch), "batch")
        guard batch % microBatch == 0 else {
            throw TrainingError.setting("microBatch", "\(microBatch) does not divide the batch of \(batch) rows")
        }
        optimizer = try choice(o.optimizer, .muon, "optimizer")
        // Smaller steps for wider models (Kaplan et al. 2020), a tenth of that when a trained model is taught further.
        let peak = 3e-3 * (384 / Double(config.hiddenSize)).squareRoot()
        learningRate = try positive(o.learningRate ?? (finetuning ? peak / 5 : peak), "learningRate")
        weightDecay = try notNegative(o.weightDecay ?? (finetuning ? 0 : 0.1), "weightDecay")
        beta1 = try fraction(o.beta1 ?? 0.9, "beta1")
        beta2 = try fraction(o.beta2 ?? 0.95, "beta2")
        clip = try notNegative(o.clip ?? 1, "clip")
        schedule = try choice(o.schedule, finetuning ? .cosine : .wsd, "schedule")
        steps = try Self.steps(
            o, config, data, tokensPerStep: batch * context, rows: batch, context: context, finetuning)
        warmup = try notNegative(o.warmup ?? min(steps / 10, 100), "warmup")
        seed = o.seed ?? 1
        evaluateEvery = try notNegative(o.evaluateEvery ?? max(1, steps / 20), "evaluateEvery")
        checkpointEvery = try notNegative(o.checkpointEvery ?? max(1, steps / 20), "checkpointEvery")
        sampleEvery = try notNegative(o.sampleEvery ?? max(1, steps / 5), "sampleEvery")
        samplePrompts = o.samplePrompts ?? ["Once upon a time", "The"]
    }

    private static func context(_ o: RunOptions, _ config: DecoderConfig, _ data: PackedData) throws -> Int {
        let rowLength = data.manifest.rowLength
        let context = try positive(o.context ?? (rowLength > 0 ? rowLength - 1 : config.contextLength), "context")
        guard context <= config.contextLength else {
            throw TrainingError.setting("context", "\(context) is longer than the model's \(config.contextLength)")
        }
        guard rowLength == 0 || context == rowLength - 1 else {
            throw TrainingError.setting(
                "context", "\(context) is not that of the packed conversations, \(rowLength - 1)")
        }
        guard data.train.rowCount(length: context) > 0 else {
            throw TrainingError.setting(
                "context", "the data holds \(data.train.tokens) tokens, less than one row of \(context)")
        }
        return context
    }

    /// Twenty tokens a parameter, or three passes for fine-tuning, unless asked otherwise.
    ///
    /// Twenty: Hoffmann et al. 2022.
    private static func steps(
        _ o: RunOptions, _ config: DecoderConfig, _ data: PackedData, tokensPerStep: Int, rows: Int, context: Int,
        _ finetuning: Bool
    ) throws -> Int {
        if let steps = o.steps { return try positive(steps, "steps") }
        if let tokens = o.tokens { return max(1, try positive(tokens, "tokens") / tokensPerStep) }
        let rowsOfData = Double(data.train.rowCount(length: context))
        let epochs: Double
        if let asked = o.epochs {
            epochs = try positive(asked, "epochs")
        } else if finetuning {
            epochs = 3
        } else {
            return max(1, 20 * config.parameterCount / tokensPerStep)
        }
        return max(1, Int(epochs * rowsOfData / Double(rows)))
    }

    /// The learning rate over the run.
    var rateSchedule: LearningRateSchedule {
        LearningRateSchedule(shape: schedule, warmup: warmup, steps: steps)
    }
}

extension DecoderConfig {
    /// A new model from the dial: `depth` blocks of width 64·depth with heads of 64, SwiGLU of 8/3 the width, tied
    /// head.
    ///
    /// - Throws: `TrainingError.setting` that names the option that can't be.
    public init(_ o: RunOptions, vocabularySize: Int, eosToken: Int32?) throws {
        let depth = try positive(o.depth ?? 4, "depth")
        let family: DecoderFamily = try choice(o.family, .llama, "family")
        guard DecoderFamily.trainable.contains(family) else { throw ModelError.untrainable(family, "its kind") }
        let width = try positive(o.width ?? 64 * depth, "width")
        let heads = try positive(o.heads ?? max(1, width / 64), "heads")
        let kvHeads = try positive(o.kvHeads ?? heads, "kvHeads")
        guard width % heads == 0, (width / heads) % 2 == 0 else {
            throw TrainingError.setting("heads", "\(heads) heads don't divide a width of \(width) into even sizes")
        }
        guard heads % kvHeads == 0, family == .llama || kvHeads == heads else {
            throw TrainingError.setting("kvHeads", "\(kvHeads) can't serve \(heads) heads of this family")
        }
        self.init(
            family, vocabularySize: vocabularySize, hiddenSize: width, layers: depth,
            attention: AttentionShape(heads: heads, kvHeads: kvHeads, headDim: width / heads),
            contextLength: try positive(o.context ?? 512, "context"))
        intermediateSize = try positive(o.feedForward ?? intermediateSize, "feedForward")
        eosTokens = eosToken.map { [$0] } ?? []
    }
}

/// What can be wrong with a training run beside its files.
public enum TrainingError: Error, Equatable, Sendable, CustomStringConvertible {
    /// An option has a value that can't be.
    case setting(String, String)
    /// The checkpoint belongs to another run.
    case otherRun(String)
    /// The loss or the gradient is not a number any more.
    case diverged(step: Int)
    /// The data can't be used for this.
    case data(String)

    /// One sentence that says what to do.
    public var description: String {
        switch self {
        case .setting(let name, let why): "\(name): \(why)"
        case .otherRun(let why): "The checkpoint can't be resumed: \(why)"
        case .diverged(let step):
            "The loss is not a number at step \(step); resume from the last checkpoint with a lower learning rate."
        case .data(let why): why
        }
    }
}

func positive<Number: Comparable & ExpressibleByIntegerLiteral>(
    _ value: Number, _ name: String
) throws -> Number {
    guard value > 0 else { throw TrainingError.setting(name, "\(value) is not above 0") }
    return value
}

func notNegative<Number: Comparable & ExpressibleByIntegerLiteral>(
    _ value: Number, _ name: String
) throws -> Number {
    guard value >= 0 else { throw TrainingError.setting(name, "\(value) is below 0") }
    return value
}

func fraction(_ value: Double, _ name: String) throws -> Double {
    guard value >= 0, value < 1 else { throw TrainingError.setting(name, "\(value) is not in 0..<1") }
    return value
}

func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ value: String?, _ fallback: Choice, _ name: String
) throws -> Choice {
    guard let value else { return fallback }
    guard let choice = Choice(rawValue: value) else {
        let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        throw TrainingError.setting(name, "\(value) is not one of \(known)")
    }
    return choice
}
