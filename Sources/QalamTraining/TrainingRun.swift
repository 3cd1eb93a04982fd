// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import QalamEngine
internal import QalamFormats
public import QalamModels
internal import QalamTensors
internal import QalamTokenizers

/// One training run, of any kind: a model, packed data and settings in; a loss curve, checkpoints and a model folder
/// out.
///
/// The folder of a run:
///
///     run.json      everything needed to repeat it
///     loss.svg      the curve so far
///     checkpoint/   the latest state: weights, optimizer, step
///     model/        the trained model as a Hugging Face folder
///
/// All state is in the checkpoint and everything random follows from the seed and the step, so a run that was killed
/// at any moment goes on bit for bit as if it had not been.
public struct TrainingRun {
    /// The run's folder.
    public let folder: URL
    /// Every setting, resolved.
    public let settings: RunSettings
    let decoder: Decoder
    let data: PackedData
    let files: ModelFiles
    let precision: StoredPrecision
    var optimizer: Optimizer
    var history = History()
    /// Steps done.
    public internal(set) var step = 0

    /// Makes a run, or takes up the one whose checkpoint is in `folder`.
    ///
    /// - Throws: `TrainingError.otherRun` if that checkpoint was made with other settings or data.
    public init(
        folder: URL, decoder: Decoder, data: PackedData, settings: RunSettings, files: ModelFiles,
        precision: StoredPrecision = .float32
    ) throws {
        self.folder = folder
        self.decoder = decoder
        self.data = data
        self.settings = settings
        self.files = files
        self.precision = precision
        optimizer = Optimizer(settings.optimizer, decoder.parameters)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try resume()
    }

    /// The model's switches.
    public var decoderConfig: DecoderConfig { decoder.config }

    /// Trains to the end, or until `shouldStop` says so after some step; a checkpoint is written in either case.
    public mutating func run(shouldStop: () -> Bool = { false }, report: (TrainingEvent) -> Void) throws {
        try writeRecord()
        report(.started(parameters: decoder.config.parameterCount, settings: settings, step: step))
        var saved = step
        while step < settings.steps, !shouldStop() {
            let stepReport = try train()
            report(.step(stepReport))
            if isDue(settings.evaluateEvery) { try evaluate(report) }
            if isDue(settings.sampleEvery) { sample(report) }
            if isDue(settings.checkpointEvery) {
                try checkpoint(report)
                saved = step
            }
        }
        if saved != step { try checkpoint(report) }
        let isComplete = step >= settings.steps
        let model = folder.appending(path: "model")
        if isComplete { try ModelFolder.write(decoder, files, to: model, precision: precision, metadata: metadata()) }
        report(.finished(step: step, isComplete: isComplete, model: model))
    }

    /// Whether something that happens every `interval` steps happens now; the last step always counts.
    private func isDue(_ interval: Int) -> Bool {
        step == settings.steps || (interval > 0 && step % interval == 0)
    }

    /// One step: gradients of all micro-batches, clipping, the update.
    private mutating func train() throws -> StepReport {
        let start = ContinuousClock.now
        let rate = settings.learningRate * settings.rateSchedule.factor(at: step)

        // 1) the rows of this step, and how many losses count in them
        let batches = try microBatches()
        let targets = batches.reduce(0) { $0 + $1.targets.count { $0 >= 0 } }

        // 2) forward and backward, gradients adding up
        var total = 0.0
        for batch in batches {
            var context = CausalContext(batch: batch.rows, length: settings.context)
            let hidden = decoder.hidden(batch.inputs, &context)
            let loss = linearCrossEntropy(
                hidden, head: decoder.head, targets: batch.targets, gradientScale: 1 / Float(max(targets, 1)))
            loss.backward()
            total += loss.total
        }

        // 3) the update
        step += 1
        var update = Optimizer.Step(
            number: step, learningRate: Float(rate), weightDecay: Float(settings.weightDecay),
            clip: Float(settings.clip))
        update.beta1 = Float(settings.beta1)
        update.beta2 = Float(settings.beta2)
        let norm = optimizer.update(update)

        let loss = total / Double(max(targets, 1))
        guard loss.isFinite, norm.isFinite else { throw TrainingError.diverged(step: step) }
        history.losses.append(loss)
        let elapsed = ContinuousClock.now - start
        return StepReport(
            step: step, steps: settings.steps, loss: loss, learningRate: rate, gradientNorm: norm,
            seconds: elapsed / .seconds(1), tokens: settings.tokensPerStep,
            flops: Double(settings.tokensPerStep) * decoder.config.trainingFLOPs(context: settings.context))
    }

    /// The batches of the step that comes next.
    private func microBatches() throws -> [TokenBatch] {
        let order = RowOrder(count: data.train.rowCount(length: settings.context), seed: settings.seed)
        return try stride(from: 0, to: settings.batch, by: settings.microBatch).map { offset in
            let first = step * settings.batch + offset
            return try data.train.batch((first..<first + settings.microBatch).map(order.row), length: settings.context)
        }
    }

    private mutating func evaluate(_ report: (TrainingEvent) -> Void) throws {
        guard
            let evaluation = try QalamTraining.evaluate(
                decoder, data, tokenizer: files.tokenizer, context: settings.context, step: step)
        else { return }
        history.evaluations.append(evaluation)
        report(.evaluated(evaluation))
        try history.writeCurve(to: folder.appending(path: "loss.svg"), steps: settings.steps)
    }

    private func sample(_ report: (TrainingEvent) -> Void) {
        for prompt in settings.samplePrompts {
            let ids = files.tokenizer.encode(prompt).prefix(decoder.config.contextLength / 2)
            guard !ids.isEmpty else { continue }
            var options = SamplingOptions()
            options.seed = settings.seed
            let request = GenerationRequest(
                prompt: Array(ids), sampling: options, maxTokens: min(48, decoder.config.contextLength - ids.count),
                stopTokens: Set(decoder.config.eosTokens))
            report(.sample(prompt: prompt, text: files.tokenizer.decode(generate(decoder, request))))
        }
    }

    private func checkpoint(_ report: (TrainingEvent) -> Void) throws {
        try writeCheckpoint()
        try history.writeCurve(to: folder.appending(path: "loss.svg"), steps: settings.steps)
        report(.checkpoint(step: step))
    }
}
