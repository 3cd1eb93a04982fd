// SPDX-License-Identifier: Apache-2.0
public import QalamImages

/// What a run on pictures does unless told otherwise.
public struct PictureRunDefaults: Sendable {
    /// How parameters follow their gradients.
    public var optimizer: OptimizerKind
    /// The peak learning rate.
    public var learningRate: Double
    /// Pictures of a step.
    public var batch: Int
    /// Passes over the data.
    public var epochs: Double
    /// The decay of the average of the weights; nil for none.
    public var averaging: Double?

    /// For image tokenizers.
    public static let imageTokenizer = PictureRunDefaults(
        optimizer: .adamw, learningRate: 2e-3, batch: 32, epochs: 12, averaging: 0.995)
    /// For score models.
    public static let score = PictureRunDefaults(
        optimizer: .muon, learningRate: 2e-3, batch: 64, epochs: 8, averaging: 0.99)
    /// For models that draw code by code.
    public static let token = PictureRunDefaults(
        optimizer: .muon, learningRate: 3e-3, batch: 16, epochs: 30, averaging: 0.999)
    /// For models that draw by a flow.
    public static let flow = PictureRunDefaults(
        optimizer: .muon, learningRate: 2e-3, batch: 64, epochs: 100, averaging: 0.999)
}

extension RunSettings {
    /// Resolves options for a run on pictures.
    ///
    /// - Throws: `TrainingError.setting` that names the option that can't be.
    public init(_ o: RunOptions, pictures: PictureData, _ defaults: PictureRunDefaults) throws {
        for (name, isSet) in [
            ("context", o.context != nil), ("family", o.family != nil), ("kvHeads", o.kvHeads != nil),
            ("feedForward", o.feedForward != nil), ("tokens", o.tokens != nil),
        ] where isSet {
            throw TrainingError.setting(name, "it is for language models")
        }
        guard pictures.train.count > 0 else { throw TrainingError.data("There are no pictures to train on.") }
        context = 0
        batch = try positive(o.batch ?? defaults.batch, "batch")
        microBatch = try positive(o.microBatch ?? (batch % 32 == 0 ? 32 : batch), "microBatch")
        guard batch % microBatch == 0 else {
            throw TrainingError.setting("microBatch", "\(microBatch) does not divide the batch of \(batch) pictures")
        }
        optimizer = try choice(o.optimizer, defaults.optimizer, "optimizer")
        learningRate = try positive(o.learningRate ?? defaults.learningRate, "learningRate")
        weightDecay = try notNegative(o.weightDecay ?? 0.01, "weightDecay")
        beta1 = try fraction(o.beta1 ?? 0.9, "beta1")
        beta2 = try fraction(o.beta2 ?? 0.99, "beta2")
        clip = try notNegative(o.clip ?? 1, "clip")
        averaging = defaults.averaging
        schedule = try choice(o.schedule, .wsd, "schedule")
        let epochs = try positive(o.epochs ?? defaults.epochs, "epochs")
        steps = try positive(
            o.steps ?? max(1, Int(epochs * Double(pictures.train.count) / Double(batch))), "steps")
        warmup = try notNegative(o.warmup ?? min(steps / 10, 100), "warmup")
        seed = o.seed ?? 1
        evaluateEvery = try notNegative(o.evaluateEvery ?? max(1, steps / 20), "evaluateEvery")
        checkpointEvery = try notNegative(o.checkpointEvery ?? max(1, steps / 20), "checkpointEvery")
        sampleEvery = try notNegative(o.sampleEvery ?? max(1, steps / 10), "sampleEvery")
        samplePrompts =
            o.samplePrompts ?? [
                "cat face", "red heart", "blue car", "smiling face with sunglasses", "green apple", "وجه مبتسم", "زهرة",
                "قلب أزرق",
            ]
    }
}
